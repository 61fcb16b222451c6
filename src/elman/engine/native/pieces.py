"""Calls over given gates in pieces of time: the states between pieces are kept, and those of a piece made again.

It does not know what runs a piece.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from elman.engine.call import Call
from elman.engine.watching import transformed
from elman.types import State

LARGE = 1 << 30
"""Bytes of states, of all steps, from which on fresh memory for them takes as long as to make them again, measured."""


def is_large(call: Call) -> bool:
    """Whether a call over given gates would keep so many states for its gradient."""
    plain = call.weights[0].given and call.directions == 1 and not call.packed and call.record is None
    if not plain or torch.compiler.is_compiling() or transformed() or not call.needs_gradient():
        return False
    return call.steps * sum(tensor.nbytes for tensor in call.state) >= LARGE


def in_pieces(call: Call, run: Callable[[Call], tuple[Tensor, State]]) -> tuple[Tensor, State]:
    """Output and final state of a call whose pieces `run` computes, and once more for the gradient of each.

    There are as many pieces as steps in one, so that the fewest states are in memory at once.
    """
    steps, count, kind = math.isqrt(call.steps), len(call.state), type(call.weights[0])

    def piece(lengths: Tensor | None, reset: Tensor | None, input: Tensor, *tensors: Any) -> tuple[Tensor, State]:
        state, weights = tensors[:count], kind._make(tensors[count:])
        return run(replace(call, weights=(weights,), input=input, state=state, lengths=lengths, reset=reset))

    outputs, state = [], call.state
    for start, input in zip(range(0, call.steps, steps), call.input.split(steps), strict=True):
        lengths = None if call.lengths is None else (call.lengths - start).clamp(0, len(input))
        reset = None if call.reset is None else call.reset[start : start + steps]
        given = (lengths, reset, input, *state, *call.weights[0])
        output, state = checkpoint(piece, *given, use_reentrant=False, preserve_rng_state=False)
        outputs.append(output)
    return torch.cat(outputs), state
