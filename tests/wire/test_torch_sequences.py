"""Controls and implicit states of sequences with PyTorch models."""

import concurrent.futures
import queue

import numpy
import pytest

# The wheel of torch alone, which the backend needs, does not import; sympy comes with what it takes to make models.
pytest.importorskip("sympy", reason="the whole of PyTorch is not here: tools/setup.sh --tests")

import torch  # noqa: E402
import tritonclient.grpc as grpc_module  # noqa: E402
import tritonclient.http as client_module  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

import torch_modules as modules  # noqa: E402
import torch_packages  # noqa: E402
from harness import backends, torch_models  # noqa: E402
from harness import server as server_module  # noqa: E402

pytestmark = pytest.mark.skipif(not backends.built("pytorch"), reason="pytorch is left out of this build")

_OLDEST = "oldest { max_candidate_sequences: 16 max_queue_delay_microseconds: 500 }"
_FLAGS = {
    "INT32": "int32_false_true: [ 0, 1 ]",
    "FP32": "fp32_false_true: [ 0, 1 ]",
    "BOOL": "bool_false_true: [ false, true ]",
}
# The names of X, START, READY, END, CORRID, the states that come in, the outputs, and the states that go out.
_BY_NAME = ["x", "start", "ready", "end", "corrid", "total", "seen", "SUM", "FLAGS", "ID", "TOTAL_OUT", "SEEN_OUT"]
_BY_INDEX = [f"INPUT__{i}" for i in range(7)] + [f"OUTPUT__{i}" for i in range(5)]
_CONTROLS_BY_INDEX = ["x", *_BY_INDEX[1:7], "SUM", "FLAGS", "ID", "TOTAL__3", "SEEN__4"]
_BY_ORDER = ["IN", "A", "B", "C", "D", "E", "F", "SUM", "FLAGS", "ID", "G", "H"]


def _state(names, kind, dims, extra=""):
    names = f'input_name: "{names[0]}" output_name: "{names[1]}"'
    return f"state {{ {names} data_type: TYPE_{kind} dims: [ {dims} ] {extra} }}\n"


def _sums_config(names, strategy="direct { }", flags="INT32", max_batch_size=4, seen="-1"):
    text = f'backend: "pytorch"\nmax_batch_size: {max_batch_size}\n'
    text += f'input {{ name: "{names[0]}" data_type: TYPE_FP32 dims: [ 1 ] }}\n'
    for name, kind, dims in zip(names[7:10], ("FP32", "FP32", "INT64"), (1, 3, 1)):
        text += f'output {{ name: "{name}" data_type: TYPE_{kind} dims: [ {dims} ] }}\n'
    text += f"sequence_batching {{ {strategy} max_sequence_idle_microseconds: 60000000\n"
    for name, kind in zip(names[1:4], ("START", "READY", "END")):
        text += f'control_input {{ name: "{name}" control {{ kind: CONTROL_SEQUENCE_{kind} {_FLAGS[flags]} }} }}\n'
    text += f'control_input {{ name: "{names[4]}" control {{ kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_INT64 }} }}\n'
    text += _state((names[5], names[10]), "FP32", 1)
    if seen:
        growable = "use_same_buffer_for_input_output: true use_growable_memory: true"
        text += _state((names[6], names[11]), "FP32", seen, growable)
    return text + "}\ninstance_group { count: 2 kind: KIND_CPU }\n"


_KEYED = ["X", "START", "READY", "END", "CORRID", "SUM_IN", "", "SUM", "FLAGS", "ID", "SUM", ""]
# name: module, configuration, and the names in it
_SUMS = {
    "by_name": (modules.Sums, _BY_NAME, {"max_batch_size": 1}),
    "by_index": (modules.Sums, _BY_INDEX, {"strategy": _OLDEST, "max_batch_size": 1, "flags": "BOOL"}),
    "controls_by_index": (modules.Sums, _CONTROLS_BY_INDEX, {"flags": "FP32", "max_batch_size": 0}),
    "by_order": (modules.Sums, _BY_ORDER, {"max_batch_size": 0}),
    "keyed_direct": (modules.KeyedSums, _KEYED, {"seen": None}),
    "keyed_oldest": (modules.KeyedSums, _KEYED, {"seen": None, "strategy": _OLDEST}),
}


def _put(repository, name, config, module=None):
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config, encoding="utf-8")
    if module is not None:
        torch_models.save_script(module, repository / name / "1" / "model.pt")


def _recurrent_config(x="x", answer="OUTPUT__0", hidden=("hidden", "OUTPUT__1")):
    text = 'backend: "pytorch"\nmax_batch_size: 8\n'
    text += f'input {{ name: "{x}" data_type: TYPE_FP32 dims: [ 4 ] }}\n'
    text += f'output {{ name: "{answer}" data_type: TYPE_FP32 dims: [ 1 ] }}\n'
    return text + f"sequence_batching {{ {_OLDEST} {_state(hidden, 'FP32', 8)} }}\n"


def _named_config():
    text = 'backend: "pytorch"\nmax_batch_size: 4\ninput { name: "x" data_type: TYPE_FP32 dims: [ 1 ] }\n'
    text += 'output { name: "SUM" data_type: TYPE_FP32 dims: [ 1 ] }\noutput { name: "NAME" data_type: TYPE_STRING dims: [ 1 ] }\n'
    text += 'sequence_batching { direct { } control_input { name: "name" control { kind: CONTROL_SEQUENCE_CORRID '
    return text + "data_type: TYPE_STRING } }\n" + _state(("total", "TOTAL"), "FP32", 1) + "}\n"


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("torch_sequences")
    for name, (module, names, fields) in _SUMS.items():
        _put(repository, name, _sums_config(names, **fields), module())
    _put(repository, "named", _named_config(), modules.NamedSequence())
    _put(repository, "recurrent_script", _recurrent_config(), modules.Recurrent())
    _put(repository, "recurrent_package", _recurrent_config("ARGS[0]", "RESULT[0]", ("STATE__1", "STATE_OUT__1")))
    torch_packages.put("recurrent", repository / "recurrent_package" / "1" / "model.pt2")
    with server_module.running(repository) as running:
        yield running


