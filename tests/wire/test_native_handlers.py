"""Default handlers without Python: the same answers as the Python handler's, for the same archive."""

import base64
import concurrent.futures
import io
import json
import sys

import pytest
import requests

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from PIL import Image
from torchvision import transforms

from harness import archives, photographs, prometheus
from harness import server as server_module

_LIMIT_S = 120
_CLASSES = 40
_NATIVE = "maxBatchDelay: 20\nbatchSize: 4\n"


def _network(outputs, segments=False):
    """A small convolution network whose answer depends on all of the image."""
    torch.manual_seed(3)
    layers = [torch.nn.Conv2d(3, 12, 5, stride=4), torch.nn.Tanh(), torch.nn.Conv2d(12, outputs, 3, padding=1)]
    if not segments:
        layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    network = torch.nn.Sequential(*layers)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.35)
    return network.eval()


class _Segments(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = _network(6, segments=True)

    def forward(self, x):
        return {"out": self.network(x)}


def _traced(network):
    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(network, torch.zeros(1, 3, 224, 224), strict=False), out)
    return out.getvalue()


def _archive(name, handler, weights, settings, labels, **files):
    content = {"weights.pt": weights, "model-config.yaml": settings, "index_to_name.json": json.dumps(labels), **files}
    return archives.mar(name, content, handler, serializedFile="weights.pt", configFile="model-config.yaml")


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory):
    torch.set_num_threads(1)
    repository = tmp_path_factory.mktemp("native")
    labels = {str(i): [f"n{i:08}", f'class "{i}" \u00e4\U0001f40c'] for i in range(_CLASSES)}
    weights = _traced(_network(_CLASSES))
    for name, settings in (("native", _NATIVE), ("python", _NATIVE + "native: false\n")):
        archives.add(repository, name, _archive(name, "image_classifier", weights, settings, labels))
    archives.add(repository, "segments", _archive("segments", "image_segmenter", _traced(_Segments()), "", {}))
    top = _archive("top", "image_classifier", weights, "handler: {topk: 2}\n", {"object_type_names": ["a"] * _CLASSES})
    archives.add(repository, "top", top)
    flags = [f"--backend-config=handler,interpreter={sys.executable}", "--image-pixel-count-max=2000000"]
    with server_module.Server(repository, *flags) as server:
        yield server
        assert server.alive(), server.output()
        assert server.stop() == 0, server.output()


def _post(running, model, data, content_type="application/octet-stream", **options):
    headers = {"Content-Type": content_type} if content_type else {}
    return requests.post(
        f"http://{running.url}/predictions/{model}", data=data, headers=headers, timeout=_LIMIT_S, **options
    )


def _answers(running, model, pictures):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda picture: _post(running, model, picture), pictures))
    for answer in answers:
        assert answer.status_code == 200, answer.text
    return answers


def test_the_archives_that_need_no_python_get_none(running):
    output = "\n".join(running.lines)
    assert "model 'native' version 1: image_classifier is native, 'weights.pt' runs in the pytorch backend" in output
    assert "model 'segments' version 1: image_segmenter is native" in output
    assert "model 'python' version 1 is served by Python workers: model-config.yaml says 'native: false'" in output


def test_fifty_photographs_are_classified_as_by_the_python_handler(running):
    made = photographs.make(50)
    pictures = [data for _, data in made]
    native, python = _answers(running, "native", pictures), _answers(running, "python", pictures)
    for (name, _), ours, theirs in zip(made, native, python):
        found, expected = ours.json(), theirs.json()
        assert list(found) == list(expected) and len(found) == 5, name
        assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-3), name
        assert ours.headers.get("Content-Type") == theirs.headers.get("Content-Type")
        # Written alike, but for the last digits of the numbers.
        assert ours.text.splitlines()[0] == "{" and len(ours.text.splitlines()) == len(theirs.text.splitlines())
        assert [line.split(": ")[0] for line in ours.text.splitlines()] == [
            line.split(": ")[0] for line in theirs.text.splitlines()
        ]


def test_a_segmenter_answers_class_and_probability_of_each_pixel(running):
    network = _Segments()
    steps = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    pictures = [data for _, data in photographs.make(3, seed=9)]
    for picture, answer in zip(pictures, _answers(running, "segments", pictures)):
        found = torch.tensor(answer.json())
        with torch.inference_mode():
            scores = network(steps(Image.open(io.BytesIO(picture)).convert("RGB"))[None])["out"][0]
        best, classes = torch.softmax(scores, dim=0).max(dim=0)
        assert found.shape == (*classes.shape, 2)
        torch.testing.assert_close(found[..., 1], best, rtol=0, atol=1e-3)
        assert (found[..., 0] != classes).float().mean() < 1e-3
        assert answer.text.splitlines()[:3] == ["[", "  [", "    ["]


