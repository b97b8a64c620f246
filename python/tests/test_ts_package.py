"""The package that handlers import, without a worker and without torch."""

import base64
import json
import threading

import pytest

from ts.context import Context
from ts.handler_utils.micro_batching import MicroBatching
from ts.handler_utils.timer import timed
from ts.handler_utils.utils import send_intermediate_predict_response
from ts.metrics.dimension import Dimension
from ts.metrics.metric_cache_errors import MetricsCacheKeyError
from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
from ts.metrics.metric_type_enum import MetricTypes
from ts.metrics.metrics_store import MetricsStore
from ts.torch_handler import text_tokens
from ts.torch_handler.request_envelope.body import BodyEnvelope
from ts.torch_handler.request_envelope.json import JSONEnvelope
from ts.torch_handler.request_envelope.kserve import KServeEnvelope
from ts.torch_handler.request_envelope.kservev2 import KServev2Envelope
from ts.context import RequestProcessor
from ts.utils.util import PredictionException, list_classes_from_module, load_label_mapping, map_class_to_label


def make_context(headers=({},), **more):
    context = Context(
        "m",
        "/models/m",
        {"model": {"modelName": "m", "modelVersion": "2.0"}},
        4,
        None,
        metrics=MetricsStore({}, "m"),
        **more,
    )
    context.request_ids = {index: f"id{index}" for index in range(len(headers))}
    context.request_processor = [RequestProcessor(dict(one)) for one in headers]
    return context


def test_context_tells_of_the_model():
    context = make_context()
    assert context.system_properties == {
        "model_dir": "/models/m",
        "gpu_id": None,
        "batch_size": 4,
        "server_name": "MMS",
        "server_version": "0.12.0",
        "limit_max_image_pixels": True,
    }
    assert context.manifest["model"]["modelVersion"] == "2.0" and context.model_yaml_config == {}


def test_header_is_found_by_its_spelling_first_and_without_case_then():
    context = make_context([{"X-Name": "a", "x-name": "b"}, {"Accept": "c"}])
    assert [context.get_request_header(0, key) for key in ("X-Name", "x-name", "nothing")] == ["a", "b", None]
    assert context.get_request_header(1, "accept") == "c"
    assert context.get_all_request_header(1) == {"Accept": "c"}
    assert context.get_sequence_id(0) is None


def test_answer_has_the_status_and_headers_that_were_set():
    context = make_context([{}, {}])
    assert context.get_response_status(0) == (200, None)
    context.set_response_status(code=404, phrase="gone", idx=1)
    context.set_response_header(1, "A", "b")
    context.set_response_content_type(1, "text/plain")
    assert context.get_response_status(1) == (404, "gone")
    assert context.get_response_headers(1) == {"A": "b", "content-type": "text/plain"}
    assert context.get_response_content_type(1) == "text/plain" and context.get_response_content_type(0) is None
    context.set_all_response_status(500, "all")
    assert [context.get_response_status(index) for index in (0, 1)] == [(500, "all"), (500, "all")]
    assert context.get_request_id() == "id0" and context.get_request_id(9) is None


def test_stream_goes_to_who_takes_it_and_only_from_rank_0(monkeypatch):
    context, taken = make_context(), []
    with pytest.raises(RuntimeError, match="batch that is running"):
        send_intermediate_predict_response(["x"], context.request_ids, "m", 200, context)
    context.streamer = lambda values, ids: taken.append((values, ids))
    send_intermediate_predict_response(["x"], context.request_ids, "m", 200, context)
    monkeypatch.setenv("RANK", "1")
    send_intermediate_predict_response(["y"], context.request_ids, "m", 200, context)
    assert taken == [(["x"], {0: "id0"})]


def test_prediction_exception_has_message_and_code():
    error = PredictionException("why")
    assert (error.message, error.error_code, str(error)) == ("why", 500, "message : why, error_code : 500")


# Labels


@pytest.mark.parametrize(
    "document, expected",
    [
        ({"0": "cat", "1": "dog"}, {"0": "cat", "1": "dog"}),
        ({"0": ["n01", "cat"]}, {"0": "cat"}),
        ({"object_type_names": ["a", "b"]}, {"0": "a", "1": "b"}),
    ],
)
def test_label_mapping_has_three_forms(tmp_path, document, expected):
    (tmp_path / "index_to_name.json").write_text(json.dumps(document))
    assert load_label_mapping(str(tmp_path / "index_to_name.json")) == expected


