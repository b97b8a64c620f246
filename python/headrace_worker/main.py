"""The program of a worker: `<interpreter> main.py` with HEADRACE_WORKER="call=3 side=4 data=5" in the environment.

Exits with 0 when the server ends it or is gone, with a model's own status when the model exits, and with 70 when a packet
breaks the protocol.
"""

import atexit
import os
import sys

_PROTOCOL_ERROR = 70


def _descriptors(text):
    """The descriptors that `text` ("call=3 side=4 data=5") names."""
    try:
        named = dict(part.split("=", 1) for part in text.split())
        return [int(named[name]) for name in ("call", "side", "data")]
    except (KeyError, ValueError):
        raise SystemExit(f"headrace worker: HEADRACE_WORKER is '{text}'; wanted is 'call=3 side=4 data=5'") from None


def _run():
    from headrace_worker import errors, runtime

    call, side, data = _descriptors(os.environ.pop("HEADRACE_WORKER", ""))
    for descriptor in (call, side, data):
        os.set_inheritable(descriptor, False)
    try:
        return runtime.Runtime(call, side, data).serve()
    except errors.WireError as error:
        print(f"headrace worker: {error}", file=sys.stderr)
        return _PROTOCOL_ERROR


def _main():
    # This file is run by its path: what a model imports begins a folder higher.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        status = _run()
    except SystemExit as error:
        print(error.code, file=sys.stderr)
        status = _PROTOCOL_ERROR
    # Threads that the model has left behind do not keep the process.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(status)


if __name__ == "__main__":
    _main()