def _tensor(module, name, array):
    tensor = module.InferInput(name, list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


def _marks(i, count, sequence):
    return {"sequence_id": sequence, "sequence_start": i == 0, "sequence_end": i == count - 1}


def _over_http(server, model, name, rows, sequence):
    """The answers to a whole sequence, one request after the other."""
    with client_module.InferenceServerClient(server.url, network_timeout=120, connection_timeout=120) as client:
        return [
            client.infer(model, [_tensor(client_module, name, row)], **_marks(i, len(rows), sequence))
            for i, row in enumerate(rows)
        ]


def _over_streams(server, model, name, rows_of):
    """The same for many sequences whose requests take turns on one gRPC stream."""
    answers = queue.Queue()
    got = {sequence: [] for sequence in rows_of}
    with grpc_module.InferenceServerClient(server.grpc_url) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        for i in range(max(map(len, rows_of.values()))):
            for sequence, rows in rows_of.items():
                if i < len(rows):
                    tensor = _tensor(grpc_module, name, rows[i])
                    marks = _marks(i, len(rows), sequence)
                    client.async_stream_infer(model, [tensor], request_id=str(sequence), **marks)
        for _ in range(sum(map(len, rows_of.values()))):
            result, error = answers.get(timeout=120)
            assert error is None, error
            got[int(result.get_response().id)].append(result)
        client.stop_stream()
    return got


def _values(count, sequence):
    return [float((sequence * 7 + i) % 11) for i in range(count)]


def _check_sums(names, sequence, values, answers):
    sums = [answer.as_numpy(names[7]).reshape(-1).tolist() for answer in answers]
    assert sums == [[float(total)] for total in numpy.cumsum(values)]
    last = len(values) - 1
    flags = [answer.as_numpy(names[8]).reshape(-1).tolist() for answer in answers]
    assert flags == [[float(i == 0), 1.0, float(i == last)] for i in range(len(values))]
    assert [answer.as_numpy(names[9]).reshape(-1).tolist() for answer in answers] == [[sequence]] * len(values)


@pytest.mark.parametrize("model", _SUMS)
def test_interleaved_sequences_keep_their_own_states(server, model):
    _, names, fields = _SUMS[model]
    shape = [1] if fields.get("max_batch_size") == 0 else [1, 1]
    values = {s: _values(s % 3 + 4, s) for s in range(1, 9)}
    rows = {s: [numpy.full(shape, value, numpy.float32) for value in values[s]] for s in values}
    for s, answers in _over_streams(server, model, names[0], rows).items():
        _check_sums(names, s, values[s], answers)
    with concurrent.futures.ThreadPoolExecutor(len(values)) as pool:
        answered = pool.map(lambda s: _over_http(server, model, names[0], rows[s], s), values)
        for s, answers in zip(values, answered):
            _check_sums(names, s, values[s], answers)


@pytest.mark.parametrize(
    "model, name, answer", [("recurrent_script", "x", "OUTPUT__0"), ("recurrent_package", "ARGS[0]", "RESULT[0]")]
)
def test_a_recurrent_model_answers_as_its_own_loop_does(server, model, name, answer):
    random = numpy.random.default_rng(3)
    rows = {s: [random.standard_normal((1, 4)).astype(numpy.float32) for _ in range(6)] for s in range(1, 13)}
    module = modules.Recurrent().eval()
    answers = _over_streams(server, model, name, rows)
    for s, inputs in rows.items():
        hidden, expected = torch.zeros(1, 8), []
        with torch.no_grad():
            for row in inputs:
                output, hidden = module(torch.from_numpy(row), hidden)
                expected.append(output.numpy())
        got = numpy.stack([result.as_numpy(answer) for result in answers[s]])
        numpy.testing.assert_allclose(got, numpy.stack(expected), rtol=1e-5, atol=1e-6)


def test_a_sequence_known_by_a_text(server):
    rows = [numpy.full([1, 1], value, numpy.float32) for value in (1, 2, 3)]
    answers = _over_http(server, "named", "x", rows, "the one")
    assert [answer.as_numpy("SUM").item() for answer in answers] == [1, 3, 6]
    assert [answer.as_numpy("NAME").item() for answer in answers] == [b"the one"] * 3


def test_a_control_that_the_model_has_no_argument_for_is_refused(tmp_path):
    _put(tmp_path, "extra", _recurrent_config(hidden=("HIDDEN__2", "OUT__1")), modules.Recurrent())
    text = _recurrent_config().replace("data_type: TYPE_FP32 dims: [ 8 ]", "data_type: TYPE_STRING dims: [ 8 ]")
    _put(tmp_path, "text_state", text, modules.Recurrent())
    with server_module.Server(tmp_path, "--model-control-mode=explicit") as other:
        with client_module.InferenceServerClient(other.url) as client:
            with pytest.raises(InferenceServerException, match=r"unexpected inference input 'HIDDEN__2', allowed .*hidden"):
                client.load_model("extra")
            with pytest.raises(InferenceServerException, match="states of strings are not kept"):
                client.load_model("text_state")
        assert other.stop() == 0, other.output()
