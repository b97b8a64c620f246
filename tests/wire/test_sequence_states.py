"""Controls and implicit states of sequences, with both runtimes of ONNX models."""

import concurrent.futures
import struct

import numpy
import pytest
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import backends, stateful_model
from harness import server as server_module

_RUNTIMES = [name for name in ("onnxruntime", "openvino") if backends.built(name)]
_OLDEST = "oldest { max_candidate_sequences: 16 max_queue_delay_microseconds: 500 }"
_INITIAL = 'initial_state { name: "s" data_type: TYPE_FP32 dims: [ 1 ] data_file: "hundred" }'

pytestmark = pytest.mark.skipif(not _RUNTIMES, reason="no runtime is built")

# name: what its configuration has beside the backend
_VARIANTS = {
    "direct": {"instances": 2},
    "oldest": {"strategy": _OLDEST},
    "unbatched": {"max_batch_size": 0},
    "floats": {"flag_type": "FP32", "id_type": "INT32"},
    "bools": {"flag_type": "BOOL"},
    "from_file": {"initial": _INITIAL},
}


def _add(repository, runtime, variant, fields):
    directory = stateful_model.add(repository, f"{runtime}_{variant}", backend=runtime, **fields)
    if "initial" in fields:
        (directory / "initial_state").mkdir()
        (directory / "initial_state" / "hundred").write_bytes(struct.pack("<f", 100))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("sequence_states")
    for runtime in _RUNTIMES:
        for variant, fields in _VARIANTS.items():
            _add(repository, runtime, variant, fields)
    options = [f"--load-model={runtime}_{variant}" for runtime in _RUNTIMES for variant in _VARIANTS]
    with server_module.running(repository, "--model-control-mode=explicit", *options) as running:
        yield running


def _step(client, model, sequence, value, start=False, end=False):
    """The answer's tensors, each in one row."""
    shape = [1] if model.endswith("unbatched") else [1, 1]
    tensor = client_module.InferInput("X", shape, "FP32")
    tensor.set_data_from_numpy(numpy.full(shape, value, numpy.float32))
    answer = client.infer(model, [tensor], sequence_id=sequence, sequence_start=start, sequence_end=end)
    return {name: answer.as_numpy(name).reshape(-1).tolist() for name in ("SUM", "FLAGS", "ID")}


def _run(server, model, sequence, values):
    """The sums of one whole sequence."""
    last = len(values) - 1
    with client_module.InferenceServerClient(server.url, network_timeout=120, connection_timeout=120) as client:
        steps = [_step(client, model, sequence, value, i == 0, i == last) for i, value in enumerate(values)]
    for i, step in enumerate(steps):
        assert step["FLAGS"] == [float(i == 0), 1.0, float(i == last)]
        assert step["ID"] == [sequence]
    return [step["SUM"][0] for step in steps]


@pytest.mark.parametrize("variant", _VARIANTS)
@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_interleaved_sequences_keep_their_own_states(server, runtime, variant):
    first = 100 if variant == "from_file" else 0
    values = {s: [float((s * 7 + i) % 11) for i in range(5)] for s in range(1, 13)}
    with concurrent.futures.ThreadPoolExecutor(len(values)) as pool:
        sums = list(pool.map(lambda s: _run(server, f"{runtime}_{variant}", s, values[s]), values))
    assert sums == [(numpy.cumsum(values[s]) + first).tolist() for s in values]


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_a_start_forgets_the_state(server, runtime):
    with client_module.InferenceServerClient(server.url) as client:
        model = f"{runtime}_direct"
        assert _step(client, model, 51, 5, start=True)["SUM"] == [5]
        assert _step(client, model, 51, 6)["SUM"] == [11]
        assert _step(client, model, 51, 7, start=True)["SUM"] == [7]
        assert _step(client, model, 51, 1, end=True)["SUM"] == [8]


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_a_state_that_the_model_does_not_have_is_refused(tmp_path, runtime):
    _add(tmp_path, runtime, "direct", {})
    file = tmp_path / f"{runtime}_direct" / "config.pbtxt"
    file.write_text(file.read_text(encoding="utf-8").replace('"SUM_OUT"', '"NOWHERE"'), encoding="utf-8")
    with server_module.Server(tmp_path, "--model-control-mode=explicit") as other:
        with client_module.InferenceServerClient(other.url) as client:
            with pytest.raises(InferenceServerException, match="'NOWHERE', which is no output of the model"):
                client.load_model(f"{runtime}_direct")
        assert other.stop() == 0, other.output()
