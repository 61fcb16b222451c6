"""The narrower numbers that matrices can be kept in where reading them is what takes the time.

It knows weights; neither who multiplies with them nor how they lie in memory.
"""

import torch
from torch import Tensor

from elman.cells import Cell, Weights

STORAGE = (torch.bfloat16, torch.int8)
"""What matrices of float32 can be kept as."""


def rounded(cell: Cell, weights: Weights, storage: torch.dtype | None) -> Weights:
    """Matrices rounded to numbers that `storage` has, in their own type; vectors as they are.

    torch.bfloat16 has 8 bits of precision. torch.int8 has multiples of a 127th of the largest value of each row.
    """
    if storage is None:
        return weights
    narrow = _to_bfloat16 if storage is torch.bfloat16 else _to_bytes
    return cell.bundle(narrow(t.detach()) if t is not None and t.dim() == 2 else t for t in weights)


def _to_bfloat16(matrix: Tensor) -> Tensor:
    return matrix.bfloat16().to(matrix.dtype)


def _to_bytes(matrix: Tensor) -> Tensor:
    scale = matrix.abs().amax(1, keepdim=True) / 127
    return torch.where(scale == 0, 0, (matrix / scale).round() * scale)
