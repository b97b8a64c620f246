"""Row 164: requests of any shape in one window."""

import numpy
import pytest
import tritonclient.http as client_module

from harness import models, wait
from harness import server as server_module

_WINDOW = "dynamic_batching { max_queue_delay_microseconds: 200000 }\n"
_COUNT = 24


def _config():
    """INPUT0 of one shape per batch, INPUT1 ragged, INPUT2 optional."""
    config = models.identity_config([("FP32", [-1]), ("INT32", [-1]), ("FP32", [-1])], 64, _WINDOW)
    config = config.replace('input { name: "INPUT1"', 'input { allow_ragged_batch: true name: "INPUT1"')
    return config.replace('input { name: "INPUT2"', 'input { optional: true name: "INPUT2"')


def _request(i):
    """Arrays by name: lengths 0 and 4 of INPUT0, any of INPUT1, INPUT2 in every third."""
    arrays = {
        "INPUT0": numpy.full((1 + i % 2, 4 * (i % 2)), i, numpy.float32),
        "INPUT1": numpy.arange((1 + i % 2) * (i % 5), dtype=numpy.int32).reshape(1 + i % 2, i % 5),
    }
    if i % 3 == 0:
        arrays["INPUT2"] = numpy.full((1 + i % 2, 2), -i, numpy.float32)
    return arrays


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    repository = tmp_path_factory.mktemp("mixed")
    models.add(repository, "mixed", _config())
    with server_module.running(repository) as running:
        yield running


@pytest.mark.row(164)
def test_a_window_is_split_by_rule_and_every_answer_is_right(mixed):
    def inputs(i):
        tensors = []
        for name, array in _request(i).items():
            tensor = client_module.InferInput(name, list(array.shape), "INT32" if name == "INPUT1" else "FP32")
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        return tensors

    with client_module.InferenceServerClient(mixed.url, concurrency=_COUNT) as client:
        pending = [client.async_infer("mixed", inputs(i)) for i in range(_COUNT)]
        answers = [one.get_result() for one in pending]

        def statistics():
            return client.get_inference_statistics("mixed")["model_stats"][0]

        # Backends report an execution after its answers.
        rows = sum(1 + i % 2 for i in range(_COUNT))
        wait.until(lambda: statistics()["inference_count"] == rows, "the statistics of all requests")
        execution_count = statistics()["execution_count"]
    for i, answer in enumerate(answers):
        for name, array in _request(i).items():
            numpy.testing.assert_array_equal(answer.as_numpy(name.replace("INPUT", "OUTPUT")), array)
        if i % 3 != 0:
            assert answer.as_numpy("OUTPUT2") is None
    # Two lengths of INPUT0, with and without INPUT2: four kinds that never meet; INPUT1 splits nothing.
    assert 4 <= execution_count < _COUNT
