"""A layer called with a single time step, as agents, services and decoders do: the way of a cell's step.

It knows what the engine keeps of the step before, and does not check what was checked then.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from elman import engine
from elman.layers.arguments import Hidden, as_hidden
from elman.layers.options import USUAL


def again(stack: Any, input: Tensor | PackedSequence, hx: Hidden | None) -> tuple[Tensor, Hidden] | None:
    """What a `Stack` returns for one time step, if one like it was taken before, so that nothing need be checked."""
    if hx is None or torch.compiler.is_compiling():  # a compiler wants any number of steps
        return None
    time = int(stack.batch_first)
    if isinstance(input, PackedSequence) or input.dim() != 3 or input.shape[time] != 1 or stack.bidirectional:
        return None
    cell, before = stack.cell, (hx,) if isinstance(hx, Tensor) else tuple(hx)
    drops = stack.training and (stack.dropout or stack.options is not USUAL)
    if drops or len(before) != len(cell.states):
        return None
    if any([not isinstance(each, Tensor) or each.dim() != 3 or len(each) != stack.num_layers for each in before]):
        return None
    value, after = input.select(time, 0), []
    for depth, (weights,) in enumerate(stack.weights):
        own = tuple([tensor[depth] for tensor in before])
        state = engine.step_again(cell, cell.derived(weights), value, own)
        if state is None:
            return None
        after.append(state)
        value = state[0] + value if stack.options.residual and depth > 0 else state[0]
    return value.unsqueeze(time), as_hidden(tuple([torch.stack(tensors) for tensors in zip(*after, strict=True)]))
