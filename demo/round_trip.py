#!/usr/bin/env python3
"""Serves on a free port, classifies a photograph, stops: round_trip.py PROGRAM REPOSITORY"""

import argparse
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading
import time

import classify
import photograph
import v2_client

_READY = re.compile(r"Started HTTPService at (\S+:\d+)")
_START_LIMIT_S = 120
_STOP_LIMIT_S = 30
_LINES_KEPT = 20


class RoundTripError(Exception):
    """One of the steps failed; the message says which."""


class Server:
    """The program as a child process; `with` starts it and makes sure that it is gone."""

    def __init__(self, program, repository):
        self._process = subprocess.Popen(
            [
                program,
                "serve",
                f"--model-repository={repository}",
                "--http-port=0",
                "--metrics-port=0",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._lines = []
        self._ready = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _read(self):
        """Drains the output, so that the server never waits on a full pipe; None marks its end."""
        for line in self._process.stdout:
            self._lines = (self._lines + [line.rstrip()])[-_LINES_KEPT:]
            match = _READY.search(line)
            if match:
                self._ready.put(match.group(1))
        self._ready.put(None)

    def _failure(self, what):
        if not self._lines:
            return RoundTripError(f"{what}, and printed nothing")
        return RoundTripError("\n".join([f"{what}; its last lines:", *self._lines]))

    def wait_until_ready(self):
        """Returns the address that HTTP is served at."""
        try:
            address = self._ready.get(timeout=_START_LIMIT_S)
        except queue.Empty:
            raise self._failure(f"the server was not ready after {_START_LIMIT_S} s") from None
        if address is None:
            raise self._failure(f"the server stopped at start with code {self._process.wait()}")
        return address

    def stop(self):
        """Asks the server to stop and waits until it has."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise self._failure(f"the server did not stop in {_STOP_LIMIT_S} s") from None
        self._reader.join()
        if code != 0:
            raise self._failure(f"the server stopped with code {code}")


def round_trip(program, repository):
    started = time.monotonic()
    with Server(program, repository) as server:
        address = server.wait_until_ready()
        print(f"[demo] serving at {address} after {time.monotonic() - started:.1f} s", flush=True)
        classes = classify.classify_and_print(photograph.example_path(), address)
        server.stop()
    print("[demo] server stopped")
    if not classes or classes[0][2] != "espresso":
        raise RoundTripError("the cup of coffee was not recognised as espresso")


def main():
    parser = argparse.ArgumentParser(description="Shows one classification from start to stop.")
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("repository", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        round_trip(arguments.program, arguments.repository)
    except (OSError, RoundTripError, v2_client.InferenceError) as error:
        sys.exit(f"[demo] FAILED: {error}")


if __name__ == "__main__":
    main()
