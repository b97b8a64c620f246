"""`headrace optimize` on small models, and the server that serves what it made, or refuses to."""

import json
import subprocess
import sys

import numpy
import pytest
import tritonclient.http as client_module
from onnx import TensorProto, helper

from harness import archives, backends
from harness import server as server_module
import test_onnx

pytestmark = pytest.mark.skipif(not backends.built("onnxruntime"), reason="the onnxruntime backend is not built")

_ROWS = numpy.linspace(-1, 1, 2 * 64, dtype=numpy.float32).reshape(2, 64)
_FAST = ["--seconds=0.05", "--batches=1", "--no-waterfall", "--quiet", "--atol=0.001"]
_CONFIG = """
backend: "onnxruntime" max_batch_size: 8
input { name: "X" data_type: TYPE_FP32 dims: [ 64 ] } output { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] }
"""


def _save(repository, name, config=_CONFIG):
    """Y = relu(X @ W + B)"""
    random = numpy.random.default_rng(4)
    nodes = [
        helper.make_node("MatMul", ["X", "W"], ["T"]),
        helper.make_node("Add", ["T", "B"], ["S"]),
        helper.make_node("Relu", ["S"], ["Y"]),
    ]
    weights = [
        helper.make_tensor(key, TensorProto.FLOAT, shape, random.standard_normal(shape).astype("f").ravel().tolist())
        for key, shape in (("W", [64, 16]), ("B", [16]))
    ]
    inputs, outputs = [("X", TensorProto.FLOAT, ["n", 64])], [("Y", TensorProto.FLOAT, ["n", 16])]
    test_onnx.save(repository, name, nodes, inputs, outputs, config, weights)
    return repository / name


def _optimize(*words):
    command = [server_module.program(), "optimize", f"--python={sys.executable}", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def _answer(server, model="m"):
    with client_module.InferenceServerClient(f"{server.host}:{server.port}") as client:
        tensor = client_module.InferInput("X", list(_ROWS.shape), "FP32")
        tensor.set_data_from_numpy(_ROWS)
        config = client.get_model_config(model)
        return client.infer(model, [tensor]).as_numpy("Y"), config


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory):
    """A repository whose model has an applied variant, and what the command printed."""
    repository = tmp_path_factory.mktemp("optimize")
    model = _save(repository, "m")
    ran = _optimize(model, *_FAST, "--recipes=ort_optimized", "--apply=ort_optimized", "--json=-")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return repository, json.loads(ran.stdout)


def test_the_report_holds_figures_and_accuracy(made):
    _, report = made
    assert report["model"]["inputs"] == [{"name": "X", "dtype": "FP32", "dims": [64]}]
    original, (row,) = report["original"]["measured"], report["trials"]
    assert report["load_tool"] == "headrace bench"
    assert original["single"]["requests"] >= 10 and original["rss_bytes"] > 1 << 20
    assert row["name"] == "ort_optimized" and row["verdict"] in ("better", "no gain", "slower")
    assert row["measured"]["accuracy"]["outputs"]["Y"]["max_abs"] < 1e-4
    assert row["measured"]["load_s"] > 0 and row["measured"]["file_bytes"] > 1000
    assert row["artefact"]["provenance"]["ort_optimized"]["versions"]["onnxruntime"]


def test_the_applied_variant_serves_and_answers_alike(made):
    repository, _ = made
    with server_module.Server(repository) as server:
        server.wait_line(r"model 'm' version 1: variant 'ort_optimized' serves, by the onnxruntime backend")
        answer, config = _answer(server)
        assert config["default_model_filename"] == "variants/ort_optimized/model.onnx"
    with server_module.Server(repository, "--model-variants=off") as server:
        original, config = _answer(server)
        assert config["default_model_filename"] == "model.onnx"
        assert "variant" not in server.output().replace("model-variants", "")
    numpy.testing.assert_allclose(answer, original, rtol=1e-5)


@pytest.fixture(name="manifest")
def _manifest(made):
    """change(function): changes the manifest for one test."""
    path = made[0] / "m" / "1" / "variants" / "manifest.json"
    before = path.read_bytes()

    def change(function):
        document = json.loads(before)
        function(document)
        path.write_text(json.dumps(document), encoding="utf-8")

    yield change
    path.write_bytes(before)


def _serves_original(repository, reason):
    with server_module.Server(repository) as server:
        server.wait_line(reason)
        answer, config = _answer(server)
        assert config["default_model_filename"] == "model.onnx" and answer.shape == (2, 16)


