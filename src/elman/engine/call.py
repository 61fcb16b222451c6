"""One call of the engine: one layer, in one or both directions, over a batch of sequences, as a value.

It does not know who will run it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.packing import Packing
from elman.engine.record import Record
from elman.types import State


@dataclass(slots=True)
class Call:
    """What is to be run: checked by the layers, chosen a backend for by `choice`, computed by that backend.

    Attributes:
        cell: the time step.
        weights: by direction (forward, reverse), masks among them: (B, ·) for all steps, or (T, B, ·), padded.
        input: (T, B, I), padded; or packed data (real steps, I) if `batch_sizes` is given.
        state: initial state, tensors (D, B, ·); of packed data in the order of the packed rows.
        batch_sizes: of packed data, as in torch's PackedSequence: (T,) int64 on the CPU, else None.
        lengths: of padded rows: (B,) int64 on the CPU, 0 to T, else None for full length. What lies beyond a row's
            length is not read; its outputs are zero; the reverse direction starts at the row's own end; a row of
            length 0 ends in its initial state.
        reset: (T, B) bool on the input's device: True says that the step begins a new segment; no state crosses from
            the step before it, in either direction.
        record: where the states of every step are to be written down, or None; not for packed data.

    """

    cell: Cell
    weights: tuple[Weights, ...]
    input: Tensor
    state: State
    batch_sizes: Tensor | None = None
    lengths: Tensor | None = None
    reset: Tensor | None = None
    record: Record | None = None

    @property
    def packed(self) -> bool:
        return self.batch_sizes is not None

    @property
    def alone(self) -> bool:
        """Whether it is one time step of one direction, and nothing else is asked."""
        plain = self.batch_sizes is None and self.lengths is None and self.reset is None and self.record is None
        return plain and len(self.input) == 1 and len(self.weights) == 1 and not self.cell.masks

    @property
    def directions(self) -> int:
        return len(self.weights)

    @property
    def flat_weights(self) -> list[Tensor]:
        """All weights, one direction after the other, as torch's kernels take them."""
        return [tensor for weights in self.weights for tensor in weights.flat()]

    @property
    def steps(self) -> int:
        """T: the number of time steps of the padded batch."""
        return len(self.input) if self.batch_sizes is None else len(self.batch_sizes)

    @property
    def batch(self) -> int:
        return self.state[0].shape[1]

    def packing(self) -> Packing | None:
        """Which steps are real, made anew each time; None if all of them are."""
        return Packing.of(self.input, self.batch_sizes, self.lengths)

    def needs_gradient(self) -> bool:
        """Whether autograd will record this call."""
        tensors = (self.input, *self.state, *self.flat_weights)
        return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)

    def sizes(self) -> dict[str, int]:
        """The call in numbers, by the legend of `elman.types`."""
        first = self.weights[0].ih
        hidden = first.shape[0] // len(self.cell.gates)
        return {"T": self.steps, "B": self.batch, "I": first.shape[1], "H": hidden, "D": self.directions}
