"""Handlers that come with the package, and the forms that a model may have in an archive."""

import base64
import collections
import fractions
import io
import json

import pytest

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from test_ts_package import make_context
from ts.torch_handler import model_files
from ts.torch_handler.base_handler import BaseHandler
from ts.torch_handler.image_classifier import ImageClassifier
from ts.torch_handler.image_segmenter import ImageSegmenter
from ts.torch_handler.object_detector import ObjectDetector
from ts.torch_handler.text_classifier import TextClassifier
from ts.torch_handler.vision_handler import VisionHandler

NETWORK = """
import torch
class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 2)
        {extra}
    def forward(self, x):
        return self.line(x)
"""
WEIGHT = [[1.0, 2.0], [3.0, 4.0]]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def write_eager(directory, extra="pass", weights=None):
    (directory / "model.py").write_text(NETWORK.format(extra=extra))
    state = {"line.weight": torch.tensor(WEIGHT), "line.bias": torch.zeros(2)} if weights is None else weights
    torch.save(state, directory / "weights.pt")
    return directory


def initialized(handler, directory, manifest=None, settings=None, headers=({},)):
    context = make_context(headers, model_yaml_config=settings)
    context.system_properties["model_dir"] = str(directory)
    context.manifest = {"model": {"modelName": "m", **(manifest or {})}}
    handler.initialize(context)
    return context


EAGER = {"modelFile": "model.py", "serializedFile": "weights.pt"}
ANSWER = [[5.0, 11.0]]  # of [1, 2]


def answer(handler, context):
    return handler.handle([[1.0, 2.0]], context)


# Forms of a model


@pytest.mark.parametrize(
    "extra",
    [
        "pass",
        "self.kept = torch.arange(3)",  # what no file holds
        "self.register_buffer('b', torch.ones(1), persistent=False)",
        "self.n = int(torch.ones(1).item())",  # needs contents
        "self.list = [torch.zeros(1)]",
    ],
)
def test_eager_model_has_the_files_weights(tmp_path, extra):
    handler = BaseHandler()
    context = initialized(handler, write_eager(tmp_path, extra), EAGER)
    assert answer(handler, context) == ANSWER
    assert handler.initialized and not handler.model.training
    held = list(handler.model.buffers()) + list(handler.model.parameters()) + list(vars(handler.model).values())
    assert not any(value.is_meta for value in held if isinstance(value, torch.Tensor))


def test_weights_of_an_eager_model_are_mapped_and_not_copied(tmp_path):
    big = torch.zeros(2, 1 << 20)
    (tmp_path / "model.py").write_text(NETWORK.format(extra=f"self.line = torch.nn.Linear({big.shape[1]}, 2)"))
    torch.save({"line.weight": big, "line.bias": torch.zeros(2)}, tmp_path / "weights.pt")
    model = model_files.load_eager(str(tmp_path), "model.py", str(tmp_path / "weights.pt"), torch.device("cpu"))
    address = model.line.weight.data_ptr()
    with open("/proc/self/maps", encoding="utf-8") as maps:
        ranges = [(line.split()[0].split("-"), line) for line in maps if "weights.pt" in line]
    assert any(int(first, 16) <= address < int(last, 16) for (first, last), _ in ranges)


