"""Response caches that are libraries: one of the tests' own, and the published one where it is installed."""

import contextlib
import os
import pathlib
import subprocess

import numpy
import pytest
import tritonclient.http as client_module

from harness import models, peers, prometheus, wait
from harness import server as server_module
from harness.under_way import Asked, request

CACHED = "response_cache { enable: true }\n"
ALL = "version_policy { all { } }\n"


def caches():
    """The directory of the tests' own cache, which lies beside the program."""
    return pathlib.Path(server_module.program()).resolve().parent / "test_caches"


@pytest.fixture(scope="module", name="repository")
def _repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cache_libraries")
    models.add(directory, "cached", models.identity_config([("FP32", [-1])], 8, CACHED + ALL), versions=(1, 2))
    models.add(directory, "pair", models.identity_config([("FP32", [-1]), ("INT64", [-1])], 8, CACHED))
    models.add(directory, "strings", models.identity_config([("BYTES", [-1])], 8, CACHED))
    models.add(directory, "plain", models.identity_config([("FP32", [-1])], 8))
    return directory


def ours(repository, fault="none"):
    return server_module.running(repository, f"--cache-directory={caches()}", f"--cache-config=test,fault={fault}")


@contextlib.contextmanager
def published(repository, tmp_path, size=1 << 20):
    """`local` where the cache directory has that library: the published one, unmodified."""
    options = [f"--cache-directory={peers.caches()}", f"--cache-config=local,size={size}"]
    with server_module.running(repository, *options, environment=peers.environment(tmp_path)) as running:
        assert "response cache 'local' loaded from" in "\n".join(running.lines)
        yield running


_needs_peers = pytest.mark.skipif(
    peers.directory() is None, reason="HEADRACE_PEERS names no directory with the published cache"
)


def infer(client, model, *arrays, version="", **options):
    inputs = []
    for i, array in enumerate(arrays):
        dtype = {"O": "BYTES", "f": "FP32", "i": "INT64"}[array.dtype.kind]
        inputs.append(client_module.InferInput(f"INPUT{i}", list(array.shape), dtype))
        inputs[-1].set_data_from_numpy(array)
    return client.infer(model, inputs, model_version=version, **options)


def counts(client, model, version="1"):
    """Hits, misses and executions' successes."""
    stats = client.get_inference_statistics(model, version)["model_stats"][0]["inference_stats"]
    return tuple(stats[key]["count"] for key in ("cache_hit", "cache_miss", "success"))


def row(*values):
    return numpy.array([values], numpy.float32)


def _ask_everything_three_times(client):
    """The questions, their answers checked; every one is a miss and then two hits."""
    questions = [
        ("cached", [row(1, 2)], "1"),
        ("cached", [row(1, 2)], "2"),
        ("cached", [row(2, 1)], "1"),
        ("cached", [row(1, 2, 0)], "1"),
        ("cached", [numpy.array([[1], [2]], numpy.float32)], "1"),
        ("pair", [row(1, 2), numpy.array([[-3, 4, 5]], numpy.int64)], ""),
        ("strings", [numpy.array([[b"", b"abc", bytes(range(256))]], numpy.object_)], ""),
    ]
    for _ in range(3):
        for model, arrays, version in questions:
            result = infer(client, model, *arrays, version=version, request_id="x")
            assert result.get_response()["id"] == "x"
            assert result.get_response()["model_version"] == (version or "1")
            for i, array in enumerate(arrays):
                answer = result.as_numpy(f"OUTPUT{i}")
                assert answer.dtype == array.dtype and answer.shape == array.shape and (answer == array).all()
    assert counts(client, "cached", "1") == (8, 4, 12)
    assert counts(client, "cached", "2") == (2, 1, 3)
    assert counts(client, "pair") == (2, 1, 3)
    assert counts(client, "strings") == (2, 1, 3)


def _page_with(server, name, count):
    """The metrics page once `name` has come to `count`: the published cache writes its figures now and then."""

    def written():
        page = prometheus.scrape(server)
        return page if page.value(name) >= count else None

    return wait.until(written, f"{name} is {count}")


def _failures(server):
    page = prometheus.scrape(server)
    return tuple(page.value("headrace_cache_failures_total", operation=each) for each in ("lookup", "insert"))


def test_a_library_caches(repository):
    with ours(repository) as server, client_module.InferenceServerClient(server.url) as client:
        _ask_everything_three_times(client)
        infer(client, "plain", row(1))
        page = prometheus.scrape(server)
        assert page.value("nv_cache_num_hits_per_model", model="pair") == 2
        assert page.value("nv_cache_num_misses_per_model", model="pair") == 1
        assert page.find("nv_cache_num_hits_per_model", model="plain") == []
        assert _failures(server) == (0, 0)


@pytest.mark.parametrize(
    "fault, failures", [("lookup", (4, 0)), ("throw", (4, 0)), ("cut", (3, 0)), ("garble", (3, 0)), ("insert", (0, 4))]
)
def test_where_the_library_fails_the_model_answers(repository, fault, failures):
    with ours(repository, fault) as server, client_module.InferenceServerClient(server.url) as client:
        for _ in range(4):
            assert (infer(client, "cached", row(7, 8), version="1").as_numpy("OUTPUT0") == row(7, 8)).all()
        assert counts(client, "cached") == (0, 4, 4)
        assert _failures(server) == failures
        assert server.wait_line("cache 'test': (look-up|insertion) failed .1 so far.")


