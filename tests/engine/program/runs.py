"""One sequence through the reference and through the emulator, to be compared."""

import torch
from tests.engine.program.cells import ALL, HIDDEN, INPUT, make_weights

from elman.engine import reference
from elman.engine.program.compile import compile_cell
from elman.engine.program.emulate import Emulator

STEPS, BATCH = 5, 4
LENGTHS = torch.tensor([2, 0, 5, 4])


class Run:
    """A cell over a random batch: how the reference computes it, and what is needed to compute it otherwise."""

    def __init__(self, name, projection=0, *, bias=True, lengths=None, reset=False, reverse=False, seed=0):
        torch.manual_seed(seed)
        self.cell, self.reverse, self.lengths = ALL[name], reverse, lengths
        self.weights = make_weights(name, projection, bias=bias, batch=BATCH)
        self.extras = {mask.name: getattr(self.weights, mask.name) for mask in self.cell.masks}
        self.inputs = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
        sizes = self.cell.state_sizes(HIDDEN, projection)
        self.state = tuple(torch.randn(BATCH, n, dtype=torch.float64, requires_grad=True) for n in sizes)
        self.reset = torch.rand(STEPS, BATCH) < 0.3 if reset else None
        self.output, self.final = reference.scan(
            self.cell, self.weights, self.inputs, self.state, lengths=lengths, reset=self.reset, reverse=reverse
        )
        self.d_output = torch.randn_like(self.output)
        self.d_final = tuple(torch.randn_like(tensor) for tensor in self.final)

    @property
    def fresh(self):
        if self.reset is None:
            return None
        real = None if self.lengths is None else reference._real(self.lengths, self.inputs)
        return reference._fresh(self.reset, real, reverse=self.reverse).squeeze(-1)

    def compile(self, **options):
        return compile_cell(self.cell, self.weights, extras=tuple(self.extras), **options)

    def emulator(self, compiled=None, tile=3, **options):
        detached = type(self.weights)(*(None if t is None else t.detach() for t in self.weights))
        return Emulator(compiled or self.compile(), detached, tile=tile, extras=self.extras, **options)

    def forward(self, emulator, *, keep=True):
        state = tuple(tensor.detach() for tensor in self.state)
        options = {"lengths": self.lengths, "fresh": self.fresh, "reverse": self.reverse, "keep": keep}
        return emulator.forward(self.inputs.detach(), state, **options)

    def backward(self, emulator, **options):
        """Gradients of input, states and weights, in this order."""
        found = emulator.backward(self.d_output, self.d_final, **options)
        return [found.input, *found.state, *found.weights.values()]

    def expected(self):
        """What `backward` must give."""
        weights = [t for t, name in zip(self.weights, self.weights._fields, strict=True) if name not in self.extras]
        leaves = [self.inputs, *self.state, *(tensor for tensor in weights if tensor is not None)]
        roots = [(v, d) for v, d in zip((self.output, *self.final), (self.d_output, *self.d_final), strict=True)]
        roots = [(value, d) for value, d in roots if value.requires_grad]
        values, d_values = zip(*roots, strict=True)
        known = {"materialize_grads": True, "allow_unused": True, "retain_graph": True}
        return torch.autograd.grad(values, leaves, d_values, **known)
