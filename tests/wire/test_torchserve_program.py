"""The program `torchserve`: its command line, its configuration, its listeners, its tokens, its log."""

import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys

import pytest
from harness import peers, torchserve_program, wait

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(name="store")
def _store(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    return store


@pytest.fixture(name="work")
def _work(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    return work


def _ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A child that nobody waits for is over, too.
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def _end(pid):
    if not _ended(pid):
        os.kill(pid, signal.SIGKILL)


# --- command line


def test_version_and_help(work):
    assert torchserve_program.run(work, "--version") == (0, "TorchServe Version is 0.12.0\n")
    status, text = torchserve_program.run(work, "--help")
    assert status == 0
    assert "--no-config-snapshots, --ncs" in text


def test_wrong_command_lines(work, store):
    for arguments, message in (
        (("--start", "--stop"), "only one is allowed"),
        (("--model-store",), "argument --model-store: expected at least one argument"),
        (("--stat",), "unrecognized arguments: --stat"),
        (("--model", store), "ambiguous option: --model could match --model-store, --models"),
    ):
        status, text = torchserve_program.run(work, *arguments)
        assert (status, message in text) == (2, True), text


def test_what_is_missing(work, store):
    assert torchserve_program.run(work, "--start") == (1, "Missing mandatory parameter --model-store\n")
    for arguments, message in (
        (("--model-store", "nowhere"), "--model-store directory not found: nowhere"),
        (("--model-store", store, "--ts-config", "none"), "--ts-config file not found: none"),
        (("--model-store", store, "--log-config", "none"), "--log-config file not found: none"),
        (("--model-store", store, "--workflow-store", "none"), "--workflow-store directory not found: none"),
    ):
        assert torchserve_program.run(work, *arguments) == (1, message + "\n")
    assert not (work / ".model_server.pid").exists()


def test_a_value_that_makes_no_sense(work, store):
    torchserve_program.write_config(work, job_queue_size="many")
    status, text = torchserve_program.run(work, "--model-store", store)
    assert status == 1
    assert "config.properties: key job_queue_size: expected a whole number" in text


def test_start_and_stop(work, store):
    torchserve_program.write_config(work)
    assert torchserve_program.run(work, "--stop") == (0, "TorchServe is not currently running.\n")
    log = work / "console"
    with log.open("w") as console:
        started = subprocess.run(
            [torchserve_program.program(), "--start", "--ncs", "--model-store", str(store)],
            cwd=work,
            env=torchserve_program.environment(work),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
    pid = int((work / ".model_server.pid").read_text())
    try:
        assert started.returncode == 0, log.read_text()
        # It keeps standard output.
        wait.until(lambda: "Model server started.\n" in log.read_text(), "the line that says that it has started")
        assert (work / "key_file.json").exists()
        status, text = torchserve_program.run(work, "--start", "--model-store", store)
        assert (status, text) == (
            1,
            "TorchServe is already running, please use torchserve --stop to stop TorchServe.\n",
        )
        assert torchserve_program.run(work, "--stop", "--foreground") == (0, "TorchServe has stopped.\n")
        assert _ended(pid)
    finally:
        _end(pid)
    assert not (work / ".model_server.pid").exists()
    assert not (work / "key_file.json").exists()
    assert torchserve_program.run(work, "--stop") == (0, "TorchServe is not currently running.\n")


def test_a_start_that_fails_says_so(work, store):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        torchserve_program.write_config(work, inference_address=f"http://127.0.0.1:{taken.getsockname()[1]}")
        status, text = torchserve_program.run(work, "--start", "--model-store", store)
    assert status == 1
    assert "cannot listen on 127.0.0.1" in text
    assert not (work / ".model_server.pid").exists()


def test_a_pid_file_that_is_left_over(work, store):
    (work / ".model_server.pid").write_text(str(os.getpid()))
    with torchserve_program.TorchServeProgram(store, work, "--ncs") as server:
        assert "Removing orphan pid file." in server.lines
        assert int((work / ".model_server.pid").read_text()) == server.pid
        assert server.stop() == 0
    assert not (work / ".model_server.pid").exists()


def test_headrace_torchserve_is_the_same(work):
    command = pathlib.Path(torchserve_program.program()).with_name("headrace")
    done = subprocess.run([command, "torchserve", "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "TorchServe Version is 0.12.0\n"


# --- tokens


@pytest.fixture(name="guarded", scope="module")
def _guarded(tmp_path_factory):
    """With tokens, as it is by default."""
    work = tmp_path_factory.mktemp("guarded")
    store = tmp_path_factory.mktemp("store")
    with torchserve_program.TorchServeProgram(store, work, "--ncs") as running:
        yield running
        assert running.stop() == 0, running.output()


def test_each_key_opens_its_own_listener(guarded):
    keys = guarded.keys()
    for key, status in ((None, 400), ("wrong", 400), (keys["management"], 400), (keys["inference"], 200)):
        assert guarded.ask("GET", "/ping", key=key)[0] == status
    status, _, body = guarded.ask("GET", "/ping")
    error = json.loads(body)
    assert (error["code"], error["type"]) == (400, "InvalidKeyException")
    assert error["message"].startswith(
        "Token Authorization failed. Token either incorrect, expired, or not provided correctly"
    )
    assert "key_file.json" in error["message"]


def test_the_key_file_is_for_its_owner(guarded):
    assert stat.S_IMODE((guarded.work / "key_file.json").stat().st_mode) == 0o600
    assert all(len(key) >= 22 for key in guarded.keys().values())


def test_a_key_is_renewed(guarded):
    before = guarded.keys()
    port = guarded.management_port
    status, _, body = guarded.ask("GET", "/token?type=inference", port=port, key=before["API"])
    assert (status, json.loads(body)) == (200, {})
    after = guarded.keys()
    assert after["inference"] != before["inference"]
    assert after["management"] == before["management"]
    assert guarded.ask("GET", "/ping", key=before["inference"])[0] == 400
    assert guarded.ask("GET", "/ping", key=after["inference"])[0] == 200
    for path, key in (("/token?type=inference", before["management"]), ("/token?type=other", before["API"]),
                      ("/token", before["API"])):  # fmt: skip
        status, _, body = guarded.ask("GET", path, port=port, key=key)
        assert (status, json.loads(body)["type"]) == (400, "InvalidKeyException")
        assert json.loads(body)["message"].startswith("Token Authentication failed.")


def test_metrics_are_open(guarded):
    assert guarded.ask("GET", "/metrics", port=guarded.metrics_port)[0] == 200


def test_the_v2_protocol_is_on_the_inference_listener(guarded):
    key = guarded.keys()["inference"]
    assert guarded.ask("GET", "/v2/health/live", key=key)[0] == 200
    assert guarded.ask("GET", "/v2/health/live")[0] == 400
    assert guarded.ask("GET", "/nothing", key=key)[0] == 404


# --- listeners


def test_one_address_for_all(store, work):
    address = f"http://127.0.0.1:{peers.free_port()}"
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", inference_address=address, management_address=address, metrics_address=address
    ) as server:
        keys = server.keys()
        assert server.port == server.management_port == server.metrics_port
        # Each key opens what is its own; the stronger one opens the other's, too.
        assert server.ask("GET", "/ping", key=keys["inference"])[0] == 200
        assert server.ask("GET", "/ping", key=keys["management"])[0] == 200
        assert server.ask("GET", "/token?type=inference", key=keys["API"])[0] == 200
        assert server.ask("GET", "/metrics")[0] == 200
        assert server.stop() == 0


def test_unix_sockets(store, work):
    path = work / "inference.sock"
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--disable-token-auth", inference_address=f"unix:{path}"
    ) as server:
        assert server.port is None
        assert torchserve_program.ask_socket(path, "GET", "/ping")[0] == 200
        server.signal(signal.SIGKILL)
        server.wait()
    # The file is left over, and is in nobody's way.
    assert path.exists()
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--disable-token-auth", inference_address=f"unix:{path}"
    ) as server:
        assert torchserve_program.ask_socket(path, "GET", "/ping")[0] == 200
        assert server.stop() == 0
    assert not path.exists()


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", folder / "key.pem", "-out", folder / "certificate.pem", "-subj", "/CN=torchserve",
             "-addext", "subjectAltName=IP:127.0.0.1")  # fmt: skip
    _openssl("pkcs12", "-export", "-inkey", folder / "key.pem", "-in", folder / "certificate.pem",
             "-out", folder / "keystore.p12", "-passout", "pass:changeit")  # fmt: skip
    return folder


@pytest.mark.parametrize("kind", ["pem", "keystore"])
def test_https(store, work, certificate, kind):
    keys = (
        {"certificate_file": certificate / "certificate.pem", "private_key_file": certificate / "key.pem"}
        if kind == "pem"
        else {"keystore": certificate / "keystore.p12"}
    )
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--disable-token-auth", inference_address="https://127.0.0.1:0", **keys
    ) as server:
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--cacert", certificate / "certificate.pem", "--max-time", "30",
             "--write-out", "%{http_code}", f"https://127.0.0.1:{server.port}/ping"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout.endswith("200"), done.stderr
        # Plain HTTP, with a body and without, hears what is wrong.
        for options in ([], ["--data-binary", "x" * 100_000, "--header", "Expect:"]):
            plain = subprocess.run(
                ["curl", "--silent", "--show-error", "--max-time", "30", "--write-out", "%{http_code}", *options,
                 f"http://127.0.0.1:{server.port}/ping"],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert plain.stdout == (
                '{\n  "status": "This TorchServe instance only accepts HTTPS requests"\n}\n403'
            ), plain.stderr
        assert server.ask("GET", "/metrics", port=server.metrics_port)[0] == 200
        assert server.stop() == 0


def test_https_needs_a_certificate(store, work, certificate):
    for keys, message in (
        ({}, "an https address needs certificate_file and private_key_file, or keystore"),
        ({"keystore": certificate / "key.pem"}, "is no PKCS12 file"),
        ({"keystore": certificate / "keystore.p12", "keystore_pass": "wrong"}, "cannot be opened with its password"),
        ({"keystore": certificate / "keystore.p12", "keystore_type": "JKS"}, "keystore_type=JKS cannot be read"),
    ):
        torchserve_program.write_config(work, inference_address="https://127.0.0.1:0", **keys)
        status, text = torchserve_program.run(work, "--model-store", store)
        assert (status, message in text) == (1, True), text


def test_an_open_model_api_for_everybody_is_refused(store, work):
    torchserve_program.write_config(work, management_address="http://0.0.0.0:0", enable_model_api="true",
                                    disable_token_authorization="true")  # fmt: skip
    status, text = torchserve_program.run(work, "--model-store", store)
    assert status == 1
    assert "insecure_allow_remote=true" in text


# --- configuration


def test_the_environment_counts_if_the_file_says_so(store, work):
    variables = {"TS_DISABLE_TOKEN_AUTHORIZATION": "true"}
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", variables=variables, enable_envvars_config="true"
    ) as server:
        assert server.ask("GET", "/ping")[0] == 200
        assert server.stop() == 0


