"""The response cache over the wire."""

import subprocess

import numpy
import pytest
import tritonclient.http as client_module

from harness import models, prometheus, wait
from harness import server as server_module

CACHED = "response_cache { enable: true }\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("response_cache")
    one = [("FP32", [-1])]
    models.add(directory, "cached", models.identity_config(one, 8, "dynamic_batching { }\n" + CACHED), versions=(1, 2))
    models.add(directory, "twin", models.identity_config(one, 8, CACHED))
    models.add(directory, "plain", models.identity_config(one, 8))
    models.add(directory, "pair", models.identity_config([("FP32", [-1]), ("FP32", [-1])], 8, CACHED))
    models.add(directory, "strings", models.identity_config([("BYTES", [-1])], 8, CACHED))
    ensemble = f"""platform: "ensemble" max_batch_size: 8 {CACHED}
        input {{ name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] }}
        output {{ name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] }}
        ensemble_scheduling {{ step {{ model_name: "plain" model_version: -1
          input_map {{ key: "INPUT0" value: "INPUT0" }} output_map {{ key: "OUTPUT0" value: "OUTPUT0" }} }} }}"""
    models.add(directory, "ensemble", ensemble)
    return directory


@pytest.fixture(scope="module")
def server(repository):
    with server_module.running(repository, "--cache-config=local,size=1048576") as running:
        yield running


@pytest.fixture(name="client")
def _client(server):
    with client_module.InferenceServerClient(server.url) as client:
        yield client


def infer(client, model, *arrays, **options):
    inputs = []
    for i, array in enumerate(arrays):
        dtype = "BYTES" if array.dtype == numpy.object_ else "FP32"
        inputs.append(client_module.InferInput(f"INPUT{i}", list(array.shape), dtype))
        inputs[-1].set_data_from_numpy(array)
    return client.infer(model, inputs, **options)


def hits_and_misses(client, model, version="1"):
    stats = client.get_inference_statistics(model, version)["model_stats"][0]["inference_stats"]
    return stats["cache_hit"]["count"], stats["cache_miss"]["count"]


def row(*values):
    return numpy.array([values], numpy.float32)


@pytest.mark.parametrize("model, value", [("twin", row(7, 8)), ("strings", numpy.array([[b"a", b""]], numpy.object_))])
def test_the_second_answer_comes_from_the_cache(server, client, model, value):
    before = client.get_inference_statistics(model)["model_stats"][0]
    for _ in range(3):
        assert (infer(client, model, value, request_id="x").as_numpy("OUTPUT0") == value).all()

    def counted():
        after = client.get_inference_statistics(model)["model_stats"][0]
        return after if after["inference_count"] == before["inference_count"] + 1 else None

    after = wait.until(counted, "the one execution is in the statistics")
    grown = {key: after["inference_stats"][key]["count"] - before["inference_stats"][key]["count"]
             for key in ("success", "queue", "compute_infer", "cache_hit", "cache_miss")}
    assert grown == {"success": 3, "queue": 3, "compute_infer": 1, "cache_hit": 2, "cache_miss": 1}
    assert after["inference_stats"]["cache_hit"]["ns"] > 0
    page = prometheus.scrape(server)
    assert page.value("nv_cache_num_hits_per_model", model=model) == after["inference_stats"]["cache_hit"]["count"]
    assert page.value("nv_cache_num_misses_per_model", model=model) == after["inference_stats"]["cache_miss"]["count"]
    assert page.find("nv_cache_num_hits_per_model", model="plain") == []


def test_the_caches_own_metrics(server, client):
    before = prometheus.scrape(server)
    for _ in range(4):
        infer(client, "twin", row(1, 1, 1, 1, 1))
    after = prometheus.scrape(server)

    def grown(name):
        return after.value(name) - before.value(name)

    assert grown("nv_cache_num_lookups") == 4
    assert grown("nv_cache_num_hits") == 3
    assert grown("nv_cache_num_misses") == 1
    assert grown("nv_cache_num_entries") == 1
    assert 0 < after.value("nv_cache_util") < 1


def test_outputs_that_were_not_asked_for_stay_away(client):
    only = [client_module.InferRequestedOutput("OUTPUT1")]
    for _ in range(2):
        result = infer(client, "pair", row(1, 2), row(3, 4), outputs=only)
        assert (result.as_numpy("OUTPUT1") == row(3, 4)).all()
        assert result.as_numpy("OUTPUT0") is None
    both = infer(client, "pair", row(1, 2), row(3, 4))
    assert (both.as_numpy("OUTPUT0") == row(1, 2)).all()


def test_an_ensemble_may_be_cached(client):
    before = client.get_inference_statistics("plain")["model_stats"][0]["inference_stats"]["success"]["count"]
    for _ in range(3):
        assert (infer(client, "ensemble", row(5, 5)).as_numpy("OUTPUT0") == row(5, 5)).all()
    after = client.get_inference_statistics("plain")["model_stats"][0]["inference_stats"]["success"]["count"]
    assert after == before + 1
    assert hits_and_misses(client, "ensemble") == (2, 1)


def test_failures_are_not_kept(client):
    before = hits_and_misses(client, "twin")
    for _ in range(2):
        with pytest.raises(Exception, match="batch-size must be <= 8"):
            infer(client, "twin", numpy.zeros((9, 1), numpy.float32))
    assert hits_and_misses(client, "twin") == before


def test_without_a_cache_models_that_ask_for_one_are_warned_about(repository):
    with server_module.running(repository) as running:
        assert "field 'response_cache.enable' has no effect" in "\n".join(running.lines)
        with client_module.InferenceServerClient(running.url) as client:
            infer(client, "twin", row(1))
            infer(client, "twin", row(1))
            assert hits_and_misses(client, "twin") == (0, 0)
        assert "nv_cache_num_hits_per_model" not in prometheus.scrape(running).text


def test_the_old_flag_means_the_same(repository):
    with server_module.running(repository, "--response-cache-byte-size=100000") as running:
        with client_module.InferenceServerClient(running.url) as client:
            infer(client, "twin", row(1))
            infer(client, "twin", row(1))
            assert hits_and_misses(client, "twin") == (1, 1)


@pytest.mark.parametrize(
    "options, text",
    [
        (["--cache-config=local,size=1000", "--response-cache-byte-size=1000"], "exclude each other"),
        (["--cache-config=nowhere,size=1000"], "unable to find the library of cache 'nowhere'"),
        (["--cache-config=local,colour=1"], "has no setting 'colour'"),
        (["--cache-config=local,size=many"], "--cache-config: size: "),
        (["--cache-config=,size=1"], "expected <cache>,<key>=<value>"),
        (["--cache-config=local,size=1", "--cache-config=redis,host=a"], "one response cache only"),
    ],
)
def test_wrong_settings_are_refused(repository, options, text):
    command = [server_module.program(), "serve", f"--model-repository={repository}", "--http-port=0", "--metrics-port=0"]
    result = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert text in result.stdout + result.stderr
