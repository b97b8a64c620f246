"""Load by our own load generator (bench/loadgen.cc), and what clients cost, from wait4(2)."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess

from harness import processes
from harness.servers import Missing, headrace_program


@dataclasses.dataclass(frozen=True)
class ClientSample:
    """One run of a load generator."""

    requests_per_s: float
    client_cpu_us: float  # of the client's whole process, for one request
    p50_us: float
    p99_us: float
    requests: int


def program():
    """bench/loadgen.cc, built."""
    path = pathlib.Path(headrace_program().parent) / "bench" / "loadgen"
    if not path.exists():
        raise Missing(f"{path} is not built; make build")
    return path


def output_and_cpu(command):
    """Runs `command` to its end: what it printed, and user + system seconds of its process."""
    process = processes.start(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{output}")
    return output, usage.ru_utime + usage.ru_stime


def run(mode, target, amount, seconds, body=None, headers=()):
    """One run of loadgen; its JSON, with the processor time of the process as `process_cpu_us`."""
    command = [program(), mode, target, amount, seconds]
    if body:
        command += [body, *(f"{name}: {value}" for name, value in dict(headers).items())]
    output, cpu_s = output_and_cpu(command)
    result = json.loads(output)
    if result.get("failed") or not result["requests"]:
        raise RuntimeError(f"failed requests: {output}")
    result["process_cpu_us"] = cpu_s * 1e6 / result["requests"]
    return result


def sample(result):
    """The figures that are compared with other clients'."""
    return ClientSample(
        requests_per_s=result["requests_per_s"],
        client_cpu_us=result["process_cpu_us"],
        p50_us=result["service_us"]["p50"],
        p99_us=result["service_us"]["p99"],
        requests=result["requests"],
    )


class Wrk:
    """wrk with one fixed request: it formats it once, as ours is encoded once."""

    def __init__(self, directory, request=None):
        directory.mkdir(parents=True, exist_ok=True)
        self._options = []
        if request:
            body = directory / "wrk-body"
            body.write_bytes(request.body)
            script = directory / "wrk.lua"
            lines = [f'local file = assert(io.open("{body}", "rb"))', 'wrk.method = "POST"']
            lines += ['wrk.body = file:read("*a")', "file:close()"]
            lines += [f'wrk.headers["{k}"] = "{v}"' for k, v in request.headers.items()]
            script.write_text("\n".join(lines) + "\n", encoding="ascii")
            self._options = ["-s", script]

    def run(self, url, connections, seconds):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
        output, cpu_s = output_and_cpu([*command, *self._options, url])
        match = re.search(r"(\d+) requests in", output)
        if not match or "Socket errors" in output or "Non-2xx" in output:
            raise RuntimeError(f"wrk failed:\n{output}")
        requests = int(match.group(1))
        return ClientSample(
            requests_per_s=float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
            client_cpu_us=cpu_s * 1e6 / requests,
            p50_us=_percentile_us(output, 50),
            p99_us=_percentile_us(output, 99),
            requests=requests,
        )


def _percentile_us(output, percent):
    value, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", output).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
