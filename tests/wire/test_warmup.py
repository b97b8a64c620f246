"""model_warmup over the wire."""

import numpy
import pytest
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import models
from harness import server as server_module


def sample(name, kind, dims="4", dtype="FP32", batch_size=1, count=0, tensor="INPUT0"):
    return (
        f'model_warmup {{ name: "{name}" batch_size: {batch_size} count: {count} inputs {{ key: "{tensor}" '
        f"value {{ data_type: TYPE_{dtype} dims: [ {dims} ] {kind} }} }} }}\n"
    )


ZERO, RANDOM = "zero_data: true", "random_data: true"


def from_file(name):
    return f'input_data_file: "{name}"'


def fp32(extra, max_batch_size=8):
    return models.identity_config([("FP32", [-1])], max_batch_size, extra)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("warmup")
    models.add(directory, "zero", fp32(sample("z", ZERO, batch_size=3)))
    models.add(directory, "often", fp32(sample("r", RANDOM, count=5) + "instance_group { count: 2 kind: KIND_CPU }\n"))
    models.add(directory, "skipped", fp32(sample("none", ZERO, batch_size=0)))
    models.add(directory, "flat", fp32(sample("z", RANDOM), 0))
    strings = sample("s", from_file("strings"), "2", "STRING") + sample("z", ZERO, "2", "STRING")
    models.add(directory, "strings", models.identity_config([("BYTES", [-1])], 8, strings))
    data = directory / "strings" / "warmup"
    data.mkdir()
    (data / "strings").write_bytes(b"\x03\0\0\0abc\0\0\0\0")
    filed = models.add(directory, "filed", fp32(sample("f", from_file("data")))) / "warmup"
    filed.mkdir()
    (filed / "data").write_bytes(numpy.arange(4, dtype=numpy.float32).tobytes())
    short = models.add(directory, "short", fp32(sample("small", from_file("data")))) / "warmup"
    short.mkdir()
    (short / "data").write_bytes(b"\0" * 15)
    models.add(directory, "escape", fp32(sample("s", from_file("../config.pbtxt"))))
    models.add(directory, "absent", fp32(sample("s", from_file("nothing"))))
    models.add(directory, "wrong_input", fp32(sample("wrong", ZERO, tensor="NOWHERE")))
    models.add(directory, "wrong_type", fp32(sample("typed", ZERO, dtype="INT32")))
    models.add(directory, "variable", fp32(sample("v", ZERO, dims="-1")))
    models.add(directory, "large_batch", fp32(sample("b", ZERO, batch_size=9)))
    models.add(directory, "huge", fp32(sample("h", ZERO, dims="4611686018427387904")))
    return directory


@pytest.fixture(scope="module")
def server(repository):
    with server_module.running(repository, "--model-control-mode=explicit") as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url) as client:
        yield client


def loaded(client, model):
    client.load_model(model)
    return client.get_inference_statistics(model)["model_stats"][0]


@pytest.mark.parametrize(
    "model, executions, inferences",
    [("zero", 1, 3), ("often", 10, 10), ("skipped", 0, 0), ("flat", 1, 1), ("strings", 2, 2), ("filed", 1, 1)],
)
def test_every_instance_is_warm_before_the_model_is_ready(client, model, executions, inferences):
    stats = loaded(client, model)
    assert client.is_model_ready(model)
    assert (stats["execution_count"], stats["inference_count"]) == (executions, inferences)
    assert stats["inference_stats"]["success"]["count"] == inferences
    assert stats["inference_stats"]["fail"]["count"] == 0


@pytest.mark.parametrize(
    "model, texts",
    [
        ("short", ["warmup sample 'small'", "warmup setting expects 16 bytes, but the data file has 15"]),
        ("escape", ["warm-up file of input 'INPUT0'", "../config.pbtxt"]),
        ("absent", ["warmup sample 's'", "nothing"]),
        ("wrong_input", ["failed to run warmup sample 'wrong': ", "NOWHERE"]),
        ("wrong_type", ["failed to run warmup sample 'typed': ", "data-type is 'INT32'"]),
        ("variable", ["warmup setting expects all variable-size dimensions are specified for input 'INPUT0'"]),
        ("large_batch", ["'batch_size' 9 is larger than the 8"]),
        ("huge", ["'dims' asks for more than"]),
    ],
)
def test_a_sample_that_fails_fails_the_load(client, model, texts):
    with pytest.raises(InferenceServerException) as error:
        client.load_model(model)
    for text in texts:
        assert text in error.value.message()
    assert not client.is_model_ready(model)


def test_a_failed_warm_up_leaves_the_served_version_alone(repository, client):
    loaded(client, "zero")
    config = repository / "zero" / "config.pbtxt"
    good = config.read_text()
    config.write_text(fp32(sample("wrong", ZERO, tensor="NOWHERE")))
    try:
        with pytest.raises(InferenceServerException):
            client.load_model("zero")
        assert client.is_model_ready("zero")
    finally:
        config.write_text(good)


def test_instances_that_are_added_later_are_warmed_up_too(repository, client):
    before = loaded(client, "often")["execution_count"]
    config = repository / "often" / "config.pbtxt"
    good = config.read_text()
    config.write_text(good.replace("count: 2", "count: 3"))
    try:
        assert loaded(client, "often")["execution_count"] == before + 5
    finally:
        config.write_text(good)
