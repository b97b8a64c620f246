"""Ensembles with a decoupled step, asked by clients that stream: tritonclient's over gRPC, and generate_stream."""

import json
import queue

import numpy
import pytest
import requests
import tritonclient.grpc as grpc_module
import tritonclient.http as http_module
from tritonclient.utils import InferenceServerException

from harness import models, prometheus, repeat_model, wait
from harness import server as server_module

STEP = "step {{ model_name: \"{model}\" model_version: -1\n{maps} }}\n"


def _step(model, reads, writes):
    maps = "".join(f'input_map {{ key: "{key}" value: "{value}" }}\n' for key, value in reads.items())
    maps += "".join(f'output_map {{ key: "{key}" value: "{value}" }}\n' for key, value in writes.items())
    return STEP.format(model=model, maps=maps)


def _ensemble(steps, outputs, extra=""):
    text = 'platform: "ensemble"\nmax_batch_size: 0\ninput { name: "VALUES" data_type: TYPE_INT32 dims: [ -1 ] }\n'
    for name, dtype in outputs:
        text += f'output {{ name: "{name}" data_type: {dtype} dims: [ -1 ] }}\n'
    return text + "ensemble_scheduling {\n" + "".join(steps) + extra + "}\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("decoupled_ensembles")
    repeat_model.add(directory)
    models.add(directory, "copy", models.identity_config([("INT32", [-1])]))
    models.add(directory, "copy_slowly", models.identity_config([("INT32", [-1])], extra=models.parameter("execute_delay_ms", 5)))
    models.add(directory, "pair", models.identity_config([("INT32", [-1]), ("INT32", [-1])]))
    before = _step("copy", {"INPUT0": "VALUES"}, {"OUTPUT0": "values"})
    repeat = _step("repeat", {"IN": "values"}, {"OUT": "each", "IDX": "INDEX"})
    both = [("RESULT", "TYPE_INT32"), ("INDEX", "TYPE_UINT32")]
    # The decoupled step between two ordinary ones, at the end, and beside what it was given.
    models.add(directory, "middle", _ensemble([before, repeat, _step("copy", {"INPUT0": "each"}, {"OUTPUT0": "RESULT"})], both))
    last = _step("repeat_final", {"IN": "values"}, {"OUT": "RESULT", "IDX": "INDEX"})
    models.add(directory, "last", _ensemble([before, last], both))
    joined = _step("pair", {"INPUT0": "each", "INPUT1": "values"}, {"OUTPUT0": "RESULT", "OUTPUT1": "ALL"})
    models.add(directory, "joined", _ensemble([before, repeat, joined], [*both, ("ALL", "TYPE_INT32")]))
    slowly = _step("copy_slowly", {"INPUT0": "each"}, {"OUTPUT0": "RESULT"})
    models.add(directory, "slow_reader", _ensemble([before, repeat, slowly], both, "max_inflight_requests: 2\n"))
    endless = _step("repeat_slowly", {"IN": "values"}, {"OUT": "each", "IDX": "INDEX"})
    models.add(directory, "endless", _ensemble([before, endless, _step("copy", {"INPUT0": "each"}, {"OUTPUT0": "RESULT"})], both))
    return directory


@pytest.fixture(scope="module")
def server(repository):
    with server_module.running(repository) as running:
        yield running


class Stream:
    """A gRPC stream and what comes on it."""

    def __init__(self, server):
        self.client = grpc_module.InferenceServerClient(server.grpc_url)
        self.answers = queue.Queue()

    def __enter__(self):
        self.client.start_stream(lambda result, error: self.answers.put((result, error)))
        return self

    def __exit__(self, *_):
        self.client.stop_stream()
        self.client.close()

    def ask(self, model, values, **options):
        array = numpy.array(values, numpy.int32)
        tensor = grpc_module.InferInput("VALUES", list(array.shape), "INT32")
        tensor.set_data_from_numpy(array)
        self.client.async_stream_infer(model, [tensor], **options)

    def take(self):
        result, error = self.answers.get(timeout=30)
        return result if error is None else error

    def all_of(self, model, values, **options):
        """The answers to one request up to the one that is marked as the last; errors among them."""
        self.ask(model, values, enable_empty_final_response=True, **options)
        found = []
        while True:
            result = self.take()
            if isinstance(result, InferenceServerException):
                found.append(result)
                return found
            response = result.get_response()
            if response.outputs:
                found.append(result)
            if response.parameters["triton_final_response"].bool_param:
                return found


@pytest.fixture(name="stream")
def _stream(server):
    with Stream(server) as stream:
        yield stream


