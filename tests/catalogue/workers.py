"""What the tests of the workers share: models, requests, and the processes behind them."""

import json
import os
import pathlib
import re
import sys

from harness import models, raw_http, wait

_SOURCE = pathlib.Path(__file__).parent / "worker_models" / "workshop.py"
_CONFIG = (
    'backend: "python"\nmax_batch_size: 0\ninput { name: "INPUT0" data_type: TYPE_STRING dims: [ 1 ] }\n'
    'output { name: "OUTPUT0" data_type: TYPE_STRING dims: [ 1 ] }\n'
    "instance_group [ { kind: KIND_CPU count: COUNT } ]\n"
)
INTERPRETER = f"--backend-config=python,interpreter={sys.executable}"


def add(repository, name, instances=1, extra=""):
    """A model that does what it is told; its folder."""
    folder = models.add(repository, name, _CONFIG.replace("COUNT", str(instances)) + extra)
    (folder / "1" / "model.py").write_text(_SOURCE.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def request(model, text, parameters=None):
    document = {"inputs": [{"name": "INPUT0", "shape": [1], "datatype": "BYTES", "data": [text]}]}
    if parameters:
        document["parameters"] = parameters
    return raw_http.request("POST", f"/v2/models/{model}/infer", json.dumps(document).encode())


def text_of(body):
    return json.loads(body)["outputs"][0]["data"][0]


def ask(server, model, text):
    """The answer's text; (status, error) if it is none."""
    with raw_http.Connection(server, timeout_s=60) as connection:
        connection.send(request(model, text))
        answer = connection.read()
    return text_of(answer.body) if answer.status == 200 else (answer.status, answer.error)


def pid_of(server, model):
    """The process of a model with one instance."""
    answer = ask(server, model, "echo x")
    assert isinstance(answer, str), answer
    return int(answer.split()[1])


def is_gone(pid):
    try:
        return re.search(r"\) Z ", pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")) is not None
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_gone(pid, limit_s=20.0):
    wait.until(lambda: is_gone(pid), f"process {pid} has ended", limit_s)


def children(pid):
    """The processes that a process has started and that live."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text(encoding="ascii").split())
    return [child for child in found if not is_gone(child)]


def is_ready(server, model):
    return raw_http.call(server, "GET", f"/v2/models/{model}/ready").status == 200


def wait_ready(server, model, limit_s=60.0):
    wait.until(lambda: is_ready(server, model), f"{model} is ready", limit_s)


def shared_memory():
    return set(os.listdir("/dev/shm"))
