"""HTTP/2 without TLS, with real clients: curl, h2load, and gRPC's own on both ports."""

import subprocess

import numpy
import pytest
import tritonclient.grpc as grpcclient

from harness import prometheus


def _run(*command):
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_curl_speaks_http2_by_prior_knowledge(server):
    url = f"http://{server.url}/v2/models/identity_fp32"
    one = _run("curl", "--silent", "--http2-prior-knowledge", "--write-out", "%{http_code} %{http_version}", url)
    other = _run("curl", "--silent", "--http1.1", "--write-out", "%{http_code} %{http_version}", url)
    assert one.stdout.endswith("200 2") and other.stdout.endswith("200 1.1")
    assert one.stdout.removesuffix("200 2") == other.stdout.removesuffix("200 1.1")


def test_h2load_loses_nothing(server):
    before = prometheus.scrape(server).total("headrace_http_requests_total", listener="http")
    done = _run("h2load", "-n", "5000", "-c", "10", "-m", "50", f"http://{server.url}/v2/health/live")
    assert "5000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout
    assert prometheus.scrape(server).total("headrace_http_requests_total", listener="http") == before + 5000


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("shared", [False, True], ids=["grpc port", "http port"])
def test_tritonclient_gets_its_tensors_back(server, shared, compression):
    port = server.port if shared else server.grpc_port
    with grpcclient.InferenceServerClient(f"localhost:{port}") as client:
        for count in (1, 1000, 150_528, 2_000_000):
            values = numpy.arange(count, dtype=numpy.float32)
            tensor = grpcclient.InferInput("INPUT0", [count], "FP32")
            tensor.set_data_from_numpy(values)
            result = client.infer("identity_fp32", [tensor], compression_algorithm=compression)
            assert numpy.array_equal(result.as_numpy("OUTPUT0"), values)
