"""Runs what may crash, hang or eat the memory in a process of its own."""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable

from headrace_optimize.errors import NotApplicable, OptimizeError

_TAIL_BYTES = 4000
_LINE_BYTES_MAX = 300  # of what a child tells; the rest of a longer line is dropped
_LOOK_S = 0.5  # how often the child is looked after that tells nothing


def _silent(_: str) -> None:
    """Tells nobody."""


def _last_line(log: pathlib.Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


class _Lines:
    """What a child writes to a pipe, line by line."""

    def __init__(self, descriptor: int, tell: Callable[[str], None]):
        self._descriptor = descriptor
        self._tell = tell
        self._rest = b""
        self.ended = False  # nobody can write any more

    def read(self, seconds: float) -> bool:
        """Waits so long at most; whether something came."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        got = os.read(self._descriptor, 4096)
        self.ended = not got
        *lines, rest = (self._rest + got).split(b"\n")
        self._rest = rest[:_LINE_BYTES_MAX]
        for line in lines:
            text = line[:_LINE_BYTES_MAX].decode(errors="replace").strip()
            if text:
                self._tell(text)
        return bool(got)


def _wait(process: subprocess.Popen[bytes], lines: _Lines, seconds_max: float) -> int:
    """The exit code. OptimizeError when the time is over."""
    deadline = time.monotonic() + seconds_max
    while (code := process.poll()) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise OptimizeError(f"it took longer than {seconds_max:g} s (--recipe-seconds-max)")
        if not lines.ended:
            lines.read(min(left, _LOOK_S))
            continue
        try:
            process.wait(left)
        except subprocess.TimeoutExpired:
            pass
    while lines.read(0):
        pass
    return code


def run(
    job: dict[str, Any], work: pathlib.Path, seconds_max: float, tell: Callable[[str], None] = _silent
) -> dict[str, Any]:
    """The result of the job (job.py). OptimizeError with the reason in one line, NotApplicable likewise.

    Its output goes to a log in `work`, which the reason of a crash quotes; what it says of its progress goes to `tell`,
    line by line, in this thread.
    """
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json", dir=work, delete=False, encoding="utf-8") as file:
        json.dump(job, file)
    request = pathlib.Path(file.name)
    result, log = request.with_suffix(".result"), request.with_suffix(".log")
    code = _run_child(request, result, log, seconds_max, tell)
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


def _run_child(
    request: pathlib.Path, result: pathlib.Path, log: pathlib.Path, seconds_max: float, tell: Callable[[str], None]
) -> int:
    reader, writer = os.pipe()
    try:
        command = [sys.executable, "-m", "headrace_optimize.job", str(request), str(result), str(writer)]
        with log.open("wb") as output:
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(writer,),
            )
        os.close(writer)
        writer = -1
        try:
            return _wait(process, _Lines(reader, tell), seconds_max)
        finally:
            # Compilers that it started go with it, also when we are interrupted.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
