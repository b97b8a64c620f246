"""Keeps what the requests of a sequence have said, by worker."""

import os


class Memory:
    def initialize(self, context):
        self.seen = {}

    def handle(self, rows, context):
        names = [context.get_sequence_id(index) for index in range(len(rows))]
        assert len(set(names)) == len(names), "two requests of one sequence in a batch"
        answers = []
        for index, (name, row) in enumerate(zip(names, rows)):
            text = bytes(row["body"]).decode()
            started = context.get_request_header(index, context.header_key_sequence_start)
            self.seen[name] = self.seen.get(name, "") + text
            context.set_response_header(index, context.header_key_sequence_id, name)
            if text == "end":
                context.set_response_header(index, context.header_key_sequence_end, name)
                del self.seen[name]
            answers.append({"seen": self.seen.get(name), "started": started, "worker": os.getpid()})
        return answers
