"""object_detector without Python: torchvision's operators in the pytorch backend, and the same answers as the Python
handler's for the same archive."""

import concurrent.futures
import io
import json
import sys

import numpy
import pytest
import requests

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import tritonclient.http as client_module
from PIL import Image
from torchvision.models import detection
from torchvision.transforms.functional import to_tensor

from harness import archives, detectors, torch_models
from harness import server as server_module

_LIMIT_S = 120
_LABELS = {"1": "cat", "2": ["n2", "dog"], "3": "\u00e4"}
_SETTINGS = "maxBatchDelay: 20\nbatchSize: 4\n"


class _Operators(torch.nn.Module):
    def forward(self, boxes: torch.Tensor, scores: torch.Tensor, features: torch.Tensor, rois: torch.Tensor):
        kept = torch.ops.torchvision.nms(boxes, scores, 0.4)
        plain = torch.ops.torchvision.roi_align(features, rois, 0.5, 7, 5, 2, False)
        return kept, plain, torch.ops.torchvision.roi_align(features, rois, 1.0, 3, 3, -1, True)


class _TakesTensor(torch.nn.Module):
    """The form that TorchServe's own handler needs: a tensor of all images."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor):
        return self.model(list(images.unbind(0)))[1]


def _archive(name, weights, settings):
    content = {"weights.pt": weights, "model-config.yaml": settings, "index_to_name.json": json.dumps(_LABELS)}
    return archives.mar(name, content, "object_detector", serializedFile="weights.pt", configFile="model-config.yaml")


def _config(inputs, outputs):
    def tensors(kind, names):
        return "".join(f'{kind} {{ name: "{name}" data_type: TYPE_{dtype} dims: {dims} }}\n' for name, dtype, dims in names)

    return 'backend: "pytorch"\n' + tensors("input", inputs) + tensors("output", outputs)


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory):
    torch.set_num_threads(1)
    repository = tmp_path_factory.mktemp("detectors")
    faster = detectors.make(detection.FasterRCNN)
    for name, model in (("faster", faster), ("mask", detectors.make(detection.MaskRCNN)), ("tensors", _TakesTensor(faster))):
        archives.add(repository, name, _archive(name, detectors.scripted(model), _SETTINGS))
    archives.add(repository, "python", _archive("python", detectors.scripted(faster), _SETTINGS + "native: false\n"))
    # Without a list of detections for an answer, the Python handler has the word.
    archives.add(repository, "other", _archive("other", detectors.scripted(torch.nn.Tanh()), ""))
    operators = repository / "operators"
    torch_models.save_script(_Operators(), operators / "1" / "model.pt")
    operators.joinpath("config.pbtxt").write_text(
        _config(
            [("boxes", "FP32", [-1, 4]), ("scores", "FP32", [-1]), ("features", "FP32", [-1] * 4), ("rois", "FP32", [-1, 5])],
            [("kept__0", "INT64", [-1]), ("plain__1", "FP32", [-1] * 4), ("aligned__2", "FP32", [-1] * 4)],
        )
    )
    with server_module.Server(repository, f"--backend-config=handler,interpreter={sys.executable}") as server:
        yield server
        assert server.alive(), server.output()
        assert server.stop() == 0, server.output()


def _post(running, model, data, content_type="application/octet-stream"):
    url = f"http://{running.url}/predictions/{model}"
    return requests.post(url, data=data, headers={"Content-Type": content_type}, timeout=_LIMIT_S)


def _close(found, expected):
    """Whether two answers are the same within 1e-3 of a pixel, and of a score."""
    assert [list(one) for one in found] == [list(one) for one in expected]
    for ours, theirs in zip(found, expected):
        for key, value in ours.items():
            assert value == pytest.approx(theirs[key], abs=1e-3, rel=1e-5)


def test_operators_answer_as_torchvisions_do(running):
    generator = torch.Generator().manual_seed(7)
    with client_module.InferenceServerClient(running.url) as client:
        for count in (0, 1, 40, 300):
            corners = torch.rand(count, 2, generator=generator) * 60
            boxes = torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * 25], 1)
            scores = (torch.rand(count, generator=generator) * 50).round() / 50  # some of them equal
            features = torch.randn(2, 3, 31, 47, generator=generator)
            images = torch.randint(2, (count, 1), generator=generator)
            rois = torch.cat([images, boxes * torch.tensor([2.0, 1.0, 2.0, 1.0]) - 20], 1)
            inputs = []
            for name, tensor in (("boxes", boxes), ("scores", scores), ("features", features), ("rois", rois)):
                inputs.append(client_module.InferInput(name, list(tensor.shape), "FP32"))
                inputs[-1].set_data_from_numpy(tensor.numpy())
            result = client.infer("operators", inputs)
            kept, plain, aligned = _Operators()(boxes, scores, features, rois)
            assert result.as_numpy("kept__0").tolist() == kept.tolist()
            numpy.testing.assert_allclose(result.as_numpy("plain__1"), plain, rtol=1e-5, atol=1e-5)
            numpy.testing.assert_allclose(result.as_numpy("aligned__2"), aligned, rtol=1e-5, atol=1e-5)


def test_archives_are_native_if_the_model_is_a_detector(running):
    output = "\n".join(line for line in running.lines if "native" in line or "Python workers" in line)
    for name in ("faster", "mask", "tensors"):
        assert f"model '{name}' version 1: object_detector is native, 'weights.pt' runs in the pytorch backend" in output
    assert "model 'other' version 1 is served by Python workers: " in output
    assert "answers a List[Dict[str, Tensor]]" in output


def test_photographs_have_the_detections_that_the_python_handler_finds(running):
    pictures = detectors.pictures(20, seed=3)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ours = list(pool.map(lambda picture: _post(running, "faster", picture[1]), pictures))
    # One by one: in a batch of several sizes the model pads them, and finds a little else.
    answers = [(native, _post(running, "python", data)) for native, (_, data) in zip(ours, pictures)]
    total = 0
    for (name, _), (native, python) in zip(pictures, answers):
        assert native.status_code == python.status_code == 200, (name, native.text, python.text)
        _close(native.json(), python.json())
        assert native.text.splitlines()[:3] == python.text.splitlines()[:3]
        assert len(native.text.splitlines()) == len(python.text.splitlines())
        assert all(found["score"] >= 0.5 for found in native.json())
        total += len(native.json())
    assert total > len(pictures), "the model finds something"


@pytest.mark.parametrize("model", ["mask", "tensors"])
def test_other_forms_of_detectors_answer_as_they_do_in_process(running, model):
    # Scripted: torchvision sizes some images otherwise then.
    local = torch.jit.script(detectors.make(detection.MaskRCNN if model == "mask" else detection.FasterRCNN))
    for _, picture in detectors.pictures(4, seed=8):
        with torch.inference_mode():
            (found,) = local([to_tensor(Image.open(io.BytesIO(picture)).convert("RGB"))])[1]
        names = {1: "cat", 2: "dog", 3: "\u00e4"}
        expected = [
            {names[label]: box, "score": score}
            for box, label, score in zip(found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist())
            if score >= 0.5
        ]
        answer = _post(running, model, picture)
        assert answer.status_code == 200, answer.text
        _close(answer.json(), expected)


def test_what_is_no_image_fails_alone(running):
    ((_, picture), *_) = detectors.pictures(3, seed=8)
    bodies = [picture, b"no image", picture]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        statuses = [answer.status_code for answer in pool.map(lambda body: _post(running, "faster", body), bodies)]
    assert statuses == [200, 400, 200]
    numbers = json.dumps(torch.rand(3, 64, 80).tolist())
    assert _post(running, "faster", numbers, "application/json").status_code == 200
