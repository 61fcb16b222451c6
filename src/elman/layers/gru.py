"""The layers of the gated recurrent unit: GRU over sequences, GRUCell for one step.

They add torch.nn's constructors to their shared bases, and nothing else.
"""

from typing import Unpack

import torch
from torch.types import Device

from elman.cells import CELLS, Cell
from elman.layers.options import OptionArguments
from elman.layers.sequence import SequenceLayer, refuse_projection
from elman.layers.step import StepLayer


class GRU(SequenceLayer):
    """Layers of gated recurrent units: torch.nn.GRU, with `lengths`, `reset` and `states` in `forward`.

    Args:
        input_size: I, the number of features of the input.
        hidden_size: H, the number of features of the state.
        num_layers: L; each layer after the first reads the outputs of the one before.
        bias: whether the two bias vectors exist.
        batch_first: input and output are (B, T, ...) instead of (T, B, ...); states stay as they are.
        dropout: the probability with which an element of the output of each layer but the last is zeroed in training.
        bidirectional: a second direction reads each row from its end; the outputs of both stand side by side.
        device: of the weights.
        dtype: of the weights.
        options: what torch.nn does not have (`elman.layers.options.Options`).

    Raises:
        ValueError, TypeError: sizes and options that make no sense, with torch.nn's texts.

    The weights have torch.nn's names, shapes, order and, under the same seed, initial values. For each layer k, and
    again with the suffix _reverse for the second direction, with the rows of the gates r, z, n one below the other:
    weight_ih_lk (3H, I), weight_hh_lk (3H, H), bias_ih_lk (3H) and bias_hh_lk (3H).

    Source: `elman.cells.GRU`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[OptionArguments],
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
            options=refuse_projection(options),
        )


class GRUCell(StepLayer):
    """One step of the gated recurrent unit: torch.nn.GRUCell.

    Args:
        input_size: I, the number of features of the input.
        hidden_size: H, the number of features of the state.
        bias: whether the two bias vectors exist.
        device: of the weights.
        dtype: of the weights.

    Source: `elman.cells.GRU`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    @property
    def cell(self) -> Cell:
        """The time step, as mathematics."""
        return CELLS["gru"]
