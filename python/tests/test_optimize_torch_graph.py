"""What `headrace optimize` changes in graphs of TorchScript."""

from typing import Dict, List  # as TorchScript reads them

import pytest

torch = pytest.importorskip("torch")

from headrace_optimize import torch_graph


class _Network(torch.nn.Module):
    """Both kinds of products, one of them as often as the input says."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3)
        self.again = torch.nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.last = torch.nn.Linear(8, 5)

    def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
        y = torch.relu(self.first(x))
        for _ in range(times):
            y = torch.relu_(self.again(y)) + y
        return self.last(y.mean([2, 3]))


@pytest.fixture(name="network")
def _network():
    torch.manual_seed(3)
    return torch.jit.script(_Network().eval())


def test_products_are_rounded_in_loops_too(network, tmp_path):
    x = torch.rand(2, 3, 9, 9)
    frozen = torch.jit.freeze(network)
    assert torch_graph.round_products(frozen.graph, torch.bfloat16) == 3
    frozen.save(str(tmp_path / "model.pt"))
    for module in (frozen, torch.jit.load(str(tmp_path / "model.pt"))):
        for times in (0, 2, 1):
            expected, found = network(x, times), module(x, times)
            assert found.dtype == torch.float32 and not torch.equal(found, expected)
            torch.testing.assert_close(found, expected, rtol=0.03, atol=0.03)


def test_what_is_rounded_stays_and_what_is_no_constant_too(network):
    frozen = torch.jit.freeze(network)
    torch_graph.round_products(frozen.graph, torch.bfloat16)
    assert torch_graph.round_products(frozen.graph, torch.bfloat16) == 0
    assert torch_graph.round_products(network.graph, torch.bfloat16) == 0  # attributes: it is not frozen


def test_an_input_that_is_used_elsewhere_keeps_its_values():
    class _Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.product = torch.nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> "tuple[torch.Tensor, torch.Tensor]":
            return self.product(x), x + 1

    _Twice.__annotations__ = {}
    frozen = torch.jit.freeze(torch.jit.trace(_Twice().eval(), torch.zeros(1, 4)))
    assert torch_graph.round_products(frozen.graph, torch.bfloat16) == 1
    x = torch.rand(3, 4) / 3
    assert torch.equal(frozen(x)[1], x + 1)


def test_entries_that_nobody_needs_are_not_computed():
    class _Answers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.boxes = torch.nn.Linear(4, 4)
            self.masks = torch.nn.Linear(4, 9)

        def forward(self, images: List[torch.Tensor]) -> List[Dict[str, torch.Tensor]]:
            found: List[Dict[str, torch.Tensor]] = []
            for image in images:
                found.append({"boxes": self.boxes(image), "keys": image})
            for image, one in zip(images, found):
                one["masks"] = torch.relu_(self.masks(image))
            for one in found:
                if "masks" in one:
                    one["masks"] = one["masks"] + 1
            return found

    scripted = torch.jit.script(_Answers().eval())
    images = [torch.rand(2, 4), torch.rand(3, 4)]
    expected = scripted(images)
    frozen = torch.jit.freeze(scripted)
    torch_graph.drop_entries(frozen.graph, ["masks", "keys"])
    assert str(frozen.graph).count("aten::linear") == 1
    for one, other in zip(frozen(images), expected):
        assert list(one) == ["boxes"] and torch.equal(one["boxes"], other["boxes"])
