"""--model-namespacing: models of one name in several repositories, asked for by tritonclient over both protocols."""

import json
import pathlib

import numpy
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from tritonclient.utils import InferenceServerException

from harness import backends, models, peers, prometheus, raw_http
from harness import server as server_module

AMBIGUOUS = "There are 2 identifiers of model 'm' in global map, model namespace must be provided"


def _identity(dtype):
    return models.identity_config([(dtype, [-1])])


def _ensemble(model, dtype, namespace=""):
    """One step, on `model`."""
    return f"""platform: "ensemble"
input {{ name: "INPUT0" data_type: TYPE_{dtype} dims: [ -1 ] }}
output {{ name: "OUTPUT0" data_type: TYPE_{dtype} dims: [ -1 ] }}
ensemble_scheduling {{ step {{ model_name: "{model}" model_version: -1 model_namespace: "{namespace}"
input_map {{ key: "INPUT0" value: "INPUT0" }} output_map {{ key: "OUTPUT0" value: "OUTPUT0" }} }} }}
"""


@pytest.fixture(scope="module", name="root")
def _root(tmp_path_factory):
    """Repositories a and b: model m takes FP32 in a and INT32 in b."""
    root = tmp_path_factory.mktemp("namespaces").resolve()
    for repository, dtype in (("a", "FP32"), ("b", "INT32")):
        models.add(root / repository, "m", _identity(dtype))
        models.add(root / repository, "e", _ensemble("m", dtype))
    models.add(root / "a", "only_a", _identity("FP32"))
    models.add(root / "b", "only_b", _identity("INT32"))
    models.add(root / "a", "crossing", _ensemble("only_b", "INT32"))
    models.add(root / "a", "picking", _ensemble("m", "INT32", str(root / "b")))
    return root


def _serve(root, *options):
    return server_module.Server(
        root / "a", f"--model-repository={root / 'b'}", "--model-namespacing=true", *options
    )


@pytest.fixture(scope="module", name="server")
def _server(root):
    with _serve(root, "--model-control-mode=explicit", "--load-model=*") as running:
        yield running
        assert running.stop() == 0, running.output()


@pytest.fixture(name="client", params=["http", "grpc"])
def _client(request, server):
    if request.param == "http":
        with http_client.InferenceServerClient(server.url) as client:
            client.module = http_client
            yield client
    else:
        with grpc_client.InferenceServerClient(server.grpc_url) as client:
            client.module = grpc_client
            yield client


def _infer(client, model, dtype):
    array = numpy.arange(3).astype({"FP32": numpy.float32, "INT32": numpy.int32}[dtype])
    tensor = client.module.InferInput("INPUT0", [3], dtype)
    tensor.set_data_from_numpy(array)
    result = client.infer(model, [tensor])
    numpy.testing.assert_array_equal(result.as_numpy("OUTPUT0"), array)
    answer = result.get_response()
    return answer["model_name"] if isinstance(answer, dict) else answer.model_name


def _failure(call, *arguments):
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments)
    return str(caught.value)


def _datatype(client, model):
    metadata = client.get_model_metadata(model)
    inputs = metadata["inputs"] if isinstance(metadata, dict) else metadata.inputs
    return inputs[0]["datatype"] if isinstance(inputs[0], dict) else inputs[0].datatype


def test_a_name_that_is_unique_is_enough(client):
    assert _infer(client, "only_a", "FP32") == "only_a"
    assert _infer(client, "only_b", "INT32") == "only_b"
    assert client.is_model_ready("only_b", "1")


def test_an_ambiguous_name_is_refused_everywhere_with_the_remedy(client):
    for failure in (
        _failure(_infer, client, "m", "FP32"),
        _failure(client.get_model_metadata, "m"),
        _failure(client.get_model_config, "m"),
        _failure(client.get_inference_statistics, "m"),
    ):
        assert AMBIGUOUS in failure
        assert "ask for '<model repository>::m', or unload the others" in failure
    assert not client.is_model_ready("m")


def test_the_repository_picks_one(client):
    assert _infer(client, "a::m", "FP32") == "m"
    assert _infer(client, "b::m", "INT32") == "m"
    assert _datatype(client, "b::m") == "INT32"
    assert client.is_model_ready("a::m", "1")
    assert "data-type is 'FP32', but model 'm' expects 'INT32'" in _failure(_infer, client, "b::m", "FP32")
    assert "is not found" in _failure(_infer, client, "c::m", "FP32")


