"""`headrace bench` over gRPC, through shared memory and in-process: what arrives is counted by the server too."""

import json
import os
import pathlib
import signal
import subprocess
import urllib.request

import numpy
import pytest
from PIL import Image
from test_tls import make_certificate

from harness import models, repeat_model, wait
from harness import server as server_module

LIMIT_S = 120
COUNT = 60


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("transports")
    models.add(directory, "echo", models.identity_config([("FP32", [-1])], 8))
    models.add(directory, "slow", models.identity_config([("FP32", [-1])], 1, models.parameter("execute_delay_ms", 50)))
    sequences = "sequence_batching { oldest { max_candidate_sequences: 64 } max_sequence_idle_microseconds: 60000000 }\n"
    models.add(directory, "sequences", models.identity_config([("FP32", [-1])], 8, sequences))
    models.add(directory, "picture", models.identity_config([("FP32", [3, -1, -1])]))
    models.add(directory, "pixels", models.identity_config([("UINT8", [2, 2, 3])], 4))
    repeat_model.add(directory)
    return directory


@pytest.fixture(scope="module", name="server")
def _server(repository):
    with server_module.running(repository, "--allow-client-shm=true") as running:
        yield running


def bench(*arguments):
    command = [server_module.program(), "bench", "--warmup", "0", "--json", "-", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def run(server, *arguments, protocol="grpc"):
    """COUNT requests, four at a time; the one level's result."""
    url = server.grpc_url if protocol == "grpc" else server.url
    metrics = f"http://127.0.0.1:{server.metrics_port}/metrics"
    ran = bench("-i", protocol, "-u", url, "--metrics-url", metrics, "--concurrency", 4, "-n", COUNT, *arguments)
    return level_of(ran)


def level_of(ran):
    assert ran.stdout, ran.stderr
    (level,) = json.loads(ran.stdout)["levels"]
    return level


def all_ok(level):
    assert set(level["outcomes"]) == {"ok"}, level["outcomes"]
    # Those that were intended within the measured time.
    assert level["outcomes"]["ok"] >= COUNT // 2
    return True


def ask(server, path):
    with urllib.request.urlopen(f"http://{server.url}{path}", timeout=LIMIT_S) as answer:
        return json.load(answer)


def served(server, model):
    """Requests of the model that the server counts as served."""
    return ask(server, f"/v2/models/{model}/stats")["model_stats"][0]["inference_stats"]["success"]["count"]


UNARY = [[], ["--grpc-compression-algorithm", "gzip"], ["--grpc-compression-algorithm", "deflate"]]


@pytest.mark.parametrize("streaming", [[], ["--streaming"]], ids=["unary", "stream"])
@pytest.mark.parametrize("options", UNARY, ids=["plain", "gzip", "deflate"])
def test_every_request_arrives_and_is_answered(server, options, streaming):
    before = served(server, "echo")
    level = run(server, "-m", "echo", "--shape", "INPUT0:5000", *options, *streaming)
    assert all_ok(level)
    assert served(server, "echo") - before >= level["outcomes"]["ok"]


def test_a_decoupled_model_answers_as_often_as_it_was_asked_to(server, tmp_path):
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"data": [{"IN": {"content": [1, 2, 3], "shape": [3]}}]}), encoding="utf-8")
    exported = tmp_path / "export.json"
    level = run(server, "-m", "repeat", "--streaming", "--input-data", data, "--profile-export-file", exported)
    assert all_ok(level)
    (experiment,) = json.loads(exported.read_text(encoding="utf-8"))["experiments"]
    assert experiment["requests"]
    unary = run(server, "-m", "repeat", "--input-data", data)
    assert "ok" not in unary["outcomes"], unary["outcomes"]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_tensors_go_through_shared_memory_and_nothing_is_left(server, protocol):
    level = run(server, "-m", "echo", "--shape", "INPUT0:100000", "--shared-memory", "system",
                "--output-shared-memory-size", 400_000, protocol=protocol)  # fmt: skip
    assert all_ok(level)
    assert ask(server, "/v2/systemsharedmemory/status") == []
    assert not [name for name in os.listdir("/dev/shm") if name.startswith("headrace_bench_")]


def test_an_output_that_finds_no_room_in_shared_memory_is_a_failure(server):
    level = run(server, "-m", "echo", "--shape", "INPUT0:1000", "--shared-memory", "system",
                "--output-shared-memory-size", 100)  # fmt: skip
    assert "ok" not in level["outcomes"], level["outcomes"]
    (failures,) = (line["text"] for line in level["verdict"]["lines"] if "failed" in line["text"])
    assert "the first of the run: gRPC INVALID_ARGUMENT: " in failures, failures


def test_an_interrupted_run_leaves_no_shared_memory(server):
    command = [server_module.program(), "bench", "-i", "grpc", "-u", server.grpc_url, "-m", "echo", "--shape", "INPUT0:4",
               "--shared-memory", "system", "--concurrency", "2", "--duration", "100s", "--warmup", "0"]  # fmt: skip
    before = served(server, "echo")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        wait.until(lambda: served(server, "echo") > before, "the run has begun")
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130, output
    assert ask(server, "/v2/systemsharedmemory/status") == []


