"""The C++ runtime with the emulator's methods, so that one test body serves both. It takes rows in any order."""

from dataclasses import dataclass

import torch

from elman.engine.native import library
from elman.engine.native.packed import Storage
from elman.engine.native.programs import Programs
from elman.engine.program.contract import Kind
from elman.engine.program.emulate import Gradients

lib = library()


@dataclass(frozen=True)
class Cut:
    """How the work is cut: by columns or rows, for how many threads, vectors in a panel; None leaves it to the plan."""

    columns: bool | None = None
    threads: int = 2
    vectors: int = 2


class Runtime:
    """One layer in one direction over one batch, forward and then backward."""

    def __init__(self, compiled, weights, *, extras=None, dtype=torch.float64, cut=None, storage=Storage.OWN):
        self.compiled, self.cut, self.dtype, self.storage = compiled, cut or Cut(), dtype, storage
        self.numbers = lib.float32 if dtype == torch.float32 else lib.float64
        made = Programs.of(compiled)
        self.programs = [made.training, made.inference, made.backward]
        self.parameters = [getattr(weights, name).detach().to(dtype).contiguous() for name in compiled.parameters]
        self.extras = [(extras or {})[name].detach() for name in compiled.extras]
        self.inputs = weights.ih.shape[1]

    def job(self, program, tape):
        pairs = self.storage is Storage.PAIRS
        plan = self.numbers.plan(program, self.batch, self.inputs, self.cut.threads, pairs)
        if self.cut.columns is not None:
            plan = lib.Plan(self.cut.columns, self.cut.threads, self.cut.vectors)
        pointers = [tensor.data_ptr() for tensor in self.parameters]
        weights = self.numbers.Weights(program, self.inputs, pointers, plan, self.cut.threads, self.storage)
        job = self.numbers.Job(program, weights, self.batch, tape, plan)
        job.bind(Kind.INPUT, 0, self.x.data_ptr(), self.inputs)
        job.bind(Kind.NEXT, 0, self.history.data_ptr(), self.history.shape[1])
        for k, tensor in enumerate(self.initial):
            job.bind_initial(k, tensor.data_ptr(), tensor.shape[1])
        for index, extra in enumerate(self.kept_extras):
            job.bind(Kind.EXTRA, index, extra.data_ptr(), extra.shape[1], 0)
        return job

    def forward(self, inputs, state, *, lengths=None, fresh=None, reverse=False, keep=True):
        self.steps, rows, _ = inputs.shape
        lengths = torch.full((rows,), self.steps) if lengths is None else lengths
        self.order = lengths.argsort(descending=True, stable=True)
        self.lengths = lengths[self.order]
        self.real = torch.arange(self.steps)[:, None] < self.lengths
        fresh = None if fresh is None else fresh[:, self.order].contiguous()
        self.batch = lib.Batch(
            self.steps, rows, self.lengths.data_ptr(), 0 if fresh is None else fresh.data_ptr(), reverse
        )
        self.x = self.packed(inputs)
        self.kept_extras = [self.sorted(extra) for extra in self.extras]
        self.history = torch.full((self.batch.real_steps, state[0].shape[1]), torch.nan, dtype=self.dtype)
        self.initial = [self.sorted(tensor) for tensor in state]
        final = [torch.full_like(tensor, torch.nan) for tensor in self.initial]
        self.tape = None
        if keep:
            size = self.numbers.Tape.size(self.programs[0], self.batch.real_steps)
            self.memory = torch.full((size,), torch.nan, dtype=self.dtype)
            self.tape = self.numbers.Tape(self.programs[0], self.batch, self.memory.data_ptr())
        job = self.job(self.programs[0 if keep else 1], self.tape)
        for k, end in enumerate(final):
            job.bind_final(k, end.data_ptr(), end.shape[1])
        self.numbers.run([job], self.cut.threads)
        return self.padded(self.history), tuple(self.unsorted(tensor) for tensor in final)

    def backward(self, d_outputs, d_state, *, d_states=None, overlay=True):
        self.tape.prepare_backward(not overlay)
        job = self.job(self.programs[2], self.tape)
        arriving = {k: self.packed(tensor) for k, tensor in {0: d_outputs, **(d_states or {})}.items()}
        carry = [self.sorted(tensor).clone() for tensor in d_state]
        d_x = torch.full_like(self.x, torch.nan)
        adjoints = [self.x.new_zeros(len(self.x), tensor.shape[1]) for tensor in d_state]
        for k, tensor in arriving.items():
            job.bind(Kind.DSTATE, k, tensor.data_ptr(), tensor.shape[1])
        for k, tensor in enumerate(carry):
            job.bind(Kind.CARRY, k, tensor.data_ptr(), tensor.shape[1])
            job.bind(Kind.ADJOINT, k, adjoints[k].data_ptr(), tensor.shape[1])
        job.bind(Kind.DINPUT, 0, d_x.data_ptr(), self.inputs)
        self.numbers.run([job], self.cut.threads)
        found = [torch.full_like(tensor, torch.nan) for tensor in self.parameters]
        self.numbers.parameter_gradients([job], [tensor.data_ptr() for tensor in found], self.cut.threads)
        return Gradients(
            self.padded(d_x),
            tuple(self.unsorted(tensor) for tensor in carry),
            dict(zip(self.compiled.parameters, found, strict=True)),
            {k: self.padded(tensor) for k, tensor in enumerate(adjoints)},
        )

    def sorted(self, tensor):
        return tensor.detach().to(self.dtype)[self.order].contiguous()

    def unsorted(self, tensor):
        return tensor[self.order.argsort()]

    def packed(self, tensor):
        return tensor.detach().to(self.dtype)[:, self.order][self.real].contiguous()

    def padded(self, packed):
        out = packed.new_zeros(*self.real.shape, packed.shape[1])
        out[self.real] = packed
        return out[:, self.order.argsort()]