@pytest.mark.parametrize("document", [[1], {"0": 1}, {"0": []}, {"0": [1]}])
def test_label_mapping_of_another_form_is_refused(tmp_path, document):
    (tmp_path / "index_to_name.json").write_text(json.dumps(document))
    with pytest.raises(ValueError):
        load_label_mapping(str(tmp_path / "index_to_name.json"))


def test_label_mapping_may_be_missing(tmp_path):
    assert load_label_mapping(str(tmp_path / "index_to_name.json")) is None


def test_classes_become_labels():
    assert map_class_to_label([[0.6, 0.4]], {"3": "x"}, [[3, 4]]) == [{"x": 0.6, "4": 0.4}]
    assert map_class_to_label([[0.6, 0.4], [1]]) == [{"0": 0.6, "1": 0.4}, {"0": 1}]
    with pytest.raises(TypeError):
        map_class_to_label({})


def test_only_a_modules_own_classes_count():
    import ts.utils.util as module

    assert list_classes_from_module(module) == [PredictionException]
    assert list_classes_from_module(module, KeyError) == []


# Metrics


def test_metrics_carry_model_level_and_own_dimensions():
    updates = []
    store = MetricsStore(
        {0: "a", 1: "b"},
        "m",
        lambda metric, labels, value, ids: updates.append(
            (metric.metric_type, metric.metric_name, metric.unit, labels, value, ids)
        ),
    )
    own = [("ModelName", "m"), ("Level", "Model")]
    store.add_counter("Count", 1, 1)
    store.add_time("Time", 2.5)
    store.add_size("Size", 3, unit="kB")
    store.add_percent("Share", 4, dimensions=[Dimension("Part", "x")])
    store.add_metric("Any", 5, "things", metric_type=MetricTypes.HISTOGRAM)
    store.add_error("Errors", 1)
    store.add_error("Text", "went wrong")
    assert updates == [
        (MetricTypes.COUNTER, "Count", "Count", own, 1, "b"),
        (MetricTypes.GAUGE, "Time", "Milliseconds", own, 2.5, "a,b"),
        (MetricTypes.GAUGE, "Size", "Kilobytes", own, 3, "a,b"),
        (MetricTypes.GAUGE, "Share", "Percent", [("Part", "x"), *own], 4, "a,b"),
        (MetricTypes.HISTOGRAM, "Any", "things", own, 5, "a,b"),
        (MetricTypes.COUNTER, "Errors", "unit", [("Level", "Error")], 1, ""),
    ]


def test_metric_is_kept_by_name_and_type():
    store = MetricsStore({}, "m")
    kept = store.add_metric_to_cache("x", "count", ["a"], MetricTypes.GAUGE)
    assert store.get_metric("x", MetricTypes.GAUGE) is kept
    with pytest.raises(MetricsCacheKeyError, match="no counter of the name 'x'"):
        store.get_metric("x")
    assert store.add_metric_to_cache("x", "count", ["b"], MetricTypes.GAUGE) is not kept
    assert store.cache_keys() == ["gauge:x"]


def test_declared_metrics_say_how_later_values_are_named(tmp_path):
    file = tmp_path / "metrics.yaml"
    file.write_text(
        "dimensions: [&m ModelName]\nmodel_metrics:\n  counter:\n"
        "    - {name: Known, unit: count, dimensions: [Kind, *m, Level]}\n"
        "  histogram:\n    - {name: Spread, unit: ms, dimensions: [*m]}\n"
    )
    updates = []
    store = MetricsCacheYamlImpl(str(file))
    store.initialize_cache()
    store.model_name, store.sink = "m", lambda metric, labels, *rest: updates.append((metric.unit, labels, *rest))
    store.get_metric("Spread", MetricTypes.HISTOGRAM).add_or_update(2, ["m"])
    store.add_counter("Known", 1, dimensions=[Dimension("Other", "x"), Dimension("Level", "Own")])
    assert updates == [
        ("Milliseconds", [("ModelName", "m")], 2, ""),
        ("Count", [("Kind", "x"), ("ModelName", "Own"), ("Level", "m")], 1, ""),
    ]
    file.write_text("model_metrics: {counter: [{name: a, dimensions: []}]}")
    with pytest.raises(MetricsCacheKeyError, match="a counter lacks 'unit'"):
        store.initialize_cache()