def test_other_types_and_shapes_of_weights_go_the_ordinary_way(tmp_path):
    handler = BaseHandler()
    weights = {
        "line.weight": torch.tensor(WEIGHT, dtype=torch.float64),
        "line.bias": torch.zeros(2, dtype=torch.float64),
    }
    context = initialized(handler, write_eager(tmp_path, weights=weights), EAGER)
    assert handler.model.line.weight.dtype is torch.float32 and answer(handler, context) == ANSWER
    write_eager(tmp_path, weights={"line.weight": torch.zeros(3, 2), "line.bias": torch.zeros(2)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        initialized(BaseHandler(), tmp_path, EAGER)


def test_old_files_and_files_with_more_than_weights_load(tmp_path):
    state = {"line.weight": torch.tensor(WEIGHT), "line.bias": torch.zeros(2)}
    write_eager(tmp_path)
    torch.save(state, tmp_path / "weights.pt", _use_new_zipfile_serialization=False)
    handler = BaseHandler()
    assert answer(handler, initialized(handler, tmp_path, EAGER)) == ANSWER
    loaded = tmp_path / "more.pt"
    torch.save({"of": fractions.Fraction(1, 3)}, loaded)
    assert model_files.load_weights(str(loaded), torch.device("cpu"))["of"] == fractions.Fraction(1, 3)


def test_eager_model_without_weights_is_as_its_class_makes_it(tmp_path):
    write_eager(tmp_path)
    handler = BaseHandler()
    initialized(handler, tmp_path, {"modelFile": "model.py"})
    assert handler.model.line.weight.shape == (2, 2)


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 2)
        self.load_state_dict({"line.weight": torch.tensor(WEIGHT), "line.bias": torch.zeros(2)})

    def forward(self, x):
        return self.line(x)


def test_torchscript(tmp_path):
    torch.jit.trace(Line(), torch.zeros(1, 2)).save(str(tmp_path / "m.pt"))
    handler = BaseHandler()
    assert answer(handler, initialized(handler, tmp_path, {"serializedFile": "m.pt"})) == ANSWER


def test_exported_program(tmp_path):
    torch.export.save(torch.export.export(Line(), (torch.zeros(1, 2),)), str(tmp_path / "m.pt2"))
    handler = BaseHandler()
    assert answer(handler, initialized(handler, tmp_path, {"serializedFile": "m.pt2"})) == ANSWER


def test_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    shape = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 2])
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2, 2], [1, 3, 2, 4])
    graph = onnx.helper.make_graph([node], "g", [shape("x")], [shape("y")], [weight])
    onnx.save(
        onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 13)]),
        str(tmp_path / "m.onnx"),
    )
    handler = BaseHandler()
    assert answer(handler, initialized(handler, tmp_path, {"serializedFile": "m.onnx"})) == ANSWER


@pytest.mark.parametrize(
    "manifest, message",
    [
        ({}, "No model weights could be loaded"),
        ({"serializedFile": "m.bin"}, "No model weights could be loaded: m.bin"),
        ({"modelFile": "none.py"}, "Missing the model.py file"),
    ],
)
def test_model_that_cannot_be_loaded_says_why(tmp_path, manifest, message):
    with pytest.raises(RuntimeError, match=message):
        initialized(BaseHandler(), tmp_path, manifest)


# torch.compile


@pytest.mark.parametrize(
    "settings, compiled",
    [
        ({"compile": {"enable": True, "backend": "eager"}}, True),
        ("eager", True),
        ({"backend": "aot_eager"}, True),
        ({"compile": {"enable": False, "backend": "eager"}}, False),
        ({"export": {"aot_compile": True}}, False),
        ({"compile": {"enable": True, "backend": "unheard_of"}}, False),
        ({"compile": {"enable": True, "backend": "eager", "mode": "no such mode", "options": {}}}, False),
        (7, False),
    ],
)
def test_model_is_compiled_as_pt2_says(tmp_path, settings, compiled):
    handler = BaseHandler()
    context = initialized(handler, write_eager(tmp_path), EAGER, {"pt2": settings})
    assert isinstance(handler.model, torch._dynamo.eval_frame.OptimizedModule) == compiled
    assert answer(handler, context) == ANSWER


def test_profiler_leaves_a_trace_where_the_environment_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ENABLE_TORCH_PROFILER", "1")
    handler = BaseHandler()
    context = initialized(handler, write_eager(tmp_path), EAGER)
    traces = []
    handler.profiler_args = {"on_trace_ready": lambda profile: traces.append(profile.key_averages())}
    assert answer(handler, context) == ANSWER
    assert any("linear" in event.key for event in traces[0])


# Default handlers


def image_bytes(width=300, height=280, colour=(200, 30, 60)):
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


class Scores(torch.nn.Module):
    """Ten classes; the likelier, the higher its number."""

    def forward(self, x):
        return torch.arange(10.0).repeat(x.shape[0], 1)


def with_model(handler_class, model, mapping=None):
    class Loaded(handler_class):
        def _load(self, model_dir, model_file):
            self.model = model

    handler = Loaded()
    handler.mapping = mapping
    return handler


def test_image_classifier_answers_the_five_best(tmp_path):
    (tmp_path / "index_to_name.json").write_text(json.dumps({"9": ["n9", "nine"]}))
    handler = with_model(ImageClassifier, Scores())
    context = initialized(handler, tmp_path)
    picture = image_bytes()
    rows = [
        {"data": bytearray(picture)},
        {"body": base64.b64encode(picture).decode()},
        {"body": torch.zeros(3, 224, 224).tolist()},
    ]
    answers = handler.handle(rows, context)
    assert [list(one) for one in answers] == [["nine", "8", "7", "6", "5"]] * 3
    probabilities = list(answers[0].values())
    assert probabilities == sorted(probabilities, reverse=True) and 0.5 < probabilities[0] < 0.7
    handler.set_max_result_classes(2)
    assert [len(one) for one in handler.handle(rows, context)] == [2, 2, 2]


