"""What `headrace bench` sends: each form of input against models that answer what they were sent."""

import base64
import json
import struct
import subprocess

import pytest

from harness import server as server_module

LIMIT_S = 120
COUNT = 20


def bench(server, *arguments, grpc=False):
    """Runs COUNT requests, two at a time."""
    url = server.grpc_url if grpc else server.url
    command = [server_module.program(), "bench", "-u", url, "--concurrency", "2", "-n", str(COUNT), "--warmup", "0"]
    command += ["-i", "grpc"] if grpc else []
    command += ["--metrics-url", f"http://127.0.0.1:{server.metrics_port}/metrics", "--json", "-", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def outcomes(ran):
    """How requests ended: the count of each kind."""
    assert ran.stdout, ran.stderr
    (level,) = json.loads(ran.stdout)["levels"]
    return level["outcomes"]


def all_are(kind, ran):
    """Whether every request was measured and ended in one way."""
    return outcomes(ran) == {kind: COUNT}


def write_json(path, data, expected=None):
    document = {"data": data}
    if expected is not None:
        document["validation_data"] = expected
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


@pytest.fixture(params=[False, True], ids=["http", "grpc"])
def grpc(request):
    return request.param


class TestAnswers:
    DATA = [{"INPUT0": [1, 2, 3, 4]}, {"INPUT0": {"b64": base64.b64encode(floats(5, 6, 7, 8)).decode()}}]
    RIGHT = [{"OUTPUT0": [1, 2, 3, 4]}, {"OUTPUT0": {"content": [5, 6, 7, 8], "shape": [4]}}]
    WRONG = [{"OUTPUT0": [1, 2, 3, 4]}, {"OUTPUT0": [5, 6, 7, 9]}]

    def test_right_ones_are_ok(self, server, tmp_path, grpc):
        ran = bench(
            server, "-m", "fixed", "--input-data", write_json(tmp_path / "d.json", self.DATA, self.RIGHT), grpc=grpc
        )
        assert ran.returncode == 0, ran.stderr
        assert all_are("ok", ran)

    def test_a_wrong_one_is_counted_as_such_with_its_reason(self, server, tmp_path, grpc):
        path = write_json(tmp_path / "d.json", self.DATA, self.WRONG)
        ran = bench(server, "-m", "fixed", "--input-data", path, grpc=grpc)
        found = outcomes(ran)
        assert set(found) == {"ok", "wrong answer"} and sum(found.values()) == COUNT, found
        assert "output 'OUTPUT0'[3]: 8, expected 9" in ran.stdout
        ran = bench(server, "-m", "fixed", "--input-data", path, "--no-compare", grpc=grpc)
        assert all_are("ok", ran)

    def test_tolerances_and_files_of_answers(self, server, tmp_path):
        golden = tmp_path / "golden.json"
        golden.write_text(json.dumps({"validation_data": [{"OUTPUT0": [0.1, 0, 0, 0]}]}), encoding="utf-8")
        common = ("-m", "fixed", "--input-data", "zero", "--golden", golden)
        assert all_are("wrong answer", bench(server, *common))
        assert all_are("ok", bench(server, *common, "--atol", "0.2"))

    def test_batches_are_compared_row_by_row(self, server, tmp_path, grpc):
        rows = [[1, 2], [3, 4], [5, 6]]
        path = write_json(
            tmp_path / "d.json",
            [{"INPUT0": {"content": row, "shape": [2]}} for row in rows],
            [{"OUTPUT0": {"content": row, "shape": [2]}} for row in rows],
        )
        ran = bench(server, "-m", "batched", "-b", "4", "--input-data", path, grpc=grpc)
        assert ran.returncode == 0, ran.stderr
        assert all_are("ok", ran)

    def test_strings(self, server, tmp_path, grpc):
        path = write_json(tmp_path / "d.json", [{"INPUT0": ["a", "äöü"]}], [{"OUTPUT0": ["a", "äöü"]}])
        assert all_are("ok", bench(server, "-m", "identity_bytes", "--input-data", path, grpc=grpc))
        path = write_json(tmp_path / "w.json", [{"INPUT0": ["a"]}], [{"OUTPUT0": ["b"]}])
        assert all_are("wrong answer", bench(server, "-m", "identity_bytes", "--input-data", path, grpc=grpc))

    def test_recorded_ones_are_compared_in_batches_of_any_size(self, server, tmp_path, grpc):
        golden = tmp_path / "golden.json"
        data = ("-m", "batched", "--shape", "INPUT0:3", "--content-count", 3)
        recorded = bench(server, *data, "--golden-record", golden, grpc=grpc)
        assert recorded.returncode == 0 and "3 answers" in recorded.stderr, recorded.stderr
        assert len(json.loads(golden.read_text(encoding="utf-8"))["validation_data"]) == 3
        assert all_are("ok", bench(server, *data, "-b", 2, "--golden", golden, grpc=grpc))
        assert all_are("wrong answer", bench(server, *data, "--seed", 2, "--golden", golden, grpc=grpc))

    def test_what_is_not_answered_well_is_not_recorded(self, server, tmp_path):
        golden = tmp_path / "golden.json"
        raw = ("-i", "raw", "--string-data", "{}", "--golden-record", golden)
        failed = bench(server, *raw, "--path", "/v2/nothing")
        assert failed.returncode == 2 and "HTTP 404" in failed.stderr and not golden.exists(), failed.stderr
        assert bench(server, *raw, "--path", "/v2/repository/index").returncode == 0
        assert "identity_fp32" in golden.read_text(encoding="utf-8")

    def test_json_tensors_on_the_wire(self, server, tmp_path):
        path = write_json(tmp_path / "d.json", self.DATA, self.RIGHT)
        formats = ("--input-tensor-format", "json", "--output-tensor-format", "json")
        assert all_are("ok", bench(server, "-m", "fixed", "--input-data", path, *formats))


class TestForms:
    def test_a_directory(self, server, tmp_path, grpc):
        (tmp_path / "INPUT0").write_bytes(floats(1, 2, 3, 4))
        (tmp_path / "OUTPUT0").write_bytes(floats(1, 2, 3, 4))
        assert all_are("ok", bench(server, "-m", "fixed", "--input-data", tmp_path, grpc=grpc))
        (tmp_path / "OUTPUT0").write_bytes(floats(0, 2, 3, 4))
        assert all_are("wrong answer", bench(server, "-m", "fixed", "--input-data", tmp_path, grpc=grpc))

    def test_a_file_and_single_inputs(self, server, tmp_path, grpc):
        path = tmp_path / "x.bin"
        path.write_bytes(floats(1, 2, 3, 4))
        assert all_are("ok", bench(server, "-m", "fixed", "--input-data", path, grpc=grpc))
        single = ("--input-data", "INPUT0=random", "--input-data", "INPUT1=zero")
        shapes = ("--shape", "INPUT0:8", "--shape", "INPUT1:2")
        assert all_are("ok", bench(server, "-m", "pair", *single, *shapes, grpc=grpc))

    def test_every_datatype_at_random(self, server, grpc):
        for dtype in ("bool", "int8", "uint16", "int64", "fp16", "bf16", "fp64", "bytes"):
            ran = bench(server, "-m", f"identity_{dtype}", "--shape", "INPUT0:5", grpc=grpc)
            assert all_are("ok", ran), dtype

    def test_a_mix(self, server, tmp_path, grpc):
        mix = tmp_path / "mix.yaml"
        mix.write_text(
            "- {model: pair, weight: 2, inputs: {INPUT0: in/x, INPUT1: zero}, shapes: {INPUT0: [4], INPUT1: [1]}}\n"
            "- {model: identity_fp32, shapes: [{INPUT0: [2], weight: 3}, {INPUT0: [9]}], sla_ms: 1000}\n",
            encoding="utf-8",
        )
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "x").write_bytes(floats(1, 2, 3, 4))
        ran = bench(server, "--mix", mix, grpc=grpc)
        assert ran.returncode == 0, ran.stderr
        assert all_are("ok", ran)
        names = [item["name"] for item in json.loads(ran.stdout)["workload"]]
        assert names == ["pair", "identity_fp32 2", "identity_fp32 9"]

    def test_recorded_traffic_is_sent_once_to_the_models_that_it_names(self, server, tmp_path):
        mix = tmp_path / "mix.yaml"
        mix.write_text(
            "- {model: fixed}\n- {model: identity_fp32, name: small, shapes: {INPUT0: [2]}}\n", encoding="utf-8"
        )
        recording = tmp_path / "traffic.csv"
        recording.write_text(
            "seconds,model,item\n10.0,fixed\n10.05,identity_fp32,small\n10.1,fixed\n", encoding="utf-8"
        )
        command = [server_module.program(), "bench", "-u", server.url, "--json", "-", "--mix", mix]
        ran = subprocess.run(
            [*map(str, command), "--replay", str(recording)],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert outcomes(ran) == {"ok": 3}

    def test_bodies_have_expected_answers_too(self, server, tmp_path):
        body = tmp_path / "index.json"
        body.write_text("{}", encoding="utf-8")
        golden = tmp_path / "golden.json"
        raw = ("-i", "raw", "--path", "/v2/repository/index", "--input-data", body, "--golden", golden)
        golden.write_text("[]", encoding="utf-8")
        ran = bench(server, *raw)
        assert all_are("wrong answer", ran)
        assert "more elements than the 0 expected" in ran.stdout


class TestMistakes:
    @pytest.mark.parametrize(
        "document, words",
        [
            ('{"data": [\n{"INPUT0": [1,2,3,}]}', ["d.json:2:19", "not JSON"]),
            ('{"data": [{"INPUT0": [1,2,3]}]}', ["data[0].INPUT0", "3 elements", "[4]"]),
            ('{"data": [{"INPUT0": ["x",2,3,4]}]}', ["data[0].INPUT0[0]", "a string is no FP32"]),
            ('{"data": [{"OTHER": [1]}]}', ["data[0].OTHER", "'INPUT0' FP32 [4]"]),
            ('{"data": [{}]}', ["data[0]", "input 'INPUT0' is missing"]),
        ],
    )
    def test_of_json_name_the_place(self, server, tmp_path, document, words):
        path = tmp_path / "d.json"
        path.write_text(document, encoding="utf-8")
        ran = bench(server, "-m", "fixed", "--input-data", path)
        assert ran.returncode == 1, ran.stdout
        assert all(word in ran.stderr for word in words), ran.stderr

    def test_of_files_and_sizes_name_the_remedy(self, server, tmp_path):
        ran = bench(server, "-m", "fixed", "--input-data", tmp_path)
        assert ran.returncode == 1 and "empty directory" in ran.stderr
        ran = bench(server, "-m", "batched", "--shape", "INPUT0:2", "-b", "9")
        assert ran.returncode == 1 and "use -b 8 or less" in ran.stderr
        ran = bench(server, "-m", "matrix")
        assert ran.returncode == 1 and "--shape INPUT0:N,N" in ran.stderr
