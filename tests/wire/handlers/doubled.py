"""Twice what it is given, row by row: behind an envelope the rows are the instances."""


class Doubler:
    def initialize(self, context):
        self.context = context

    def handle(self, rows, context):
        return [2 * row for row in rows]
