"""Load by h2load: one thread, gRPC calls on a number of streams of each connection."""

import pathlib
import re
import shutil
import subprocess

from harness import processes
from harness.servers import HOST, Missing
from harness.wrk import Sample

_RATE = re.compile(r"finished in [\d.]+\w+, ([\d.]+) req/s")
_REQUESTS = re.compile(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored")
_TIMES = re.compile(r"time for request:\s+\S+\s+(\S+)\s+(\S+)")
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def require():
    if not shutil.which("h2load"):
        raise Missing("h2load is not installed; apt-get install nghttp2-client")


def _microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * _UNITS[unit]


class Load:
    """One gRPC call with its message, ready to be sent by h2load."""

    def __init__(self, directory, method, message):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self._method = method
        self._body = directory / "message"
        self._body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)

    def run(self, server, connections, streams, seconds):
        """Keeps `streams` calls outstanding on each connection for `seconds`. h2load tells no percentiles: the sample
        has the mean and the longest time in their places."""
        command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", "-d", self._body]
        # Windows that do not hold up a large answer.
        command += ["-w30", "-W30", "-H", "content-type: application/grpc", "-H", "te: trailers"]
        command += [f"http://{HOST}:{server.grpc_port}{self._method}"]
        before = server.cpu_seconds()
        load = processes.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output, _ = load.communicate(timeout=seconds + 90)
        cpu_s = server.cpu_seconds() - before
        rate, requests, times = (one.search(output) for one in (_RATE, _REQUESTS, _TIMES))
        if not (rate and requests and times):
            server.fail(f"h2load gave no result:\n{output}")
        done, succeeded, failed, errored = map(int, requests.groups())
        if not succeeded or failed or errored:
            server.fail(f"errors under load:\n{output}")
        longest, mean = map(_microseconds, times.groups())
        return Sample(float(rate.group(1)), cpu_s * 1e6 / done, mean, longest, done)