@pytest.mark.parametrize("options", [[], ["--streaming"], None], ids=["unary", "stream", "http"])
def test_sequences_are_whole(server, options):
    before = served(server, "sequences")
    protocol = "http" if options is None else "grpc"
    level = run(server, "-m", "sequences", "--shape", "INPUT0:4", "--num-of-sequences", 4, "--sequence-length", 5,
                *(options or []), protocol=protocol)  # fmt: skip
    assert all_ok(level)
    assert served(server, "sequences") - before >= level["outcomes"]["ok"]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_images_arrive_as_their_pixels(server, tmp_path, protocol):
    pixels = numpy.arange(4 * 6 * 3, dtype=numpy.uint8).reshape(4, 6, 3)
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(255 - pixels).save(folder / "b.png")
    golden = tmp_path / "golden.json"
    wide = [numpy.moveaxis(image, 2, 0).astype("<f4") / 255 for image in (pixels, 255 - pixels)]
    text = json.dumps({"validation_data": [{"OUTPUT0": {"content": image.ravel().tolist(), "shape": [3, 4, 6]}} for image in wide]})
    golden.write_text(text, encoding="utf-8")
    compared = ("-m", "picture", "--input-data", folder, "--golden", golden)
    assert run(server, *compared, protocol=protocol)["outcomes"] == {"ok": COUNT}
    assert set(run(server, *compared, "--scaling", "inception", protocol=protocol)["outcomes"]) == {"wrong answer"}
    # Resized to what the model takes, in batches, with its channels last.
    assert run(server, "-m", "pixels", "-b", 3, "--input-data", folder, protocol=protocol)["outcomes"] == {"ok": COUNT}


def test_grpc_through_tls(repository, tmp_path):
    folder = make_certificate(tmp_path, "server")
    options = [f"--grpc-server-cert={folder}/server.pem", f"--grpc-server-key={folder}/server.key", "--grpc-use-ssl=true"]
    with server_module.Server(repository, *options) as server:
        tls = ["-m", "echo", "--shape", "INPUT0:100000", "--ssl-grpc-use-ssl", "true"]
        assert all_ok(run(server, *tls, "--ssl-grpc-root-certifications-file", folder / "server.pem"))
        distrusted = bench("-i", "grpc", "-u", server.grpc_url, "-n", 1, *tls)
        assert distrusted.returncode == 2
        assert "certificate" in distrusted.stderr, distrusted.stderr
        plain = bench("-i", "grpc", "-u", server.grpc_url, "-n", 1, "-m", "echo", "--shape", "INPUT0:4")
        assert plain.returncode == 2 and "--tls" in plain.stderr, plain.stderr


def test_a_port_that_speaks_no_grpc_and_a_model_that_is_not_there_are_named(server):
    wrong_port = bench("-i", "grpc", "-u", server.url, "-n", 1, "-m", "nobody")
    assert wrong_port.returncode == 2
    assert "nobody" in wrong_port.stderr or server.url in wrong_port.stderr
    unknown = bench("-i", "grpc", "-u", server.grpc_url, "-n", 1, "-m", "nobody")
    assert unknown.returncode == 2
    assert "nobody" in unknown.stderr


class TestInProcess:
    @staticmethod
    def run(repository, *arguments):
        return bench("-i", "in-process", "--model-repository", repository, "-n", COUNT, *arguments)

    @pytest.mark.parametrize("load", [("--concurrency", 4), ("--rate", 400)], ids=["closed", "open"])
    def test_every_request_is_answered(self, repository, load):
        level = level_of(self.run(repository, "-m", "echo", "--shape", "INPUT0:1000", *load))
        assert all_ok(level)

    def test_sequences_and_decoupled_models(self, repository):
        sequences = self.run(repository, "-m", "sequences", "--shape", "INPUT0:4", "--concurrency", 4,
                             "--num-of-sequences", 4, "--sequence-length", 5)  # fmt: skip
        assert all_ok(level_of(sequences))
        assert all_ok(level_of(self.run(repository, "-m", "repeat", "--shape", "IN:2", "--concurrency", 2)))

    def test_a_model_that_is_not_there_is_named(self, repository):
        ran = self.run(repository, "-m", "nobody", "--concurrency", 1)
        assert ran.returncode == 2
        assert "nobody" in ran.stderr

    def test_with_the_library(self, repository):
        library = pathlib.Path(server_module.program()).parent / "in-process" / "lib" / "libtritonserver.so"
        if not library.exists():
            pytest.skip("libtritonserver.so is left out of this build")
        if server_module.is_sanitized():
            pytest.skip("a sanitizer's runtime does not go into a library's own world (dlmopen)")
        level = level_of(self.run(repository, "-m", "echo", "--shape", "INPUT0:8", "--concurrency", 2,
                                  "--server-library", library))  # fmt: skip
        assert all_ok(level)
