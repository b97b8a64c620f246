"""Host policies and the cores that instances have: what the log says, and what the kernel says of the threads."""

import contextlib
import os
import pathlib
import re
import subprocess

import numpy
import pytest
import tritonclient.http as client_module

from harness import backends, models, tensor_models, wait
from harness import server as server_module

_CPUS = sorted(os.sched_getaffinity(0))
_TWO = pytest.mark.skipif(len(_CPUS) < 2, reason="this machine gives the tests one core")
_CORES = re.compile(
    r"instance '\w+_(\d+)' of model '(\w+)' version 1 has (any of )?cores? ([\d,-]+) of "
    r"(?:NUMA node \d+|several NUMA nodes); threads for its backend: (\d+)"
)


def _spread(text):
    """{0, 1, 3} for "0-1,3"."""
    cpus = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _statuses(pid):
    """Of all threads that are there: name, and the cores that it may use."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            name = (task / "comm").read_text(encoding="utf-8").strip()
            status = (task / "status").read_text(encoding="utf-8")
            found.append((name, _spread(re.search(r"Cpus_allowed_list:\s*(\S+)", status).group(1))))
    return found


def _check_threads(server, name, cpus):
    """The threads of that name, and there is one, may use those cores and no others."""

    def right():
        found = [cores for thread, cores in _statuses(server.pid) if thread == name]
        return found and all(cores == cpus for cores in found)

    wait.until(right, f"threads {name} on {cpus}")


def _placed(server):
    """By the name of the instance's thread: cores, whether it is bound to them, threads of its backend."""
    found = {}
    for line in server.lines:
        if match := _CORES.search(line):
            bound = match.group(3) is None
            found[f"{match.group(2)}_{match.group(1)}"] = (_spread(match.group(4)), bound, int(match.group(5)))
    return found


def _identity(repository, name, extra):
    models.add(repository, name, models.identity_config([("FP32", [-1])], extra=extra))


def _check(server, model, input_name="INPUT0", count=4):
    tensor = client_module.InferInput(input_name, [count], "FP32")
    tensor.set_data_from_numpy(numpy.arange(count, dtype=numpy.float32))
    with client_module.InferenceServerClient(server.url) as client:
        client.infer(model, [tensor])


@_TWO
def test_instances_that_fit_have_cores_of_their_own(tmp_path):
    _identity(tmp_path, "each", f"instance_group {{ count: {len(_CPUS)} kind: KIND_CPU }}\n")
    with server_module.Server(tmp_path) as server:
        placed = _placed(server)
        assert sorted(placed) == sorted(f"each_{i}" for i in range(len(_CPUS)))
        assert all(own and threads == 1 and len(cores) == 1 for cores, own, threads in placed.values())
        assert set().union(*(cores for cores, _, _ in placed.values())) == set(_CPUS)
        for i in range(len(_CPUS)):
            _check_threads(server, f"each_{i}", placed[f"each_{i}"][0])
        _check(server, "each")
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("count", "options"), [(1, ()), (len(_CPUS) + 1, ()), (len(_CPUS), ("--pin-instances=false",))]
)
def test_instances_that_do_not_fit_run_anywhere(tmp_path, count, options):
    _identity(tmp_path, "any", f"instance_group {{ count: {count} kind: KIND_CPU }}\n")
    with server_module.Server(tmp_path, *options) as server:
        placed = _placed(server)
        assert len(placed) == count
        for name, (cores, own, _) in placed.items():
            assert cores == set(_CPUS) and not own
            _check_threads(server, name, set(_CPUS))
        assert server.stop() == 0


@_TWO
def test_policies_of_the_command_line(tmp_path):
    first, last = _CPUS[0], _CPUS[-1]
    _identity(tmp_path, "named", 'instance_group { count: 2 kind: KIND_CPU host_policy: "left" }\n')
    _identity(tmp_path, "default", "instance_group { count: 1 kind: KIND_CPU }\n")
    _identity(tmp_path, "undefined", 'instance_group { count: 1 kind: KIND_CPU host_policy: "nobody" }\n')
    with server_module.Server(
        tmp_path, f"--host-policy=left,cpu-cores={first}", f"--host-policy=cpu,cpu-cores={last}-{last}", "--host-policy=cpu,numa-node=0"
    ) as server:
        placed = _placed(server)
        assert placed["named_0"] == placed["named_1"] == ({first}, True, 1)
        assert placed["default_0"][0] == {last}
        assert placed["undefined_0"][:2] == (set(_CPUS), False)
        _check_threads(server, "named_0", {first})
        _check_threads(server, "default_0", {last})
        server.wait_line(r"host policy 'nobody' of instance 'undefined_0_0' has no effect: define it with --host-policy")
        for model in ("named", "default", "undefined"):
            _check(server, model)
        assert server.stop() == 0