def test_what_has_no_effect_is_named(store, work):
    with torchserve_program.TorchServeProgram(
        store, work, "--ncs", vmargs="-Xmx1g", use_native_io="true", no_such_key=1
    ) as server:
        text = server.output()
        assert "key vmargs has no effect" in text
        assert "key no_such_key is not known" in text
        assert "use_native_io" not in text
        assert server.stop() == 0


# --- log


def test_lines_and_files(store, work):
    with torchserve_program.TorchServeProgram(store, work, "--ncs", "--disable-token-auth") as server:
        assert server.ask("GET", "/ping?a=%0a")[0] == 200
        match = server.wait_line(
            r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3} \[INFO \] (\S+) ACCESS_LOG - "
            r'/127\.0\.0\.1 "GET /ping\?a=%0a HTTP/1\.1" 200 (\d+)$'
        )
        assert ":" not in match.group(1)
        assert server.stop() == 0
    logs = work / "logs"
    assert re.search(r'^\S+ - /127\.0\.0\.1 "GET /ping', (logs / "access_log.log").read_text(), re.MULTILINE)
    assert "Inference API bind to: http://127.0.0.1:" in (logs / "ts_log.log").read_text()
    assert stat.S_IMODE((logs / "ts_log.log").stat().st_mode) == 0o600


