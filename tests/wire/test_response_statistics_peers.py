"""Response statistics of the same decoupled models, by the same library of the backend, here and in a stock Triton."""

import json

import pytest

from harness import backends, peers, raw_http, repeat_model, wait
from harness import server as server_module

pytestmark = pytest.mark.skipif(not peers.directory(), reason="HEADRACE_PEERS names no peers")

_QUESTIONS = ([5, 6, 7], [5], [5, -6, 7], [], list(range(40)))  # a negative number's response is an error
_MODELS = ("repeat", "repeat_final")


@pytest.fixture(scope="module", name="stats")
def _stats(tmp_path_factory):
    """Statistics of each model, ours and the stock server's, after the same requests."""
    repository = tmp_path_factory.mktemp("response_statistics")
    repeat_model.add(repository)
    with server_module.Server(repository) as ours:
        of_ours = _ask_all(ours)
        assert ours.stop() == 0, ours.output()
    with peers.triton(repository, f"--backend-directory={backends.directory()}") as stock:
        of_stock = _ask_all(stock)
        assert stock.stop() == 0, stock.output()
    return {model: (of_ours[model], of_stock[model]) for model in _MODELS}


def _ask_all(server):
    found = {}
    for model in _MODELS:
        for values in _QUESTIONS:
            body = json.dumps({"IN": values}).encode()
            answer = raw_http.call(server, "POST", f"/v2/models/{model}/generate_stream", body)
            assert answer.status == 200, answer
        # The last report may come behind the answer.
        wait.until(lambda: _success_count(server, model) == len(_QUESTIONS), "the statistics")
        found[model] = _model_stats(server, model)
    return found


def _model_stats(server, model):
    (stats,) = raw_http.call(server, "GET", f"/v2/models/{model}/stats").json()["model_stats"]
    return stats


def _success_count(server, model):
    return _model_stats(server, model)["inference_stats"]["success"]["count"]


def _counts(of_kinds):
    return {kind: entry["count"] for kind, entry in of_kinds.items()}


@pytest.mark.parametrize("model", _MODELS)
def test_the_same_responses_are_counted_alike(stats, model):
    ours, stock = stats[model]
    assert list(ours) == list(stock)
    of_ours, of_stock = ({i: _counts(one) for i, one in each["response_stats"].items()} for each in (ours, stock))
    assert of_ours == of_stock


@pytest.mark.parametrize("model", _MODELS)
def test_the_same_requests_are_counted_alike(stats, model):
    ours, stock = stats[model]
    assert _counts(ours["inference_stats"]) == _counts(stock["inference_stats"])
    assert [ours[key] for key in ("inference_count", "execution_count")] == [
        stock[key] for key in ("inference_count", "execution_count")
    ]
    assert [one["batch_size"] for one in ours["batch_stats"]] == [one["batch_size"] for one in stock["batch_stats"]]


@pytest.mark.parametrize("model", _MODELS)
def test_the_times_of_a_response_add_up_in_both(stats, model):
    for of_server in stats[model]:
        for one in of_server["response_stats"].values():
            ends = sum(one[kind]["ns"] for kind in ("success", "fail", "empty_response", "cancel"))
            parts = one["compute_infer"]["ns"] + one["compute_output"]["ns"]
            assert one["compute_infer"]["count"] == 0 or parts > 0
            assert parts <= ends, one
