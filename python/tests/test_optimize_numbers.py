"""What `headrace optimize` computes from answers and times."""

import base64
import json
import math

import numpy
import pytest
from headrace_optimize import accuracy, detections
from headrace_optimize.accuracy import Bound
from headrace_optimize.errors import OptimizeError
from headrace_optimize.load import of_level, write_data
from headrace_optimize.measure import finite
from headrace_optimize.report_text import markdown_table, number, text_table
from headrace_optimize.statistics import Interval

_SCORES = numpy.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]], numpy.float32)


def _compare(other, bound=Bound(), labels=None):
    return accuracy.compare({"scores": _SCORES}, {"scores": other}, bound, labels)


def test_equal_answers_differ_in_nothing():
    found = _compare(_SCORES.copy())
    output = found.outputs["scores"]
    assert (output.max_abs, output.mean_abs, output.snr_db) == (0, 0, math.inf)
    assert output.cosine == pytest.approx(1)
    assert found.top1_agreement == 1 and found.accepted and found.worst == []


def test_differences_are_those_of_the_definition():
    other = _SCORES.copy()
    other[2, 0] += 0.3
    output = _compare(other).outputs["scores"]
    assert output.max_abs == pytest.approx(0.3, abs=1e-6)
    assert output.mean_abs == pytest.approx(0.3 / 12, abs=1e-6)
    assert output.snr_db == pytest.approx(10 * math.log10(float((_SCORES**2).sum()) / 0.09), abs=1e-3)


def test_another_best_class_is_a_drop_that_the_bound_refuses():
    other = _SCORES.copy()
    other[1] = [0.9, 0.05, 0.05]
    found = _compare(other)
    assert not found.accepted and found.reason == "top-1 agrees for 75.0 % only"
    assert found.worst[0]["sample"] == 1
    assert (found.worst[0]["class_original"], found.worst[0]["class"]) == (1, 0)
    assert _compare(other, Bound(max_drop=0.25)).accepted


def test_labels_decide_instead_of_agreement():
    other = _SCORES.copy()
    other[1] = [0.9, 0.05, 0.05]
    better = _compare(other, labels=numpy.array([0, 0, 2, 0]))  # the original was wrong there
    assert better.accepted and (better.task_metric_original, better.task_metric) == (0.75, 1.0)
    worse = _compare(other, labels=numpy.array([0, 1, 2, 0]))
    assert worse.reason == "top-1 accuracy drops by 25.00 %, more than 1 %"


def test_samples_of_unknown_class_do_not_count():
    other = _SCORES.copy()
    other[1] = [0.9, 0.05, 0.05]
    right = _compare(other, labels=numpy.array([0, -1, 2, 1]))
    assert right.accepted and right.labelled == 3
    assert (right.task_metric_original, right.task_metric) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert right.top1_agreement == 0.75
    none = _compare(other, labels=numpy.full(4, -1))
    assert none.task_metric is None and none.reason == "top-1 agrees for 75.0 % only"


def test_a_score_is_what_the_bound_is_of():
    other = _SCORES.copy()
    other[1] = [0.9, 0.05, 0.05]
    assert accuracy.score(_compare(other)) == 0.75
    assert accuracy.score(_compare(other, labels=numpy.array([0, 1, -1, -1]))) == 0.5
    ones = numpy.ones((2, 2, 2), numpy.float32)
    judged = accuracy.compare({"y": ones}, {"y": 1.1 * ones}, Bound())
    assert accuracy.score(judged) == pytest.approx(0.9, abs=1e-6)
    assert accuracy.score(accuracy.compare({"y": ones}, {"y": 9 * ones}, Bound())) == 0


def test_atol_bounds_every_number():
    other = _SCORES + numpy.float32(0.01)
    assert _compare(other, Bound(None, 0.02)).accepted
    assert "a difference of 0.01, more than 0.001" in _compare(other, Bound(None, 0.001)).reason


def test_numbers_that_are_none_are_refused():
    other = _SCORES.copy()
    other[0, 2] = numpy.nan
    assert "no finite numbers" in _compare(other, Bound(None, None)).reason


def test_outputs_of_another_shape_are_refused():
    assert _compare(_SCORES[:, :2]).reason == "output 'scores' is of shape [4, 2], not [4, 3]"
    missing = accuracy.compare({"a": _SCORES}, {"b": _SCORES}, Bound())
    assert missing.reason == "output 'a' is missing" and not missing.accepted


def test_outputs_without_classes_are_judged_by_their_error():
    values = numpy.linspace(1, 2, 24, dtype=numpy.float32).reshape(2, 3, 4)
    assert accuracy.compare({"y": values}, {"y": values * 1.001}, Bound()).accepted
    far = accuracy.compare({"y": values}, {"y": values * 1.1}, Bound())
    assert far.top1_agreement is None and "the error is 10 % of the answer" in far.reason


def _found(*samples):
    """Outputs of a detector: of each sample [(label, score, [x1, y1, x2, y2])...]"""
    most = max(map(len, samples))
    outputs = {
        "boxes": numpy.zeros((len(samples), most, 4), numpy.float32),
        "labels": numpy.zeros((len(samples), most), numpy.int64),
        "scores": numpy.zeros((len(samples), most), numpy.float32),
        "count": numpy.array([[len(sample)] for sample in samples], numpy.int64),
    }
    for i, sample in enumerate(samples):
        for k, (label, score, box) in enumerate(sample):
            outputs["labels"][i, k], outputs["scores"][i, k], outputs["boxes"][i, k] = label, score, box
    return outputs


_CAT, _DOG = (3, 0.9, [10, 10, 50, 50]), (4, 0.5, [20, 0, 40, 80])


