"""Requests that belong together: steps of one request that is batched continuously, and requests of one sequence."""

_RUNNING_LIMIT = 4096


class Running:
    """Ids of the requests that the handler has seen and is to see again. One whose client has gone stays until it is
    the oldest of too many; one that is forgotten comes with its content again."""

    def __init__(self):
        self._ids = {}

    def __contains__(self, request_id):
        return request_id in self._ids

    def __len__(self):
        return len(self._ids)

    def update(self, rows, goes_on):
        """`rows` were executed, and those with their number in `goes_on` will be again."""
        for index, row in enumerate(rows):
            self._ids.pop(row.request_id, None)
            if index in goes_on:
                self._ids[row.request_id] = True
        while len(self._ids) > _RUNNING_LIMIT:
            del self._ids[next(iter(self._ids))]


def unfinished(context, results):
    """Numbers of the requests that are to be executed once more: those whose stopping criterion, asked with what the
    handler has returned, says False. None, which means nothing to a stream, ends a request, and so does a handler
    without criteria."""
    criteria = context.stopping_criteria
    if not criteria:
        return frozenset()
    found = set()
    for index, result in enumerate(results):
        stop = criteria[index](result)
        if stop is not None and not stop:
            found.add(index)
    return found


def ended(context, rows):
    """Numbers of the requests whose sequences the handler ends, by response headers that name them."""
    named = set()
    for index in range(len(rows)):
        headers = context.get_response_headers(index)
        if headers and context.header_key_sequence_end in headers:
            named.update(str(headers[context.header_key_sequence_end]).split(";"))
    if not named:
        return frozenset()
    return {index for index in range(len(rows)) if str(context.get_sequence_id(index)) in named}
