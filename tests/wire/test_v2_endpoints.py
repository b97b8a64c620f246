"""The endpoints of v2 over HTTP, asked without a client library."""

import json
import re
import subprocess
import time

import pytest

from harness import raw_http, wait


def get(server, path):
    return raw_http.call(server, "GET", path)


def get_json(server, path):
    answer = get(server, path)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def infer(server, model, shape, data, dtype="FP32", **more):
    document = {"inputs": [{"name": "INPUT0", "shape": shape, "datatype": dtype, "data": data}], **more}
    return raw_http.infer_json(server, model, document)


class TestHealth:
    @pytest.mark.parametrize(
        "path",
        [
            "/v2/health/live",
            "/v2/health/ready",
            "/v2/models/fixed/ready",
            "/v2/models/fixed/versions/1/ready",
            "/v2/models/versions/versions/3/ready",
        ],
    )
    def test_good(self, server, path):
        answer = get(server, path)
        assert (answer.status, answer.body) == (200, b"")

    @pytest.mark.parametrize("path", ["/v2/models/nothing/ready", "/v2/models/fixed/versions/9/ready"])
    def test_bad(self, server, path):
        assert get(server, path).status == 400


class TestMetadata:
    def test_server(self, server):
        metadata = get_json(server, "/v2")
        assert metadata["name"] == "triton"
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", metadata["version"])
        assert list(metadata) == ["name", "version", "extensions"]
        assert {"classification", "model_repository", "model_configuration", "binary_tensor_data", "statistics"} <= set(
            metadata["extensions"]
        )

    def test_model(self, server):
        assert get_json(server, "/v2/models/pair") == {
            "name": "pair",
            "versions": ["1"],
            "platform": "identity",
            "inputs": [
                {"name": "INPUT0", "datatype": "FP32", "shape": [-1]},
                {"name": "INPUT1", "datatype": "INT32", "shape": [-1]},
            ],
            "outputs": [
                {"name": "OUTPUT0", "datatype": "FP32", "shape": [-1]},
                {"name": "OUTPUT1", "datatype": "INT32", "shape": [-1]},
            ],
        }

    def test_a_batch_dimension_is_in_front(self, server):
        assert get_json(server, "/v2/models/batched")["inputs"][0]["shape"] == [-1, -1]
        assert get_json(server, "/v2/models/labelled")["outputs"][0]["shape"] == [-1, 4]

    def test_versions(self, server):
        assert get_json(server, "/v2/models/versions")["versions"] == ["1", "3"]
        assert get_json(server, "/v2/models/versions/versions/1")["versions"] == ["1"]

    @pytest.mark.parametrize("what", ["", "/config"])
    def test_unknown_names(self, server, what):
        answer = get(server, "/v2/models/nothing" + what)
        assert answer.status == 404
        assert answer.error == "Request for unknown model: 'nothing' is not found"
        answer = get(server, "/v2/models/fixed/versions/7" + what)
        assert answer.status == 404
        assert answer.error == "Request for unknown model: 'fixed' version 7 is not found"


class TestConfiguration:
    def test_is_normalised(self, server):
        config = get_json(server, "/v2/models/batched/config")
        assert config["name"] == "batched"
        assert config["backend"] == "identity"
        assert config["max_batch_size"] == 8
        assert config["version_policy"] == {"latest": {"num_versions": 1}}
        assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 0
        assert config["dynamic_batching"]["preferred_batch_size"] == [8]
        assert config["input"][0]["name"] == "INPUT0"
        assert config["input"][0]["data_type"] == "TYPE_FP32"
        assert config["input"][0]["dims"] == [-1]
        assert config["input"][0]["format"] == "FORMAT_NONE"
        assert config["input"][0]["optional"] is False
        group = config["instance_group"][0]
        assert (group["kind"], group["count"]) == ("KIND_CPU", 1)
        assert group["name"] == "batched"

    def test_numbers_of_64_bits_are_numbers(self, server):
        text = get(server, "/v2/models/batched/config").body.decode()
        assert '"dims":["' not in text.replace(" ", "")
        assert get_json(server, "/v2/models/versions/config")["version_policy"] == {"all": {}}

    def test_string_type_and_labels(self, server):
        assert get_json(server, "/v2/models/identity_bytes/config")["input"][0]["data_type"] == "TYPE_STRING"
        assert get_json(server, "/v2/models/labelled/config")["output"][0]["label_filename"] == "labels.txt"

    def test_parameters(self, server):
        config = get_json(server, "/v2/models/slow/config")
        assert config["parameters"] == {"execute_delay_ms": {"string_value": "300"}}


