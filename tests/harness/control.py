"""The repository calls: load, unload, index."""

import base64
import json

from harness import raw_http, wait


def load(server, model, config=None, files=None):
    """Loads or reloads; the answer. `files`: path -> bytes."""
    parameters = {}
    if config is not None:
        parameters["config"] = config if isinstance(config, str) else json.dumps(config)
    for path, content in (files or {}).items():
        parameters[f"file:{path}"] = base64.b64encode(content).decode()
    body = json.dumps({"parameters": parameters}).encode() if parameters else b""
    return raw_http.call(server, "POST", f"/v2/repository/models/{model}/load", body)


def unload(server, model, unload_dependents=False):
    body = json.dumps({"parameters": {"unload_dependents": unload_dependents}}).encode()
    return raw_http.call(server, "POST", f"/v2/repository/models/{model}/unload", body)


def must_load(server, model, **parameters):
    answer = load(server, model, **parameters)
    assert answer.status == 200, answer


def index(server):
    """Model -> version ("" for none) -> (state, reason)."""
    answer = raw_http.call(server, "POST", "/v2/repository/index", b"{}")
    assert answer.status == 200, answer
    models = {}
    for entry in answer.json():
        versions = models.setdefault(entry["name"], {})
        versions[entry.get("version", "")] = (entry.get("state", ""), entry.get("reason", ""))
    return models


def states(server, model):
    """Version -> state."""
    return {version: state for version, (state, _) in index(server).get(model, {}).items()}


def ready_versions(server, model):
    return {version for version, state in states(server, model).items() if state == "READY"}


def must_unload(server, model):
    """Unloads and waits until nothing of the model is in memory."""
    answer = unload(server, model)
    assert answer.status == 200, answer
    wait.until(
        lambda: not set(states(server, model).values()) & {"READY", "UNLOADING", "LOADING"}, f"{model} has gone"
    )


def is_ready(server):
    return raw_http.call(server, "GET", "/v2/health/ready").status == 200
