"""PyTorch modules of the calls of tests/harness/tensor_models.py."""

from typing import Optional

import torch


class BatchTensors(torch.nn.Module):
    """What tensor_models.batch_tensors makes."""

    def forward(self, X, COUNT, END, ENDS, LONGEST, SHAPES, FLAT):
        rows = END.shape[0]
        longest = torch.full([rows, 1], LONGEST.shape[0], dtype=torch.int64)
        sums = torch.cat([torch.zeros(1), torch.cumsum(X, 0)])
        at_ends = sums[ENDS.to(torch.int64)]
        return (
            COUNT.unsqueeze(1),
            END.unsqueeze(1),
            ENDS[:-1].unsqueeze(1),
            longest,
            SHAPES,
            FLAT.reshape(-1, 2),
            (at_ends[1:] - at_ends[:-1]).unsqueeze(1),
            X * 2,
        )


class OptionalBias(torch.nn.Module):
    """y = x * scale + bias, where scale has a default and bias may be missing."""

    def forward(self, x, scale: float = 1.0, bias: Optional[torch.Tensor] = None):
        y = x * scale
        return y if bias is None else y + bias


class NeededBias(torch.nn.Module):
    """y = x + bias."""

    def forward(self, x, bias):
        return x + bias