def test_image_is_resized_cropped_and_normalised():
    tensor = ImageClassifier.image_processing(Image.new("RGB", (512, 300), (255, 0, 0)))
    assert tensor.shape == (3, 224, 224)
    assert torch.allclose(tensor[:, 0, 0], torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]))


class Detector(torch.nn.Module):
    def forward(self, images):
        found = {
            "boxes": torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]]),
            "labels": torch.tensor([1, 2]),
            "scores": torch.tensor([0.75, 0.25]),
        }
        return [found for _ in images]


@pytest.mark.parametrize("sizes", [((20, 10), (20, 10)), ((20, 10), (30, 10))])
def test_object_detector_answers_boxes_with_their_scores(tmp_path, sizes):
    (tmp_path / "index_to_name.json").write_text(json.dumps({"1": "cat"}))
    handler = with_model(ObjectDetector, Detector())
    context = initialized(handler, tmp_path)
    answers = handler.handle([{"data": image_bytes(*size)} for size in sizes], context)
    assert answers == [[{"cat": [1.0, 2.0, 3.0, 4.0], "score": 0.75}]] * 2


class Segmenter(torch.nn.Module):
    def forward(self, x):
        scores = torch.zeros(x.shape[0], 3, 4, 5)
        scores[:, 2] = 10
        return {"out": scores}


def test_image_segmenter_answers_class_and_probability_of_each_pixel(tmp_path):
    handler = with_model(ImageSegmenter, Segmenter())
    context = initialized(handler, tmp_path)
    (found,) = handler.handle([{"data": image_bytes()}], context)
    assert len(found) == 4 and len(found[0]) == 5 and found[0][0][0] == 2 and found[0][0][1] > 0.99


class Bag(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = torch.nn.EmbeddingBag(8, 2, mode="sum")
        self.bag.weight.data = torch.zeros(8, 2)
        self.bag.weight.data[1, 1] = 5

    def forward(self, numbers, offsets):
        return self.bag(numbers, offsets)


def test_text_classifier_answers_all_classes_of_each_text(tmp_path):
    (tmp_path / "index_to_name.json").write_text(json.dumps({"0": "dull", "1": "good"}))
    torch.save({"<unk>": 0, "good": 1}, tmp_path / "source_vocab.pt")
    handler = with_model(TextClassifier, Bag())
    context = initialized(handler, tmp_path, headers=({}, {}))
    good, dull = handler.handle([{"data": bytearray(b"<i>Good!</i>")}, {"body": "something else"}], context)
    assert good["good"] > 0.99 and dull == {"dull": 0.5, "good": 0.5}
    context.request_processor = context.request_processor[:1]
    assert handler.handle([{"data": bytearray(b"...")}], context) == [dull]


def test_a_vocabulary_that_knows_what_it_lacks_is_asked():
    handler = TextClassifier()
    for handler.source_vocab, expected in (
        ({"a": 3}, [3, 0]),
        ({"a": 3, "<unk>": 1}, [3, 1]),
        (collections.defaultdict(lambda: 7, {"a": 3}), [3, 7]),
        (collections.Counter({"a": 3}), [3, 0]),
    ):
        assert handler.word_numbers(["a", "b"]) == expected


def test_text_handler_without_vocabulary_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="source_vocab.pt is missing"):
        initialized(with_model(TextClassifier, Bag()), tmp_path)


def test_explain_and_describe_take_ways_of_their_own(tmp_path):
    class Explaining(VisionHandler):
        image_processing = ImageClassifier.image_processing

        def get_insights(self, tensor_data, raw_data, target):
            return [[list(tensor_data.shape), type(raw_data).__name__, target]]

        def describe_handle(self):
            return {"what": "this"}

    handler = with_model(Explaining, Scores())
    context = initialized(handler, tmp_path, headers=({"explain": "True"},))
    assert handler.handle([{"data": image_bytes(), "target": 3}], context) == [[[1, 3, 224, 224], "bytes", 3]]
    context = initialized(handler, tmp_path, headers=({"describe": "True"},))
    assert handler.handle([{"data": b""}], context) == [{"what": "this"}]
    with pytest.raises(NotImplementedError, match="cannot explain"):
        BaseHandler().get_insights(None, None, 0)
