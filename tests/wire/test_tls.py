"""TLS with real clients: curl, tritonclient, and certificates that change under a running server."""

import pathlib
import signal
import ssl
import subprocess

import pytest
import tritonclient.grpc as grpcclient

from harness import server as server_module
from harness import wait


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_certificate(folder, name):
    """A certificate for this machine that vouches for itself; its files begin with `name`."""
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-subj", f"/CN={name}",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")  # fmt: skip
    return pathlib.Path(folder)


@pytest.fixture(name="tls", scope="module")
def _tls(wire_repository, tmp_path_factory):
    folder = make_certificate(tmp_path_factory.mktemp("tls"), "server")
    files = ("server-cert", "server.pem"), ("server-key", "server.key")
    options = [f"--{service}-{option}={folder}/{file}" for service in ("http", "grpc") for option, file in files]
    options += ["--http-use-ssl=true", "--grpc-use-ssl=true", "--tls-reload-ms=100"]
    with server_module.running(wire_repository, *options) as running:
        yield running, folder


def _curl(folder, *arguments):
    command = ["curl", "--silent", "--show-error", "--cacert", f"{folder}/server.pem", "--max-time", "30", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2", "2")])
def test_curl_speaks_both_versions(tls, option, version):
    server, folder = tls
    url = f"https://{server.url}/v2/health/ready"
    done = _curl(folder, option, "--write-out", "%{http_code} %{http_version}", url)
    assert (done.stdout, done.returncode) == (f"200 {version}", 0), done.stderr


def test_a_large_body_goes_both_ways(tls, tmp_path):
    server, folder = tls
    count = 1_000_000
    head = (
        b'{"inputs":[{"name":"INPUT0","shape":[%d],"datatype":"UINT8","parameters":{"binary_data_size":%d}}],'
        b'"parameters":{"binary_data_output":true}}' % (count, count)
    )
    data = bytes(range(250)) * (count // 250)
    (tmp_path / "body").write_bytes(head + data)
    for option in ("--http1.1", "--http2"):
        done = _curl(folder, option, "--data-binary", f"@{tmp_path}/body", "--output", f"{tmp_path}/answer",
                     "--header", f"Inference-Header-Content-Length: {len(head)}",
                     f"https://{server.url}/v2/models/identity_uint8/infer")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "answer").read_bytes().endswith(data)


def test_tritonclient_speaks_grpc_through_tls(tls):
    server, folder = tls
    for port in (server.grpc_port, server.port):
        with grpcclient.InferenceServerClient(
            f"localhost:{port}", ssl=True, root_certificates=f"{folder}/server.pem"
        ) as client:
            assert client.is_server_ready()


def _name_of_certificate(server):
    pem = ssl.get_server_certificate((server.host, server.port))
    done = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, capture_output=True, text=True,
                          check=True, timeout=60)  # fmt: skip
    return done.stdout.strip().replace(" ", "").removeprefix("subject=CN=")


def test_a_new_certificate_is_taken_up_without_a_drop(tls):
    server, folder = tls
    assert _name_of_certificate(server) == "server"
    old = {name: (folder / name).read_bytes() for name in ("server.pem", "server.key")}
    with grpcclient.InferenceServerClient(
        f"localhost:{server.grpc_port}", ssl=True, root_certificates=f"{folder}/server.pem"
    ) as client:
        assert client.is_server_live()
        make_certificate(folder, "next")
        for kind in ("key", "pem"):
            (folder / f"next.{kind}").replace(folder / f"server.{kind}")
        wait.until(lambda: _name_of_certificate(server) == "next", "the new certificate")
        assert client.is_server_live()  # on the old connection
    # A damaged one changes nothing, and is named.
    (folder / "server.pem").write_text("nothing")
    server.wait_line(r"the old certificate stays in force: .*server\.pem")
    assert _name_of_certificate(server) == "next"
    for name, content in old.items():
        (folder / name).write_bytes(content)
    server.signal(signal.SIGHUP)
    wait.until(lambda: _name_of_certificate(server) == "server", "the first certificate again")


@pytest.mark.parametrize(
    "options, text",
    [
        (["--http-use-ssl=true"], "TLS needs a server certificate"),
        (["--grpc-use-ssl=true", "--grpc-server-cert=/nothing.pem"], "cannot read the server certificate '/nothing.pem'"),
        (["--metrics-use-ssl=true"], "--metrics-use-ssl needs --http-use-ssl"),
    ],
)
def test_bad_certificate_options_end_the_start(wire_repository, options, text):
    with server_module.Server(wire_repository, *options, wait=False) as server:
        assert server.wait() == 1
        server.wait_line(text, 5)
