"""The layers of long short-term memory: LSTM over sequences, LSTMCell for one step.

They add torch.nn's constructors to their shared bases, and torch.nn's checks of a state of two tensors.
"""

from typing import Unpack

import torch
from torch import nn
from torch.types import Device

from elman.cells import CELLS, Cell
from elman.layers.options import OptionArguments
from elman.layers.sequence import SequenceLayer
from elman.layers.step import StepLayer


class LSTM(SequenceLayer):
    """Layers of long short-term memory: torch.nn.LSTM, with `lengths`, `reset` and `states` in `forward`.

    Args:
        input_size: I, the number of features of the input.
        hidden_size: H, the number of features of the state.
        num_layers: L; each layer after the first reads the outputs of the one before.
        bias: whether the two bias vectors exist.
        batch_first: input and output are (B, T, ...) instead of (T, B, ...); states stay as they are.
        dropout: the probability with which an element of the output of each layer but the last is zeroed in training.
        bidirectional: a second direction reads each row from its end; the outputs of both stand side by side.
        proj_size: P, the number of features to which h is projected, less than H; 0 for no projection.
        device: of the weights.
        dtype: of the weights.
        options: what torch.nn does not have (`elman.layers.options.Options`).

    Raises:
        ValueError, TypeError: sizes and options that make no sense, with torch.nn's texts.

    The weights have torch.nn's names, shapes, order and, under the same seed, initial values. For each layer k, and
    again with the suffix _reverse for the second direction, with the rows of the gates i, f, g, o one below the other:
    weight_ih_lk (4H, I), weight_hh_lk (4H, P or H), bias_ih_lk (4H), bias_hh_lk (4H) and, with a projection,
    weight_hr_lk (P, H).

    Source: `elman.cells.LSTM`.
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
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[OptionArguments],
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            proj_size=proj_size,
            device=device,
            dtype=dtype,
            options=options,
        )

    # torch's own methods, which take a state of two tensors.
    get_expected_cell_size = nn.LSTM.get_expected_cell_size
    check_forward_args = nn.LSTM.check_forward_args  # type: ignore[assignment]
    permute_hidden = nn.LSTM.permute_hidden  # type: ignore[assignment]


class LSTMCell(StepLayer):
    """One step of long short-term memory: torch.nn.LSTMCell.

    Args:
        input_size: I, the number of features of the input.
        hidden_size: H, the number of features of the state.
        bias: whether the two bias vectors exist.
        device: of the weights.
        dtype: of the weights.

    Source: `elman.cells.LSTM`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    @property
    def cell(self) -> Cell:
        """The time step, as mathematics."""
        return CELLS["lstm"]
