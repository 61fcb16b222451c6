"""Calls to test the engine with: small, random, and the slow and obvious way to compute them."""

from dataclasses import replace
from itertools import pairwise

import torch

from elman.cells import CELLS
from elman.cells.modified import LayerNorm, RecurrentDropout, Zoneout
from elman.engine import Call

STEPS, BATCH, INPUT, HIDDEN = 6, 4, 3, 5

MODIFIED = {
    "normalized-lstm": LayerNorm(CELLS["lstm"]),
    "normalized-gru": LayerNorm(CELLS["gru-reset-before"]),
    "dropping-gru": RecurrentDropout(CELLS["gru"], 0.4),
    "zoneout-lstm": Zoneout(CELLS["lstm"], (0.2, 0.5), True),
    "zoneout-gru": Zoneout(CELLS["gru"], (0.3,), False),
    "all-at-once": Zoneout(RecurrentDropout(LayerNorm(CELLS["peephole-lstm"]), 0.3), (0.0, 0.5), True),
}
"""Cells as the layers' options make them."""

ALL = CELLS | MODIFIED


def make_weights(cell, directions=1, *, bias=True, projection=0, dtype=torch.float64, requires_grad=False, extent=None):
    """Random weights of a layer, as `Call` takes them; masks for (steps, batch)."""
    steps, batch = extent or (STEPS, BATCH)
    sizes = cell.state_sizes(HIDDEN, projection)

    def random(shape):
        if shape is None:
            return None
        values = torch.randn(*shape, dtype=torch.float64) / shape[-1] ** 0.5
        return values.to(dtype).requires_grad_(requires_grad)

    def one():
        made = [random(shape) for shape in cell.shapes(INPUT, HIDDEN, bias=bias, projection=projection).values()]
        for mask in cell.masks:
            shape = (steps, batch, sizes[mask.state]) if mask.each_step else (batch, sizes[mask.state])
            made.append((torch.rand(shape) > mask.rate).to(dtype))
        return cell.bundle(made)

    return tuple(one() for _ in range(directions))


def make_call(name="lstm", directions=1, *, steps=STEPS, batch=BATCH, projection=0, seed=0, **options):
    """A call of random weights, input and state, all of which take part in differentiation."""
    torch.manual_seed(seed)
    cell, dtype = ALL[name], options.pop("dtype", torch.float64)
    kind = {"bias": options.pop("bias", True), "projection": projection, "dtype": dtype, "requires_grad": True}
    weights = make_weights(cell, directions, extent=(steps, batch), **kind)
    inputs = torch.randn(steps, batch, INPUT, dtype=dtype, requires_grad=True)
    state = tuple(
        (torch.rand(directions, batch, size, dtype=dtype) + 0.1).requires_grad_()  # as a normaliser is: positive
        for size in cell.state_sizes(HIDDEN, projection)
    )
    return Call(cell, weights, inputs, state, **options)


def part(call, steps=slice(None), rows=slice(None), **changes):
    """The call for some of its steps and rows only, masks included."""
    weights = []
    for each in call.weights:
        masks = {mask.name: getattr(each, mask.name) for mask in call.cell.masks}
        cut = {name: mask[steps][:, rows] if mask.dim() == 3 else mask[rows] for name, mask in masks.items()}
        weights.append(each._replace(**cut))
    state = tuple(tensor[:, rows] for tensor in call.state)
    return replace(call, **({"weights": tuple(weights), "input": call.input[steps][:, rows], "state": state} | changes))


def leaves(call):
    """The tensors that a call can be differentiated by."""
    return [tensor for tensor in (call.input, *call.state, *call.flat_weights) if tensor.requires_grad]


def differentiate(call, run):
    """Output, final state, and the gradients of a fixed random weighting of both by all leaves."""
    output, state = run(call)
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (value * torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.dtype)).sum()
        for value in (output, *state)
    )
    gradients = torch.autograd.grad(loss, leaves(call), materialize_grads=True)
    return output.detach(), [tensor.detach() for tensor in state], gradients


def one_by_one(call, run):
    """The meaning of `lengths` and `reset`, spelt out: each segment of each row runs alone, without either.

    The forward directions begin with the given state in the row's first segment unless it is reset, and end in its
    last; the reverse directions begin with it in the last, and end in the first.
    """
    steps, batch = call.input.shape[:2]
    lengths = [steps] * batch if call.lengths is None else call.lengths.tolist()
    outputs, finals = [], []
    for row, length in enumerate(lengths):
        starts = [] if call.reset is None else call.reset[:length, row].nonzero().flatten().tolist()
        output, final = _one_row(call, run, row, length, starts)
        outputs.append(torch.cat([output, output.new_zeros(steps - length, output.shape[-1])]))
        finals.append(final)
    state = tuple(torch.cat(tensors, 1) for tensors in zip(*finals, strict=True))
    return torch.stack(outputs, 1), state


def _one_row(call, run, row, length, starts):
    given = tuple(tensor[:, row : row + 1] for tensor in call.state)
    forward = torch.tensor([k == 0 for k in range(call.directions)])[:, None, None]
    outputs, final = [call.input.new_zeros(0, call.directions * given[0].shape[-1])], given
    for begin, end in pairwise(sorted({0, *starts, length})):
        first, last = begin == 0, end == length
        kept_forward, kept_reverse = first and 0 not in starts, last
        initial = tuple(torch.where(forward, tensor * kept_forward, tensor * kept_reverse) for tensor in given)
        alone = {"state": initial, "lengths": None, "reset": None}
        output, ended = run(part(call, slice(begin, end), slice(row, row + 1), **alone))
        outputs.append(output[:, 0])
        final = tuple(
            torch.where(forward, new if last else old, new if first else old)
            for new, old in zip(ended, final, strict=True)
        )
    return torch.cat(outputs), final
