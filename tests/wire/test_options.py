"""The command line, the configuration file and the environment of the program."""

import os
import pathlib
import signal
import socket
import subprocess

import pytest

from harness import models, raw_http
from harness import server as server_module


def run(*arguments, program=None, **environment):
    """Runs the program to its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    return subprocess.run(
        [program or server_module.program(), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, **environment},
    )


def configured(*arguments, **environment):
    """name -> (value, source) of --print-config."""
    result = run("serve", "--print-config", *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def line_of(text, name):
    lines = [line for line in text.splitlines() if line.replace("|", " ").split()[:1] in ([name], [name + ":"])]
    assert len(lines) == 1, (name, text)
    return lines[0]


@pytest.fixture(name="repository")
def _repository(tmp_path):
    return models.add(tmp_path / "models", "fixed", models.identity_config([("FP32", [4])])).parent


def assert_fails(result, *texts):
    assert result.returncode == 1, result
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    for text in texts:
        assert text in lines[0], lines[0]


class TestHelp:
    def test_names_every_option_with_its_default(self):
        result = run("serve", "--help")
        assert result.returncode == 0
        for text in (
            "--model-repository",
            "--http-port",
            "8000",
            "--metrics-port",
            "--exit-timeout-secs",
            "--print-config",
        ):
            assert text in result.stdout

    def test_of_the_program(self):
        result = run("--help")
        assert result.returncode == 0 and "serve" in result.stdout

    def test_without_a_command(self):
        result = run()
        assert result.returncode == 1 and "serve" in result.stderr

    def test_version(self):
        result = run("version")
        assert result.returncode == 0 and result.stdout.startswith("headrace ")

    def test_the_reference_page_names_every_flag_of_the_help(self):
        flags = [word.split("=")[0] for word in run("serve", "--help").stdout.split() if word.startswith("--")]
        reference = run("serve", "--print-reference").stdout
        special = {"--config", "--print-config", "--print-reference", "--help", "--http-max-input-size"}
        for flag in flags:
            name = flag.strip("-.,;`)")
            if "--" + name not in special:
                assert f"`{name}`" in reference or f"--{name}" in reference, name


class TestSources:
    def test_defaults(self):
        text = configured()
        assert "8000" in line_of(text, "http-port") and "default" in line_of(text, "http-port")
        assert "127.0.0.1" in line_of(text, "http-address")

    def test_flags_win_over_environment_over_file(self, tmp_path):
        file = tmp_path / "headrace.yaml"
        file.write_text("http-port: 1001\nmetrics_port: 1002\nexit-timeout-secs: 7\n", encoding="utf-8")
        text = configured(
            f"--config={file}", "--http-port=2001", HEADRACE_HTTP_PORT="3001", HEADRACE_METRICS_PORT="3002"
        )
        assert "2001" in line_of(text, "http-port") and "flag" in line_of(text, "http-port").lower()
        assert "3002" in line_of(text, "metrics-port") and "HEADRACE_METRICS_PORT" in line_of(text, "metrics-port")
        assert "7" in line_of(text, "exit-timeout-secs") and str(file) in line_of(text, "exit-timeout-secs")

    def test_lists_in_the_file(self, tmp_path):
        file = tmp_path / "headrace.yaml"
        file.write_text("model-repository:\n  - /a\n  - /b\n", encoding="utf-8")
        assert "/a /b" in line_of(configured(f"--config={file}"), "model-repository")

    def test_both_names_of_the_repository(self):
        text = configured("--model-repository=/a", "--model-store=/b")
        assert "/a /b" in line_of(text, "model-repository")

    def test_a_server_from_a_file_alone(self, repository, tmp_path):
        file = tmp_path / "headrace.yaml"
        file.write_text(
            f"model-repository: {repository}\nid: from-file\nhttp-port: 0\nmetrics-port: 0\n", encoding="utf-8"
        )
        with server_module.Server(repository, f"--config={file}") as server:
            assert raw_http.call(server, "GET", "/v2").json()["name"] == "from-file"


class TestMistakes:
    @pytest.mark.parametrize(
        "arguments, texts",
        [
            (["--no-such-option"], ["--no-such-option"]),
            (["--http-port=70000"], ["--http-port", "70000"]),
            (["--http-port=-1"], ["--http-port"]),
            (["--http-port=80x"], ["--http-port", "80x"]),
            (["--http-port="], ["--http-port"]),
            (["--http-port"], ["--http-port"]),
            (["--exit-on-error=maybe"], ["--exit-on-error", "maybe"]),
            (["--model-control-mode=sometimes"], ["--model-control-mode", "sometimes"]),
            (["--backend-config=identity"], ["--backend-config"]),
            (["--log-format=xml"], ["--log-format", "xml"]),
            (["stray"], ["stray"]),
            (["--config=/nonexistent/file.yaml"], ["/nonexistent/file.yaml"]),
            ([], ["--model-repository"]),
        ],
    )
    def test_are_named_in_one_line(self, arguments, texts):
        assert_fails(run("serve", *arguments), *texts)

    @pytest.mark.parametrize(
        "text, named",
        [
            ("no-such-key: 1\n", "no-such-key"),
            ("- list\n", "map"),
            ("http-port: [1, 2]\n", "http-port"),
            ("http-port: {a: 1}\n", "http-port"),
            ("http-port: x\n", "http-port"),
            ("a: b: c\n", "headrace.yaml"),
        ],
    )
    def test_of_the_file_are_named_in_one_line(self, tmp_path, text, named):
        file = tmp_path / "headrace.yaml"
        file.write_text(text, encoding="utf-8")
        assert_fails(run("serve", f"--config={file}"), named)

    def test_of_the_environment_are_named_in_one_line(self):
        assert_fails(run("serve", HEADRACE_HTTP_PORT="x"), "HEADRACE_HTTP_PORT")

    def test_options_without_effect_are_warned_about(self, repository):
        with server_module.Server(repository, "--buffer-manager-thread-count=2") as server:
            assert any("buffer-manager-thread-count" in line and "no effect" in line for line in server.lines)


class TestName:
    def test_tritonserver_is_a_second_name(self, repository, tmp_path):
        link = tmp_path / "bin" / "tritonserver"
        link.parent.mkdir()
        link.symlink_to(pathlib.Path(server_module.program()).resolve())
        result = run("--help", program=str(link))
        assert result.returncode == 0 and "--model-repository" in result.stdout
        process = subprocess.Popen(
            [str(link), f"--model-repository={repository}", "--http-port=0", "--metrics-port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            for line in process.stdout:
                if "Started HTTPService at" in line:
                    break
            else:
                pytest.fail("the server did not start")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()


class TestListening:
    @pytest.mark.parametrize("address", ["0.0.0.0", "::", "127.0.0.1,0.0.0.0", "192.0.2.1"])
    @pytest.mark.parametrize("option", ["http-address", "metrics-address"])
    def test_addresses_that_others_reach_are_refused(self, repository, option, address):
        result = run(
            "serve", f"--model-repository={repository}", "--http-port=0", "--metrics-port=0", f"--{option}={address}"
        )
        assert result.returncode == 1
        assert f"--{option}" in result.stderr and "--insecure-allow-remote" in result.stderr
        assert len(result.stderr.splitlines()) == 1

    def test_they_are_allowed_when_confirmed(self, repository):
        with server_module.Server(repository, "--http-address=0.0.0.0", "--insecure-allow-remote=true") as server:
            assert raw_http.call(server, "GET", "/v2/health/live").status == 200

    def test_the_default_is_loopback_alone(self):
        text = configured()
        assert "0.0.0.0" not in line_of(text, "http-address")

    @pytest.mark.parametrize("address", ["localhost.example", "127.0.0.256", "127.0.0.1,", "http://127.0.0.1"])
    def test_addresses_that_are_none_are_refused(self, repository, address):
        result = run("serve", f"--model-repository={repository}", f"--http-address={address}", "--http-port=0")
        assert result.returncode == 1 and "--http-address" in result.stderr

    @pytest.mark.parametrize("option", ["http-port", "metrics-port"])
    def test_a_busy_port_is_said_in_one_line(self, repository, option):
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            port = busy.getsockname()[1]
            others = {"http-port": 0, "metrics-port": 0, option: port}
            result = run(
                "serve",
                f"--model-repository={repository}",
                "--http-address=127.0.0.1",
                *(f"--{name}={value}" for name, value in others.items()),
            )
            assert result.returncode == 1
            lines = result.stderr.splitlines()
            assert len(lines) == 1 and str(port) in lines[0], result.stderr


class TestModels:
    def test_a_model_that_fails_ends_the_program(self, repository):
        models.add(repository, "broken", 'backend: "missing"\nmax_batch_size: 0\n')
        result = run("serve", f"--model-repository={repository}", "--http-port=0", "--metrics-port=0")
        assert result.returncode == 1
        assert "broken" in result.stdout + result.stderr

    def test_a_model_that_fails_leaves_the_others_when_asked(self, repository):
        models.add(repository, "broken", 'backend: "missing"\nmax_batch_size: 0\n')
        with server_module.Server(repository, "--exit-on-error=false") as server:
            assert raw_http.call(server, "GET", "/v2/models/fixed/ready").status == 200
            assert raw_http.call(server, "GET", "/v2/models/broken/ready").status == 400
            assert raw_http.call(server, "GET", "/v2/health/ready").status == 400

    def test_strict_readiness_can_be_off(self, repository):
        models.add(repository, "broken", 'backend: "missing"\nmax_batch_size: 0\n')
        with server_module.Server(repository, "--exit-on-error=false", "--strict-readiness=false") as server:
            assert raw_http.call(server, "GET", "/v2/health/ready").status == 200

    def test_a_repository_that_is_not_there(self, tmp_path):
        result = run("serve", f"--model-repository={tmp_path}/nothing", "--http-port=0", "--metrics-port=0")
        assert result.returncode == 1 and f"{tmp_path}/nothing" in result.stdout + result.stderr

    def test_metrics_can_be_off(self, repository):
        with server_module.Server(repository, "--allow-metrics=false", wait=False) as server:
            server.port = int(server.wait_line(r"Started HTTPService at \S+:(\d+)").group(1))
            assert raw_http.call(server, "GET", "/v2/health/live").status == 200
            assert not any("Metrics Service" in line for line in server.lines)