def test_a_variant_for_other_instruction_sets_is_refused(made, manifest):
    manifest(lambda document: document["variants"][0]["needs"]["instruction_sets"].append("amx_future"))
    _serves_original(
        made[0],
        "model 'm' version 1: variant 'ort_optimized' is not used: it needs the instruction set amx_future, which this "
        "processor lacks",
    )


def test_a_variant_for_another_runtime_is_refused(made, manifest):
    manifest(lambda document: document["variants"][0]["needs"]["runtimes"].update(onnxruntime="1.2.3"))
    _serves_original(made[0], "is not used: it needs onnxruntime 1.2.3, this build has")


def test_a_changed_source_is_noticed(made, manifest):
    manifest(lambda document: document["source"]["files"][0].update(sha256="0" * 64))
    _serves_original(
        made[0], "the model has changed since they were made: 'model.onnx' has another content; run headrace optimize again"
    )


def test_a_variant_that_does_not_load_is_refused(made, manifest):
    manifest(lambda document: document["variants"][0].update(backend="no_such_backend"))
    _serves_original(made[0], "variant 'ort_optimized' is not used, it cannot be loaded: .*; the original serves")


def test_apply_says_what_is_in_force(made, manifest):
    manifest(lambda document: None)
    off = _optimize("apply", made[0] / "m", "off")
    assert off.returncode == 0 and "m: off is in force at the next load" in off.stdout
    with server_module.Server(made[0]) as server:
        assert _answer(server)[1]["default_model_filename"] == "model.onnx"


def test_a_recipe_that_fails_is_recorded_and_the_rest_goes_on(tmp_path):
    model = _save(tmp_path, "m")
    words = ["--recipes=freeze,int8_dynamic,ort_extended", "--recipe-seconds-max=200", "--dry-run", "--json=-"]
    ran = _optimize(model, *_FAST, *words, "--atol=1000")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    verdicts = {row["name"]: (row["verdict"], row["reason"]) for row in json.loads(ran.stdout)["trials"]}
    assert verdicts["freeze"] == ("left out", "takes torchscript, not onnx")
    assert verdicts["ort_extended"][0] in ("better", "no gain", "slower")
    assert not (model / "1" / "variants").exists()