def test_the_whole_path_picks_one(server, root):
    with grpc_client.InferenceServerClient(server.grpc_url) as client:
        client.module = grpc_client
        assert _infer(client, f"{root}/b::m", "INT32") == "m"
    escaped = f"{root}/b::m".replace("/", "%2F").replace(":", "%3A")
    assert raw_http.call(server, "GET", f"/v2/models/{escaped}").json()["inputs"][0]["datatype"] == "INT32"


def test_ensembles_take_their_own_model_then_the_only_one(client, root):
    assert _infer(client, "a::e", "FP32") == "e"
    assert _infer(client, "b::e", "INT32") == "e"
    assert _infer(client, "crossing", "INT32") == "crossing"
    assert _infer(client, "picking", "INT32") == "picking"
    config = client.get_model_config("picking", **({} if client.module is http_client else {"as_json": True}))
    step = config.get("config", config)["ensemble_scheduling"]["step"][0]
    assert step["model_namespace"] == str(root / "b")


def test_metrics_tell_them_apart(server, root):
    with grpc_client.InferenceServerClient(server.grpc_url) as client:
        client.module = grpc_client
        before = prometheus.scrape(server)
        _infer(client, "b::m", "INT32")
        after = prometheus.scrape(server)
    for name, more in (("a", 0), ("b", 1)):
        labels = {"model": "m", "namespace": str(root / name), "version": "1"}
        name = "nv_inference_request_success"
        assert after.value(name, **labels) == before.value(name, **labels) + more


def test_statistics_have_every_model(client):
    statistics = client.get_inference_statistics()
    models_ = statistics["model_stats"] if isinstance(statistics, dict) else statistics.model_stats
    names = sorted(one["name"] if isinstance(one, dict) else one.name for one in models_)
    assert names == ["crossing", "e", "e", "m", "m", "only_a", "only_b", "picking"]


def test_the_index_tells_them_apart(server, root):
    entries = raw_http.call(server, "POST", "/v2/repository/index", b"{}").json()
    assert [(one["name"], one["namespace"]) for one in entries if one["name"] == "m"] == [
        ("m", str(root / "a")),
        ("m", str(root / "b")),
    ]
    of_b = raw_http.call(server, "POST", "/v2/repository/b/index", b"{}").json()
    assert [one["name"] for one in of_b] == ["e", "m", "only_b"]
    escaped = str(root / "b").replace("/", "%2F")
    assert raw_http.call(server, "POST", f"/v2/repository/{escaped}/index", b"{}").json() == of_b
    unknown = raw_http.call(server, "POST", "/v2/repository/c/index", b"{}")
    assert unknown.status == 400 and "there is no model repository 'c'" in unknown.error
    with grpc_client.InferenceServerClient(server.grpc_url) as client:
        stub = client._client_stub  # the client has no parameter for the repository
        request = grpc_client.service_pb2.RepositoryIndexRequest(repository_name="b")
        assert [one.name for one in stub.RepositoryIndex(request).models] == ["e", "m", "only_b"]


def test_load_and_unload_of_one_of_two(server, client):
    """By the parameter of the protocol that names the repository, and in the model's name."""
    if client.module is http_client:

        def call(verb):
            return raw_http.call(server, "POST", f"/v2/repository/a/models/m/{verb}", b"{}").status == 200

        unload, load = (lambda: call("unload")), (lambda: call("load"))
    else:
        stub, pb2 = client._client_stub, grpc_client.service_pb2
        request = {"repository_name": "a", "model_name": "m"}
        unload = lambda: stub.RepositoryModelUnload(pb2.RepositoryModelUnloadRequest(**request)) is not None
        load = lambda: stub.RepositoryModelLoad(pb2.RepositoryModelLoadRequest(**request)) is not None
    assert unload()
    assert _infer(client, "m", "INT32") == "m", "the other has the name now"
    assert not client.is_model_ready("a::e"), "it has lost its model"
    assert client.is_model_ready("b::e")
    assert load()
    assert _infer(client, "a::e", "FP32") == "e", "it is back"
    assert AMBIGUOUS in _failure(_infer, client, "m", "INT32")
    client.unload_model("b::m")
    assert _infer(client, "m", "FP32") == "m"
    client.load_model("b::m")
    assert _infer(client, "b::e", "INT32") == "e"


