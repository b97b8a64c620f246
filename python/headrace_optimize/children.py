"""Runs what may crash, hang or eat the memory in a process of its own."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from typing import Any

from headrace_optimize.errors import NotApplicable, OptimizeError

_TAIL_BYTES = 4000


def _last_line(log: pathlib.Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def run(job: dict[str, Any], work: pathlib.Path, seconds_max: float) -> dict[str, Any]:
    """The result of the job (job.py). OptimizeError with the reason in one line, NotApplicable likewise.

    Its output goes to a log in `work`, which the reason of a crash quotes.
    """
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json", dir=work, delete=False, encoding="utf-8") as file:
        json.dump(job, file)
    request = pathlib.Path(file.name)
    result, log = request.with_suffix(".result"), request.with_suffix(".log")
    command = [sys.executable, "-m", "headrace_optimize.job", str(request), str(result)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(seconds_max)
        except subprocess.TimeoutExpired as error:
            raise OptimizeError(f"it took longer than {seconds_max:g} s (--recipe-seconds-max)") from error
        finally:
            # Compilers that it started go with it, also when we are interrupted.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code < 0:
        name = signal.Signals(-code).name
        memory = ", probably for want of memory" if -code == signal.SIGKILL else ""
        raise OptimizeError(f"its process died of {name}{memory}: {_last_line(log)}".rstrip(": "))
    try:
        answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptimizeError(f"its process ended with code {code}: {_last_line(log)}") from error
    if "not_applicable" in answer:
        raise NotApplicable(answer["not_applicable"])
    if "error" in answer:
        raise OptimizeError(answer["error"])
    return answer
