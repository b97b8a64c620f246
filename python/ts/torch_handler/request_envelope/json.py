"""service_envelope "json": {"instances": [...]} in, {"predictions": [...]} out; the instances of all requests are one
batch."""

import base64
import json

from ts.torch_handler.request_envelope.base import BaseEnvelope, json_content


class JSONEnvelope(BaseEnvelope):
    def __init__(self, handle_fn):
        super().__init__(handle_fn)
        self._lengths = []

    def parse_input(self, data):
        instances = [self._instances(row) for row in data]
        self._lengths = [len(part) for part in instances]
        return [instance for part in instances for instance in part]

    def format_output(self, data):
        answers, start = [], 0
        for length in self._lengths:
            answers.append(json.dumps({"predictions": data[start : start + length]}))
            start += length
        return answers

    @staticmethod
    def _instances(row):
        instances = json_content(row).get("instances")
        if not isinstance(instances, list):
            raise ValueError('the request must be {"instances": [...]}')
        return [
            base64.b64decode(one["b64"]) if isinstance(one, dict) and set(one) == {"b64"} else one for one in instances
        ]