def test_a_name_alone_loads_and_unloads_all(client):
    client.unload_model("e")
    assert not client.is_model_ready("a::e") and not client.is_model_ready("b::e")
    client.load_model("e")
    assert client.is_model_ready("a::e") and client.is_model_ready("b::e")


def test_refusals_of_the_repository_calls(server):
    for path, text in (
        ("/v2/repository/c/models/m/load", "there is no model repository 'c'"),
        ("/v2/repository/a/models/..%2fm/load", "invalid model name"),
        ("/v2/repository/a/models/b%3A%3Am/load", "named twice"),
        ("/v2/repository/models/c%3A%3Am/unload", "there is no model repository 'c'"),
    ):
        answer = raw_http.call(server, "POST", path, b"{}")
        assert answer.status == 400 and text in answer.error, (path, answer)


def test_the_cache_keeps_their_answers_apart(tmp_path):
    for repository, count in (("a", 1), ("b", 2)):
        models.add(
            tmp_path / repository,
            "m",
            models.identity_config([("FP32", [-1])] * count, extra="response_cache { enable: true }\n"),
        )
    with _serve(tmp_path, "--cache-config=local,size=1048576") as server:
        tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [1], "data": [1]}
        one = {"inputs": [tensor], "outputs": [{"name": "OUTPUT0"}]}
        for _ in range(2):
            assert raw_http.call(server, "POST", "/v2/models/a%3A%3Am/infer", json.dumps(one).encode()).status == 200
        page = prometheus.scrape(server)
        hits = {name: page.value("nv_cache_num_hits_per_model", namespace=str(tmp_path / name)) for name in "ab"}
        assert hits == {"a": 1, "b": 0}


def test_without_the_option_a_step_that_names_a_namespace_warns(tmp_path):
    models.add(tmp_path, "m", _identity("FP32"))
    models.add(tmp_path, "e", _ensemble("m", "FP32", "/somewhere"))
    with server_module.Server(tmp_path) as server:
        server.wait_line("model 'e': field 'ensemble_scheduling.step.model_namespace' has no effect: .*--model-namespacing")
        assert raw_http.call(server, "GET", "/v2/models/e/ready").status == 200
        refused = raw_http.call(server, "POST", "/v2/repository/x/models/m/load", b"{}")
        assert refused.status == 501 and "'repository_name' specification is not supported" in refused.error


@pytest.mark.skipif(peers.directory() is None, reason="no stock Triton")
def test_as_a_stock_triton(root, server):
    """What names alone mean, and what ensembles are made of. (The stock server overwrites a model_namespace that a
    configuration has, so `picking` differs.)"""
    library = pathlib.Path(server_module.program()).resolve().parent / "lib" / "libtritonserver.so"
    options = (f"--model-repository={root / 'b'}", "--model-namespacing=true")
    options += (f"--backend-directory={backends.directory()}", "--exit-on-error=false")
    with peers.triton(root / "a", *options, environment_={"LD_PRELOAD": str(library)}) as stock:
        for path in ("m", "only_a", "only_b", "crossing"):
            ours, theirs = (raw_http.call(one, "GET", f"/v2/models/{path}") for one in (server, stock))
            assert ours.status == theirs.status, path
            if theirs.status == 200:
                assert ours.json()["inputs"] == theirs.json()["inputs"]
            else:
                assert ours.error.startswith(theirs.error.removesuffix(".")), (ours, theirs)
        ours, theirs = (raw_http.call(one, "GET", "/v2/models/crossing/config").json() for one in (server, stock))
        assert ours["ensemble_scheduling"]["step"] == theirs["ensemble_scheduling"]["step"]
        ours, theirs = (raw_http.call(one, "POST", "/v2/repository/index", b"{}").json() for one in (server, stock))
        ready = [sorted(one["name"] for one in index if one.get("state") == "READY") for index in (ours, theirs)]
        assert [name for name in ready[0] if name != "picking"] == ready[1]
