"""The requests of the differential test, in the order in which they are sent, and the archives that they need.

A request is named; its name is the key of the recorded answers and of the table of differences.
"""

import dataclasses
import itertools
import pathlib
import urllib.parse

from harness import archives

_HANDLERS = pathlib.Path(__file__).parent / "handlers"
INFERENCE, MANAGEMENT, METRICS = "inference", "management", "metrics"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request and what of its answer is compared."""

    name: str
    method: str
    path: str
    surface: str = INFERENCE
    headers: tuple = ()
    body: bytes = b""
    compare_body: bool = True  # False: only status and content type


def _source(name):
    return (_HANDLERS / name).read_text(encoding="utf-8")


def make_store(directory):
    """The model store. What `load_models` names is in `LOADED`."""
    directory = pathlib.Path(directory)
    directory.mkdir()
    echo = {"echo.py": _source("echo.py")}
    (directory / "echo.mar").write_bytes(archives.mar("echo", echo, "echo.py"))
    (directory / "behave.mar").write_bytes(archives.mar("behave", {"behave.py": _source("behave.py")}, "behave.py"))
    (directory / "streaming.mar").write_bytes(
        archives.mar("streaming", {"streaming.py": _source("streaming.py")}, "streaming.py")
    )
    (directory / "described.mar").write_bytes(
        archives.mar("described", {"described.py": _source("described.py")}, "described.py")
    )
    (directory / "echo_2.mar").write_bytes(archives.mar("echo", echo, "echo.py", version="2.0"))
    (directory / "spare.mar").write_bytes(archives.mar("spare", echo, "echo.py"))
    (directory / "spare_2.mar").write_bytes(archives.mar("spare", echo, "echo.py", version="2.1"))
    (directory / "configured.mar").write_bytes(
        archives.mar(
            "configured",
            {**echo, "model-config.yaml": "minWorkers: 1\nmaxWorkers: 2\nbatchSize: 3\nmaxBatchDelay: 20\nresponseTimeout: 60\n"},
            "echo.py",
            configFile="model-config.yaml",
        )
    )
    (directory / "unloadable.mar").write_bytes(
        archives.mar("unloadable", {"unloadable.py": _source("unloadable.py")}, "unloadable.py")
    )
    (directory / "no_handler_file.mar").write_bytes(archives.mar("no_handler_file", {}, "absent.py"))
    (directory / "tgz_model.tar.gz").write_bytes(archives.tgz("tgz_model", echo, "echo.py"))
    (directory / "garbage.mar").write_bytes(b"this is no archive")
    (directory / "empty.mar").write_bytes(b"")
    folder = directory / "folder_model"
    (folder / "MAR-INF").mkdir(parents=True)
    (folder / "MAR-INF" / "MANIFEST.json").write_text(archives.manifest("folder_model", "echo.py"), encoding="utf-8")
    (folder / "echo.py").write_text(_source("echo.py"), encoding="utf-8")
    return directory


LOADED = ("echo=echo.mar", "behave=behave.mar", "streaming=streaming.mar", "described=described.mar")


def _multipart(*parts, boundary="b0undary", end=True):
    body = b""
    for name, filename, content_type, content in parts:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        body += f'; filename="{filename}"'.encode() if filename else b""
        body += f"\r\nContent-Type: {content_type}".encode() if content_type else b""
        body += b"\r\n\r\n" + content + b"\r\n"
    return body + (f"--{boundary}--\r\n".encode() if end else b"")


_FORM = (("Content-Type", "multipart/form-data; boundary=b0undary"),)
_URLENCODED = (("Content-Type", "application/x-www-form-urlencoded"),)
_JSON = (("Content-Type", "application/json"),)


def _contents():
    """Bodies of all kinds, to the handler that shows what it was given."""
    types = {
        "none": None,
        "octet": "application/octet-stream",
        "json": "application/json",
        "json_charset": "application/json; charset=utf-8",
        "json_capitals": "Application/JSON",
        "problem_json": "application/problem+json",
        "text": "text/plain",
        "text_charset": "text/plain; charset=iso-8859-1",
        "text_capitals": "TEXT/PLAIN",
        "html": "text/html",
        "csv": "text/csv",
        "image": "image/jpeg",
        "nonsense": "nonsense",
    }
    bodies = {
        "empty": b"",
        "words": b"some words",
        "object": b'{"a": [1, 2.5, null, true], "b": {"c": "d"}}',
        "array": b"[1, 2, 3]",
        "number": b"42",
        "string": b'"quoted"',
        "broken": b'{"a": ',
        "latin1": b"\xe4\xf6",
        "utf8": "\u00e4\u00f6 \u20ac".encode(),
        "nul": b"a\x00b",
    }
    for (kind, content_type), (what, body) in itertools.product(types.items(), bodies.items()):
        if kind not in ("none", "json", "text", "octet") and what not in ("words", "object", "latin1"):
            continue
        headers = (("Content-Type", content_type),) if content_type else ()
        yield Request(f"content {kind} {what}", "POST", "/predictions/echo", headers=headers, body=body)
    forms = {
        "one": b"data=words",
        "two": b"a=1&b=2",
        "same": b"a=1&a=2",
        "empty_value": b"a=",
        "no_equals": b"a&b=2",
        "no_equals_last": b"b=2&a",
        "no_equals_alone": b"words",
        "empty": b"",
        "encoded": b"a%20b=c%26d+e",
        "utf8": "a=\u00e4".encode(),
        "json_text": b'data={"a": 1}',
        "trailing": b"a=1&",
        "body_name": b"body=words",
    }
    for what, body in forms.items():
        yield Request(f"urlencoded {what}", "POST", "/predictions/echo", headers=_URLENCODED, body=body)
    parts = {
        "field": (("data", None, None, b"words"),),
        "field_typed": (("data", None, "application/json", b'{"a": 1}'),),
        "file": (("data", "f.bin", "application/octet-stream", b"\x00\xff"),),
        "file_untyped": (("data", "f.bin", None, b"words"),),
        "file_json": (("data", "f.json", "application/json", b'{"a": 1}'),),
        "file_broken_json": (("data", "f.json", "application/json", b'{"a": '),),
        "file_text": (("data", "f.txt", "text/plain", b"words"),),
        "file_text_latin1": (("data", "f.txt", "text/plain", b"\xe4"),),
        "file_image": (("data", "f.jpg", "image/jpeg", b"\xff\xd8\xff"),),
        "two": (("a", None, None, b"1"), ("b", "f.txt", "text/plain", b"2")),
        "same": (("a", None, None, b"1"), ("a", None, None, b"2")),
        "same_files": (("a", "f.txt", "text/plain", b"1"), ("a", "g.txt", "text/plain", b"2")),
        "empty_field": (("a", None, None, b""),),
        "empty_file": (("a", "f.txt", "text/plain", b""),),
        "crlf": (("a", "f.txt", "text/plain", b"x\r\ny\r\n"),),
    }
    for what, these in parts.items():
        yield Request(f"multipart {what}", "POST", "/predictions/echo", headers=_FORM, body=_multipart(*these))
    yield Request("multipart no_parts", "POST", "/predictions/echo", headers=_FORM, body=b"--b0undary--\r\n")
    yield Request(
        "multipart no_boundary",
        "POST",
        "/predictions/echo",
        headers=(("Content-Type", "multipart/form-data"),),
        body=_multipart(("a", None, None, b"1")),
    )
    yield Request(
        "multipart cut_short",
        "POST",
        "/predictions/echo",
        headers=_FORM,
        body=_multipart(("a", None, None, b"1"), end=False)[:-6],
    )


def _paths():
    """Every form of a path, with and without what it names."""
    body = b"words"
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        yield Request(f"predict method {method}", method, "/predictions/echo", body=body if method != "HEAD" else b"",
                      compare_body=method != "OPTIONS")
    forms = {
        "version": "/predictions/echo/1.0",
        "version_2": "/predictions/echo/2.0",
        "version_unknown": "/predictions/echo/9.9",
        "version_whole": "/predictions/echo/1",
        "url_path": "/predictions/echo/1.0/a/b",
        "url_path_slash": "/predictions/echo/1.0/a/",
        "slash": "/predictions/echo/",
        "slashes": "/predictions/echo//",
        "query": "/predictions/echo?a=1&data=2",
        "no_model": "/predictions",
        "no_model_slash": "/predictions/",
        "unknown": "/predictions/nobody",
        "unknown_version": "/predictions/nobody/1.0",
        "encoded": "/predictions/ech%6F",
        "encoded_slash": "/predictions/echo%2F1.0",
        "encoded_blank": "/predictions/ec%20ho",
        "capitals": "/Predictions/echo",
        "dots": "/predictions/../ping",
        "explain": "/explanations/echo",
        "explain_version": "/explanations/echo/1.0",
        "explain_extra": "/explanations/echo/1.0/extra",
        "explain_unknown": "/explanations/nobody",
        "explain_no_model": "/explanations",
        "kserve_predict": "/v1/models/echo:predict",
        "kserve_explain": "/v1/models/echo:explain",
        "kserve_unknown": "/v1/models/nobody:predict",
        "kserve_no_verb": "/v1/models/echo",
        "kserve_other_verb": "/v1/models/echo:other",
        "v2_infer": "/v2/models/echo/infer",
        "v2_explain": "/v2/models/echo/explain",
        "v2_unknown": "/v2/models/nobody/infer",
        "legacy": "/echo/predict",
        "legacy_version": "/echo/1.0/predict",
        "legacy_query": "/echo/predict?a=1&b=x%20y",
        "legacy_unknown": "/nobody/predict",
        "invoke": "/models/echo/invoke",
        "invoke_query": "/models/echo/invoke?a=1",
        "invoke_unknown": "/models/nobody/invoke",
        "invocations": "/invocations",
        "invocations_name": "/invocations?model_name=echo",
        "invocations_query": "/invocations?model_name=echo&a=1",
        "invocations_unknown": "/invocations?model_name=nobody",
        "nowhere": "/nowhere",
        "nowhere_deep": "/a/b/c/d",
        "root_post": "/",
        "models_on_inference": "/models",
        "metrics_on_inference": "/metrics",
    }
    for what, path in forms.items():
        yield Request(f"path {what}", "POST", path, headers=(("Content-Type", "text/plain"),), body=body)
    yield Request("invocations form", "POST", "/invocations", headers=_URLENCODED, body=b"model_name=echo&data=1")
    yield Request("kserve json", "POST", "/v1/models/echo:predict", headers=_JSON, body=b'{"instances": [1, 2]}')
    yield Request(
        "v2 json",
        "POST",
        "/v2/models/echo/infer",
        headers=_JSON,
        body=b'{"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}]}',
    )
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        yield Request(f"ping {method}", method, "/ping")
        yield Request(f"root {method}", method, "/", compare_body=method != "OPTIONS")
        yield Request(f"api-description {method}", method, "/api-description", compare_body=False)
    for path in ("/ping/", "/ping/x", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/echo/ready", "/v2/models/echo"):
        yield Request(f"get {path}", "GET", path)
    yield Request("options model", "OPTIONS", "/predictions/behave", compare_body=False)
    yield Request("options unknown", "OPTIONS", "/predictions/nobody")


def _headers():
    yield Request("header spelling", "POST", "/predictions/echo", headers=(("X-Test", "one"),), body=b"x")
    yield Request("header lower", "POST", "/predictions/echo", headers=(("x-test", "one"),), body=b"x")
    yield Request("header twice", "POST", "/predictions/echo", headers=(("X-Test", "one"), ("X-Test", "two")), body=b"x")
    yield Request("header empty", "POST", "/predictions/echo", headers=(("X-Test", ""),), body=b"x")
    yield Request("header explain", "POST", "/predictions/echo", headers=(("explain", "True"),), body=b"x")
    yield Request("header url_path", "POST", "/predictions/echo", headers=(("url_path", "evil"),), body=b"x")
    yield Request("header accept", "POST", "/predictions/echo", headers=(("Accept", "text/csv"),), body=b"x")
    yield Request("header token", "POST", "/predictions/echo", headers=(("Authorization", "Bearer nothing"),), body=b"x")


_ACTIONS = (
    "bytes bytearray str dict list int float big_float bool none empty_str empty_list nan tuple_row no_list dict_result"
    " tuple_result none_result too_many too_few opaque nested_opaque raise raise_key memory cuda prediction_default"
    " prediction_400 prediction_404 prediction_409 prediction_413 prediction_429 prediction_503 prediction_507"
    " prediction_599 prediction_200 status all_status type header json_type error_status unknown_action"
).split()


def _behaviours():
    for action in _ACTIONS:
        yield Request(f"behave {action}", "POST", "/predictions/behave", body=action.encode())
    for action in ("dict", "raise", "prediction_409", "opaque"):
        yield Request(f"behave explain {action}", "POST", "/explanations/behave", body=action.encode())
        yield Request(f"behave kserve {action}", "POST", "/v1/models/behave:predict", body=action.encode())
    yield Request("stream", "POST", "/predictions/streaming", body=b"x")
    yield Request("stream get", "GET", "/predictions/streaming")
    yield Request("described predict", "POST", "/predictions/described", body=b"x")
    yield Request("described explain", "POST", "/explanations/described", body=b"x")


def _manage(name, method, path, body=b"", headers=(), **more):
    return Request(f"manage {name}", method, path, MANAGEMENT, headers, body, **more)


def _register(name, body=None, **parameters):
    if body is not None:
        return _manage(f"register {name}", "POST", "/models", body, _JSON)
    query = urllib.parse.urlencode(parameters)
    return _manage(f"register {name}", "POST", f"/models?{query}")


def _management():
    """Reads, then writes; the order matters."""
    yield _manage("list", "GET", "/models")
    for what, query in {
        "limit_1": "limit=1",
        "page_2": "limit=1&next_page_token=1",
        "page_3": "limit=2&next_page_token=2",
        "page_last": "limit=2&next_page_token=4",
        "limit_0": "limit=0",
        "limit_negative": "limit=-1",
        "limit_large": "limit=1000",
        "limit_word": "limit=many",
        "token_word": "next_page_token=x",
        "token_negative": "next_page_token=-1",
        "token_beyond": "next_page_token=100",
    }.items():
        yield _manage(f"list {what}", "GET", f"/models?{query}")
    for path in ("/models/echo", "/models/echo/1.0", "/models/echo/all", "/models/echo/9.9", "/models/nobody",
                 "/models/nobody/all", "/models/echo/", "/models/described", "/models/described?customized=true",
                 "/models/described/1.0?customized=true", "/models/described/all?customized=true",
                 "/models/echo?customized=true", "/models/behave?customized=false", "/v1/models/echo", "/v1/models/nobody",
                 "/models/echo/1.0/set-default", "/nowhere", "/ping", "/predictions/echo", "/metrics", "/workflows"):
        yield _manage(f"get {path}", "GET", path)
    yield _manage("v1 post", "POST", "/v1/models/echo")
    yield _manage("options", "OPTIONS", "/", compare_body=False)
    yield _manage("api-description", "GET", "/api-description", compare_body=False)
    for method in ("PATCH", "HEAD", "OPTIONS"):
        yield _manage(f"models {method}", method, "/models")
    yield _manage("model POST", "POST", "/models/echo")

    yield _register("no_url")
    yield _register("empty_url", url="")
    yield _register("absent", url="absent.mar")
    yield _register("dots", url="../echo.mar")
    yield _register("garbage", url="garbage.mar")
    yield _register("garbage_named", url="garbage.mar", model_name="garbage")
    yield _register("empty_archive", url="empty.mar")
    yield _register("no_workers", url="spare.mar")
    yield _manage("spare described", "GET", "/models/spare")
    yield Request("spare without workers", "POST", "/predictions/spare", body=b"x")
    yield Request("spare version without workers", "POST", "/predictions/spare/1.0", body=b"x")
    yield Request("spare ping", "GET", "/ping")
    yield _manage("spare v1", "GET", "/v1/models/spare")
    yield _manage("spare customized", "GET", "/models/spare?customized=true")
    yield _register("again", url="spare.mar")
    yield _register("second version", url="spare_2.mar", initial_workers=1, synchronous="true")
    yield _manage("spare all", "GET", "/models/spare/all")
    yield Request("spare second version", "POST", "/predictions/spare/2.1", body=b"x")
    yield _manage("default unknown version", "PUT", "/models/spare/9.9/set-default")
    yield _manage("default unknown model", "PUT", "/models/nobody/1.0/set-default")
    yield _manage("default", "PUT", "/models/spare/2.1/set-default")
    yield Request("spare default", "POST", "/predictions/spare", body=b"x")
    yield _manage("list versions", "GET", "/models?limit=100")
    yield _manage("unregister default", "DELETE", "/models/spare/2.1")
    yield _manage("unregister unknown version", "DELETE", "/models/spare/9.9")
    yield _manage("unregister other version", "DELETE", "/models/spare/1.0")
    yield Request("spare gone version", "POST", "/predictions/spare/1.0", body=b"x")
    yield _manage("unregister", "DELETE", "/models/spare")
    yield _manage("unregister again", "DELETE", "/models/spare")
    yield _manage("unregister nobody", "DELETE", "/models/nobody")
    yield Request("spare gone", "POST", "/predictions/spare", body=b"x")

    yield _register("renamed", url="spare.mar", model_name="renamed", initial_workers=1, synchronous="true")
    yield Request("renamed predict", "POST", "/predictions/renamed", body=b"x")
    yield _manage("renamed described", "GET", "/models/renamed")
    yield _manage("unregister renamed", "DELETE", "/models/renamed?anything=1")
    yield _register("settings", url="spare.mar", batch_size=4, max_batch_delay=50, response_timeout=30, startup_timeout=40,
                    initial_workers=1, synchronous="true")
    yield _manage("settings described", "GET", "/models/spare")
    yield _manage("unregister settings", "DELETE", "/models/spare/1.0")
    yield _register("json body", b'{"url": "spare.mar", "batch_size": 2, "max_batch_delay": 10, "initial_workers": "1", "synchronous": true}')
    yield _manage("json body described", "GET", "/models/spare")
    yield _manage("unregister json body", "DELETE", "/models/spare")
    yield _register("json without url", b'{"batch_size": 2}')
    yield _register("broken json", b'{"url": ')
    yield _manage("register form", "POST", "/models", b"url=spare.mar", _URLENCODED)
    yield _register("wrong numbers", url="spare.mar", batch_size="many", initial_workers="few", response_timeout="x")
    yield _manage("wrong numbers described", "GET", "/models/spare")
    yield _manage("unregister wrong numbers", "DELETE", "/models/spare")
    yield _register("runtime", url="spare.mar", runtime="ruby")
    yield _register("runtime python3", url="spare.mar", runtime="python3")
    yield _manage("unregister runtime", "DELETE", "/models/spare")
    yield _register("handler", url="spare.mar", handler="echo:handle", initial_workers=1, synchronous="true")
    yield Request("handler predict", "POST", "/predictions/spare", body=b"x")
    yield _manage("unregister handler", "DELETE", "/models/spare")
    yield _register("configured", url="configured.mar", synchronous="true")
    yield _manage("configured described", "GET", "/models/configured")
    yield _manage("unregister configured", "DELETE", "/models/configured")
    yield _register("tgz", url="tgz_model.tar.gz", initial_workers=1, synchronous="true")
    yield Request("tgz predict", "POST", "/predictions/tgz_model", body=b"x")
    yield _manage("unregister tgz", "DELETE", "/models/tgz_model")
    yield _register("folder", url="folder_model", initial_workers=1, synchronous="true")
    yield Request("folder predict", "POST", "/predictions/folder_model", body=b"x")
    yield _manage("unregister folder", "DELETE", "/models/folder_model")
    yield _register("asynchronous", url="spare.mar", initial_workers=1, synchronous="false")
    yield _manage("unregister asynchronous", "DELETE", "/models/spare")
    yield _register("unloadable", url="unloadable.mar", initial_workers=1, synchronous="true")
    yield _manage("unloadable described", "GET", "/models/unloadable")
    yield _register("unloadable without workers", url="unloadable.mar")
    yield _manage("scale unloadable", "PUT", "/models/unloadable?min_worker=1&synchronous=true")
    yield _manage("unregister unloadable", "DELETE", "/models/unloadable")
    yield _register("no handler file", url="no_handler_file.mar", initial_workers=1, synchronous="true")

    yield _register("to scale", url="spare.mar")
    for what, query in {
        "up": "min_worker=1&synchronous=true",
        "up_more": "min_worker=2&synchronous=true",
        "down": "min_worker=1&max_worker=1&synchronous=true",
        "max_below_min": "min_worker=2&max_worker=1&synchronous=true",
        "negative": "min_worker=-1&synchronous=true",
        "word": "min_worker=two&synchronous=true",
        "version": "min_worker=1&model_version=1.0&synchronous=true",
        "unknown_version": "min_worker=1&model_version=9.9&synchronous=true",
        "none": "min_worker=0&synchronous=true",
    }.items():
        yield _manage(f"scale {what}", "PUT", f"/models/spare?{query}")
    yield _manage("scale path version", "PUT", "/models/spare/1.0?min_worker=1&synchronous=true")
    yield _manage("scaled described", "GET", "/models/spare")
    yield _manage("scale nobody", "PUT", "/models/nobody?min_worker=1")
    yield _manage("scale path unknown", "PUT", "/models/spare/9.9?min_worker=1")
    yield _manage("scale asynchronous", "PUT", "/models/spare?min_worker=1")
    yield _manage("unregister scaled", "DELETE", "/models/spare")


def _metrics():
    for what, path in {"all": "/metrics", "deeper": "/metrics/x", "named": "/metrics?name[]=Requests2XX", "ping": "/ping"}.items():
        yield Request(f"metrics {what}", "GET", path, METRICS, compare_body=False)
    yield Request("metrics post", "POST", "/metrics", METRICS, compare_body=False)


def requests():
    """All of them, in their order."""
    listed = [*_contents(), *_paths(), *_headers(), *_behaviours(), *_management(), *_metrics()]
    names = [request.name for request in listed]
    assert len(names) == len(set(names)), "two requests have the same name"
    return listed
