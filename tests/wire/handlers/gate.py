"""Stays in a request until the file that it names is there; says so by another file."""

import os
import select


def handle(rows, context):
    if rows is None:
        return None
    for row in rows:
        gate = bytes(row.get("body", b"")).decode()
        if gate:
            with open(gate + ".entered", "w", encoding="utf-8"):
                pass
            while not os.path.exists(gate):
                select.select([], [], [], 0.002)
    return [f"{context.get_request_id(index)}" for index in range(len(rows))]
