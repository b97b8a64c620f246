"""A request's headers and the answer's, over a row that makes its headers when they are asked for."""

from ts.context import RequestProcessor


class RowProcessor(RequestProcessor):
    __slots__ = ("_row",)

    def __init__(self, row):
        self._row = row
        self._folded = None
        self._response_headers = {}
        self._status = 200
        self._phrase = None

    @property
    def _request_headers(self):
        return self._row.headers
