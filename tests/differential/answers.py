"""Sends the requests to a server and reads its answers, without what differs from run to run."""

import http.client
import json
import re

_VOLATILE = {"startTime": "TIME", "pid": "PID", "memoryUsage": "BYTES"}
_PASSING = {"autoscaling"}  # what the autoscaler has done by then, which is ours alone
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _settled(value):
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key not in _PASSING}
        if "memoryUsage" in value:  # a worker: its number depends on how many there have been
            value = {**value, "id": "WORKER"}
        return {key: _VOLATILE.get(key) or _settled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_settled(item) for item in value]
    return _UUID.sub("UUID", value) if isinstance(value, str) else value


def _body(data):
    text = data.decode("latin-1")
    try:
        parsed = json.loads(text)
    except ValueError:
        return _UUID.sub("UUID", text)
    return {"json": _settled(parsed)}


def ask(host, port, request, limit_s=60):
    """{status, type, headers, body}, or {failure} where there is no answer."""
    connection = http.client.HTTPConnection(host, port, timeout=limit_s)
    try:
        connection.putrequest(request.method, request.path, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value)
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        response = connection.getresponse()
        data = response.read()
        answer = {"status": response.status, "type": response.headers.get("content-type")}
        own = {name: value for name, value in response.getheaders() if name.lower() in ("x-answer", "x-other")}
        if own:
            answer["headers"] = own
        if response.reason and response.reason != http.client.responses.get(response.status):
            answer["reason"] = response.reason
        if request.compare_body and request.method != "HEAD":
            answer["body"] = _body(data)
        return answer
    except (OSError, http.client.HTTPException) as error:
        return {"failure": type(error).__name__}
    finally:
        connection.close()


def ask_all(ports, requests, host="127.0.0.1"):
    """{name: answer}; `ports`: {surface: port}."""
    return {request.name: ask(host, ports[request.surface], request) for request in requests}
