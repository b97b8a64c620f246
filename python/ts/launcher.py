"""Starts and stops the program `torchserve` from Python, and registers models at it.

The program is found on the PATH, or where the variable TORCHSERVE_PROGRAM says. Model registration needs
`requests`. As a command: `python -m ts.launcher start --model-store DIR`, `python -m ts.launcher stop`.
"""

import argparse
import os
import queue
import subprocess
import threading

MANAGEMENT_URL = "http://localhost:8081"
_STARTED = "Model server started"
_KEPT_LINES = 1000


def _program():
    return os.environ.get("TORCHSERVE_PROGRAM", "torchserve")


def stop(wait=True):
    """Stops the server; with `wait`, returns when its process has ended."""
    subprocess.run([_program(), "--stop", *(["--foreground"] if wait else [])], check=False)


def _command(model_store, snapshot_file, no_config_snapshots, plugin_folder, disable_token, models, enable_model_api):
    command = [_program(), "--start", "--model-store", str(model_store)]
    for flag, value in (("--plugins-path", plugin_folder), ("--ts-config", snapshot_file)):
        if value:
            command += [flag, str(value)]
    for flag, wanted in (
        ("--no-config-snapshots", no_config_snapshots),
        ("--disable-token-auth", disable_token),
        ("--enable-model-api", enable_model_api),
    ):
        if wanted:
            command.append(flag)
    if models:
        command += ["--models", *([models] if isinstance(models, str) else models)]
    return command


def _forward(output, lines):
    """Prints what comes and keeps it for the caller; the oldest lines go when nobody takes them."""
    for line in output:
        print(line.rstrip("\n"), flush=True)
        _keep(lines, line)
    output.close()
    _keep(lines, None)


def _keep(lines, line):
    while True:
        try:
            lines.put_nowait(line)
            return
        except queue.Full:
            try:
                lines.get_nowait()
            except queue.Empty:
                pass


def start(
    model_store=None,
    snapshot_file=None,
    no_config_snapshots=False,
    plugin_folder=None,
    disable_token=False,
    models=None,
    enable_model_api=False,
):
    """Stops what runs and starts a server; returns when it serves.

    The result is a queue of what it prints from then on, line by line and None at its end; all of it is printed,
    too. RuntimeError if the server ended instead of starting.
    """
    stop()
    command = _command(
        model_store, snapshot_file, no_config_snapshots, plugin_folder, disable_token, models, enable_model_api
    )
    # The server is a child of this child, and keeps its output when it has ended.
    process = subprocess.Popen(  # pylint: disable=consider-using-with
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    for line in process.stdout:
        print(line.rstrip("\n"), flush=True)
        if _STARTED in line:
            break
    else:
        process.wait()
        raise RuntimeError(f"torchserve did not start; it ended with status {process.returncode}")
    process.wait()
    lines = queue.Queue(maxsize=_KEPT_LINES)
    threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
    return lines


def register_model_with_params(params):
    """POST /models with these query parameters; the response of `requests`."""
    import requests  # pylint: disable=import-outside-toplevel

    return requests.post(f"{MANAGEMENT_URL}/models", params=params, timeout=600)


def register_model(model_name, url):
    """Registers an archive under a name, with one worker, and waits for it."""
    return register_model_with_params(
        {"model_name": model_name, "url": url, "initial_workers": "1", "synchronous": "true"}
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m ts.launcher", description="Starts and stops torchserve.")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="start a server, and print what it prints until it ends")
    starting.add_argument("--model-store", required=True)
    starting.add_argument("--ts-config", dest="snapshot_file")
    starting.add_argument("--models", nargs="+")
    starting.add_argument("--ncs", "--no-config-snapshots", dest="no_config_snapshots", action="store_true")
    starting.add_argument("--disable-token-auth", dest="disable_token", action="store_true")
    starting.add_argument("--enable-model-api", action="store_true")
    commands.add_parser("stop", help="stop the server, and wait for its end")
    options = vars(parser.parse_args(arguments))
    if options.pop("command") == "stop":
        stop()
        return
    lines = start(**options)
    while lines.get() is not None:
        pass


if __name__ == "__main__":
    main()
