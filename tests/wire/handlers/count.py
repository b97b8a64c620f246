"""Batches continuously: counts down from what a request says, one piece a step. Its content comes once."""

import os
import select


class Counter:
    def initialize(self, context):
        self.left = {}
        self.steps = 0

    def handle(self, rows, context):
        self.steps += 1
        ids = [context.get_request_id(index) for index in range(len(rows))]
        gone = set(self.left) - set(ids)
        for request_id in gone:
            del self.left[request_id]
        for request_id, row in zip(ids, rows):
            if row:
                wish = row["body"]
                self.left[request_id] = wish["count"]
                # The first step of one request waits for another to come.
                if "gate" in wish:
                    while not os.path.exists(wish["gate"]):
                        select.select([], [], [], 0.002)
                if wish.get("fail"):
                    raise ValueError("asked for")
            self.left[request_id] -= 1
        context.stopping_criteria = [lambda _, left=self.left[request_id]: left <= 0 for request_id in ids]
        for index in range(len(rows)):
            context.set_response_content_type(index, "text/plain")
        return [f"{self.left[request_id]} of {len(rows)} known {len(self.left)}\n" for request_id in ids]