class TestStatistics:
    @staticmethod
    def _of(server, model):
        stats = get_json(server, f"/v2/models/{model}/stats")["model_stats"]
        assert len(stats) == 1 and stats[0]["name"] == model
        return stats[0]

    def test_count_requests_inferences_and_executions(self, server):
        before = self._of(server, "labelled")
        clock_before = int(time.time() * 1000)
        for batch in (1, 2, 2):
            assert infer(server, "labelled", [batch, 4], [0.5] * 4 * batch).status == 200
        assert infer(server, "labelled", [9, 4], [0.5] * 36).status == 400
        # A backend reports an execution after it has sent its answers.
        wait.until(
            lambda: self._of(server, "labelled")["inference_count"] - before["inference_count"] == 5,
            "all are counted",
        )
        after = self._of(server, "labelled")
        assert after["version"] == "1"
        assert after["execution_count"] - before["execution_count"] == 3
        assert clock_before - 1000 <= after["last_inference"] <= int(time.time() * 1000) + 1000
        stats, old = after["inference_stats"], before["inference_stats"]
        for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
            assert stats[name]["count"] - old[name]["count"] == 3, name
            assert stats[name]["ns"] >= old[name]["ns"], name
        assert (
            stats["success"]["ns"] - old["success"]["ns"] >= stats["compute_infer"]["ns"] - old["compute_infer"]["ns"]
        )
        assert stats["cache_hit"] == stats["cache_miss"] == {"count": 0, "ns": 0}
        batches = {entry["batch_size"]: entry["compute_infer"]["count"] for entry in after["batch_stats"]}
        old_batches = {entry["batch_size"]: entry["compute_infer"]["count"] for entry in before["batch_stats"]}
        assert batches[1] - old_batches.get(1, 0) == 1 and batches[2] - old_batches.get(2, 0) == 2

    def test_have_the_members_of_the_protocol(self, server):
        stats = self._of(server, "fixed")
        assert {
            "name",
            "version",
            "last_inference",
            "inference_count",
            "execution_count",
            "inference_stats",
            "batch_stats",
        } <= set(stats)
        assert list(stats["inference_stats"]) == [
            "success",
            "fail",
            "queue",
            "compute_input",
            "compute_infer",
            "compute_output",
            "cache_hit",
            "cache_miss",
        ]

    def test_all_models_and_one_version(self, server):
        everything = get_json(server, "/v2/models/stats")["model_stats"]
        assert [(s["name"], s["version"]) for s in everything if s["name"] == "versions"] == [
            ("versions", "1"),
            ("versions", "3"),
        ]
        one = get_json(server, "/v2/models/versions/versions/3/stats")["model_stats"]
        assert [(s["name"], s["version"]) for s in one] == [("versions", "3")]

    def test_of_an_unknown_model(self, server):
        answer = get(server, "/v2/models/nothing/stats")
        assert answer.status in (400, 404) and "nothing" in answer.error

    def test_execution_time_is_counted(self, server):
        before = self._of(server, "slow")["inference_stats"]["success"]["ns"]
        assert infer(server, "slow", [1], [1]).status == 200
        assert self._of(server, "slow")["inference_stats"]["success"]["ns"] - before >= 300_000_000


class TestIndex:
    def test_names_versions_and_states(self, server):
        index = raw_http.call(server, "POST", "/v2/repository/index").json()
        assert {"name": "fixed", "version": "1", "state": "READY"} in index
        assert [entry["version"] for entry in index if entry["name"] == "versions"] == ["1", "3"]

    @pytest.mark.parametrize("body", [b'{"ready":true}', b'{"ready":false}', b"{}", b""])
    def test_ready_only(self, server, body):
        index = raw_http.call(server, "POST", "/v2/repository/index", body).json()
        assert all(entry["state"] == "READY" for entry in index) and index

    @pytest.mark.parametrize("body", [b'{"ready":1}', b'{"ready":"true"}', b'{"ready":[[]]}', b"[]", b"x", b"{"])
    def test_wrong_bodies(self, server, body):
        answer = raw_http.call(server, "POST", "/v2/repository/index", body)
        assert answer.status == 400 and answer.error

    def test_load_is_refused_when_the_mode_does_not_allow_it(self, server):
        answer = raw_http.call(server, "POST", "/v2/repository/models/fixed/load")
        assert answer.status == 503
        assert answer.error == "explicit model load / unload is not allowed if polling is enabled"


