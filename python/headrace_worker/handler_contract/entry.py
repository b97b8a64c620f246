"""From the name in a manifest to the function that answers batches."""

import importlib
import importlib.util
import os
import sys

DEFAULT_HANDLERS = "ts.torch_handler."
_ENVELOPES = {
    "body": ("body", "BodyEnvelope"),
    "json": ("json", "JSONEnvelope"),
    "kserve": ("kserve", "KServeEnvelope"),
    "kservev2": ("kservev2", "KServev2Envelope"),
}


def load_entry(handler, directory, context, finished=None):
    """The function handle(rows, context) of `handler` ("file.py", "file", "file:function" or the name of a default
    handler), and the object or module that it belongs to; what there is to initialize is initialized. `directory` holds
    the model's files. `finished` takes what initializing has returned, which may be a coroutine."""
    finished = finished or (lambda result: result)
    name, _, function = handler.partition(":")
    module = _import(name, directory)
    function = function or "handle"
    if hasattr(module, function):
        entry = getattr(module, function)
        finished(entry(None, context))
        return entry, module
    found = _classes(module)
    if len(found) != 1:
        raise ValueError(
            f"Expected only one class in custom service code or a function entry point: '{handler}' has no function "
            f"'{function}' and defines {len(found)} classes ({', '.join(one.__name__ for one in found) or 'none'})"
        )
    service = found[0]()
    if not hasattr(service, "handle"):
        raise ValueError(f"Expect handle method in class {found[0].__name__}")
    if hasattr(service, "initialize"):
        finished(service.initialize(context))
    # Looked up at each call: a handler may replace its `handle` while it serves.
    return lambda rows, given: service.handle(rows, given), service


def wrap(entry, envelope):
    """`entry` behind the envelope of that name; itself for none."""
    if not envelope:
        return entry
    if envelope not in _ENVELOPES:
        raise ValueError(f"service_envelope '{envelope}' is not known; known are {', '.join(sorted(_ENVELOPES))}")
    module, name = _ENVELOPES[envelope]
    return getattr(importlib.import_module(f"{DEFAULT_HANDLERS}request_envelope.{module}"), name)(entry).handle


def _classes(module):
    return [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]


def _import(name, directory):
    name = name.rsplit("/", 1)[-1]
    if name.endswith(".py"):
        name = name[:-3]
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"the handler '{name}' is no name of a module")
    file = os.path.join(directory, *name.split(".")) + ".py"
    if os.path.isfile(file):
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    if os.path.isfile(os.path.join(directory, *name.split("."), "__init__.py")):
        return importlib.import_module(name)
    # A default handler, also by its whole name; or a package that is installed, but never Python's own: os:system is
    # no handler.
    default = name if name.startswith(DEFAULT_HANDLERS) else DEFAULT_HANDLERS + name
    if _exists(default):
        return importlib.import_module(default)
    top = name.split(".")[0]
    if top not in _standard_modules() and _exists(name):
        return importlib.import_module(name)
    raise ModuleNotFoundError(f"the handler '{name}' is neither a file of the model nor a default handler")


def _exists(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _standard_modules():
    names = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return names
    # Before Python 3.10: what is built in, and what lies where `os` does.
    folder = os.path.dirname(os.__file__)
    return set(sys.builtin_module_names) | {entry.split(".")[0] for entry in os.listdir(folder)}
