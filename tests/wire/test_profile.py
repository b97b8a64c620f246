"""Profiles of models that serve: the endpoint for each runtime, and the subcommand."""

import json
import pathlib
import platform
import re
import subprocess
import sys
import threading

import numpy
import onnx
import pytest
import requests
import tritonclient.http

from harness import backends, models, small_network, torch_models, without_perf_events
from harness.server import Server, program

LIMIT_S = 120
CONFIG = """
max_batch_size: 8
dynamic_batching {{ }}
instance_group {{ count: 1 kind: KIND_CPU }}
{}
"""
# An operator that the runtime is sure to have run.
OPERATORS = {"onnxruntime": "Gemm", "openvino": "FullyConnected", "pytorch": "aten::addmm"}


# That operator multiplies 6 features with 5 columns for each image.
FLOPS_OF_AN_IMAGE = 2 * 6 * 5


def torch_network():
    import torch

    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(6, 5)
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One small network for each runtime that is there, identity models, and an ensemble."""
    repository = tmp_path_factory.mktemp("profile")
    for name in ("onnxruntime", "openvino"):
        if backends.built(name):
            folder = models.add(repository, name, f'backend: "{name}"' + CONFIG.format(""))
            onnx.save(small_network.build(), str(folder / "1" / "model.onnx"))
    if backends.built("pytorch"):
        tensors = (
            f'input {{ name: "{small_network.INPUT}" data_type: TYPE_FP32 dims: [ 3, 8, 8 ] }}\n'
            f'output {{ name: "{small_network.OUTPUT}" data_type: TYPE_FP32 dims: [ 5 ] }}\n'
        )
        folder = models.add(repository, "pytorch", 'backend: "pytorch"' + CONFIG.format(tensors))
        torch_models.save_script(torch_network(), folder / "1" / "model.pt")
    models.add(repository, "identity", models.identity_config([("FP32", [-1])]))
    models.add(
        repository,
        "both",
        'platform: "ensemble"\ninput { name: "IN" data_type: TYPE_FP32 dims: [ -1 ] }\n'
        'output { name: "OUT" data_type: TYPE_FP32 dims: [ -1 ] }\n'
        'ensemble_scheduling { step { model_name: "identity" model_version: -1\n'
        'input_map { key: "INPUT0" value: "IN" } output_map { key: "OUTPUT0" value: "OUT" } } }\n',
    )
    with Server(repository) as running:
        yield running


def ask(server, model, body):
    return requests.post(f"http://{server.url}/v2/models/{model}/profile", json=body, timeout=LIMIT_S)


class Watched:
    """A profile that is under way; `answer()` waits for it."""

    def __init__(self, server, model, body):
        self._answers = []
        self._thread = threading.Thread(target=lambda: self._answers.append(ask(server, model, body)))
        self._thread.start()

    def over(self):
        return not self._thread.is_alive()

    def answer(self):
        self._thread.join()
        return self._answers[0]


def image():
    pixels = numpy.random.default_rng(1).standard_normal((1, *small_network.IMAGE)).astype(numpy.float32)
    tensor = tritonclient.http.InferInput(small_network.INPUT, pixels.shape, "FP32")
    return [tensor.set_data_from_numpy(pixels)]


def vector():
    tensor = tritonclient.http.InferInput("INPUT0", [4], "FP32")
    return [tensor.set_data_from_numpy(numpy.arange(4, dtype=numpy.float32))]


def profiled(server, model, inputs, **fields):
    """The document of a profile over at least 20 requests, which are sent until it has ended."""
    watched = Watched(server, model, {"requests": 20, "seconds": 100, **fields})
    client = tritonclient.http.InferenceServerClient(server.url)
    while not watched.over():
        client.infer(model, inputs)
    answer = watched.answer()
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("runtime", sorted(OPERATORS))
def test_a_profile_shows_the_operators_of_each_runtime(server, runtime):
    if not backends.built(runtime):
        pytest.skip(f"the build has no backend {runtime}")
    client = tritonclient.http.InferenceServerClient(server.url)
    output = small_network.OUTPUT
    before = client.infer(runtime, image()).as_numpy(output)
    document = profiled(server, runtime, image(), shapes=True, memory=True, stack=True)
    profile = document["headrace"]
    assert profile["model"] == runtime
    assert profile["requests"] >= 20
    table = profile["operators"]["table"]
    names = {line["name"] for line in table} | {line["kind"] for line in table}
    assert OPERATORS[runtime] in names, names
    assert sum(line["count"] for line in table) >= 20
    assert profile["batches"][0]["execution_mean_us"] > 0
    tells_memory = runtime != "openvino"
    assert any(line["bytes"] > 0 for line in table) == tells_memory, profile["operators"]["memory_note"]
    assert profile["operators"]["memory_note"]
    assert any(".py(" in event.get("args", {}).get("stack", "") for event in document["traceEvents"]) == (
        runtime == "pytorch"
    ), "the lines of TorchScript's source"
    batches = [event for event in document["traceEvents"] if event.get("cat") == "batch"]
    assert sum(event["args"]["requests"] for event in batches) == profile["requests"]
    numpy.testing.assert_allclose(client.infer(runtime, image()).as_numpy(output), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", sorted(OPERATORS))
def test_operators_are_held_against_what_the_machine_can_do(server, runtime):
    if not backends.built(runtime):
        pytest.skip(f"the build has no backend {runtime}")
    profile = profiled(server, runtime, image(), shapes=True)["headrace"]
    machine = profile["machine"]
    assert machine["gflops"] > 0 and machine["gbytes_per_s"] > 0 and machine["how"], machine
    assert 1 <= machine["threads"] <= profile["cores"]
    lines = [line for line in profile["operators"]["table"] if OPERATORS[runtime] in (line["name"], line["kind"])]
    for line in lines:
        assert line["flops"] == FLOPS_OF_AN_IMAGE * line["worked_count"], line
        assert line["moved_bytes"] > 0
        assert line["roofline_bound"] in ("compute", "memory")
        ideal_us = line["flops"] / machine["gflops"] / 1e3
        # It needs the memory for longer, if at all.
        assert line["roofline_percent"] >= 100 * ideal_us / line["worked_us"] * 0.999 > 0, line
    assert lines and profile["operators"]["roofline_note"]


def test_operators_without_known_work_are_held_against_nothing(server):
    if not backends.built("pytorch"):
        pytest.skip("the build has no backend pytorch")
    profile = profiled(server, "pytorch", image())["headrace"]
    assert "machine" not in profile and "--shapes" in profile["operators"]["roofline_note"]
    assert all(line["flops"] is line["moved_bytes"] is line["roofline_percent"] is None for line in profile["operators"]["table"])


def test_the_processor_is_sampled_where_the_kernel_allows_it(server):
    document = profiled(server, "identity", vector(), cpu_samples=True, requests=1000)
    cpu = document["headrace"]["cpu"]
    assert len(document["samples"]) == cpu["samples"] == sum(line["samples"] for line in cpu["table"])
    if cpu["perf_note"]:
        assert "What allows it" in cpu["perf_note"]
        return
    assert cpu["samples"] > 0 and cpu["sample_us"] > 0
    last_us = document["headrace"]["seconds"] * 1e6
    named = {event["tid"] for event in document["traceEvents"] if event["name"] == "thread_name"}
    for sample in document["samples"]:
        assert 0 <= sample["ts"] <= last_us + 1 and sample["tid"] in named
        assert document["stackFrames"][str(sample["sf"])]["name"]
    assert any(frame["category"] == "headrace" for frame in document["stackFrames"].values()), cpu["table"]


def test_nothing_is_sampled_unless_it_is_asked_for(server):
    document = ask(server, "identity", {"seconds": 0.05}).json()
    assert "samples" not in document and "cpu" not in document["headrace"]


def test_a_kernel_that_refuses_samples_is_named_with_what_would_allow_them(tmp_path):
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("no number of perf_event_open for this processor")
    models.add(tmp_path, "identity", models.identity_config([("FP32", [-1])]))
    launcher = str(pathlib.Path(without_perf_events.__file__))
    with Server(tmp_path, command=(sys.executable, launcher, program(), "serve")) as refused:
        document = profiled(refused, "identity", vector(), cpu_samples=True)
        cpu = document["headrace"]["cpu"]
        for word in ("perf_event_open: Operation not permitted", "CAP_PERFMON", "seccomp"):
            assert word in cpu["perf_note"]
        assert cpu["samples"] == 0 and document["samples"] == [] and cpu["table"] == []
        assert document["headrace"]["requests"] >= 20, "all else is there"
        result = run(
            "identity", "-u", refused.url, "--seconds=0.05", "--cpu-samples", "--out", str(tmp_path / "t.json")
        )
        assert result.returncode == 0 and "cpu samples: the server may not sample its own threads" in result.stdout


@pytest.mark.parametrize("runtime", ["onnxruntime", "pytorch"])
def test_operators_lie_within_their_batches(server, runtime):
    if not backends.built(runtime):
        pytest.skip(f"the build has no backend {runtime}")
    events = profiled(server, runtime, image())["traceEvents"]
    batches = [(event["ts"], event["ts"] + event["dur"], event["tid"]) for event in events if event.get("cat") == "batch"]
    operators = [event for event in events if event.get("cat") == "operator" and event["dur"] > 0]
    slack_us = 200  # of the clocks: the runtimes count on another one
    inside = [
        any(start - slack_us <= event["ts"] and event["ts"] + event["dur"] <= end + slack_us for start, end, _ in batches)
        for event in operators
    ]
    assert sum(inside) >= 0.5 * len(inside) > 0


def test_backends_that_report_no_operators_give_spans_only(server):
    document = profiled(server, "identity", vector())
    operators = document["headrace"]["operators"]
    assert "identity" in operators["note"] and "table" not in operators
    queued = [event for event in document["traceEvents"] if event["name"] == "queued" and event["ph"] == "b"]
    assert len(queued) == document["headrace"]["requests"] >= 20


def test_a_profile_without_traffic_says_so_and_shows_the_servers_memory(server):
    document = ask(server, "identity", {"seconds": 0.05}).json()
    profile = document["headrace"]
    assert [line["topic"] for line in profile["advice"]] == ["traffic"]
    peak = profile["memory"]["resident_peak_bytes"]
    counted = [event["args"]["MiB"] for event in document["traceEvents"] if event["ph"] == "C"]
    assert len(counted) >= 2 and max(counted) * 2**20 == pytest.approx(peak) and peak > 2**20


def test_one_profile_runs_at_a_time(server):
    watched = Watched(server, "identity", {"requests": 1, "seconds": 99})
    server.wait_line("model 'identity' is profiled for 99.0 s", LIMIT_S)
    refused = ask(server, "both", {})
    assert refused.status_code == 400 and "steps" in refused.json()["error"]
    again = ask(server, "identity", {})
    assert again.status_code == 503 and "is being profiled" in again.json()["error"]
    client = tritonclient.http.InferenceServerClient(server.url)
    while not watched.over():
        client.infer("identity", vector())
    assert watched.answer().status_code == 200


@pytest.mark.parametrize(
    ("model", "body", "status", "text"),
    [
        ("nobody", "{}", 404, "nobody"),
        ("identity", "{", 400, "JSON object"),
        ("identity", '{"seconds": -1}', 400, "'seconds'"),
        ("identity", '{"requests": "many"}', 400, "'requests'"),
        ("identity", '{"memory": 1}', 400, "'memory'"),
        ("identity", '{"cpu_samples": 1000}', 400, "'cpu_samples'"),
        ("identity", '{"cpu-samples": true}', 400, "cpu_samples"),
        ("identity", '{"stacks": true}', 400, "'stacks'"),
    ],
)
def test_bad_requests_name_what_is_wrong(server, model, body, status, text):
    url = f"http://{server.url}/v2/models/{model}/profile"
    answer = requests.post(url, data=body, timeout=LIMIT_S)
    assert (answer.status_code, text in answer.json()["error"]) == (status, True), answer.text


def run(*arguments):
    return subprocess.run([program(), "profile", *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False)


def test_the_subcommand_profiles_an_idle_server_with_load_of_its_own(server, tmp_path):
    file = tmp_path / "trace.json"
    load = ("--concurrency=3", "--input=zero", "--shape=INPUT0:4")
    flames = [tmp_path / "flame.html", tmp_path / "flame.svg"]
    common = ("-u", server.url, "--requests=10", "--seconds=60", "--out", str(file), *load)
    result = run("identity", *common, "--flame", str(flames[0]))
    assert result.returncode == 0, result.stderr
    assert "load: closed, 3 at a time: " in result.stdout and "failed" not in result.stdout
    assert "model identity version 1" in result.stdout and "batch size" in result.stdout
    assert str(file) in result.stdout
    assert json.loads(file.read_text())["headrace"]["requests"] >= 10
    for flame in flames[1:]:
        assert run("identity", *common, "--flame", str(flame)).returncode == 0
    page, picture = (flame.read_text() for flame in flames)
    assert "<h1>Profile of identity</h1>" in page and "batch of 1" in page and "src=" not in page
    assert picture.startswith("<svg") and "batch of 1" in picture


def test_a_flame_graph_has_operators_and_the_lines_that_called_them(server, tmp_path):
    if not backends.built("pytorch"):
        pytest.skip("the build has no backend pytorch")
    file = tmp_path / "flame.txt"
    load = ("--concurrency=1", "--input=zero", "--requests=10", "--seconds=60")
    result = run("pytorch", "-u", server.url, "--out", str(tmp_path / "t.json"), "--flame", str(file), "--stack", *load)
    assert result.returncode == 0 and f"flame graph: {file}" in result.stdout, result.stderr
    stack = re.compile(r"server;pytorch;instance \S+;batch of 1;.*\.py\(\d+\): forward;.*aten::addmm\S* \d+")
    assert any(stack.fullmatch(line) for line in file.read_text().splitlines()), file.read_text()


def test_the_subcommand_shows_the_roofline_and_where_the_processor_was(server, tmp_path):
    if not backends.built("onnxruntime"):
        pytest.skip("the build has no backend onnxruntime")
    flames = [tmp_path / "flame.txt", tmp_path / "flame.html"]
    load = ("--concurrency=2", "--input=zero", "--requests=1500", "--seconds=60", "--cpu-samples")
    for flame in flames:
        result = run("onnxruntime", "-u", server.url, "--out", str(tmp_path / "t.json"), "--flame", str(flame), *load)
        assert result.returncode == 0, result.stderr
    assert "roofline: " in result.stdout and "GFLOP/s" in result.stdout
    assert "Roofline" in flames[1].read_text() and "Functions on the processor" in flames[1].read_text()
    if "cpu samples: " not in result.stdout:
        assert "function (sampled, each" in result.stdout
        assert "server;CPU (sampled);instance onnxruntime" in flames[0].read_text()


def test_the_subcommand_says_when_no_traffic_came(server, tmp_path):
    result = run("identity", "-u", server.url, "--seconds=0.05", "--out", str(tmp_path / "t.json"))
    assert result.returncode == 0 and "traffic: no request was executed" in result.stdout
    assert "--concurrency N" in result.stdout


def test_the_subcommand_says_what_failed_in_one_line(server, tmp_path):
    missing = run("nobody", "-u", server.url, "--out", str(tmp_path / "t.json"))
    assert missing.returncode == 2 and "nobody" in missing.stderr and missing.stderr.count("\n") == 1
    nowhere = run("identity", "-u", "127.0.0.1:1", "--out", str(tmp_path / "t.json"))
    assert nowhere.returncode == 2 and "127.0.0.1:1" in nowhere.stderr
    stranger = run("nobody", "-u", server.url, "--concurrency=1", "--out", str(tmp_path / "t.json"))
    assert stranger.returncode == 2 and "identity" in stranger.stderr, "the models that are there are named"
    unread = run("identity", "-u", server.url, "--concurrency=1", "--input=/no/such", "--out", str(tmp_path / "t.json"))
    assert unread.returncode == 2 and "/no/such" in unread.stderr
    assert not (tmp_path / "t.json").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "model"),
        (("identity", "--out=/no/such/folder/t.json"), "/no/such/folder/t.json"),
        (("identity", "--flame=flame.png"), ".html, .svg, .txt"),
        (("identity", "--flame=/no/such/folder/f.svg"), "/no/such/folder/f.svg"),
        (("identity", "--seconds=0"), "--seconds"),
        (("identity", "--seconds=601"), "600"),
        (("identity", "--requests=0"), "--requests"),
        (("identity", "--concurrency=0"), "--concurrency"),
        (("identity", "--input=zero"), "--concurrency N"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_watched(server, arguments, text):
    result = run(*arguments, "-u", server.url)
    assert result.returncode == 1 and text in result.stderr, result.stderr


def test_the_subcommand_names_the_model_that_is_watched(server, tmp_path):
    watched = Watched(server, "identity", {"requests": 1, "seconds": 98})
    server.wait_line("model 'identity' is profiled for 98.0 s", LIMIT_S)
    refused = run("identity", "-u", server.url, "--out", str(tmp_path / "t.json"))
    assert refused.returncode == 2 and "'identity' is being profiled" in refused.stderr
    client = tritonclient.http.InferenceServerClient(server.url)
    while not watched.over():
        client.infer("identity", vector())
    assert watched.answer().status_code == 200