@pytest.mark.skipif(len(_CPUS) < 2 or not backends.built("onnxruntime"), reason="one core, or no onnxruntime backend")
def test_threads_that_a_backend_starts_are_bound_too(tmp_path):
    """Two intra-op threads on a policy of one core: without it the runtime would spread them."""
    config = 'backend: "onnxruntime"\ninput { name: "X" data_type: TYPE_FP32 dims: 4 }\n'
    config += 'output { name: "Y" data_type: TYPE_FP32 dims: 4 }\n'
    config += 'instance_group { count: 1 kind: KIND_CPU host_policy: "one" }\n' + models.parameter("intra_op_thread_count", 3)
    tensor_models.copy(tmp_path, "bound", [4], config)
    with server_module.Server(tmp_path, f"--host-policy=one,cpu-cores={_CPUS[-1]}") as server:
        assert _placed(server)["bound_0"] == ({_CPUS[-1]}, True, 3)
        _check(server, "bound", "X")
        # The instance's own thread, and the two that the session has besides it, which have its name or none.
        bound = [name for name, cores in _statuses(server.pid) if cores == {_CPUS[-1]}]
        assert len(bound) == 3
        assert server.stop() == 0


_ONNX_RUNTIMES = [name for name in ("onnxruntime", "openvino") if backends.built(name)]


@_TWO
@pytest.mark.skipif(not _ONNX_RUNTIMES, reason="no runtime for ONNX is built")
def test_instances_stay_where_they_are_while_they_run(tmp_path):
    """Runtimes that bind threads themselves must not undo it."""
    tensors = "".join(f'{kind} {{ name: "{name}" data_type: TYPE_FP32 dims: 256 }}\n' for kind, name in (("input", "X"), ("output", "Y")))
    for runtime in _ONNX_RUNTIMES:
        config = f'backend: "{runtime}"\ndefault_model_filename: "model.onnx"\nmax_batch_size: 64\n' + tensors
        tensor_models.product(tmp_path, runtime, config + "instance_group { count: 1 kind: KIND_CPU }\n")
    with server_module.Server(tmp_path, f"--host-policy=cpu,cpu-cores={_CPUS[-1]}") as server:
        for runtime in _ONNX_RUNTIMES:
            with client_module.InferenceServerClient(server.url) as client:
                rows = numpy.ones((64, 256), numpy.float32)
                tensor = client_module.InferInput("X", [64, 256], "FP32")
                tensor.set_data_from_numpy(rows)
                for _ in range(3):
                    assert (client.infer(runtime, [tensor]).as_numpy("Y") == 256).all()
            _check_threads(server, f"{runtime}_0"[:15], {_CPUS[-1]})
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("cpu", "expected <name>,numa-node=<number> or <name>,cpu-cores="),
        ("cpu,numa-node", "expected <name>,numa-node=<number> or <name>,cpu-cores="),
        (",numa-node=0", "expected <name>,numa-node=<number> or <name>,cpu-cores="),
        ("a b,numa-node=0", "expected <name>,numa-node=<number> or <name>,cpu-cores="),
        ("cpu,numa-node=-1", "numa-node of host policy 'cpu'"),
        ("cpu,numa-node=x", "numa-node of host policy 'cpu'"),
        ("cpu,numa-node=1000", "there is no NUMA node 1000 that this process may use; it has 0"),
        ("cpu,cpu-cores=", "cpu-cores of host policy 'cpu'"),
        ("cpu,cpu-cores=3-1", "cpu-cores of host policy 'cpu'"),
        ("cpu,cpu-cores=0-0,0", "names 0 twice"),
        ("cpu,cpu-cores=8191", "there is no core 8191 that this process may use; it has"),
        ("cpu,cores=1", "host policy 'cpu' has no setting 'cores'"),
    ],
)
def test_wrong_policies_are_refused_by_name(tmp_path, value, text):
    result = subprocess.run(
        [server_module.program(), "serve", f"--model-repository={tmp_path}", "--http-port=0", "--metrics-port=0", f"--host-policy={value}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert text in result.stderr + result.stdout and "host-policy" in result.stderr + result.stdout
