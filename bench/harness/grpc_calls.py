"""ModelInfer calls of the identity model, and one exchange to prove that a server answers them."""

import os
import struct

from harness.servers import HOST, Missing

METHOD = "/inference.GRPCInferenceService/ModelInfer"


def _modules():
    # Programs are started by a fork, in whose child the library must not try to go on.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    try:
        import grpc  # pylint: disable=import-outside-toplevel
        from tritonclient.grpc import service_pb2  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        raise Missing(f"{error}; tools/setup.sh installs what the tests use") from error
    return grpc, service_pb2


def message(byte_size, model="identity"):
    """A request with an FP32 tensor of so many bytes."""
    _, service = _modules()
    count = byte_size // 4
    request = service.ModelInferRequest(model_name=model)
    request.inputs.add(name="INPUT0", datatype="FP32", shape=[count])
    request.raw_input_contents.append(struct.pack(f"<{count}f", *(float(i % 97) / 4 for i in range(count))))
    return request


def check_identity(server, request):
    """Proves once that the server answers the request with the tensor that it sent."""
    grpc, service = _modules()
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"{HOST}:{server.grpc_port}", options) as channel:
        call = channel.unary_unary(
            METHOD,
            service.ModelInferRequest.SerializeToString,
            service.ModelInferResponse.FromString,
        )
        answer = call(request, timeout=60, wait_for_ready=True)
    if answer.raw_output_contents != request.raw_input_contents:
        server.fail("the answer is not the tensor that was sent")
