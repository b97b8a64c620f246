"""Models of PyTorch behind handlers: a detector in an archive, and default handlers."""

import concurrent.futures
import io
import json
import pathlib
import sys

import pytest
import requests

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from PIL import Image, ImageDraw
from torchvision.transforms.functional import to_tensor

from harness import archives
from harness import server as server_module

_HANDLERS = pathlib.Path(__file__).parent / "handlers"
_NAMES = {"0": "nothing", "1": "arm", "2": "leg", "3": "head"}
_LIMIT_S = 120


def _network():
    sys.path.insert(0, str(_HANDLERS))
    try:
        import mask_network
    finally:
        sys.path.pop(0)
    torch.set_num_threads(1)
    torch.manual_seed(7)
    network = mask_network.FigureDetector()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight)
    return network.eval()


def _saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _picture(seed):
    """A drawing as JPEG."""
    picture = Image.new("RGB", (120, 90), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20 + seed, 10, 60 + seed, 50), fill=(200, 40, 40))
    draw.line((40 + seed, 50, 40 + seed, 85), fill="black", width=5)
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module", name="network")
def _network_fixture():
    return _network()


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory, network):
    repository = tmp_path_factory.mktemp("torch")
    files = {
        "mask_handler.py": (_HANDLERS / "mask_handler.py").read_text(encoding="utf-8"),
        "mask_network.py": (_HANDLERS / "mask_network.py").read_text(encoding="utf-8"),
        "weights.pt": _saved(network.state_dict()),
        "index_to_name.json": json.dumps(_NAMES),
        "model-config.yaml": "minWorkers: 2\nmaxWorkers: 2\ndeviceType: cpu\n",
    }
    detector = archives.mar(
        "figures",
        files,
        "mask_handler.py",
        modelFile="mask_network.py",
        serializedFile="weights.pt",
        configFile="model-config.yaml",
    )
    archives.add(repository, "figures", detector)
    plain = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 6))
    torch.nn.init.normal_(plain[2].weight)
    scripted = io.BytesIO()
    torch.jit.save(torch.jit.trace(plain, torch.zeros(1, 3, 224, 224)), scripted)
    classes = json.dumps({str(i): f"class {i}" for i in range(6)})
    classifier = archives.mar(
        "colours",
        {"colours.pt": scripted.getvalue(), "index_to_name.json": classes},
        "image_classifier",
        serializedFile="colours.pt",
    )
    archives.add(repository, "colours", classifier)
    with server_module.running(repository, f"--backend-config=handler,interpreter={sys.executable}") as running:
        yield running, plain


def _ask(running, model, picture):
    return requests.post(
        f"http://{running.url}/predictions/{model}",
        data=picture,
        headers={"Content-Type": "image/jpeg"},
        timeout=_LIMIT_S,
    )


def test_detector_finds_what_the_network_finds_and_two_workers_share_the_work(server, network):
    running, _ = server
    pictures = [_picture(seed) for seed in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [answer.json() for answer in pool.map(lambda picture: _ask(running, "figures", picture), pictures)]
    assert len({answer["worker"] for answer in answers}) == 2
    for picture, answer in zip(pictures, answers):
        with torch.inference_mode():
            (expected,) = network([to_tensor(Image.open(io.BytesIO(picture)).convert("RGB"))])
        figures = answer["figures"]
        assert len(figures) == len(expected["boxes"]) > 0
        assert [figure["class_name"] for figure in figures] == [_NAMES[str(int(label))] for label in expected["labels"]]
        torch.testing.assert_close(
            torch.tensor([figure["box"] for figure in figures]), expected["boxes"], rtol=1e-3, atol=1e-2
        )
        torch.testing.assert_close(
            torch.tensor([figure["score"] for figure in figures]), expected["scores"], rtol=1e-3, atol=1e-4
        )
        for figure, mask in zip(figures, expected["masks"]):
            assert sum(figure["mask"]) == 120 * 90
            assert abs(sum(figure["mask"][1::2]) - int((mask[0] > 0.5).sum())) <= 20


def test_picture_that_is_none_is_the_handlers_own_error(server):
    running, _ = server
    answer = _ask(running, "figures", b"no picture")
    assert answer.status_code == 415 and answer.json()["message"] == "the picture cannot be read"


def test_default_image_classifier_serves_an_archive_without_code(server):
    running, plain = server
    answer = _ask(running, "colours", _picture(3))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert len(found) == 5 and all(name.startswith("class ") for name in found)
    assert list(found.values()) == sorted(found.values(), reverse=True)