def _values(answers, output="RESULT"):
    return [answer.as_numpy(output).tolist() for answer in answers]


@pytest.mark.parametrize("model", ["middle", "last", "joined", "slow_reader"])
@pytest.mark.parametrize("values", [[], [7], [4, 2, 2, 9], list(range(100))], ids=len)
def test_each_response_of_the_step_is_an_answer(stream, model, values):
    answers = stream.all_of(model, values, request_id="r")
    assert _values(answers) == [[value] for value in values]
    assert _values(answers, "INDEX") == [[i] for i in range(len(values))]
    if model == "joined":
        assert _values(answers, "ALL") == [values] * len(values)
    for answer in answers:
        response = answer.get_response()
        assert (response.model_name, response.id) == (model, "r")


def test_requests_of_one_stream_are_answered_beside_each_other(stream):
    requests_of = {f"r{i}": list(range(i, i + 5)) for i in range(10)}
    for name, values in requests_of.items():
        stream.ask("middle", values, request_id=name)
    got = {name: [] for name in requests_of}
    for _ in range(50):
        answer = stream.take()
        got[answer.get_response().id].append(int(answer.as_numpy("RESULT")[0]))
    assert got == requests_of


def test_an_error_of_the_step_ends_the_request_behind_its_data(stream):
    *answers, error = stream.all_of("middle", [1, 2, -3, 4])
    assert isinstance(error, InferenceServerException)
    assert "in ensemble 'middle', " in error.message() and "element 2 is -3" in error.message()
    assert _values(answers) in ([[1], [2]], [[1]], [])
    # The stream goes on.
    assert _values(stream.all_of("middle", [5])) == [[5]]


def test_a_client_that_leaves_ends_the_step(server):
    def in_flight():
        page = prometheus.scrape(server)
        return [page.value("headrace_requests_in_flight", model=model) for model in ("endless", "repeat_slowly")]

    with Stream(server) as stream:
        stream.ask("endless", list(range(1000)))
        assert _values([stream.take()]) == [[0]]
        assert in_flight() == [1, 1]
        stream.client.stop_stream(cancel_requests=True)
    wait.until(lambda: in_flight() == [0, 0], "both have ended")


def _events(text):
    found = text.split("\n\n")[:-1]
    assert all(event.startswith("data: ") for event in found), text[:200]
    return [json.loads(event.removeprefix("data: ")) for event in found]


@pytest.mark.parametrize("model", ["middle", "last", "joined"])
def test_generate_stream_makes_each_answer_an_event(server, model):
    for values in ([], [7], list(range(50))):
        answer = requests.post(
            f"http://{server.url}/v2/models/{model}/generate_stream", json={"VALUES": values, "id": "x"}, timeout=30
        )
        assert answer.status_code == 200
        events = _events(answer.text)
        assert [(event["RESULT"], event["INDEX"]) for event in events] == [(v, i) for i, v in enumerate(values)]
        assert all(event["model_name"] == model and event["id"] == "x" for event in events)
        if model == "joined" and len(values) > 1:
            assert all(event["ALL"] == values for event in events)


def test_generate_stream_tells_the_error_behind_the_data(server):
    answer = requests.post(f"http://{server.url}/v2/models/last/generate_stream", json={"VALUES": [1, -1]}, timeout=30)
    *_, last = _events(answer.text)
    assert "in ensemble 'last', " in last["error"] and "element 1 is -1" in last["error"]


def test_ways_of_one_answer_refuse_it(server):
    array = numpy.array([1], numpy.int32)
    for module, url in ((http_module, server.url), (grpc_module, server.grpc_url)):
        tensor = module.InferInput("VALUES", [1], "INT32")
        tensor.set_data_from_numpy(array)
        with module.InferenceServerClient(url) as client:
            with pytest.raises(InferenceServerException, match="doesn't support models with decoupled"):
                client.infer("middle", [tensor])


def test_steps_and_ensemble_count(server, stream):
    def figures(model):
        page = prometheus.scrape(server)
        return [page.value(name, model=model) for name in ("nv_inference_request_success", "nv_inference_count")]

    before = {model: figures(model) for model in ("middle", "repeat", "copy")}
    stream.all_of("middle", list(range(6)))

    def grown():
        return {model: [now - then for now, then in zip(figures(model), before[model])] for model in before}

    # The step before, and the one behind once for each response.
    wait.until(lambda: grown() == {"middle": [1, 1], "repeat": [1, 1], "copy": [7, 7]}, "the statistics of all three")