def test_all_forms_of_a_request_are_understood(running):
    ((_, picture),) = photographs.make(1)
    expected = _post(running, "native", picture).json()
    text = base64.b64encode(picture).decode()
    url = f"http://{running.url}/predictions/native"
    forms = {
        "raw": _post(running, "native", picture, None),
        "part data": requests.post(url, files={"data": ("a.jpg", picture, "image/jpeg")}, timeout=_LIMIT_S),
        "part body": requests.post(url, files={"body": ("a.jpg", picture, "image/jpeg")}, timeout=_LIMIT_S),
        "empty data": requests.post(url, files={"data": ("", b""), "body": ("a", picture)}, timeout=_LIMIT_S),
        "text": _post(running, "native", text, "text/plain"),
        "json text": _post(running, "native", json.dumps(text), "application/json"),
        "lines": _post(running, "native", base64.encodebytes(picture), "text/plain"),
        "tensors": requests.post(
            f"http://{running.url}/v2/models/native/infer",
            json={
                "inputs": [
                    {"name": "data", "datatype": "UINT8", "shape": [1, len(picture)], "data": list(picture)}
                ]
            },
            timeout=_LIMIT_S,
        ),
    }
    for name, answer in forms.items():
        assert answer.status_code == 200, f"{name}: {answer.text}"
        found = answer.json()
        if name == "tensors":
            found = json.loads(bytes(found["outputs"][0]["data"]))
        assert found == pytest.approx(expected, abs=1e-4), name


def test_a_list_of_numbers_is_the_tensor_itself(running):
    torch.manual_seed(0)
    numbers = json.dumps(torch.rand(3, 64, 80).tolist())
    found = _post(running, "native", numbers, "application/json").json()
    assert found == pytest.approx(_post(running, "python", numbers, "application/json").json(), abs=1e-3)


def test_topk_and_labels_that_several_classes_have(running):
    ((_, picture),) = photographs.make(1)
    answer = _post(running, "top", picture)
    # Two classes of one name are one entry of a dictionary.
    assert list(answer.json()) == ["a"]


def test_what_is_no_good_image_fails_alone(running):
    ((_, picture),) = photographs.make(1)
    assert picture.startswith(b"\xff\xd8")
    huge = io.BytesIO()
    Image.new("1", (2000, 1001)).save(huge, "PNG")
    bad = {
        "cannot identify the image": b"no image at all",
        "the JPEG image is cut short": picture[: len(picture) // 2],
        "2000 x 1001 pixels, the limit is 2000000 pixels (--image-pixel-count-max)": huge.getvalue(),
        "the PNG image is damaged": huge.getvalue()[:40] + b"\0" * 60,
        "the request has no part 'data' or 'body' that is not empty": b"",
    }
    bodies = [body for text in bad for body in (bad[text], picture)]
    with concurrent.futures.ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(lambda body: _post(running, "native", body), bodies))
    for text, answer in zip(bad, answers[::2]):
        assert answer.status_code == 400 and answer.json()["type"] == "BadRequestException", answer.text
        assert text in answer.json()["message"]
    assert [answer.status_code for answer in answers[1::2]] == [200] * len(bad)
    for text, body in (
        ("a text must be an image in base64", json.dumps("abc")),
        ("neither an image in base64", json.dumps({"a": 1})),
        ("not all of one shape", json.dumps([[1.0, 2.0], [3.0]])),
        ("unexpected shape for input 'image'", json.dumps([1.0, 2.0])),
    ):
        answer = _post(running, "native", body, "application/json")
        assert answer.status_code == 400 and text in answer.json()["message"], answer.text


def test_explanations_are_refused_with_the_remedy(running):
    ((_, picture),) = photographs.make(1)
    answer = requests.post(f"http://{running.url}/explanations/native", data=picture, timeout=_LIMIT_S)
    assert answer.status_code == 400 and "'native: false'" in answer.json()["message"]


def test_the_pools_figures_are_metrics(running):
    page = prometheus.scrape(running)
    assert page.find("headrace_native_prepared_total") and page.find("headrace_native_unreadable_total")
    assert page.value("headrace_image_memory_in_use_bytes") == 0