def test_places_of_the_logs(store, work):
    variables = {"LOG_LOCATION": str(work / "l"), "METRICS_LOCATION": str(work / "m")}
    with torchserve_program.TorchServeProgram(store, work, "--ncs", variables=variables) as server:
        assert server.stop() == 0
    assert (work / "l" / "ts_log.log").exists()
    assert (work / "m").is_dir()
    assert not (work / "logs").exists()


# --- ts.launcher


def test_launcher(store, work):
    torchserve_program.write_config(work)
    script = (
        "from ts import launcher\n"
        f"lines = launcher.start(model_store={str(store)!r}, no_config_snapshots=True, disable_token=True,"
        " snapshot_file='config.properties')\n"
        "print('it runs', flush=True)\n"
        "launcher.stop()\n"
        "while lines.get(timeout=60) is not None:\n"
        "    pass\n"
        "print('it has stopped', flush=True)\n"
    )
    settings = torchserve_program.environment(work)
    settings["PATH"] = f"{pathlib.Path(torchserve_program.program()).parent}:{settings['PATH']}"
    settings["PYTHONPATH"] = str(ROOT / "python")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=work, env=settings, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if " - " not in line]
    assert said == [
        "TorchServe is not currently running.",
        "Model server started.",
        "it runs",
        "TorchServe has stopped.",
        "it has stopped",
    ]
