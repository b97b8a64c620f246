"""Repositories that come and go at run time, through the in-process C API."""

import os
import pathlib

import pytest

from harness import backends, in_process, models, peers
from harness import server as server_module

_CONFIG = models.identity_config([("INT32", [-1])], 8)
# What a program of the library sees; `result` holds what each call gave or said.
_VISIT = """
library, backends, first, second, third = arguments
with Server(library, first, backends, explicit=False) as server:
    result["not explicit"] = [said(server.register, second), said(server.unregister, second)]
with Server(library, first, backends) as server:
    def note(name, call, *call_arguments):
        result[name] = said(call, *call_arguments)

    note("register nowhere", server.register, first + "/nowhere")
    note("register a file", server.register, first + "/a/config.pbtxt")
    note("register it again", server.register, first)
    note("map to a number", server.register, second, [("b", 3)])
    note("map two to one", server.register, second, [("b", "x"), ("c", "x")])
    note("register", server.register, second, [("b", "x"), ("n", "named")])
    for name in ("x", "named", "c", "a"):
        note(f"load {name}", server.load, name)
        note(f"{name} is ready", server.is_ready, name)
        result[f"versions of {name}"] = server.metadata(name)["versions"]
    for name in ("b", "n"):
        result[f"load {name} by its directory"] = said(server.load, name)[:60]
    note("register again", server.register, second)
    note("map to a name that is mapped", server.register, third, [("d", "x")])
    note("unregister another", server.unregister, third)
    note("register the third", server.register, third)
    result["load a model of two"] = said(server.load, "a")[:60]
    note("unregister the third", server.unregister, third)
    note("load it again", server.load, "a")
    note("unregister", server.unregister, second)
    note("what was loaded serves", server.is_ready, "x")
    result["but is not loaded again"] = said(server.load, "x")[:60]
    note("and serves on", server.is_ready, "x")
    note("and is unloaded", server.unload, "x")
    note("unregister again", server.unregister, second)
    note("register under another name", server.register, second, [("b", "y")])
    note("load y", server.load, "y")
"""


@pytest.fixture(name="repositories")
def _repositories(tmp_path):
    paths = [tmp_path / name for name in ("first", "second", "third")]
    for path, names in zip(paths, (["a"], ["b", "c", "n"], ["a", "d"])):
        for name in names:
            models.add(path, name, ('name: "n"\n' if name == "n" else "") + _CONFIG)
    return paths


def _ours(repositories):
    library = pathlib.Path(server_module.program()).resolve().parent / "in-process" / "lib" / "libtritonserver.so"
    if not library.exists():
        pytest.skip("libtritonserver.so is not built: ninja tritonserver")
    if server_module.is_sanitized():
        pytest.skip("a sanitizer's runtime must be in the process before the library")
    return in_process.run(_VISIT, library, backends.directory(), *repositories)


def test_repositories_come_and_go(repositories):
    first, second, third = repositories
    said = _ours(repositories)
    loaded = {name: said.pop(f"load {name}") for name in ("x", "named", "c", "a", "y")}
    assert set(loaded.values()) == {None}, loaded
    for name in ("x", "named", "c", "a"):
        assert said.pop(f"{name} is ready") is True and said.pop(f"versions of {name}") == ["1"]
    failed = {key: text for key, text in said.items() if text is not None}
    assert failed == {
        "not explicit": [
            f"Unsupported: repository {what} is not allowed if model control mode is not EXPLICIT"
            for what in ("registration", "unregistration")
        ],
        "register nowhere": f"Invalid argument: failed to register '{first}/nowhere', repository not found",
        "register a file": f"Invalid argument: failed to register '{first}/a/config.pbtxt', repository not found",
        "register it again": f"Already exists: model repository '{first}' has already been registered",
        "map to a number": "Invalid argument: Mapped model name must be a string, found another type for b",
        "map two to one": f"Invalid argument: failed to register '{second}', there is a conflicting mapping for 'x'",
        "load b by its directory": "Internal: failed to load 'b', failed to poll from model repository"[:60],
        "load n by its directory": "Internal: failed to load 'n', failed to poll from model repository"[:60],
        "register again": f"Already exists: model repository '{second}' has already been registered",
        "map to a name that is mapped": "Already exists: failed to register 'x', there is a conflicting mapping for 'x'",
        "unregister another": f"Invalid argument: failed to unregister '{third}', repository not found",
        "load a model of two": "Internal: failed to load 'a', failed to poll from model repository"[:60],
        "what was loaded serves": True,
        "but is not loaded again": "Internal: failed to load 'x', failed to poll from model repository"[:60],
        "and serves on": True,
        "unregister again": f"Invalid argument: failed to unregister '{second}', repository not found",
    }


@pytest.mark.skipif(not peers.directory(), reason="HEADRACE_PEERS names no peers")
def test_a_stock_triton_says_the_same(repositories, tmp_path):
    (tmp_path / "links").mkdir()
    environment = {**os.environ, **peers.environment(tmp_path / "links")}
    # Our backends in both: the published package has none that needs no process of its own.
    stock = in_process.run(_VISIT, peers.library(), backends.directory(), *repositories, environment=environment)
    assert stock == _ours(repositories)
