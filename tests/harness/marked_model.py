"""A model of a few nodes whose answers say which edition of it gave them."""

import json
import os
import struct

import onnx
from onnx import TensorProto, helper

from harness import raw_http

COLUMNS = 4
_CONFIG = """
backend: "onnxruntime"
max_batch_size: 16
input { name: "X" data_type: TYPE_FP32 dims: [ 4 ] }
output { name: "SUM" data_type: TYPE_FP32 dims: [ 4 ] }
output { name: "MARK" data_type: TYPE_FP32 dims: [ 4 ] }
dynamic_batching { }
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
parameters { key: "inter_op_thread_count" value { string_value: "1" } }
"""


def config(instances=1, policy="latest { num_versions: 1 }"):
    return _CONFIG + f"instance_group {{ count: {instances} kind: KIND_CPU }}\nversion_policy {{ {policy} }}\n"


def encode(mark, filler=0):
    """The file of edition `mark`: SUM = X + mark, MARK = 0 * X + mark. `filler` MiB of weights that nothing needs."""
    constants = [
        helper.make_tensor("mark", TensorProto.FLOAT, [1], [float(mark)]),
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
    ]
    nodes = [
        helper.make_node("Add", ["X", "mark"], ["SUM"]),
        helper.make_node("Mul", ["X", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "mark"], ["MARK"]),
    ]
    if filler:
        # Zeros that are looked up by the input, so that no optimisation drops them.
        rows = filler << 16
        constants.append(
            helper.make_tensor("filler", TensorProto.FLOAT, [rows, COLUMNS], bytes(rows * COLUMNS * 4), raw=True)
        )
        nodes[2] = helper.make_node("Add", ["nothing", "mark"], ["almost"])
        nodes.append(helper.make_node("ReduceMax", ["nothing"], ["row"], axes=[1], keepdims=0))
        nodes.append(helper.make_node("Cast", ["row"], ["index"], to=TensorProto.INT64))
        nodes.append(helper.make_node("Gather", ["filler", "index"], ["gathered"]))
        nodes.append(helper.make_node("Add", ["almost", "gathered"], ["MARK"]))

    def tensors(*names):
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", COLUMNS]) for name in names]

    graph = helper.make_graph(nodes, "marked", tensors("X"), tensors("SUM", "MARK"), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write(path, content):
    """Puts the content in the file's place in one step, as a careful deployment does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.rename(temporary, path)


def add(repository, name, versions, text=None):
    """`versions`: number -> mark."""
    for version, mark in versions.items():
        write(repository / name / str(version) / "model.onnx", encode(mark))
    write(repository / name / "config.pbtxt", text or config())


def request(name, number, rows=2, version=""):
    """The bytes of a binary request, and the payload for `check`."""
    values = [float((number + i) % 4093) for i in range(rows * COLUMNS)]
    payload = struct.pack(f"<{len(values)}f", *values)
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "X",
                    "shape": [rows, COLUMNS],
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": len(payload)},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    path = f"/v2/models/{name}" + (f"/versions/{version}" if version else "") + "/infer"
    headers = [("Inference-Header-Content-Length", len(head))]
    return raw_http.request("POST", path, head + payload, headers), values


def check(values, headers, body):
    """The mark of a right answer, all of whose numbers are of one edition."""
    head_size = int(headers[b"inference-header-content-length"])
    head = json.loads(body[:head_size])
    outputs, offset = {}, head_size
    for output in head["outputs"]:
        size = output["parameters"]["binary_data_size"]
        outputs[output["name"]] = struct.unpack(f"<{size // 4}f", body[offset : offset + size])
        offset += size
    assert len(outputs["SUM"]) == len(outputs["MARK"]) == len(values), head
    marks = set(outputs["MARK"]) | {got - value for got, value in zip(outputs["SUM"], values)}
    assert len(marks) == 1, f"an answer of several editions: {marks}"
    return int(marks.pop())


def ask(server, name, rows=1, version=""):
    """The mark of one answer."""
    data, values = request(name, 7, rows, version)
    with raw_http.Connection(server) as connection:
        connection.send(data)
        answer = connection.read()
    assert answer.status == 200, answer
    headers = {name.encode(): value.encode() for name, value in answer.headers.items()}
    return check(values, headers, answer.body)
