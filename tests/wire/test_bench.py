"""`headrace bench` against our server, and against one that stalls on purpose."""

import csv
import http.server
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import server as server_module

LIMIT_S = 120


def bench(*arguments, server=None, **options):
    """Runs the command to its end; everything that it wrote."""
    command = [server_module.program(), "bench", *arguments]
    if server is not None:
        command += ["-u", server.url, "--metrics-url", f"http://127.0.0.1:{server.metrics_port}/metrics"]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, **options)


def result_of(path):
    return json.loads(path.read_text(encoding="utf-8"))


class Stub(http.server.ThreadingHTTPServer):
    """A server of raw HTTP that stands still once, for a second, when so many requests have come."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, stall_after):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = threading.Event()
        self.gate.set()
        self._left = stall_after
        self._lock = threading.Lock()
        self.url = f"127.0.0.1:{self.server_address[1]}"

    def count(self):
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.gate.clear()
                threading.Timer(1.0, self.gate.set).start()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.count()
        self.server.gate.wait()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_run_has_all_its_figures_and_files(server, tmp_path):
    files = {name: tmp_path / name for name in ("r.json", "r.csv", "p.json", "x.hgrm", "t.json", "e.ndjson")}
    ran = bench(
        *("-m", "batched", "--shape", "INPUT0:16", "--rate", "200", "-n", "100", "--warmup", "200ms", "-b", "2"),
        *("--json", files["r.json"], "-f", files["r.csv"], "--profile-export-file", files["p.json"]),
        *("--hgrm", files["x.hgrm"], "--trace-file", files["t.json"], "--ndjson", files["e.ndjson"], "--seed", "7"),
        server=server,
    )
    assert ran.returncode == 0, ran.stderr
    assert "poisson 200/s" in ran.stdout and "inferences/s" in ran.stdout and "server queue" in ran.stdout
    document = result_of(files["r.json"])
    assert document["schema_version"] == 1 and document["seed"] == 7
    assert document["environment"]["server_name"] and document["environment"]["kernel"]
    assert document["workload"][0]["model_hash"]
    (level,) = document["levels"]
    assert level["intended_count"] == 100 and level["outcomes"] == {"ok": 100}
    assert level["spec"]["arrivals"]["loop"] == "open"
    assert level["response_time_ns"]["count"] == 100
    assert level["throughput"] == pytest.approx(2 * level["request_rate"])
    assert level["server"]["batched"]["inference_count"] >= 200
    (row,) = csv.DictReader(files["r.csv"].open(encoding="utf-8"))
    assert row["Request Rate"] == "200" and float(row["Inferences/Second"]) > 0 and row["Server Queue"]
    (experiment,) = result_of(files["p.json"])["experiments"]
    assert len(experiment["requests"]) == 100
    now = time.time_ns()
    assert all(now - 600e9 < request["timestamp"] < now for request in experiment["requests"])
    assert "Percentile" in files["x.hgrm"].read_text(encoding="utf-8")
    assert result_of(files["t.json"])["traceEvents"]
    assert json.loads(files["e.ndjson"].read_text(encoding="utf-8"))["event"] == "level"


def test_json_to_the_standard_output_is_alone_there(server):
    ran = bench(
        *("-m", "identity_fp32", "--shape", "INPUT0:4", "--concurrency", "2", "-n", "20", "--warmup", "0"),
        *("--json", "-"),
        server=server,
    )
    assert ran.returncode == 0, ran.stderr
    (level,) = json.loads(ran.stdout)["levels"]
    assert level["spec"]["arrivals"]["loop"] == "closed" and level["intended_count"] == 20
    assert "closed" in ran.stderr


def test_a_pause_of_the_server_shows_in_the_open_loop_and_not_in_the_closed_one(tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"x" * 16)
    common = ("-i", "raw", "--path", "/", "--input-data", str(body), "--warmup", "0", "--duration", "4s")
    with Stub(stall_after=100) as stub:
        ran = bench(*common, "-u", stub.url, "--rate", "100", "--json", str(tmp_path / "open.json"))
        assert ran.returncode == 0, ran.stderr
    with Stub(stall_after=100) as stub:
        ran = bench(*common, "-u", stub.url, "--concurrency", "1", "--json", str(tmp_path / "closed.json"))
        assert ran.returncode == 0, ran.stderr
    opened = result_of(tmp_path / "open.json")["levels"][0]["response_time_ns"]["percentiles"]
    closed = result_of(tmp_path / "closed.json")["levels"][0]
    # A quarter of the time the server stood still, so the p90 is in it, and the p99 at its end.
    assert opened["90"]["value"] > 400e6, opened
    assert opened["99"]["value"] > 900e6, opened
    # One request met it; hundreds did not come.
    assert closed["response_time_ns"]["max"] > 900e6
    assert closed["response_time_ns"]["percentiles"]["90"]["value"] < 300e6, closed["response_time_ns"]["percentiles"]


def test_levels_end_behind_the_first_that_misses_the_sla(server, tmp_path):
    ran = bench(
        *("-m", "slow", "--shape", "INPUT0:4", "--concurrency-range", "1:3:1", "-l", "1", "-n", "2", "--warmup", "0"),
        *("-f", str(tmp_path / "r.csv")),
        server=server,
    )
    assert ran.returncode == 3, ran.stderr
    rows = list(csv.DictReader((tmp_path / "r.csv").open(encoding="utf-8")))
    assert [row["Concurrency"] for row in rows] == ["1"]


def test_gates_of_a_single_run_decide_its_exit_code(server, tmp_path):
    baseline = tmp_path / "baseline.json"
    load = ("-m", "fixed", "--concurrency", "1", "-n", "50", "--warmup", "0", "--quiet")
    assert bench(*load, "--json", str(baseline), server=server).returncode == 0
    compared = (*load, "--baseline", str(baseline), "--gate")
    met = bench(*compared, "p99<=+1000000%, failures<=0%, throughput>=1/s", server=server)
    assert met.returncode == 0 and not met.stderr, met.stderr
    missed = bench(*compared, "throughput>=+1000000%, failures<=0%", server=server)
    assert missed.returncode == 3, missed.stderr
    (line,) = missed.stderr.splitlines()
    assert line.startswith("gate: ") and "throughput>=+1000000%" in line and line.endswith("missed")
    other_load = bench(*compared, "p99<=+1000000%", "--concurrency", "2", server=server)
    assert other_load.returncode == 3 and "the baseline has no such level" in other_load.stderr


def test_find_capacity_finds_a_rate_that_holds(server, tmp_path):
    ran = bench(
        *("-m", "identity_fp32", "--shape", "INPUT0:4", "--find-capacity", "--sla", "p90=2s", "--rate", "20:40:1"),
        *("--duration", "3s", "--warmup", "100ms", "--json", str(tmp_path / "c.json")),
        server=server,
    )
    assert ran.returncode == 0, ran.stderr
    document = result_of(tmp_path / "c.json")
    assert document["kind"] == "capacity"
    assert document["extension"]["rate"] == 40  # the highest that was allowed
    assert document["extension"]["probes"][0]["met"]
    assert "capacity with p90 within 2.00 s: 40 requests/s" in ran.stdout


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["-m", "nope", "--rate", "10"], 2, ["nope", "it has:", "identity_fp32"]),
        (["-m", "fixed", "--rate", "10", "--shape", "INPUT0:5"], 1, ["--shape", "fixed", "4"]),
        (["-m", "identity_fp32", "--rate", "10"], 1, ["INPUT0", "--shape"]),
        (["-m", "identity_fp32", "--rat", "10"], 1, ["--rat"]),
        (["--rate", "10"], 1, ["-m NAME"]),
        (["-m", "fixed", "--rate", "10", "--json", "/nonexistent/x.json"], 1, ["--json", "/nonexistent/x.json"]),
    ],
)
def test_a_mistake_is_one_clear_line(server, arguments, code, words):
    ran = bench(*arguments, server=server)
    assert ran.returncode == code
    (line,) = ran.stderr.strip().splitlines()
    assert line.startswith("headrace bench: ") and all(word in line for word in words), line


def test_a_server_that_is_not_there_is_named():
    ran = bench("-m", "m", "-u", "127.0.0.1:1", "--rate", "10")
    assert ran.returncode == 2
    (line,) = ran.stderr.strip().splitlines()
    assert "127.0.0.1:1" in line


def test_a_server_that_refuses_is_data_and_not_an_error(server, tmp_path):
    ran = bench(
        *("-i", "raw", "--path", "/v2/nothing", "--rate", "100", "-n", "30", "--warmup", "0"),
        *("--json", str(tmp_path / "r.json"), "--input-data", __file__),
        server=server,
    )
    assert ran.returncode == 2  # not one was answered well
    (level,) = result_of(tmp_path / "r.json")["levels"]
    assert level["outcomes"] == {"client error": 30} and level["wire_statuses"] == {"404": 30}
    assert "30 of 30 requests failed" in ran.stdout


def _started(repository, output, *arguments):
    """A run over a server of its own, once it has measured something."""
    server = server_module.Server(repository)
    command = [server_module.program(), "bench", "-m", "identity_fp32", "--shape", "INPUT0:4", "--rate", "100"]
    command += ["-u", server.url, "--warmup", "0", "--duration", "300s", "--json", str(output), *arguments]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in run.stderr:  # one when it begins to measure, then every two seconds
        if "measure" in line and "p99 0 ns" not in line:
            return server, run
    raise AssertionError(run.communicate())


def test_an_interrupted_run_keeps_what_it_has(standard_repository, tmp_path):
    server, run = _started(standard_repository, tmp_path / "r.json")
    with server:
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 130
    document = result_of(tmp_path / "r.json")
    assert document["interrupted"] and document["levels"][0]["stop_reason"] == "interrupted"
    assert document["levels"][0]["outcomes"]["ok"] > 0
    assert "interrupted after" in output


def test_a_server_that_dies_in_a_run_is_told_and_the_rest_kept(standard_repository, tmp_path):
    server, run = _started(standard_repository, tmp_path / "r.json")
    with server:
        os.kill(server.pid, signal.SIGKILL)
        output, _ = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 2
    (level,) = result_of(tmp_path / "r.json")["levels"]
    assert level["stop_reason"] == "server gone" and level["outcomes"]["ok"] > 0
    assert level["outcomes"]["no connection"] > 0
    assert "the server went away" in output


def test_trace_settings_reach_the_server(standard_repository, tmp_path):
    with server_module.Server(standard_repository, f"--trace-config=triton,file={tmp_path / 'trace.json'}") as server:
        ran = bench(
            *("-m", "identity_fp32", "--shape", "INPUT0:4", "--rate", "50", "-n", "20", "--warmup", "0"),
            *("--trace-level", "TIMESTAMPS", "--trace-rate", "1", "--log-frequency", "5"),
            server=server,
        )
        assert ran.returncode == 0, ran.stderr
        assert server.stop() == 0
    assert list(tmp_path.glob("trace.json*"))
