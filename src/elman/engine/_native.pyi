"""The runtime of the native engine, in C++ (`cpp/`). Tensors cross as addresses; the contract is docs/engine.md."""

from collections.abc import Sequence
from typing import Any

class Workspace:
    """A block of memory from the runtime's cache, which it goes back to; supports the buffer protocol."""

    def __init__(self, bytes: int) -> None: ...
    @property
    def address(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class Program:
    """An encoded program; the arrays are not needed any more afterwards."""

    def __init__(self, ints: int, count: int, reals: int, real_count: int) -> None: ...
    @property
    def kind(self) -> int: ...
    @property
    def overlay(self) -> bool: ...
    @property
    def joined(self) -> list[int]:
        """Of each product, how many from it on are made as one; 0 if an earlier one takes it along."""

class Batch:
    """Which steps of which rows there are: lengths int64, falling; fresh bool [steps][rows]; 0 for neither."""

    def __init__(self, steps: int, rows: int, lengths: int = 0, fresh: int = 0, reverse: bool = False) -> None: ...
    @property
    def real_steps(self) -> int: ...
    def parts(self, count: int) -> list[int]: ...
    def pack(self, padded: int, time: int, row: int, order: int, packed: int, bytes: int, threads: int) -> None:
        """Copy the real steps, of `bytes` each, out of a padded batch whose steps and rows lie so many bytes apart.

        Its row order[k] is row k of this batch.
        """
    def unpack(self, packed: int, padded: int, steps: int, rows: int, order: int, bytes: int, threads: int) -> None:
        """Copy the real steps into a padded batch [steps][rows], and zero what is not real."""

class Plan:
    """How a job is cut: whether threads share columns, how many there are, vectors in a panel of weights."""

    def __init__(self, columns: bool, threads: int, vectors: int) -> None: ...
    columns: bool
    threads: int
    vectors: int

class _Weights:
    """Parameters packed for a program, and what tells whether they are still the same.

    Matrices of float32 can be kept as narrower numbers: storage 1 is bfloat16, 2 is int8, whose numbers they must hold,
    3 is bfloat16 that is multiplied with bfloat16.
    """

    def __init__(
        self,
        program: Program,
        inputs: int,
        parameters: Sequence[int],
        plan: Plan,
        threads: int,
        storage: int = 0,
    ) -> None: ...
    def looks_like(self, parameters: Sequence[int]) -> bool: ...
    def take_hash(self, parameters: Sequence[int], threads: int) -> None: ...
    def holds(self, parameters: Sequence[int], threads: int) -> bool: ...

class _Tape:
    """What a forward pass leaves for the backward pass, on memory of at least `size` numbers."""

    def __init__(self, program: Program, batch: Batch, memory: int) -> None: ...
    @staticmethod
    def size(program: Program, steps: int) -> int: ...
    def begin(self) -> None: ...
    @property
    def spent(self) -> bool: ...
    def prepare_backward(self, keep: bool) -> None: ...

class _Job:
    """A program over a batch. What is bound may be `count` arrays, each `apart` numbers behind the one before it."""

    def __init__(self, program: Program, weights: Any, batch: Batch, tape: Any, plan: Plan) -> None: ...
    def bind(
        self, kind: int, index: int, data: int, row: int, time: int = -1, count: int = 1, apart: int = 0
    ) -> None: ...
    def bind_initial(self, state: int, data: int, row: int, count: int = 1, apart: int = 0) -> None: ...
    def bind_final(self, state: int, data: int, row: int, count: int = 1, apart: int = 0) -> None: ...
    @property
    def plan(self) -> Plan: ...

class _Stepper:
    """Jobs over a single time step, the first layer first, that read `size` numbers at `input`."""

    def __init__(self, jobs: Sequence[_Job], input: int, size: int, threads: int) -> None: ...
    def bind(self, layer: int, before: Sequence[int], after: Sequence[int]) -> None: ...
    def run(self, input: int) -> None: ...

class _Numbers:
    """What there is for one type of number."""

    Weights = _Weights
    Tape = _Tape
    Job = _Job
    Stepper = _Stepper
    @staticmethod
    def plan(program: Program, batch: Batch, inputs: int, threads: int, pairs: bool = False) -> Plan: ...
    @staticmethod
    def run(jobs: Sequence[_Job], threads: int) -> None: ...
    @staticmethod
    def parameter_gradients(jobs: Sequence[_Job], gradients: Sequence[int], threads: int) -> None: ...
    @staticmethod
    def matmul(
        a: int,
        b: int,
        out: int,
        rows: int,
        k: int,
        columns: int,
        transposed: bool,
        vectors: int,
        threads: int,
        pairs: bool = False,
    ) -> None: ...
    @staticmethod
    def drop(from_: int, to: int, count: int, seed: int, threshold: int, scale: float, threads: int) -> None: ...
    @staticmethod
    def apply(code: int, operands: Sequence[int], k0: float, k1: float, rows: int, columns: int) -> None: ...

float32: type[_Numbers]
float64: type[_Numbers]

def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def multiplies_pairs() -> bool:
    """Whether the one in use has instructions for products of bfloat16 with bfloat16."""

def select_instruction_set(name: str) -> None: ...
def use_team(parallel: int, thread_number: int, thread_count: int) -> None: ...
def team_available() -> bool: ...

DENORMALS_OFF: int
"""Control bits of the floating-point unit that turn denormal numbers off."""

def float_states(threads: int) -> list[int]:
    """The control bits before a job, inside of it on every thread, and after it."""

def limit_workspace(bytes: int) -> None: ...
def kept_workspace() -> int: ...
def clear_workspace() -> None: ...
