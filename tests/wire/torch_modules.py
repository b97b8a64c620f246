"""Small PyTorch modules whose answers are easily told."""

from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn


class Affine(nn.Module):
    """Of two arguments that are not alike, in an answer of two tensors."""

    def forward(self, x: Tensor, scale: Tensor) -> Tuple[Tensor, Tensor]:
        return x * scale, x - scale


class Product(nn.Module):
    """y = x @ W, which takes a while for many rows, and has weights worth sharing."""

    def __init__(self, columns=16, rows=64):
        super().__init__()
        weights = torch.linspace(-1, 1, rows * columns).reshape(rows, columns)
        self.weights = nn.Parameter(weights, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weights


class DictionaryIn(nn.Module):
    def forward(self, tensors: Dict[str, Tensor]) -> Tensor:
        return tensors["minuend"] - tensors["subtrahend"]


class ListIn(nn.Module):
    def forward(self, tensors: List[Tensor]) -> Tensor:
        return tensors[0] - tensors[1]


class DictionaryOut(nn.Module):
    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        return {"doubled": x * 2, "negative": -x}


class ListOut(nn.Module):
    def forward(self, x: Tensor) -> List[Tensor]:
        return [x, x + 1, x + 2]


class Optionals(nn.Module):
    def forward(self, x: Tensor, bias: Optional[Tensor] = None, factor: float = 2.0) -> Tensor:
        return x * factor if bias is None else x * factor + bias


class Texts(nn.Module):
    """Turns every text around."""

    def forward(self, texts: List[str]) -> List[str]:
        turned: List[str] = []
        for text in texts:
            turned.append(text[::-1])
        return turned


class OneText(nn.Module):
    def forward(self, text: str, count: Tensor) -> Tuple[str, Tensor]:
        return text + "!", count + len(text)


class Copy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


class Transpose(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.t()


class Aligned(nn.Module):
    """The second input comes at any address behind the first."""

    def forward(self, flags: Tensor, values: Tensor) -> Tensor:
        return values + flags.to(torch.float64).sum()


class Writes(nn.Module):
    """Writes into its input, which is a request's memory."""

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        before = x.clone()
        x.mul_(2)
        return before, x


class Remembers(nn.Module):
    """Answers what it was given the time before."""

    def __init__(self):
        super().__init__()
        self.last = torch.zeros(4)

    def forward(self, x: Tensor) -> Tensor:
        last = self.last
        self.last = x
        return last


class Counts(nn.Module):
    """Counts its calls in a buffer, slowly."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        count = self.count.clone()
        busy = torch.ones(700, 700)
        for _ in range(4):
            busy = busy @ busy * 0.001
        return count + (busy[0, 0] * 0).to(torch.int64)


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool((x < 0).any()):
            raise ValueError("no negative numbers, please")
        return x


class Described(nn.Module):
    """For packages: positional and keyword arguments, an answer by key."""

    def forward(self, x, pair, *, bias):
        first, second = pair
        return {"sum": x + first + second, "low": (x * bias).to(torch.bfloat16)}


class Sums(nn.Module):
    """The numbers of a sequence added up in a state that grows by each of them, and what it is told about itself."""

    def forward(
        self, x: Tensor, start: Tensor, ready: Tensor, end: Tensor, corrid: Tensor, total: Tensor, seen: Tensor
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        total = total + x
        seen = torch.cat([seen, x], dim=-1)
        flags = torch.cat([start.float(), ready.float(), end.float()], dim=-1)
        return total, flags, corrid, total, seen


class KeyedSums(nn.Module):
    """The same of a dictionary; the sum is an output and the state at once."""

    def forward(self, tensors: Dict[str, Tensor]) -> Dict[str, Tensor]:
        flags = torch.cat([tensors["START"].float(), tensors["READY"].float(), tensors["END"].float()], dim=-1)
        return {"SUM": tensors["SUM_IN"] + tensors["X"], "FLAGS": flags, "ID": tensors["CORRID"]}


class NamedSequence(nn.Module):
    """Knows its sequence by a text."""

    def forward(self, x: Tensor, name: List[str], total: Tensor) -> Tuple[Tensor, List[str], Tensor]:
        return total + x, name, total + x


class Recurrent(nn.Module):
    """A recurrent cell: the answer of a step follows from all steps before."""

    def __init__(self, columns=4, hidden=8):
        super().__init__()
        torch.manual_seed(5)
        self.cell = nn.GRUCell(columns, hidden)

    def forward(self, x: Tensor, hidden: Tensor) -> Tuple[Tensor, Tensor]:
        hidden = self.cell(x, hidden)
        return hidden.sum(dim=-1, keepdim=True), hidden
