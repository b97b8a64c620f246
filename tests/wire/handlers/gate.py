"""Stays in a request until the file that it names is there; says so by another file. Numbers its requests."""

import itertools
import os
import select

_numbers = itertools.count()


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
    return [str(next(_numbers)) for _ in rows]
