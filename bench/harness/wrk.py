"""Load by wrk: one thread, keep-alive connections, a fixed request for each answer."""

import dataclasses
import json
import pathlib
import re
import shutil
import subprocess

from harness import processes
from harness.servers import Missing

_MARK = "bench-result "
_SCRIPT = """\
local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end
local requests, count, next_request = {{}}, 0, 0
function init(arguments)
  local body = read("{body}")
  local headers = {{ {headers} }}
  headers["Host"] = wrk.headers["Host"]
  for path in read("{paths}"):gmatch("[^\\n]+") do
    count = count + 1
    requests[count] = wrk.format("POST", path, headers, body)
  end
end
function request()
  next_request = next_request % count + 1
  return requests[next_request]
end
function done(summary, latency)
  io.write(string.format(
    '{mark}{{"requests":%d,"duration_us":%d,"errors":%d,"p50_us":%d,"p99_us":%d}}\\n',
    summary.requests, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write +
      summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run of load on one server."""

    requests_per_s: float
    cpu_us: float  # of the server, for one request
    p50_us: float
    p99_us: float
    requests: int


def require():
    if not shutil.which("wrk"):
        raise Missing("wrk is not installed; apt-get install wrk")


class Load:
    """A request, or the same request at several paths in turn, ready to be sent by wrk."""

    def __init__(self, directory, request, paths=None):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "body").write_bytes(request.body)
        (directory / "paths").write_text("\n".join(paths or [request.path]), encoding="ascii")
        headers = ", ".join(f'["{key}"] = "{value}"' for key, value in request.headers.items())
        self._script = directory / "load.lua"
        self._script.write_text(
            _SCRIPT.format(
                body=directory / "body",
                paths=directory / "paths",
                headers=headers,
                mark=_MARK,
            ),
            encoding="ascii",
        )

    def run(self, server, connections, seconds):
        """Keeps `connections` requests outstanding for `seconds`."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=60s"]
        command += ["-s", self._script, server.url]
        before = server.cpu_seconds()
        load = processes.start(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        output, _ = load.communicate(timeout=seconds + 90)
        cpu_s = server.cpu_seconds() - before
        match = re.search(_MARK + r"(\{.*\})", output)
        if not match:
            server.fail(f"wrk gave no result:\n{output}")
        result = json.loads(match.group(1))
        if result["errors"] or not result["requests"]:
            server.fail(f"errors under load: {result}\n{output}")
        return Sample(
            requests_per_s=result["requests"] / (result["duration_us"] / 1e6),
            cpu_us=cpu_s * 1e6 / result["requests"],
            p50_us=result["p50_us"],
            p99_us=result["p99_us"],
            requests=result["requests"],
        )