def test_wrong_updates_fail_no_request(caplog):
    updates = []
    store = MetricsStore({}, "m", lambda *update: updates.append(update))
    store.add_counter("c", -1)
    store.add_metric_to_cache("d", "", ["a", "b"]).add_or_update(1, ["x"])
    store.add_metric("e", "text", "count", metric_type=MetricTypes.GAUGE)
    assert not updates
    for text in ("'c' is not updated with -1: a counter only grows", "'d' is not", "'e' is not updated with 'text'"):
        assert text in caplog.text
    with pytest.raises(ValueError, match="ms or s"):
        store.add_time("t", 1, unit="h")
    with pytest.raises(ValueError, match="MB, kB, GB or B"):
        store.add_size("s", 1, unit="TB")
    with pytest.raises(TypeError, match="`unit`"):
        store.add_metric_to_cache("f", 3)


def test_stages_are_timed_for_models_that_ask_for_it():
    class Handler:
        @timed
        def preprocess(self, data):
            return data + 1

    names = []
    handler = Handler()
    assert handler.preprocess(1) == 2  # without a context
    for profile in (False, True):
        handler.context = make_context(model_yaml_config={"handler": {"profile": profile}})
        handler.context.metrics.sink = lambda metric, *rest: names.append(metric.metric_name)
        assert handler.preprocess(1) == 2
    assert names == ["ts_handler_preprocess"]


# Micro-batching


class Stages:
    def __init__(self):
        self.sizes = []
        self.indexes = set()
        self.handle = MicroBatching(self, micro_batch_size=2, parallelism={"preprocess": 2})

    def preprocess(self, data):
        self.sizes.append(len(data))
        self.indexes.add(self.handle.get_micro_batch_idx())
        return [row["body"] for row in data]

    def inference(self, values):
        if "bad" in values:
            raise PredictionException("bad one", 422)
        return [value * 2 for value in values]

    def postprocess(self, values):
        return values

    def describe_handle(self):
        return "described"

    def explain_handle(self, values, raw):
        return ["explained"]


def test_micro_batches_keep_the_order_of_the_batch():
    handler = Stages()
    answers = handler.handle([{"body": value} for value in (1, 2, 3, 4, 5)], make_context([{}] * 5))
    assert answers == [2, 4, 6, 8, 10]
    assert sorted(handler.sizes) == [1, 2, 2] and handler.indexes == {0, 1, 2}
    assert handler.handle.get_micro_batch_idx() is None
    assert handler.handle.handle([]) == []
    handler.handle.shutdown()


def test_failure_of_a_stage_is_the_batchs_and_the_next_batch_runs():
    handler = Stages()
    with pytest.raises(PredictionException, match="bad one"):
        handler.handle([{"body": 1}, {"body": 1}, {"body": "bad"}], make_context([{}] * 3))
    assert handler.handle([{"body": 1}], make_context()) == [2]
    handler.handle.shutdown()


def test_describe_and_explain_go_past_the_stages():
    handler = Stages()
    assert handler.handle([{"body": 1}], make_context([{"describe": "True"}])) == ["described"]
    assert handler.handle([{"body": 1}], make_context([{"explain": "True"}])) == ["explained"]
    handler.handle.shutdown()


def test_threads_of_a_stage_can_be_set_anew():
    handler = Stages()
    handler.handle.parallelism = {"preprocess": 1, "inference": 3}
    assert handler.handle.parallelism == {"preprocess": 1, "inference": 3, "postprocess": 1}
    assert handler.handle([{"body": 1}], make_context()) == [2]
    for wrong in ({"unknown": 1}, {"inference": 0}):
        with pytest.raises(ValueError):
            handler.handle.parallelism = wrong
    handler.handle.shutdown()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("micro-batch")]


# Envelopes


def test_body_envelope_takes_the_names_away():
    envelope = BodyEnvelope(lambda rows, context: rows)
    assert envelope.handle([{"data": b"1"}, {"body": b"2"}], make_context([{}] * 2)) == [b"1", b"2"]


