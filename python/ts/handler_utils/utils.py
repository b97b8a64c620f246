"""Parts of an answer before the handler returns."""

import os


def send_intermediate_predict_response(ret, req_id_map, message, code, context=None):
    """Sends one piece of each request's answer now: ret[i] to the request with number i, in the forms that a handler
    may return. The value that the handler returns is the last piece. `message` and `code` are there for older callers;
    a status is set on the context, before the first piece."""
    if int(os.getenv("RANK", "0") or 0) != 0:
        return None  # of the processes of one worker only the first one speaks
    if context is None or context.streamer is None:
        raise RuntimeError("send_intermediate_predict_response needs the context of a batch that is running")
    context.streamer(ret, req_id_map)
    return None
