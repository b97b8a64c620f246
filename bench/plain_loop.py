#!/usr/bin/env python3
"""One runtime in one process, on one batch again and again: what P6 compares a server with.

plain_loop.py RUNTIME MODEL BATCH_SIZE THREADS PRECISION. It prints "ready" once the model has run,
then reads numbers of seconds, runs that long for each, and prints the images per second.

A runtime is a function that loads the model and gives one that runs the batch once. It imports its
runtime itself, so that only the runtime that is measured has to be installed.
"""

import sys
import time

import numpy


def _onnxruntime(model, images, threads, precision):
    import onnxruntime

    if precision != "fp32":
        raise ValueError(f"the file says the precision of onnxruntime, not {precision}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: images})


def _openvino(model, images, threads, precision):
    import openvino

    properties = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    request = openvino.compile_model(model, "CPU", properties).create_infer_request()
    return lambda: request.infer([images], share_inputs=True, share_outputs=True)


def _torch_images(images, threads, precision):
    import torch

    if precision != "fp32":
        raise ValueError(f"PyTorch is measured in fp32, not {precision}")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return torch.from_numpy(images)


def _pytorch(model, images, threads, precision):
    import torch

    tensor = _torch_images(images, threads, precision)
    module = torch.jit.load(model)
    for _ in range(3):  # profiled and optimised
        module(tensor)
    return lambda: module(tensor)


def _pytorch_aoti(model, images, threads, precision):
    import torch

    tensor = _torch_images(images, threads, precision)
    package = torch._inductor.aoti_load_package(model)
    return lambda: package(tensor)


RUNTIMES = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "pytorch": _pytorch,
    "pytorch_aoti": _pytorch_aoti,
}


def main():
    """Runs as the child of run_p6.py."""
    runtime, model, batch_size, threads, precision = sys.argv[1:]
    shape = (int(batch_size), 3, 224, 224)
    images = numpy.random.default_rng(0).standard_normal(shape, dtype=numpy.float32)
    run = RUNTIMES[runtime](model, images, int(threads), precision)
    run()
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.monotonic()
        count = 0
        while time.monotonic() - start < float(line):
            run()
            count += len(images)
        print(count / (time.monotonic() - start), flush=True)


if __name__ == "__main__":
    main()
