"""The workers of Python models as clients meet them: large tensors, many at once, deaths, cancellation, streams, calls."""

import concurrent.futures
import queue
import sys
import threading

import numpy
import pytest
import python_contract
import tritonclient.grpc as grpc_client
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import server as server_module
from harness import wait

_FLOATS = python_contract.config(["FP32"], ["FP32"], "instance_group [ { kind: KIND_CPU count: 2 } ]\n")
_MODELS = {
    "workshop": ("workshop", _FLOATS),
    "single": ("workshop", python_contract.config(["FP32"], ["FP32"])),
    "caller": ("workshop", python_contract.config(["FP32"], ["FP32"])),
    "moody": ("moody", python_contract.config(["FP32"], ["FP32"])),
    "patient": ("patient", python_contract.config(["INT32"], ["INT32"])),
    "count_down": python_contract.MODELS["count_down"],
}
_EXIT, _PROCESS, _KEEP, _SUM_OF_KEPT, _LATER, _CALL = range(-1, -7, -1)
_PICTURE = numpy.arange(3 * 224 * 224, dtype=numpy.float32)


def _start(repository, *options):
    return server_module.Server(repository, f"--backend-config=python,interpreter={sys.executable}", *options)


@pytest.fixture(scope="module", name="repository")
def _repository(tmp_path_factory):
    return python_contract.write_repository(tmp_path_factory.mktemp("workers"), _MODELS)


@pytest.fixture(scope="module", name="server")
def _server(repository):
    with _start(repository) as running:
        yield running
        assert running.stop() == 0, running.output()


def _ask(server, values, model="workshop"):
    values = numpy.asarray(values, dtype=numpy.float32)
    tensor = client_module.InferInput("INPUT0", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    with client_module.InferenceServerClient(server.url, network_timeout=60) as client:
        return client.infer(model, [tensor]).as_numpy("OUTPUT0")


def _grpc_input(values):
    tensor = grpc_client.InferInput("INPUT0", list(values.shape), "INT32")
    tensor.set_data_from_numpy(values)
    return [tensor]


def test_a_picture_comes_back(server):
    assert numpy.array_equal(_ask(server, _PICTURE), _PICTURE)


def test_what_does_not_fit_names_the_option(repository):
    options = ["--model-control-mode=explicit", "--load-model=workshop", "--backend-config=python,data-byte-size=1048576"]
    with _start(repository, *options) as small:
        with pytest.raises(InferenceServerException, match="data-byte-size"):
            _ask(small, _PICTURE)
        assert _ask(small, [0, 1, 2]).tolist() == [0, 1, 2]
        assert small.stop() == 0


def test_many_at_once_are_not_mixed_up(server):
    sizes = [1, 10, 1000, 100_000]

    def ask(i):
        values = numpy.full(sizes[i % 4], i + 1, dtype=numpy.float32)
        return numpy.array_equal(_ask(server, values), values)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(120)))


def test_instances_are_processes_of_their_own(server):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        processes = set(pool.map(lambda _: int(_ask(server, [_PROCESS])[0]), range(4)))
    assert len(processes) == 2 and server.process.pid not in processes


def test_inputs_that_a_model_keeps_stay_as_they_were(server):
    kept = [[_KEEP, value] for value in range(10)]
    for values in kept:
        _ask(server, values, "single")
        _ask(server, [0, 1000], "single")
    assert _ask(server, [_SUM_OF_KEPT], "single")[0] == sum(map(sum, kept))


def test_an_answer_after_the_execution(server):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: _ask(server, [_LATER, i]).tolist(), range(16)))
    assert answers == [[_LATER, i] for i in range(16)]


def test_a_death_is_told_and_the_next_worker_serves(server):
    with pytest.raises(InferenceServerException, match="instance 'single_0'.*exit status 9") as raised:
        _ask(server, [_EXIT], "single")
    assert raised.value.status() == "503"
    assert _ask(server, [0, 5], "single").tolist() == [0, 5]


def test_a_death_takes_nothing_of_what_waits_behind(repository):
    """With a second batch on its way all the time, too: each exit fails its own request alone."""
    exits = {20, 21, 70}
    options = ("--model-control-mode=explicit", "--load-model=single", "--backend-config=python,second-batch=on")

    def outcome(server, number):
        try:
            return _ask(server, [_EXIT if number in exits else number], "single").tolist()
        except InferenceServerException as error:
            return error.status()

    with _start(repository, *options) as running:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            outcomes = list(pool.map(lambda number: outcome(running, number), range(100)))
        assert running.stop() == 0, running.output()
    expected = ["503" if number in exits else [number] for number in range(100)]
    assert outcomes == expected


def test_a_large_tensor_goes_to_another_model_and_back(server):
    values = _PICTURE.copy()
    values[0] = _CALL
    answer = _ask(server, values, "caller")
    assert numpy.array_equal(answer[1:], _PICTURE[1:])


def test_calls_at_once(server):
    def ask(i):
        return _ask(server, [_CALL, i], "caller").tolist()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == [[0, i] for i in range(40)]


def test_cancelled_over_grpc(server):
    ended = threading.Event()
    with grpc_client.InferenceServerClient(f"{server.host}:{server.grpc_port}") as client:
        values = numpy.zeros(1, dtype=numpy.int32)
        call = client.async_infer("patient", _grpc_input(values), lambda result, error: ended.set())
        server.wait_line("the patient model has begun")
        call.cancel()
        assert ended.wait(30)
    server.wait_line("the request was cancelled: True")


def test_streams_over_grpc(server):
    answers = queue.Queue()
    with grpc_client.InferenceServerClient(f"{server.host}:{server.grpc_port}") as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        for i, count in enumerate((3, 1)):
            values = numpy.array([count], dtype=numpy.int32)
            client.async_stream_infer("count_down", _grpc_input(values), request_id=str(i))
        found = {"0": [], "1": []}
        for _ in range(4):
            result, error = answers.get(timeout=30)
            assert error is None
            found[result.get_response().id].append(int(result.as_numpy("OUTPUT0")[0]))
        client.stop_stream()
    assert found == {"0": [3, 2, 1], "1": [1]}


def test_a_model_says_that_it_is_not_ready(server):
    ready = lambda: python_contract.http(server, "models/moody/ready")[0] == 200
    wait.until(ready, "the model is ready")
    assert _ask(server, [0], "moody").tolist() == [0]
    wait.until(lambda: not ready(), "the model is not ready")
    assert _ask(server, [1], "moody").tolist() == [1]
    wait.until(ready, "the model is ready again")


def test_executions_are_counted(server):
    before = python_contract.http(server, "models/workshop/stats")[1]["model_stats"][0]
    for _ in range(3):
        _ask(server, [0, 1])
    after = python_contract.http(server, "models/workshop/stats")[1]["model_stats"][0]
    assert after["inference_count"] - before["inference_count"] == 3
    assert after["execution_count"] - before["execution_count"] == 3
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
