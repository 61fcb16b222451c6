"""ONNX's own recurrent operators, RNN, GRU and LSTM: which cells they compute, and weights in their order.

It does not know stacks, nor who writes a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from elman.cells import CELLS, Cell, Weights
from elman.types import State

VERSION = 14
"""Of the operators: theirs in the opset that models are written in."""


@dataclass(frozen=True)
class Operator:
    """One of the three, as a cell needs it.

    Attributes:
        name: the operator's.
        order: the cell's gates in the operator's order: i o f c for i f g o, z r h for r z n.
        attributes: what the operator is told beside the weights.
        activation: of the operator, in each direction; empty for its usual one.
        peepholes: the cell's parameters in the order of the operator's P.

    """

    name: str
    order: tuple[int, ...]
    attributes: Mapping[str, int] = field(default_factory=dict)
    activation: str = ""
    peepholes: tuple[str, ...] = ()


OPERATORS: dict[Cell, Operator] = {
    CELLS["rnn"]: Operator("RNN", (0,)),
    CELLS["rnn-relu"]: Operator("RNN", (0,), activation="Relu"),
    CELLS["gru"]: Operator("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    CELLS["gru-reset-before"]: Operator("GRU", (1, 0, 2)),
    CELLS["lstm"]: Operator("LSTM", (0, 3, 1, 2)),
    CELLS["peephole-lstm"]: Operator("LSTM", (0, 3, 1, 2), peepholes=("peephole_i", "peephole_o", "peephole_f")),
}


def operator_of(cell: Cell, weights: Weights) -> Operator | None:
    """The operator that computes a cell with such weights; None if there is none, as for projections and options."""
    if weights.hr is not None:
        return None
    return next((operator for known, operator in OPERATORS.items() if cell == known), None)


def ordered(operator: Operator, directions: tuple[Weights, ...]) -> dict[str, Tensor]:
    """The weights by the operator's names: W, R, B where there are biases, P where there are peepholes."""
    found = {
        "W": torch.stack([_gates(operator, each.ih) for each in directions]),
        "R": torch.stack([_gates(operator, each.hh) for each in directions]),
    }
    if directions[0].bias_ih is not None:
        both = [torch.cat([_gates(operator, each.bias_ih), _gates(operator, each.bias_hh)]) for each in directions]
        found["B"] = torch.stack(both)
    if operator.peepholes:
        found["P"] = torch.stack([torch.cat([getattr(each, p) for p in operator.peepholes]) for each in directions])
    return found


def written(
    operator: Operator, weights: Mapping[str, Tensor], input: Tensor, state: State | None, lengths: Tensor | None
) -> tuple[Tensor, State]:
    """Write the operator into the model that is being exported; outside of an export the values mean nothing.

    Args:
        operator: which one.
        weights: what `ordered` returned.
        input: (T, B, I).
        state: tensors (D, B, H); None for zeros.
        lengths: (B,), or None for full length.

    Returns:
        The output (T, B, D*H), zero beyond a row's length, and the final state.

    """
    steps, batch, _ = input.shape
    directions, hidden = weights["R"].shape[0], weights["R"].shape[-1]
    memories = 2 if operator.name == "LSTM" else 1
    given: list[Tensor | None] = [input, weights["W"], weights["R"], weights.get("B")]
    given.append(None if lengths is None else lengths.to(torch.int32))
    given += [None] * memories if state is None else list(state)
    given += [weights["P"]] if operator.peepholes else []
    while given[-1] is None:
        given.pop()
    attributes: dict[str, Any] = {"hidden_size": hidden, **operator.attributes}
    if directions == 2:
        attributes["direction"] = "bidirectional"
    if operator.activation:
        attributes["activations"] = [operator.activation] * directions
    output, *final = torch.onnx.ops.symbolic_multi_out(
        operator.name,
        given,
        attributes,
        dtypes=[torch.float32] * (1 + memories),
        shapes=[(steps, directions, batch, hidden), *[(directions, batch, hidden)] * memories],
        version=VERSION,
    )
    return output.transpose(1, 2).reshape(steps, batch, directions * hidden), tuple(final)


def _gates(operator: Operator, value: Tensor | None) -> Tensor:
    """Rows by gate, in the operator's order."""
    assert value is not None
    blocks = value.chunk(len(operator.order))
    return torch.cat([blocks[gate] for gate in operator.order])
