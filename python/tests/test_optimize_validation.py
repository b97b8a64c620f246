"""What accuracy control of `headrace optimize` is told of a model, without OpenVINO."""

import pathlib

import numpy
import pytest
from headrace_optimize import examples
from headrace_optimize.model import OPENVINO, Source, Tensor
from headrace_optimize.recipes.base import Context
from headrace_optimize.recipes.openvino_validation import Validation, answers, errors

_SAMPLES = 20
_SCORES = numpy.eye(4, dtype=numpy.float32)[numpy.arange(_SAMPLES) % 4]


class _Model:
    """Answers a sample, whose input is its number, from a table; counts its calls."""

    def __init__(self, table):
        self._table = table
        self.calls = []

    def create_infer_request(self):
        """As a compiled model's."""
        return self

    def infer(self, inputs):
        """As a request's."""
        numbers = inputs["x"].astype(int)
        self.calls.append(numbers.reshape(-1).tolist())
        return {"y": self._table[numbers[:, 0] if numbers.ndim > 1 else numbers[0]]}


def _samples(batches):
    rows = [numpy.array([i], numpy.float32) for i in range(_SAMPLES)]
    return [{"x": row[None] if batches else row} for row in rows]


@pytest.fixture(name="context")
def _context(tmp_path):
    def make(labels=None, max_batch_size=8):
        source = Source("m", OPENVINO, "", max_batch_size, [Tensor("x", "FP32", [1])], [Tensor("y", "FP32", [4])])
        file = pathlib.Path(tmp_path) / "examples.npz"
        examples.Examples({"x": numpy.zeros((_SAMPLES, 1), numpy.float32)}, "", labels).save(file)
        told = []
        return Context(source, tmp_path, file, 300, 0.3, 0.01, 900.0, told.append), told

    return make


def _changed(*places):
    """The scores with another best class at some places."""
    table = _SCORES.copy()
    for place in places:
        table[place] = numpy.roll(table[place], 1)
    return table


def test_samples_go_in_batches_and_come_back_in_order():
    model = _Model(_SCORES)
    assert numpy.array_equal(answers(model, _samples(True), True)["0"], _SCORES)
    assert [len(call) for call in model.calls] == [8, 8, 4]
    model = _Model(_SCORES)
    assert numpy.array_equal(answers(model, _samples(False), False)["0"], _SCORES)
    assert len(model.calls) == _SAMPLES


def test_an_error_is_a_share_of_the_answer():
    wanted = {"a": numpy.ones((2, 4), numpy.float32), "b": numpy.ones((2, 1), numpy.float32)}
    found = {"a": wanted["a"] * 1.1, "b": numpy.array([[1], [1.5]], numpy.float32)}
    assert errors(wanted, found) == pytest.approx([0.1, 0.5], abs=1e-6)


def test_all_samples_are_judged_by_the_agreement(context):
    validation = Validation({"0": _SCORES}, _samples(True), context()[0], 60)
    figure, each = validation(_Model(_changed(3, 7)), range(_SAMPLES))
    assert figure == pytest.approx(0.9) and validation.drop == pytest.approx(0.1) and validation.tried == 1
    assert [place for place, value in enumerate(each) if value < 1] == [3, 7]


def test_labels_decide_where_there_are_some(context):
    labels = numpy.full(_SAMPLES, -1)
    labels[:4] = 0, 1, 2, 0  # the original is wrong in one of them
    validation = Validation({"0": _SCORES}, _samples(True), context(labels)[0], 60)
    assert validation(_Model(_SCORES), range(_SAMPLES))[0] == 0.75
    assert validation(_Model(_changed(0, 9, 10)), range(_SAMPLES))[0] == 0.5
    assert validation.drop == 0.25


def test_layers_are_ranked_by_the_error_of_the_samples_that_are_asked_for(context):
    model = _Model(_SCORES * 1.25)
    validation = Validation({"0": _SCORES}, _samples(True), context()[0], 60)
    figure, each = validation(model, iter([2, 5, 11]))
    assert figure == pytest.approx(0.75) and each == pytest.approx([0.75] * 3)
    assert model.calls == [[2, 5, 11]] and validation.tried == 0


def test_when_the_time_is_over_the_model_passes_and_ranking_computes_nothing(context):
    validation = Validation({"0": _SCORES}, _samples(True), context()[0], -1)
    model = _Model(_changed(1, 2, 3))
    assert validation(model, [1, 2]) == (0.0, [0.0, 0.0]) and not model.calls
    assert validation(_Model(_SCORES), range(_SAMPLES))[0] == 1.0 and not validation.ended_early
    assert validation(model, range(_SAMPLES))[0] == 1.0
    assert validation.ended_early and validation.drop == pytest.approx(0.15)


def test_progress_is_told_now_and_then(context):
    made, told = context()
    validation = Validation({"0": _SCORES}, _samples(True), made, 60)
    for _ in range(3):
        validation(_Model(_changed(3)), range(_SAMPLES))
    assert told == ["model 1: a drop of 5.00 %"]
