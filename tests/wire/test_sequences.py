"""Sequences over HTTP with Triton's own client: order, slots, controls, implicit state, and how they end."""

import concurrent.futures
import importlib.util
import pathlib
import shutil
import struct

import numpy
import pytest
import tritonclient.http as client_module
from tritonclient.utils import InferenceServerException

from harness import backends, control, models, prometheus, stateful_model, wait
from harness import server as server_module

pytestmark = pytest.mark.skipif(not backends.built("onnxruntime"), reason="onnxruntime is left out of this build")

OLDEST = "oldest { max_candidate_sequences: 16 max_queue_delay_microseconds: 500 }"
IDENTITY_SEQUENCE = "sequence_batching { oldest { max_candidate_sequences: 10000 } max_sequence_idle_microseconds: %d }\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sequences")
    stateful_model.add(directory, "direct", instances=2)
    stateful_model.add(directory, "oldest", OLDEST)
    stateful_model.add(directory, "unbatched", max_batch_size=0)
    for flag_type, id_type in (("FP32", "UINT64"), ("BOOL", "UINT32"), ("INT32", "INT32"), ("INT32", "STRING")):
        stateful_model.add(directory, f"types_{flag_type}_{id_type}".lower(), flag_type=flag_type, id_type=id_type)
    initial = 'initial_state { name: "s" data_type: TYPE_FP32 dims: [ 1 ] %s }'
    with_file = stateful_model.add(directory, "from_file", initial=initial % 'data_file: "hundred"')
    (with_file / "initial_state").mkdir()
    (with_file / "initial_state" / "hundred").write_bytes(struct.pack("<f", 100))
    stateful_model.add(directory, "from_zero", initial=initial % "zero_data: true")
    stateful_model.add(directory, "impatient", max_batch_size=1, idle_us=300_000)
    stateful_model.add(directory, "one_slot", max_batch_size=1)
    stateful_model.add(directory, "waiting", "direct { max_queue_delay_microseconds: 400000 minimum_slot_utilization: 1 }")
    models.add(directory, "many", models.identity_config([("FP32", [-1])], 8, IDENTITY_SEQUENCE % 3_000_000))
    slow = models.parameter("execute_delay_ms", 400)
    models.add(directory, "slow", models.identity_config([("FP32", [-1])], 1, "sequence_batching { direct { } }\n" + slow))
    return directory


@pytest.fixture(scope="module")
def server(repository):
    with server_module.running(repository, "--model-control-mode=explicit", "--load-model=*") as running:
        yield running


def _client_of(server):
    """A client for one thread."""
    return client_module.InferenceServerClient(server.url, network_timeout=120, connection_timeout=120)


def _in_threads(server, work, arguments):
    """work(client, argument) for all arguments at the same time; the results in their order."""

    def with_client(argument):
        with _client_of(server) as client:
            return work(client, argument)

    with concurrent.futures.ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(with_client, arguments))


@pytest.fixture(name="client")
def _client(server):
    with _client_of(server) as client:
        yield client
    assert server.alive(), server.output()


