"""Child processes that never outlive the benchmark, and what they cost, from /proc."""

import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import subprocess
import time

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, **options):
    """Starts `command`; the kernel kills it when this process ends, however it ends."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(
        [str(part) for part in command], preexec_fn=_die_with_parent, **options
    )


def stop(process, limit_s=15):
    """Asks the process and its descendants (TorchServe's program is a script that starts another) to end and waits; kills
    what takes too long."""
    members = tree(process.pid) if process.poll() is None else []
    _signal(members, signal.SIGTERM)
    end = time.monotonic() + limit_s
    try:
        process.wait(limit_s)
        while any(_lives(pid) for pid in members) and time.monotonic() < end:
            time.sleep(0.05)
    except subprocess.TimeoutExpired:
        pass
    _signal([pid for pid in members if _lives(pid)], signal.SIGKILL)
    process.wait()


def _signal(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _lives(pid):
    try:
        return _fields(pid)[0] != "Z"
    except OSError:
        return False


def tree(pid):
    """`pid` and all its living descendants."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text(encoding="ascii").split()
        except FileNotFoundError:
            continue
        for child in children:
            found += tree(int(child))
    return found


def _fields(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # The second field is a name in parentheses that may hold anything; state is the next.
    return text.rpartition(")")[2].split()


def cpu_seconds(pid):
    """utime + stime of the process, its threads and its living descendants."""
    ticks = 0
    for member in tree(pid):
        fields = _fields(member)
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_SECOND


def children_cpu_seconds():
    """utime + stime of all children that have ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def pss_bytes(pid):
    """Proportional set size of the process and its descendants."""
    total = 0
    for member in tree(pid):
        rollup = pathlib.Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii")
        line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
        total += int(line.split()[1]) * 1024
    return total


def thread_count(pid):
    """Threads of the process and its descendants."""
    return sum(len(os.listdir(f"/proc/{member}/task")) for member in tree(pid))
