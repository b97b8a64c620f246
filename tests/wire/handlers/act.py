"""Does what the JSON of a request says: answers, statuses, headers, failures."""

import time

from ts.utils.util import PredictionException

_VALUES = {
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"raw"),
    "str": "gr\u00fc\u00df",
    "dict": {"a": [1, None]},
    "list": [1.5],
    "none": None,
    "number": 7,
    "object": object(),
}


class Actor:
    def initialize(self, context):
        self.batches = []

    def handle(self, rows, context):
        self.batches.append(len(rows))
        return [self._one(index, row["body"], context) for index, row in enumerate(rows)] + self._more(rows)

    def _one(self, index, wish, context):
        if "status" in wish:
            context.set_response_status(wish["status"], wish.get("phrase", ""), index)
        if "type" in wish:
            context.set_response_content_type(index, wish["type"])
        for name, value in wish.get("headers", {}).items():
            context.set_response_header(index, name, value)
        if "sleep" in wish:
            time.sleep(wish["sleep"])
        if "raise" in wish:
            raise {"value": ValueError("inside"), "memory": MemoryError(), "cuda": RuntimeError("CUDA error")}[
                wish["raise"]
            ]
        if "prediction" in wish:
            raise PredictionException(*wish["prediction"])
        if "exit" in wish:
            import os

            os._exit(wish["exit"])
        if wish.get("batches"):
            return self.batches
        return _VALUES.get(wish.get("value"), "done")

    @staticmethod
    def _more(rows):
        return ["too much"] if any(row["body"].get("more") for row in rows) else []
