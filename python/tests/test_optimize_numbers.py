"""What `headrace optimize` computes from answers and times."""

import math

import numpy
import pytest
from headrace_optimize import accuracy, statistics
from headrace_optimize.accuracy import Bound
from headrace_optimize.load import summarise
from headrace_optimize.measure import finite
from headrace_optimize.report_text import number, text_table
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


def test_percentile_is_a_value_that_was_seen():
    values = list(range(1, 101))
    assert statistics.percentile(values, 0.5) == 50
    assert statistics.percentile(values, 0.99) == 99
    assert statistics.percentile([7.0], 0.99) == 7
    assert math.isnan(statistics.percentile([], 0.5))


def test_intervals_are_students():
    found = statistics.mean_interval([9.0, 10.0, 11.0])
    assert found.mid == 10 and found.high - found.mid == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert statistics.mean_interval([5.0]) == Interval(0.0, 5.0, math.inf)


def test_a_ratio_is_taken_at_the_far_ends():
    assert Interval(8, 10, 12).over(Interval(4, 5, 6)) == Interval(8 / 6, 2, 3)
    assert Interval(8, 10, 12).over(Interval(0, 0, 0)).low == 0


def test_rate_of_steady_requests_is_exact():
    found = statistics.rate_interval([i * 0.1 for i in range(31)], items_each=4)
    assert found.mid == pytest.approx(40) and found.high - found.low < 1e-6
    assert statistics.rate_interval([1.0], 4).mid == 0


def test_summary_of_a_run():
    load = summarise([(0.1 * i, 0.05) for i in range(1, 21)], failures=1, batch=2, concurrency=1, seconds=2, tool="t")
    assert (load.requests, load.failures, load.p50_ms, load.max_ms) == (20, 1, 50, 50)
    assert load.rate.mid == pytest.approx(20)


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
