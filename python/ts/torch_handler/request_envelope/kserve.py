"""service_envelope "kserve": KServe's first protocol. The instances of all requests of a batch are rows of one
batch."""

from ts.torch_handler.request_envelope.base import BaseEnvelope, json_content


class KServeEnvelope(BaseEnvelope):
    def __init__(self, handle_fn):
        super().__init__(handle_fn)
        self._lengths = []

    def parse_input(self, data):
        rows = []
        self._lengths = []
        for row in data:
            instances = json_content(row).get("instances")
            if not isinstance(instances, list):
                raise ValueError('the request must be {"instances": [...]}')
            self._lengths.append(len(instances))
            rows.extend(instances)
        return rows

    def format_output(self, data):
        explain = self.context is not None and self.context.get_request_header(0, "explain") == "True"
        key = "explanations" if explain else "predictions"
        if len(self._lengths) == 1:
            return [{key: data}]  # whatever number of results the handler makes of them
        answers, start = [], 0
        for length in self._lengths:
            answers.append({key: data[start : start + length]})
            start += length
        return answers
