"""Ensembles over the wire: data, errors, statistics, reload and unload of what they are made of."""

import concurrent.futures
import json
import threading

import numpy
import pytest
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import models, prometheus, raw_http, wait
from harness import server as server_module

DELAY = models.parameter("execute_delay_ms", 30)


def ensemble_config(steps, max_batch_size=8, dims="-1", dtype="TYPE_FP32", extra=""):
    """`steps`: (model, tensor read as INPUT0, tensor written as OUTPUT0[, version])."""
    text = f'platform: "ensemble"\nmax_batch_size: {max_batch_size}\n'
    text += f'input {{ name: "INPUT0" data_type: {dtype} dims: [ {dims} ] }}\n'
    text += f'output {{ name: "OUTPUT0" data_type: {dtype} dims: [ {dims} ] }}\nensemble_scheduling {{\n'
    for model, read, written, *version in steps:
        text += f'step {{ model_name: "{model}" model_version: {version[0] if version else -1}\n'
        text += f'input_map {{ key: "INPUT0" value: "{read}" }} output_map {{ key: "OUTPUT0" value: "{written}" }} }}\n'
    return text + extra + "}\n"


def chain(*names):
    tensors = ["INPUT0", *(f"t{i}" for i in range(1, len(names))), "OUTPUT0"]
    return ensemble_config([(name, tensors[i], tensors[i + 1]) for i, name in enumerate(names)])


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ensembles")
    batched = models.identity_config([("FP32", [-1])], 8, "dynamic_batching { }\n")
    models.add(directory, "first", batched)
    models.add(directory, "second", batched, versions=(1, 2))
    models.add(directory, "flat", models.identity_config([("FP32", [-1])]))
    models.add(directory, "slow", batched + DELAY)
    models.add(directory, "pair", chain("first", "second"))
    models.add(directory, "nested", chain("pair", "slow", "pair"))
    models.add(directory, "same_twice", chain("first", "first"))
    models.add(directory, "mixed", chain("flat", "first"))
    pinned = ensemble_config([("pinnable", "INPUT0", "OUTPUT0", 1)])
    both = "version_policy { all { } }\n"
    models.add(directory, "pinnable", batched + both, versions=(1, 2))
    models.add(directory, "pinned", pinned)
    # The models below do not load.
    models.add(directory, "wrong_type", ensemble_config([("first", "INPUT0", "OUTPUT0")], dtype="TYPE_INT32"))
    models.add(directory, "wrong_input", chain("first").replace('"INPUT0"', '"NOWHERE"'))
    models.add(directory, "too_large", chain("first").replace("max_batch_size: 8", "max_batch_size: 9"))
    return directory


def _running(repository, *options):
    load = [f"--load-model={name}" for name in ("nested", "same_twice", "mixed", "pinned")]
    return server_module.running(repository, "--model-control-mode=explicit", *load, *options)


@pytest.fixture(scope="module")
def server(repository):
    with _running(repository) as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url, concurrency=16) as client:
        yield client


