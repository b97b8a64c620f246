"""Rows of the catalogue about the response cache."""

import json

import pytest

from harness import models, prometheus, raw_http, resources
from harness import server as server_module

CACHE_BYTE_SIZE = 1 << 20
DISTINCT = 20_000


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cache_rows")
    cached = "response_cache { enable: true }\nversion_policy { all { } }\n"
    for name in ("one", "other"):
        models.add(directory, name, models.identity_config([("INT32", [-1])], 0, cached), versions=(1, 2))
    with server_module.Server(directory, f"--cache-config=local,size={CACHE_BYTE_SIZE}") as running:
        yield running
        assert running.alive(), running.output()


def question(values, shape=None, parameters=None, dtype="INT32"):
    document = {"inputs": [{"name": "INPUT0", "shape": shape or [len(values)], "datatype": dtype, "data": values}]}
    if parameters:
        document["parameters"] = parameters
    return json.dumps(document).encode()


def hits(server):
    return prometheus.scrape(server).value("nv_cache_num_hits")


@pytest.mark.row(167)
def test_no_hit_across_models_versions_parameters_or_values(server):
    paths = [f"/v2/models/{name}/versions/{version}/infer" for name in ("one", "other") for version in (1, 2)]
    bodies = [
        question([1, 2]),
        question([2, 1]),
        question([1, 2, 0]),
        question([1, 2], parameters={"a": 1}),
        question([1, 2], parameters={"a": "1"}),
        question([1, 2], parameters={"a": True}),
        question([1, 2], parameters={"b": 1}),
    ]
    before = hits(server)
    first = [raw_http.call(server, "POST", path, body).json() for path in paths for body in bodies]
    assert hits(server) == before, "every question was a new one"
    again = [raw_http.call(server, "POST", path, body).json() for path in paths for body in bodies]
    assert hits(server) == before + len(first)
    assert again == first
    for path, answers in zip(paths, [again[i : i + len(bodies)] for i in range(0, len(again), len(bodies))]):
        _, _, _, name, _, version, _ = path.split("/")
        for body, answer in zip(bodies, answers):
            assert (answer["model_name"], answer["model_version"]) == (name, version)
            assert answer["outputs"][0]["data"] == json.loads(body)["inputs"][0]["data"]


@pytest.mark.row(167)
def test_many_distinct_questions_stay_within_the_size(server):
    with raw_http.Connection(server) as connection:
        def ask(first, last):
            for start in range(first, last, 100):
                numbers = range(start, start + 100)
                connection.send(b"".join(
                    raw_http.request("POST", "/v2/models/one/infer", question([number] * 8)) for number in numbers))
                for number in numbers:
                    answer = connection.read()
                    assert answer.status == 200 and answer.json()["outputs"][0]["data"] == [number] * 8

        # Below the requests that one connection may bring.
        ask(0, 900)
    before = resources.read(server.pid).resident_bytes
    for first in range(1000, DISTINCT, 900):
        with raw_http.Connection(server) as connection:
            ask(first, min(first + 900, DISTINCT))
    page = prometheus.scrape(server)
    assert page.value("nv_cache_util") <= 1
    assert page.value("nv_cache_num_evictions") > 0
    assert 0 < page.value("nv_cache_num_entries") < CACHE_BYTE_SIZE / 256
    if not server_module.is_sanitized():
        assert resources.read(server.pid).resident_bytes - before < 16 << 20
