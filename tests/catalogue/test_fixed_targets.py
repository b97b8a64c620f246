"""Catalogue 3.11: where logs and traces go is fixed at the start."""

import json

import pytest

from harness import raw_http

ASKS = (
    ("/v2/logging", "log_file"),
    ("/v2/trace/setting", "trace_file"),
    ("/v2/models/identity_fp32/trace/setting", "trace_file"),
)


@pytest.mark.row(135)
@pytest.mark.parametrize(("path", "key"), ASKS)
def test_no_request_chooses_a_file(server, tmp_path, path, key):
    """Refused in the words and with the status of a stock Triton (UNSUPPORTED is 501 there)."""
    target = tmp_path / "chosen"
    with raw_http.Connection(server) as connection:
        connection.send(raw_http.request("GET", path))
        before = json.loads(connection.read().body)
        connection.send(raw_http.request("POST", path, json.dumps({key: str(target)}).encode()))
        answer = connection.read()
        assert answer.status == 501
        assert json.loads(answer.body)["error"].endswith("location can not be updated through network protocol")
        connection.send(raw_http.request("GET", path))
        assert json.loads(connection.read().body) == before
    assert not target.exists()