def infer(client, model, array, **options):
    tensor = client_module.InferInput("INPUT0", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return client.infer(model, [tensor], outputs=[client_module.InferRequestedOutput("OUTPUT0")], **options)


def infer_alone(server, model, array):
    """With a client of its own, for threads."""
    with client_module.InferenceServerClient(server.url) as client:
        return infer(client, model, array).as_numpy("OUTPUT0")


def array(*shape):
    return numpy.arange(numpy.prod(shape), dtype=numpy.float32).reshape(shape)


def identity_config(**parameters):
    """As a load request brings it."""
    return {
        "backend": "identity",
        "max_batch_size": 8,
        "dynamic_batching": {},
        "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "dims": [-1]}],
        "output": [{"name": "OUTPUT0", "data_type": "TYPE_FP32", "dims": [-1]}],
        "parameters": {key: {"string_value": value} for key, value in parameters.items()},
    }


def statistics(client, model):
    return client.get_inference_statistics(model)["model_stats"][0]


@pytest.mark.parametrize("model", ["pair", "nested", "same_twice"])
def test_data_comes_through_every_step(client, model):
    for shape in [(1, 3), (4, 1000)]:
        result = infer(client, model, array(*shape), request_id="a")
        assert (result.as_numpy("OUTPUT0") == array(*shape)).all()
        response = result.get_response()
        assert (response["model_name"], response["id"]) == (model, "a")
        assert [output["name"] for output in response["outputs"]] == ["OUTPUT0"]


def test_a_batch_dimension_of_one_is_converted(client):
    assert (infer(client, "mixed", array(1, 5)).as_numpy("OUTPUT0") == array(1, 5)).all()
    with pytest.raises(InferenceServerException) as error:
        infer(client, "mixed", array(2, 5))
    assert "in ensemble 'mixed', " in error.value.message()


def test_metadata_and_config_say_what_it_is(client):
    metadata = client.get_model_metadata("pair")
    assert metadata["platform"] == "ensemble"
    assert metadata["inputs"] == [{"name": "INPUT0", "datatype": "FP32", "shape": [-1, -1]}]
    steps = client.get_model_config("pair")["ensemble_scheduling"]["step"]
    assert [step["model_name"] for step in steps] == ["first", "second"]


def test_a_step_may_name_its_version(client):
    before = {s["version"]: s["inference_stats"]["success"]["count"] for s in
              client.get_inference_statistics("pinnable")["model_stats"]}
    infer(client, "pinned", array(1, 1))
    after = {s["version"]: s["inference_stats"]["success"]["count"] for s in
             client.get_inference_statistics("pinnable")["model_stats"]}
    assert after == {"1": before["1"] + 1, "2": before["2"]}


def test_steps_count_for_themselves_and_the_ensemble_has_their_sum(server, client):
    names = ["pair", "first", "second"]
    before = {name: statistics(client, name) for name in names}
    infer(client, "pair", array(2, 3))

    def counted():
        # What a backend reports comes after its answer.
        now = {name: statistics(client, name) for name in names}
        grown = {name: now[name]["inference_count"] - before[name]["inference_count"] for name in names}
        return now if all(count == 2 for count in grown.values()) else None

    now = wait.until(counted, "the statistics of all three")
    for name in names:
        stats, old = now[name]["inference_stats"], before[name]["inference_stats"]
        assert stats["success"]["count"] == old["success"]["count"] + 1
        assert stats["compute_infer"]["count"] == old["compute_infer"]["count"] + 1
        assert now[name]["execution_count"] == before[name]["execution_count"] + 1

    def ns(name, key):
        return now[name]["inference_stats"][key]["ns"] - before[name]["inference_stats"][key]["ns"]

    for key in ("compute_input", "compute_infer", "compute_output"):
        assert ns("pair", key) == ns("first", key) + ns("second", key)
    assert ns("pair", "queue") == 0
    page = prometheus.scrape(server)
    assert page.value("nv_inference_request_success", model="pair") == now["pair"]["inference_stats"]["success"]["count"]
    assert page.value("nv_inference_pending_request_count", model="pair") == 0


def test_the_failure_of_a_step_is_the_ensembles(server, client):
    before = prometheus.scrape(server)
    with pytest.raises(InferenceServerException) as error:
        infer(client, "nested", array(9, 1))
    assert "batch-size must be <= 8" in error.value.message()
    # 'flat' takes one row only, its failure is the step's.
    with pytest.raises(InferenceServerException) as error:
        infer(client, "mixed", array(3, 1))
    assert error.value.message().startswith("in ensemble 'mixed', ")
    after = prometheus.scrape(server)
    name = "nv_inference_request_failure"
    assert after.value(name, model="mixed", reason="OTHER") == before.value(name, model="mixed", reason="OTHER") + 1


@pytest.mark.parametrize(
    "model, text",
    [
        ("wrong_type", "inconsistent data type: TYPE_FP32 is inferred from model first while TYPE_INT32 is inferred"),
        ("wrong_input", "is mapping to non-existing input NOWHERE in model first"),
        ("too_large", "allows maximum batch size 9, but it contains model first"),
    ],
)
def test_models_that_do_not_fit_are_refused(client, model, text):
    with pytest.raises(InferenceServerException) as error:
        client.load_model(model)
    assert text in error.value.message()
    assert not client.is_model_ready(model)


def test_a_reload_of_a_part_under_load_loses_nothing(server, client):
    stop = threading.Event()

    def ask():
        count = 0
        with client_module.InferenceServerClient(server.url) as own:
            while not stop.is_set():
                assert (infer(own, "nested", array(1, 8)).as_numpy("OUTPUT0") == array(1, 8)).all()
                count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        try:
            for round_number in range(6):
                config = identity_config(round=str(round_number))
                for name in ("first", "second", "slow"):
                    client.load_model(name, config=json.dumps(config))
        finally:
            stop.set()
        assert all(one.result() > 0 for one in asked)
    for name in ("first", "second", "slow"):
        client.load_model(name)


def test_an_unload_of_a_part_takes_the_ensemble_along_and_the_load_brings_it_back(repository):
    with _running(repository) as running:
        with client_module.InferenceServerClient(running.url, concurrency=8) as client:
            # Slow enough for all requests to be under way together.
            client.load_model("slow", config=json.dumps(identity_config(execute_delay_ms="500")))
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                under_way = [pool.submit(infer_alone, running, "nested", array(1, 2)) for _ in range(8)]
                slow = lambda: prometheus.scrape(running).value("headrace_requests_in_flight", model="nested") == 8
                wait.until(slow, "all requests in the ensemble")
                client.unload_model("second")
                # What was accepted holds its models.
                for one in under_way:
                    assert (one.result() == array(1, 2)).all()
            with pytest.raises(InferenceServerException):
                infer(client, "nested", array(1, 2))
            gone = lambda: not client.is_model_ready("nested")
            wait.until(gone, "the ensemble is not ready")
            client.load_model("second")
            assert client.is_model_ready("nested")
            infer(client, "nested", array(1, 2))


def test_a_client_that_goes_ends_the_steps(server, client):
    body = json.dumps(
        {"inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}
    ).encode()
    before = prometheus.scrape(server)
    connections = []
    for _ in range(30):
        connection = raw_http.Connection(server)
        connection.send(raw_http.request("POST", "/v2/models/nested/infer", body))
        connections.append(connection)
    for connection in connections:
        connection.close()

    def grown(page, *names):
        return sum(page.total(name, model="nested") - before.total(name, model="nested") for name in names)

    def settled():
        page = prometheus.scrape(server)
        flying = [page.value("headrace_requests_in_flight", model=name) for name in ("nested", "pair", "slow", "first")]
        done = grown(page, "nv_inference_request_success", "nv_inference_request_failure")
        return not any(flying) and done == grown(page, "headrace_requests_received_total")

    # What was received has ended, one way or the other, and is counted once.
    wait.until(settled, "nothing is left of them")