class TestInference:
    def test_members_of_the_answer(self, server):
        answer = infer(server, "fixed", [4], [1, 2.5, -3, 0.25], id="a")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "id": "a",
            "model_name": "fixed",
            "model_version": "1",
            "outputs": [{"name": "OUTPUT0", "datatype": "FP32", "shape": [4], "data": [1, 2.5, -3, 0.25]}],
        }
        assert list(answer.json()) == ["id", "model_name", "model_version", "outputs"]

    def test_data_is_flat_in_the_answer(self, server):
        answer = infer(server, "matrix", [2, 2], [[1, 2], [3, 4]], "FP64").json()
        assert answer["outputs"][0]["shape"] == [2, 2] and answer["outputs"][0]["data"] == [1, 2, 3, 4]

    def test_a_version(self, server):
        document = {"inputs": [{"name": "INPUT0", "shape": [2], "datatype": "INT32", "data": [1, 2]}]}
        for version in ("1", "3"):
            answer = raw_http.call(
                server, "POST", f"/v2/models/versions/versions/{version}/infer", json.dumps(document).encode()
            )
            assert answer.json()["model_version"] == version


class TestWrongPathsAndMethods:
    def test_nothing_there(self, server):
        answer = get(server, "/v2/nothing")
        assert (answer.status, answer.json()) == (404, {"error": "Not Found"})
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        "method, path, allowed",
        [
            ("POST", "/v2", "GET"),
            ("POST", "/v2/health/live", "GET"),
            ("GET", "/v2/models/fixed/infer", "POST"),
            ("DELETE", "/v2/models/fixed", "GET"),
            ("GET", "/v2/repository/index", "POST"),
        ],
    )
    def test_wrong_method(self, server, method, path, allowed):
        answer = raw_http.call(server, method, path)
        assert (answer.status, answer.json()) == (405, {"error": "Method Not Allowed"})
        assert answer.headers["allow"] == allowed


class TestConnections:
    def test_close_is_honoured(self, server):
        with raw_http.Connection(server) as connection:
            connection.send(raw_http.request("GET", "/v2", headers=[("Connection", "close")]))
            answers = connection.read_all()
        assert [answer.status for answer in answers] == [200]
        assert answers[0].headers["connection"] == "close"

    def test_http_1_0_closes_unless_asked(self, server):
        with raw_http.Connection(server) as connection:
            connection.send(raw_http.request("GET", "/v2", version="HTTP/1.0"))
            assert [answer.status for answer in connection.read_all()] == [200]
        with raw_http.Connection(server) as connection:
            request = raw_http.request("GET", "/v2", headers=[("Connection", "keep-alive")], version="HTTP/1.0")
            for _ in range(2):
                connection.send(request)
                assert connection.read().headers["connection"].lower() == "keep-alive"


def curl(*arguments):
    result = subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True, check=True)
    return result.stdout


class TestCurl:
    def test_metadata(self, server):
        assert json.loads(curl(f"http://{server.url}/v2/models/fixed"))["name"] == "fixed"

    def test_inference(self, server):
        body = '{"inputs":[{"name":"INPUT0","shape":[4],"datatype":"FP32","data":[1,2,3,4]}]}'
        answer = json.loads(curl("-d", body, f"http://{server.url}/v2/models/fixed/infer"))
        assert answer["outputs"][0]["data"] == [1, 2, 3, 4]

    def test_a_large_body_with_expect(self, server):
        data = ",".join(["1"] * 200_000)
        body = '{"inputs":[{"name":"INPUT0","shape":[200000],"datatype":"INT32","data":[%s]}]}' % data
        arguments = [
            "-H",
            "Expect: 100-continue",
            "--data-binary",
            "@-",
            f"http://{server.url}/v2/models/identity_int32/infer",
        ]
        result = subprocess.run(
            ["curl", "-sS", "--max-time", "20", *arguments], input=body.encode(), capture_output=True, check=True
        )
        assert json.loads(result.stdout)["outputs"][0]["shape"] == [200_000]

    def test_compressed_answers(self, server):
        assert json.loads(curl("--compressed", f"http://{server.url}/v2"))["name"] == "triton"

    def test_head_is_refused_without_a_body(self, server):
        assert b"405" in curl("-I", f"http://{server.url}/v2").splitlines()[0]
