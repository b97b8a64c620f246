"""Tables of catalogue cases."""

import dataclasses
import re

import pytest


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What an answer must be: one of `statuses`, with an error text that matches `text` where it is an error."""

    statuses: tuple
    text: str = ""

    def check(self, answer):
        shown = f"{answer.status} {answer.body[:300]!r}, expected {self.statuses} {self.text!r}"
        assert answer.status in self.statuses, shown
        if answer.status >= 400:
            error = answer.json()["error"]
            assert isinstance(error, str) and error, shown
            assert re.search(self.text, error, re.IGNORECASE), shown


def verdict(*statuses, text=""):
    return Verdict(statuses, text)


def cases(row, *entries):
    """Parameters of a test from (name, value, ...) entries; each is a case of catalogue row `row`."""
    return [pytest.param(*values, id=f"row{row}-{name}", marks=pytest.mark.row(row)) for name, *values in entries]
