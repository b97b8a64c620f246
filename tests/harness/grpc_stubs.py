"""Clients of TorchServe's gRPC services, made from the .proto files when a test asks for them."""

import functools
import importlib
import pathlib
import subprocess
import sys
import tempfile

import grpc
from google.protobuf import message_factory

_SOURCES = pathlib.Path(__file__).resolve().parents[2] / "src"
_NAMES = ("google_rpc_status", "grpc_inference", "grpc_management", "grpc_open_inference")


@functools.lru_cache
def _modules():
    directory = tempfile.TemporaryDirectory(prefix="headrace-protos-")
    files = [str(_SOURCES / "torchserve" / f"{name}.proto") for name in _NAMES]
    subprocess.run(["protoc", f"--proto_path={_SOURCES}", f"--python_out={directory.name}", *files], check=True)
    sys.path.insert(0, directory.name)
    try:
        return {name: importlib.import_module(f"torchserve.{name}_pb2") for name in _NAMES}
    finally:
        sys.path.remove(directory.name)
        directory.cleanup()


def messages(name):
    """The module of `name`.proto, with its messages."""
    return _modules()[name]


class Stub:
    """The methods of a service, as grpcio calls them."""

    def __init__(self, channel, proto, service):
        descriptor = messages(proto).DESCRIPTOR.services_by_name[service]
        for method in descriptor.methods:
            kinds = (method.client_streaming, method.server_streaming)
            make = {
                (False, False): channel.unary_unary,
                (False, True): channel.unary_stream,
                (True, True): channel.stream_stream,
            }[kinds]
            call = make(
                f"/{descriptor.full_name}/{method.name}",
                request_serializer=message_factory.GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name, call)


def inference(channel):
    return Stub(channel, "grpc_inference", "InferenceAPIsService")


def management(channel):
    return Stub(channel, "grpc_management", "ManagementAPIsService")


def open_inference(channel):
    return Stub(channel, "grpc_open_inference", "GRPCInferenceService")


def outcome(call):
    """(code, details) of a call that fails; "OK" and the answer of one that does not."""
    try:
        return "OK", call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
