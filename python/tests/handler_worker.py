"""A worker that runs a handler, driven as the server drives it."""

import contextlib
import itertools
import json

import fake_server
from headrace_worker import wire


class HandlerWorker:
    """Sends requests with parts and reads answers. `server` is the FakeServer behind it."""

    def __init__(self, server):
        self.server = server
        self._keys = itertools.count(4096)

    def request(self, parts=None, headers=None, **parameters):
        """One request. `parts`: {name: (bytes, media type)}; None: without the parameter."""
        content, described = b"", []
        for name, (data, kind) in (parts or {}).items():
            described.append({"name": name, "type": kind, "offset": len(content), "size": len(data)})
            content += data
        if parts is not None:
            parameters["parts"] = json.dumps(described)
        if headers is not None:
            parameters["headers"] = json.dumps(headers)
        tensor = (wire.UINT8, (1, len(content)), content)
        return {"key": next(self._keys), "tensors": {"data": tensor}, "extras": {"parameters": parameters}}

    def predict(self, *requests):
        """The answers in the order of the requests, None for those that come over the side channel."""
        answers, _ = self.server.execute(*requests)
        return [answers.get(request["key"]) for request in requests]

    def predict_body(self, data=b"", kind="", **more):
        """The answer's bytes to one request whose body this is; fails on an error."""
        (answer,) = self.predict(self.request({"body": (data, kind)}, **more))
        assert answer.error is None, answer.error
        return body(answer)


def body(answer):
    kind, dims, data = answer.tensors["body"]
    assert kind == wire.UINT8 and tuple(dims) == (1, len(data))
    return bytes(data)


def parameters(answer):
    return answer.extras.get("parameters", {})


def write_model(directory, files, manifest=None):
    """Writes an unpacked archive; `files`: {name: text or bytes}."""
    for name, content in files.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if manifest is not None:
        (directory / "MAR-INF").mkdir(exist_ok=True)
        (directory / "MAR-INF" / "MANIFEST.json").write_text(json.dumps({"runtime": "python", "model": manifest}))
    return directory


def load_arguments(directory, batch_size=1, handler=None, more_config=None, **parameters):
    config = {
        "name": "m",
        "max_batch_size": batch_size,
        "parameters": {key: {"string_value": value} for key, value in parameters.items()},
        **(more_config or {}),
    }
    return dict(
        contract="handler",
        model_name="m",
        model_version=1,
        model_directory=str(directory),
        version_directory=str(directory),
        config=config,
        input_names=["data"],
        output_names=["body"],
        handler=handler or {},
    )


@contextlib.contextmanager
def running(directory, environment=None, **arguments):
    """A HandlerWorker with the model of `directory` loaded."""
    with fake_server.FakeServer(environment=environment) as server:
        answer = server.load(**load_arguments(directory, **arguments))
        assert "error" not in answer, answer["error"]["message"] + "\n" + str(server.side)
        yield HandlerWorker(server)


def load_error(directory, **arguments):
    """The message of a load that fails."""
    with fake_server.FakeServer() as server:
        return server.load(**load_arguments(directory, **arguments))["error"]["message"]
