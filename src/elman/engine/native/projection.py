"""The input's share of the gates, for all time steps in one product.

It knows rows of numbers and one matrix; nothing of time.
"""

import torch
from torch import Tensor

from elman.cells import Cell, Weights
from elman.engine.native.library import library, memory, numbers
from elman.engine.native.packed import packed
from elman.engine.native.programs import handle, programs, shapes_of
from elman.engine.program.contract import Kind
from elman.types import State


class Product(Cell):
    """A product as one step of a cell that does nothing else: h' = W x + b."""

    gates = ("h",)
    recurrent_gates = ()
    states = ("h",)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:  # noqa: ARG002 - it has no past
        return (projected,)


PRODUCT = Product()


class Projection:
    """Rows (N, I) times input weights (G*H, I), plus a bias if there is one."""

    def __init__(self, rows: Tensor, matrix: Tensor, bias: Tensor | None) -> None:
        weights = PRODUCT.bundle([matrix.contiguous(), None, None if bias is None else bias.contiguous(), None, None])
        self.rows = rows
        self.weights = weights.flat()
        self.made = programs(handle(PRODUCT), shapes_of(PRODUCT, weights), whole=True)
        self.numbers = numbers(rows.dtype)
        self.threads = torch.get_num_threads()

    def forward(self, result: Tensor) -> None:
        """Write the products, (N, G*H); a row's do not depend on the other rows."""
        inputs, program = self.rows.shape[-1], self.made.inference
        batch = library().Batch(1, len(result), 0, 0, False)
        plan = self.numbers.plan(program, batch, inputs, self.threads)
        like = self.made.packed_for(program)
        kept = packed(self.numbers, like, self.weights, inputs, plan.vectors, self.threads)
        job = self.numbers.Job(program, kept.packed, batch, None, plan)
        job.bind(Kind.INPUT, 0, self.rows.data_ptr(), inputs)
        job.bind(Kind.NEXT, 0, result.data_ptr(), result.shape[-1])
        self.numbers.run([job], self.threads)

    # Backward by torch's kernels: for rows of all time steps they are as fast, and need no copy of what arrives.

    def input_gradient(self, d_result: Tensor, d_rows: Tensor) -> None:
        """Write the gradients of the rows."""
        torch.mm(d_result, self.weights[0], out=d_rows.view(len(d_result), -1))

    def weight_gradients(self, d_result: Tensor) -> list[Tensor]:
        """Those of the matrix, and of the bias if there is one."""
        rows, (matrix, *bias) = self.rows.view(len(d_result), -1), self.weights
        found = torch.mm(d_result.t(), rows, out=memory(tuple(matrix.shape), matrix))
        return [found, *(d_result.sum(0) for _ in bias)]