def _inputs(value, batched=True):
    array = numpy.array([[value]] if batched else [value], numpy.float32)
    tensor = client_module.InferInput("X", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return [tensor]


def _step(client, model, sequence, value, start=False, end=False, batched=True, **options):
    """The sum so far, and the answer."""
    answer = client.infer(
        model,
        _inputs(value, batched),
        sequence_id=sequence,
        sequence_start=start,
        sequence_end=end,
        **options,
    )
    return float(answer.as_numpy("SUM").reshape(-1)[0]), answer


def _run(client, model, sequence, values, batched=True):
    """The sums of one whole sequence."""
    last = len(values) - 1
    return [_step(client, model, sequence, v, i == 0, i == last, batched)[0] for i, v in enumerate(values)]


def _metric(server, name, model, **labels):
    return prometheus.scrape(server).value(name, model=model, version="1", **labels)


@pytest.mark.parametrize("model", ["direct", "oldest", "unbatched", "one_slot"])
def test_interleaved_sequences_keep_their_own_sums(server, model):
    count, steps = 24, 6
    before = _metric(server, "headrace_sequences_ended_total", model, reason="END")
    values = {s: [float((s * 7 + i) % 11) for i in range(steps)] for s in range(1, count + 1)}
    sums = _in_threads(server, lambda client, s: _run(client, model, s, values[s], model != "unbatched"), list(values))
    assert sums == [numpy.cumsum(values[s]).tolist() for s in values]
    assert _metric(server, "headrace_sequences_ended_total", model, reason="END") == before + count
    assert _metric(server, "headrace_sequences_live", model) == 0
    assert _metric(server, "headrace_sequences_backlog", model) == 0


@pytest.mark.parametrize(
    "model, sequence, expected",
    [
        ("direct", 77, 77),
        ("types_fp32_uint64", 2**63 + 5, 2**63 + 5),
        ("types_bool_uint32", 2**32 + 9, 9),
        ("types_int32_int32", 12, 12),
        ("types_int32_string", "session-1", b"session-1"),
    ],
)
def test_the_model_is_told_where_in_the_sequence_it_is(client, model, sequence, expected):
    for start, end in ((True, False), (False, False), (False, True)):
        _, answer = _step(client, model, sequence, 1.0, start, end)
        assert answer.as_numpy("FLAGS").tolist() == [[float(start), 1.0, float(end)]]
        assert answer.as_numpy("ID").reshape(-1)[0] == expected


def test_a_string_id_needs_a_model_that_takes_one(client):
    with pytest.raises(InferenceServerException, match="must specify a numeric correlation ID"):
        _step(client, "direct", "session", 1.0, start=True)
    with pytest.raises(InferenceServerException, match="cannot be longer than 128 characters"):
        _step(client, "types_int32_string", "s" * 129, 1.0, start=True)


def test_errors_name_the_sequence(client):
    for sequence, start, text in (
        (41, False, "inference request for sequence 41 to model 'direct' must specify the START flag on the first "),
        (0, True, "inference request to model 'direct' must specify a non-zero or non-empty correlation ID"),
    ):
        with pytest.raises(InferenceServerException, match=text) as failure:
            _step(client, "direct", sequence, 1.0, start)
        assert failure.value.status() == "400"
    assert _run(client, "direct", 42, [1.0, 2.0]) == [1, 3]
    with pytest.raises(InferenceServerException, match="must specify the START flag"):
        _step(client, "direct", 42, 1.0)
    two = numpy.zeros((2, 1), numpy.float32)
    tensor = client_module.InferInput("X", [2, 1], "FP32")
    tensor.set_data_from_numpy(two)
    with pytest.raises(InferenceServerException, match="must specify batch-size 1 due to requirements of sequence"):
        client.infer("direct", [tensor], sequence_id=43, sequence_start=True)
    # Controls and states are the server's own.
    with pytest.raises(InferenceServerException, match="unexpected inference input 'START'"):
        flag = client_module.InferInput("START", [1, 1], "INT32")
        flag.set_data_from_numpy(numpy.ones((1, 1), numpy.int32))
        client.infer("direct", [*_inputs(1.0)[:0], flag], sequence_id=44, sequence_start=True)


def test_a_second_start_begins_again(client):
    assert _step(client, "direct", 51, 5.0, start=True)[0] == 5
    assert _step(client, "direct", 51, 6.0)[0] == 11
    assert _step(client, "direct", 51, 7.0, start=True)[0] == 7
    assert _step(client, "direct", 51, 1.0, end=True)[0] == 8


@pytest.mark.parametrize("model, first", [("from_file", 101), ("from_zero", 1)])
def test_a_state_begins_with_its_initial_value(client, model, first):
    for sequence in (1, 2):
        assert _run(client, model, sequence, [1.0, 2.0]) == [first, first + 2]


def test_an_idle_sequence_loses_its_slot_and_its_state(server, client):
    before = _metric(server, "headrace_sequences_ended_total", "impatient", reason="IDLE")
    assert _step(client, "impatient", 61, 5.0, start=True)[0] == 5
    # The only slot is taken until then.
    assert _run(client, "impatient", 62, [1.0, 1.0]) == [1, 2]
    assert _metric(server, "headrace_sequences_ended_total", "impatient", reason="IDLE") == before + 1
    with pytest.raises(InferenceServerException, match="must specify the START flag"):
        _step(client, "impatient", 61, 1.0)


def test_a_request_in_the_backlog_expires(server, client):
    assert _step(client, "one_slot", 71, 1.0, start=True)[0] == 1
    with pytest.raises(InferenceServerException, match="timeout of the corresponding sequence has been expired"):
        _step(client, "one_slot", 72, 1.0, start=True, timeout=20_000)
    assert _step(client, "one_slot", 71, 1.0, end=True)[0] == 2
    assert _metric(server, "headrace_sequences_ended_total", "one_slot", reason="TIMEOUT") == 1


def test_direct_waits_for_its_utilization(server, client):
    statistics = client.get_inference_statistics("waiting")["model_stats"][0]
    sums = _in_threads(server, lambda one, s: _step(one, "waiting", s, 1.0, True, True)[0], range(1, 5))
    assert sums == [1] * 4
    after = client.get_inference_statistics("waiting")["model_stats"][0]
    assert after["execution_count"] == statistics["execution_count"] + 1
    assert after["inference_count"] == statistics["inference_count"] + 4


def test_an_unload_ends_sequences_and_a_load_begins_anew(server, client):
    assert _step(client, "types_fp32_uint64", 81, 1.0, start=True)[0] == 1
    control.must_unload(server, "types_fp32_uint64")
    control.must_load(server, "types_fp32_uint64")
    with pytest.raises(InferenceServerException, match="must specify the START flag"):
        _step(client, "types_fp32_uint64", 81, 1.0)
    assert _run(client, "types_fp32_uint64", 81, [1.0, 1.0]) == [1, 2]


def test_triton_s_hooks_hold_requests_back(tmp_path, monkeypatch):
    repository = tmp_path / "repository"
    stateful_model.add(repository, "held", max_batch_size=2)
    monkeypatch.setenv("TRITONSERVER_DELAY_SCHEDULER", "4")
    monkeypatch.setenv("TRITONSERVER_BACKLOG_DELAY_SCHEDULER", "1")
    with server_module.Server(repository) as running, concurrent.futures.ThreadPoolExecutor(5) as pool:

        def ask(sequence, value, start, end):
            with _client_of(running) as client:
                return _step(client, "held", sequence, value, start, end)[0]

        def wait_pending(count):
            wait.until(
                lambda: _metric(running, "nv_inference_pending_request_count", "held") == count, f"{count} wait"
            )

        answers = [pool.submit(ask, sequence, 1.0, True, False) for sequence in (1, 2)]
        wait_pending(2)
        answers += [pool.submit(ask, sequence, 1.0, False, True) for sequence in (1, 2)]
        wait_pending(4)
        answers.append(pool.submit(ask, 3, 9.0, True, True))
        assert [one.result() for one in answers] == [1, 1, 2, 2, 9]
        with _client_of(running) as client:
            assert client.get_inference_statistics("held")["model_stats"][0]["execution_count"] == 3
        assert running.stop() == 0, running.output()


_SILERO = """
backend: "onnxruntime"
max_batch_size: 0
input { name: "input" data_type: TYPE_FP32 dims: [ -1, -1 ] }
input { name: "sr" data_type: TYPE_INT64 dims: [ 1 ] }
output { name: "output" data_type: TYPE_FP32 dims: [ -1, 1 ] }
sequence_batching {
  oldest { max_candidate_sequences: 64 }
  max_sequence_idle_microseconds: 600000000
  state { input_name: "state" output_name: "stateN" data_type: TYPE_FP32 dims: [ 2, -1, 128 ] }
}
instance_group { count: 2 kind: KIND_CPU }
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
parameters { key: "inter_op_thread_count" value { string_value: "1" } }
"""


def _speech(rate, pitch, seconds_of_silence):
    """Vowels, made of the harmonics of a voice behind three formants each, between silences."""
    parts = [numpy.zeros(int(rate * seconds_of_silence))]
    for formants in ((700, 1220, 2600), (300, 2300, 3000)):
        times = numpy.arange(rate * 3 // 10) / rate
        phase = 2 * numpy.pi * numpy.cumsum(pitch + 10 * numpy.sin(2 * numpy.pi * 5 * times)) / rate
        vowel = numpy.zeros_like(times)
        for harmonic in range(1, 30):
            gain = sum(1 / (1 + ((pitch * harmonic - formant) / 90) ** 2) for formant in formants)
            vowel += gain * numpy.sin(harmonic * phase)
        parts += [vowel * numpy.sin(numpy.pi * times / times[-1]), numpy.zeros(rate // 8)]
    wave = numpy.concatenate(parts)
    noise = numpy.random.default_rng(int(pitch)).standard_normal(len(wave)) * 1e-3
    return (0.5 * wave / numpy.abs(wave).max() + noise).astype(numpy.float32)


class _Session:
    """An onnxruntime.InferenceSession whose state the server keeps, as a sequence."""

    def __init__(self, client, sequence):
        self._client, self._sequence, self.calls = client, sequence, 0

    def run(self, _, inputs):
        given = []
        for name, datatype in (("input", "FP32"), ("sr", "INT64")):
            array = numpy.atleast_1d(inputs[name])
            given.append(client_module.InferInput(name, list(array.shape), datatype))
            given[-1].set_data_from_numpy(array)
        answer = self._client.infer("silero", given, sequence_id=self._sequence, sequence_start=self.calls == 0)
        self.calls += 1
        # The package hands the state back, and the server does not read it.
        return answer.as_numpy("output"), inputs["state"]


@pytest.mark.filterwarnings("ignore")
def test_silero_hears_64_interleaved_voices_as_the_package_does(tmp_path):
    torch = pytest.importorskip("torch")
    from silero_vad.utils_vad import OnnxWrapper

    spec = importlib.util.find_spec("silero_vad")
    file = pathlib.Path(spec.origin).parent / "data" / "silero_vad.onnx"
    directory = models.add(tmp_path, "silero", _SILERO)
    shutil.copyfile(file, directory / "1" / "model.onnx")
    rate, count = 16000, 64
    waves = [_speech(rate, 90 + 2 * i, 0.1 + 0.005 * i) for i in range(count)]
    alone = OnnxWrapper(str(file), force_onnx_cpu=True)
    expected = [alone.audio_forward(torch.from_numpy(wave), rate).numpy() for wave in waves]

    def served(client, i):
        wrapper = OnnxWrapper(str(file), force_onnx_cpu=True)
        wrapper.session = _Session(client, i + 1)
        return wrapper.audio_forward(torch.from_numpy(waves[i]), rate).numpy()

    with server_module.Server(tmp_path) as running:
        found = _in_threads(running, served, range(count))
        assert _metric(running, "headrace_sequences_started_total", "silero") == count
        assert running.stop() == 0, running.output()
    for one, other in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert max(one.max() for one in found) > 0.5 > 0.1 > min(one.min() for one in found)
