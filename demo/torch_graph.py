"""The layers of onnx_graph.Graph as a PyTorch module: the same networks from the same descriptions.

torch_graph.py MODEL FILE [BATCH_SIZE_MAX] writes a model of the demo repository as FILE: TorchScript for
a name in .pt, a package compiled by AOTInductor for a name in .pt2. Needs the whole of PyTorch, which
only the tests' set-up installs (tools/setup.sh --tests).
"""

import pathlib
import sys

import numpy as np
import torch


class _Network(torch.nn.Module):
    """Runs its steps in order; each names the activations that it takes and the one that it makes."""

    def __init__(self, steps, constants):
        super().__init__()
        self._steps = steps
        for name, array in constants.items():
            tensor = torch.tensor(np.asarray(array, dtype=np.float32))
            self.register_parameter(name, torch.nn.Parameter(tensor, requires_grad=False))

    def forward(self, images):
        activations = {"images": images}
        for output, function, inputs, constants in self._steps:
            tensors = [activations[name] for name in inputs]
            activations[output] = function(*tensors, *(getattr(self, name) for name in constants))
        return activations[output]


def _conv(pads, stride, groups):
    before, after = pads

    def run(x, weight, bias):
        padding = before
        if before != after:
            x = torch.nn.functional.pad(x, (before, after, before, after))
            padding = 0
        return torch.nn.functional.conv2d(x, weight, bias, stride, padding, groups=groups)

    return run


class Graph:
    """A network under construction, with the methods of onnx_graph.Graph."""

    def __init__(self, name, input_name, input_shape):
        del name, input_shape
        if input_name != "images":
            raise ValueError("the forward method calls its argument images")
        self._steps = []
        self._constants = {}

    def _constant(self, values):
        name = f"weight_{len(self._constants)}"
        self._constants[name] = values
        return name

    def _step(self, function, inputs, constants=()):
        output = f"activation_{len(self._steps)}"
        self._steps.append((output, function, inputs, [self._constant(c) for c in constants]))
        return output

    def conv(self, x, weight, bias, stride=1, pads=(0, 0), groups=1):
        return self._step(_conv(pads, stride, groups), [x], [weight, bias])

    def relu(self, x):
        return self._step(torch.relu, [x])

    def relu6(self, x):
        return self._step(torch.nn.functional.relu6, [x])

    def add(self, x, y):
        return self._step(torch.add, [x, y])

    def max_pool(self, x, kernel, stride, pad):
        return self._step(lambda t: torch.nn.functional.max_pool2d(t, kernel, stride, pad), [x])

    def average_over_image(self, x):
        return self._step(lambda t: t.mean((2, 3)), [x])

    def dense(self, x, weight, bias):
        return self._step(torch.nn.functional.linear, [x], [weight, bias])

    def softmax(self, x):
        return self._step(lambda t: torch.softmax(t, 1), [x])

    def finish(self, x, output_name, output_shape):
        """Returns the module, whose answer is the activation `x`."""
        del output_name, output_shape
        if self._steps[-1][0] != x:
            raise ValueError("the output must be the last layer")
        return _Network(self._steps, self._constants).eval()


def save_torchscript(module, path, image_size=224):
    """Traces the module; any batch may be sent to it."""
    with torch.no_grad():
        example = torch.zeros(2, 3, image_size, image_size)
        torch.jit.trace(module, (example,), check_trace=False).save(str(path))


def save_package(module, path, batch_size_max, image_size=224):
    """Compiles the module for batches of up to `batch_size_max`; takes a C++ compiler and a while."""
    batch = torch.export.Dim("batch", min=1, max=batch_size_max)
    example = torch.zeros(2, 3, image_size, image_size)
    with torch.no_grad():
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def main():
    """Writes one model."""
    import efficientnet_lite0
    import resnet

    builders = {
        "efficientnet_lite0": efficientnet_lite0.build,
        "resnet18": resnet.build_resnet18,
        "resnet50": resnet.build_resnet50,
    }
    name, path, *rest = sys.argv[1:]
    module = builders[name](Graph)
    if pathlib.Path(path).suffix == ".pt2":
        save_package(module, path, int(rest[0]) if rest else 8)
    else:
        save_torchscript(module, path)


if __name__ == "__main__":
    main()