def test_a_model_that_cannot_be_served_is_exit_code_2(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    ran = _optimize(tmp_path / "bad.onnx", *_FAST)
    assert ran.returncode == 2 and "headrace optimize: " in ran.stderr, ran.stderr


def test_a_file_becomes_a_model_of_a_repository(tmp_path):
    _save(tmp_path, "m", None)
    words = ["--recipes=ort_extended", f"--output={tmp_path / 'out'}", "--apply=ort_extended"]
    (tmp_path / "net.onnx").write_bytes((tmp_path / "m" / "1" / "model.onnx").read_bytes())
    ran = _optimize(tmp_path / "net.onnx", *_FAST, *words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with server_module.Server(tmp_path / "out") as server:
        answer, config = _answer(server, "net")
    assert config["default_model_filename"] == "variants/ort_extended/model.onnx" and answer.shape == (2, 16)


def test_no_interpreter_is_told():
    command = [server_module.program(), "optimize", "--python=/no/such/python", "env"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert "no Python interpreter runs: /no/such/python (No such file or directory)" in ran.stderr


@pytest.fixture(scope="module", name="archive")
def _archive(tmp_path_factory):
    """An image classifier's archive with a variant by onnxruntime that answers otherwise, so that it can be told apart."""
    torch = pytest.importorskip("torch")
    import io

    folder = tmp_path_factory.mktemp("archive")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 7, stride=32), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(network.eval(), torch.zeros(1, 3, 224, 224)), out)
    content = {"weights.pt": out.getvalue()}
    archives.add(folder, "c", archives.mar("c", content, "image_classifier", serializedFile="weights.pt"))
    return folder


def test_an_archive_of_a_native_handler_runs_on_a_variant(archive):
    import io

    import requests
    from PIL import Image

    if not backends.built("pytorch"):
        pytest.skip("the pytorch backend is not built")
    ran = _optimize(archive / "c", *_FAST, "--recipes=onnx", "--apply=onnx", "--samples=2")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    picture = io.BytesIO()
    Image.fromarray(numpy.arange(300 * 260 * 3, dtype=numpy.uint32).astype(numpy.uint8).reshape(300, 260, 3)).save(
        picture, "PNG"
    )
    answers = []
    for options in ([], ["--model-variants=off"]):
        with server_module.Server(archive, *options) as server:
            if not options:
                server.wait_line("image_classifier is native, 'variants/onnx/model.onnx' runs in the onnxruntime backend")
            answer = requests.post(
                f"http://{server.host}:{server.port}/predictions/c", data=picture.getvalue(), timeout=60
            )
            assert answer.status_code == 200, answer.text
            answers.append(answer.json())
    assert list(answers[0]) == list(answers[1]) and len(answers[0]) == 5
    for name, value in answers[1].items():
        assert answers[0][name] == pytest.approx(value, abs=1e-4)


@pytest.fixture(scope="module", name="detector")
def _detector(tmp_path_factory):
    """(repository, photographs, report): a detector's archive, optimised."""
    pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    if not backends.built("pytorch"):
        pytest.skip("the pytorch backend is not built")
    from torchvision.models.detection import MaskRCNN

    from harness import detectors

    repository, pictures = tmp_path_factory.mktemp("detector"), tmp_path_factory.mktemp("photographs")
    content = {"weights.pt": detectors.scripted(detectors.make(MaskRCNN))}
    archives.add(repository, "d", archives.mar("d", content, "object_detector", serializedFile="weights.pt"))
    (repository / "d" / "config.pbtxt").write_text(
        'backend: "handler" instance_group [ { count: 2 } ]'
        'parameters { key: "INTRA_OP_THREAD_COUNT" value { string_value: "1" } }'
        'parameters { key: "DISABLE_OPTIMIZED_EXECUTION" value { string_value: "true" } }'
    )
    for name, data in detectors.pictures(6, seed=3):
        (pictures / f"{name}.png").write_bytes(data)  # whatever its format is
    words = ["--shape=image:3,96,128", "--inputs", pictures, "--max-drop=20%", "--seconds=0.05", "--batches=1,2", "--quiet"]
    chosen = ["--recipes=channels_last,needed_outputs,bf16,bf16_convolutions,int8", "--no-waterfall", "--apply=bf16_convolutions"]
    ran = _optimize(repository / "d", *words, *chosen, "--json=-")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return repository, pictures, json.loads(ran.stdout)


def test_a_detector_is_judged_by_what_it_finds(detector):
    _, _, report = detector
    described = report["model"]  # as it is configured beside the archive
    assert (described["instances"], described["threads"]) == (2, 1)
    assert described["parameters"] == {"DETECTIONS": "true", "DISABLE_OPTIMIZED_EXECUTION": "true"}
    trials = {row["name"]: row for row in report["trials"]}
    for name in ("channels_last", "needed_outputs"):
        judged = trials[name]["measured"]["accuracy"]
        assert judged["accepted"] and judged["detection_agreement"] > 0.999 and judged["outputs"]["boxes"]["max_abs"] < 0.1
    assert trials["needed_outputs"]["artefact"]["provenance"]["needed_outputs"]["dropped"] == ["masks"]
    rounded = trials["bf16_convolutions"]
    assert rounded["artefact"]["provenance"]["bf16_convolutions"]["operators"] >= 6
    assert 0.8 <= rounded["measured"]["accuracy"]["detection_agreement"] < 1
    # What follows a single call, or converts the model, says why it cannot.
    for name in ("bf16", "openvino-int8"):
        assert trials[name]["verdict"] == "left out" and "depends on what it finds" in trials[name]["reason"]


def test_a_detector_runs_on_its_variant(detector):
    import requests

    repository, pictures, _ = detector
    found = []
    for options in ([], ["--model-variants=off"]):
        with server_module.Server(repository, *options) as server:
            if not options:
                server.wait_line("object_detector is native, 'variants/bf16_convolutions/model.pt' runs in the pytorch backend")
            for picture in sorted(pictures.iterdir()):
                answer = requests.post(f"http://{server.url}/predictions/d", data=picture.read_bytes(), timeout=60)
                assert answer.status_code == 200, answer.text
                found.append(sum(one["score"] for one in answer.json()))
    rounded, original = found[: len(found) // 2], found[len(found) // 2 :]
    assert rounded != original and sum(original) > 0
    assert sum(rounded) == pytest.approx(sum(original), rel=0.2)


def test_a_detector_without_a_size_is_exit_code_1(detector):
    repository, pictures, _ = detector
    ran = _optimize(repository / "d", "--inputs", pictures)
    assert ran.returncode == 1 and "input 'image' has open dimensions [3, -1, -1]: say --shape image:3,N,N" in ran.stderr