@_needs_peers
def test_the_published_cache_caches(repository, tmp_path):
    with published(repository, tmp_path) as server, client_module.InferenceServerClient(server.url) as client:
        _ask_everything_three_times(client)
        page = _page_with(server, "nv_cache_num_lookups", 21)
        assert page.value("nv_cache_num_hits") == 14
        assert page.value("nv_cache_num_misses") == 7
        assert page.value("nv_cache_num_entries") == 7
        assert page.value("nv_cache_num_evictions") == 0
        assert 0 < page.value("nv_cache_util") < 1
        assert page.value("nv_cache_num_hits_per_model", model="strings") == 2
        assert _failures(server) == (0, 0)


@_needs_peers
def test_the_published_cache_evicts(repository, tmp_path):
    with published(repository, tmp_path, size=4096) as server, client_module.InferenceServerClient(server.url) as client:
        for number in list(range(64)) + [63]:
            value = row(*[number] * 16)
            assert (infer(client, "cached", value, version="1").as_numpy("OUTPUT0") == value).all()
        large = row(*[1] * 4096)
        assert (infer(client, "cached", large, version="1").as_numpy("OUTPUT0") == large).all()
        assert counts(client, "cached") == (1, 65, 66)
        page = _page_with(server, "nv_cache_num_evictions", 1)
        assert 0 < page.value("nv_cache_num_entries") < 64
        assert _failures(server) == (0, 1), "an answer that is larger than the cache is not kept"


def refusal(repository, *options, environment=None):
    command = [server_module.program(), "serve", f"--model-repository={repository}", "--http-port=0", "--metrics-port=0"]
    result = subprocess.run(
        [*command, "--grpc-port=0", *options], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert result.returncode != 0
    return result.stdout + result.stderr


@_needs_peers
def test_the_published_cache_refuses_settings(repository, tmp_path):
    environment = {**os.environ, **peers.environment(tmp_path)}
    text = refusal(repository, f"--cache-directory={peers.caches()}", "--cache-config=local,colour=1", environment=environment)
    assert "--cache-config: cache 'local': " in text


def test_what_is_no_cache_is_refused(repository, tmp_path):
    host = pathlib.Path(server_module.program()).resolve().parent / "lib" / "libtritonserver.so"
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "libtritoncache_empty.so").symlink_to(host)
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "libtritoncache_local.so").write_bytes(b"no library")
    here = f"--cache-directory={tmp_path}"
    assert f"searched: {tmp_path}/other/libtritoncache_other.so" in refusal(repository, here, "--cache-config=other,a=b")
    assert "required entrypoint 'TRITONCACHE_CacheInitialize'" in refusal(repository, here, "--cache-config=empty,a=b")
    assert "unable to load shared library" in refusal(repository, here, "--cache-config=local,size=1000")
    assert "must be a plain name" in refusal(repository, here, "--cache-config=../local,a=b")
    text = refusal(repository, f"--cache-directory={caches()}", "--cache-config=test,fault=refuse", "--cache-config=test,b=\"")
    assert """--cache-config: cache 'test': {"b":"\\"","fault":"refuse"}""" in text


def _slow(repository, tmp_path, *options):
    """A server whose cache answers nothing before the file is there."""
    gate = tmp_path / "open"
    cache = ("--cache-config=test,fault=none", f"--cache-config=test,wait_for={gate}", "--cache-thread-count=1")
    return gate, server_module.Server(repository, f"--cache-directory={caches()}", *cache, *options)


def _check(answers):
    for answer in answers:
        assert answer.status == 200 and answer.json()["outputs"][0]["data"] == [1, 2]


def test_a_library_that_takes_its_time_holds_up_nobody_else(repository, tmp_path):
    # One loop has all connections.
    gate, running = _slow(repository, tmp_path, "--http-thread-count=1")
    with running as server, client_module.InferenceServerClient(server.url) as client:
        with Asked(server, [request("cached/versions/1", [1.0, 2.0])] * 2) as waiting:

            def in_flight():
                return prometheus.scrape(server).value("headrace_requests_in_flight", model="cached", version="1")

            wait.until(lambda: in_flight() == 2, "both wait for the library")
            for number in range(20):
                assert (infer(client, "plain", row(number)).as_numpy("OUTPUT0") == row(number)).all()
            assert client.is_server_live() and counts(client, "cached") == (0, 0, 0)
            gate.touch()
            _check(waiting.answers())
        assert (infer(client, "cached", row(1, 2), version="1").as_numpy("OUTPUT0") == row(1, 2)).all()
        hits, misses, successes = counts(client, "cached")
        assert successes == 3 and hits >= 1 and hits + misses == 3


def test_requests_go_without_a_library_that_is_too_slow(repository, tmp_path):
    gate, running = _slow(repository, tmp_path, "--cache-waiting-max=1")
    with running as server, client_module.InferenceServerClient(server.url) as client:
        with Asked(server, [request("cached/versions/1", [1.0, 2.0])] * 6) as asked:
            wait.until(lambda: counts(client, "cached")[2] >= 4, "those that the library has no time for are answered")
            assert prometheus.scrape(server).value("headrace_cache_skipped_total") >= 4
            gate.touch()
            _check(asked.answers())


def test_an_end_waits_for_the_library(repository, tmp_path):
    gate, running = _slow(repository, tmp_path)
    with running as server, Asked(server, [request("cached/versions/1", [1.0, 2.0])]) as waiting:

        def in_flight():
            return prometheus.scrape(server).value("headrace_requests_in_flight", model="cached", version="1")

        wait.until(lambda: in_flight() == 1, "it waits for the library")
        server.signal()
        server.wait_line("finishing what is in flight")
        gate.touch()
        _check(waiting.answers())
        assert server.wait() == 0, server.output()