def test_json_envelope_makes_one_batch_of_all_instances():
    calls = []
    envelope = JSONEnvelope(lambda rows, context: calls.append(rows) or [str(row) for row in rows])
    coded = {"b64": base64.b64encode(b"raw").decode()}
    answers = envelope.handle(
        [{"body": {"instances": [1, coded]}}, {"data": b'{"instances": [{"b64": "eA==", "other": 1}]}'}],
        make_context([{}] * 2),
    )
    assert calls == [[1, b"raw", {"b64": "eA==", "other": 1}]]
    assert [json.loads(answer)["predictions"] for answer in answers] == [
        ["1", "b'raw'"],
        ["{'b64': 'eA==', 'other': 1}"],
    ]


@pytest.mark.parametrize("explain, key", [("False", "predictions"), ("True", "explanations")])
def test_kserve_envelope_serves_all_requests_of_a_batch(explain, key):
    envelope = KServeEnvelope(lambda rows, context: [row + 1 for row in rows])
    answers = envelope.handle(
        [{"body": {"instances": [1, 2]}}, {"body": {"instances": [3]}}], make_context([{"explain": explain}] * 2)
    )
    assert answers == [{key: [2, 3]}, {key: [4]}]


def test_kservev2_envelope_shapes_inputs_and_names_outputs():
    seen = []
    envelope = KServev2Envelope(
        lambda rows, context: seen.append([row["data"] for row in rows]) or [[1.5, 2.5], "text"]
    )
    inputs = [
        {"name": "a", "shape": [2, 2], "datatype": "INT64", "data": [1, 2, 3, 4]},
        {"name": "b", "shape": [1], "datatype": "BYTES", "data": ["x"]},
    ]
    answer, other = envelope.handle(
        [{"body": {"id": "mine", "inputs": inputs}}, {"body": {"inputs": inputs}}], make_context([{}] * 2)
    )
    assert seen == [[[[1, 2], [3, 4]], "x"]] * 2
    assert answer == {
        "id": "mine",
        "model_name": "m",
        "model_version": "2.0",
        "outputs": [
            {"name": "a", "shape": [2], "datatype": "FP64", "data": [1.5, 2.5]},
            {"name": "b", "shape": [1], "datatype": "BYTES", "data": ["text"]},
        ],
    }
    assert other["id"] == "id1"


@pytest.mark.parametrize("envelope", [JSONEnvelope, KServeEnvelope, KServev2Envelope])
@pytest.mark.parametrize("document", [b"no json", b"[]", b"{}", b'{"instances": 1, "inputs": []}'])
def test_envelope_refuses_other_documents(envelope, document):
    with pytest.raises(ValueError):
        envelope(lambda rows, context: rows).handle([{"body": document}], make_context())


# Texts


# What TorchServe 0.12 makes of them.
CLEANED = {
    "<b>Can't</b> stop": "cannot stop",
    "They've won, haven't they?": "they have won have not they",
    "They\u2019ve won": "theyve won",
    "I'd've said: he'd've, y'all'd": "i wouldve said he wouldve you alld",
    "ain't 'cause so's WON'T sha'n't": "as not ecause so as will not shall not",
    "how'd'y where'd there'd the's": "how didy where did there would the is",
    "Caf\u00e9 &amp; na\u00efve_co": "cafe naiveco",
    "&lt;b&gt; &AMP; &#39; &#x27; &#x2F; &#1234567; & ;": "b amp x2f 1234567",
    "a<b>c 3 < 4 <i\n> 5 > 4": "ac 3 4 i 5 4",
    "one<br />two well-known 3.5% e-mail@x.y": "onetwo wellknown 35 emailxy",
    "a\u00a0b\u3000c\u2028d\te\x1ff\x00g": "a b cd e f\x00g",
    "\ufb01ne \U0001d400\U0001d401 \u2122 \u00bd \u0130x \u212a \uff21\uff22": "fine ab tm 12 ix k ab",
    "\u00df \u03a3 \U0001f600 \u4e2d\u6587": "",
    "'' \"\" ...": "",
    "": "",
}


@pytest.mark.parametrize("text", CLEANED)
def test_text_is_cleaned(text):
    assert text_tokens.clean(text).split() == CLEANED[text].split()


def test_markup_that_never_ends_is_read_once():
    assert text_tokens.clean("<&" * 500_000 + "end") == "end"


def test_ngrams_follow_the_words():
    assert text_tokens.ngrams(["a", "b", "c"], 2) == ["a", "b", "c", "a b", "b c"]