def test_detections_agree_whatever_their_order_and_number():
    first = _found([_CAT, _DOG], [])
    found = accuracy.compare_detections(first, _found([_DOG, _CAT], []), Bound(0))
    assert found.accepted and found.detection_agreement == 1 and found.worst == []
    assert found.outputs["boxes"].max_abs == found.outputs["scores"].max_abs == 0
    # A box that is a little off is the same detection, and its score counts as far as both give it.
    moved = (3, 0.8, [12, 10, 50, 50])
    found = accuracy.compare_detections(first, _found([moved, _DOG], []), Bound())
    assert found.detection_agreement == pytest.approx(2 * (0.8 + 0.5) / (1.4 + 1.3))
    assert found.outputs["boxes"].max_abs == 2 and found.worst == [{"sample": 0, "agreement": found.detection_agreement}]
    assert not found.accepted and found.reason == "what is detected agrees for 96.3 % of the scores only"
    assert accuracy.drop(found) == pytest.approx(1 - found.detection_agreement)


@pytest.mark.parametrize(
    "other", [[_DOG], [_DOG, (2, *_CAT[1:])], [_DOG, (3, 0.9, [100, 100, 140, 140])], [_DOG, (3, 0.9, [10, 10, 10, 10])]]
)
def test_a_detection_that_is_lost_or_elsewhere_or_of_another_class_is_none(other):
    found = accuracy.compare_detections(_found([_CAT, _DOG]), _found(other), Bound(atol=100))
    given = sum(score for _, score, _ in other)
    assert found.detection_agreement == pytest.approx(2 * 0.5 / (1.4 + given)) and not found.accepted


def test_a_detection_counts_once():
    twice = accuracy.compare_detections(_found([_CAT]), _found([_CAT, _CAT]), Bound())
    assert twice.detection_agreement == pytest.approx(2 / 3)


def test_detectors_that_find_nothing_agree_and_lost_outputs_are_told():
    nothing = _found([], [])
    assert accuracy.compare_detections(nothing, nothing, Bound(0)).accepted
    assert accuracy.compare_detections(nothing, {"boxes": nothing["boxes"]}, Bound()).reason == "output 'labels' is missing"


def test_detections_of_single_samples_are_joined():
    parts = [_found([_CAT, _DOG]), _found([]), _found([_CAT])]
    whole = {name: detections.joined([part[name] for part in parts]) for name in detections.NAMES}
    for name, values in _found([_CAT, _DOG], [], [_CAT]).items():
        numpy.testing.assert_array_equal(whole[name], values)


def test_a_ratio_is_taken_at_the_far_ends():
    assert Interval(8, 10, 12).over(Interval(4, 5, 6)) == Interval(8 / 6, 2, 3)
    assert Interval(8, 10, 12).over(Interval(0, 0, 0)).low == 0


def _level(outcomes, high=44.0):
    value = {"value": 5e6, "low": 4e6, "high": 6e6}
    return {
        "outcomes": outcomes,
        "throughput_interval": {"value": 40.0, "low": 36.0, "high": high},
        "response_time_ns": {"max": 9e6, "percentiles": {"50": value, "99": {**value, "value": None}}},
        "measured_from_ns": 10**9,
        "measured_to_ns": 3 * 10**9,
    }


def test_a_level_of_bench_is_read():
    found = of_level(_level({"ok": 20, "error": 1}), batch=2, concurrency=3)
    assert (found.requests, found.failures, found.batch, found.concurrency) == (20, 1, 2, 3)
    assert (found.rate, found.seconds) == (Interval(36.0, 40.0, 44.0), 2.0)
    assert (found.p50_ms, found.max_ms) == (5.0, 9.0) and math.isnan(found.p99_ms)
    assert of_level(_level({"ok": 1}, high=None), 1, 1).rate.high == math.inf


def test_a_level_that_was_too_short_has_no_times():
    level = _level({})
    del level["response_time_ns"]
    found = of_level(level, 1, 1)
    assert found.requests == 0 and math.isnan(found.p50_ms) and math.isnan(found.max_ms)


def test_a_level_of_failures_alone_is_an_error():
    with pytest.raises(OptimizeError, match="no request is answered: status, timeout"):
        of_level(_level({"status": 4, "timeout": 1}), 1, 1)


def test_bench_gets_single_samples(tmp_path):
    values = numpy.arange(24, dtype=numpy.float32).reshape(8, 3)
    entries = json.loads(write_data(tmp_path / "data.json", {"x": values}).read_text(encoding="utf-8"))["data"]
    assert len(entries) == 4 and entries[1]["x"]["shape"] == [3]
    assert base64.b64decode(entries[1]["x"]["b64"]) == values[1].tobytes()


def test_json_has_no_infinite_numbers():
    assert finite({"a": math.inf, "b": [math.nan, 1.5]}) == {"a": None, "b": [None, 1.5]}


@pytest.mark.parametrize(
    "value, text",
    [(0, "0"), (123.456, "123"), (1.23456, "1.23"), (0.00123, "0.00123"), (1e-9, "1.00e-09"), (math.inf, "inf")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_tables_have_columns():
    assert text_table(["a", "b", "c"], [["x", "yy", "1"], ["zzz", "", "22"]]).splitlines() == [
        "a    b    c",
        "---  --  --",
        "x    yy   1",
        "zzz      22",
    ]


def test_markdown_keeps_its_columns():
    assert markdown_table(["a", "|d|"], [["x|y", "1"]]).splitlines() == ["| a | \\|d\\| |", "|---|---|", "| x\\|y | 1 |"]
