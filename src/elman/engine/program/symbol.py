"""What a step sees while it is traced: values and matrices without numbers, that note what is done to them.

They behave like tensors as far as a step may use them; everything else raises UntraceableError. What torch's functions
mean is in `functions.py`.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar, Never, Self

import torch
from torch import Tensor

from elman.engine.program.algebra import Algebra
from elman.engine.program.contract import Parameter, Width
from elman.engine.program.graph import Node
from elman.engine.program.untraceable import UntraceableError


class Rows:
    """The number of rows of a batch, which a step must not depend on."""

    def _refuse(self, *_: object) -> Never:
        raise UntraceableError("The batch size", "is used, which a step must not depend on")

    __index__ = __int__ = __float__ = __add__ = __radd__ = __sub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __rtruediv__ = __eq__ = __lt__ = __gt__ = __hash__ = __bool__ = _refuse


class Sizes:
    """The number of columns of each width."""

    def __init__(self, hidden: int, output: int, input: int) -> None:
        self.columns = {Width.H: hidden, Width.P: output, Width.I: input, Width.ONE: 1}

    def __getitem__(self, width: Width) -> int:
        return self.columns[width]

    def width_of(self, columns: int) -> Width | None:
        """H or P, of a value or block with that many columns."""
        return next((width for width in (Width.H, Width.P) if self.columns[width] == columns), None)


def _apply(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from elman.engine.program.functions import FUNCTIONS, OF_INPUTS, OF_TRUTHS  # which in turn make symbols

    function = FUNCTIONS.get(name)
    if function is None:
        raise UntraceableError(f"torch.{name}")
    symbols = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, Symbol)]
    if name not in OF_TRUTHS and any(symbol.truth for symbol in symbols):
        raise UntraceableError(f"torch.{name} of a comparison")
    if name not in OF_INPUTS and any(block.width is Width.I for symbol in symbols for block in symbol.blocks):
        raise UntraceableError(
            f"torch.{name} of the input before its projection",
            "is nothing that a program can contain; name a gate for it, whose rows of weights.ih project it",
        )
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        raise UntraceableError(f"torch.{name}", f"is called in a way that a program cannot contain: {error}") from error


_EMPTY = torch.empty(0)
_Tensor: Any = Tensor  # what has the names of a tensor's methods here has other arguments and results


class Traced(_Tensor):  # type: ignore[misc]
    """What values and matrices share: torch's functions and methods come here.

    They are tensors, so that a step that asks for `isinstance` is answered as outside of a program; empty ones, so that
    whatever might go past `__torch_function__` finds nothing to compute with.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return Tensor._make_subclass(cls, _EMPTY)  # noqa: SLF001 - torch's name of the way to make one

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = getattr(function, "__name__", str(function))
        if name == "__get__":  # a property of tensors
            raise UntraceableError(f"torch.Tensor.{function.__self__.__name__}")  # type: ignore[attr-defined]
        return _apply(name, args, kwargs or {})

    def _branch(self, *_: object) -> Never:
        raise UntraceableError("A branch on a value, or its use as a number,", "is nothing that a program can contain")

    __array_ufunc__: ClassVar[None] = None  # a numpy number beside a value leaves the operation to the value
    __bool__ = __float__ = __int__ = __index__ = __iter__ = __len__ = __array__ = __contains__ = _branch

    def _binary(name: str) -> Any:  # noqa: N805 - makes the methods below
        def operator(self: Self, other: Any) -> Any:
            return _apply(name, (self, other), {})

        return operator

    def _mirrored(name: str) -> Any:  # noqa: N805
        def operator(self: Self, other: Any) -> Any:
            return _apply(name, (other, self), {})

        return operator

    def _shaped(name: str) -> Any:  # noqa: N805
        """What takes sizes, at which torch itself looks first: the number of rows is none that it knows."""

        def method(*_: object, **__: object) -> Never:
            raise UntraceableError(f"torch.{name}")

        return method

    reshape, view, expand, repeat = map(_shaped, ("reshape", "view", "expand", "repeat"))
    new_zeros, new_ones, new_full = map(_shaped, ("new_zeros", "new_ones", "new_full"))

    __add__, __radd__ = _binary("add"), _mirrored("add")
    __sub__, __rsub__ = _binary("sub"), _mirrored("sub")
    __mul__, __rmul__ = _binary("mul"), _mirrored("mul")
    __truediv__, __rtruediv__ = _binary("div"), _mirrored("div")
    __pow__, __rpow__ = _binary("pow"), _mirrored("pow")
    __matmul__, __rmatmul__ = _binary("matmul"), _mirrored("matmul")
    __eq__, __ne__ = _binary("eq"), _binary("ne")
    __gt__, __ge__ = _binary("gt"), _binary("ge")
    __lt__, __le__ = _binary("lt"), _binary("le")
    __and__, __rand__ = _binary("bitwise_and"), _mirrored("bitwise_and")
    __or__, __ror__ = _binary("bitwise_or"), _mirrored("bitwise_or")
    __xor__, __rxor__ = _binary("bitwise_xor"), _mirrored("bitwise_xor")
    __hash__, __repr__ = object.__hash__, object.__repr__

    def __neg__(self) -> Any:
        return _apply("neg", (self,), {})

    def __invert__(self) -> Any:
        return _apply("bitwise_not", (self,), {})

    def __abs__(self) -> Any:
        return _apply("abs", (self,), {})

    def where(self, condition: Any, other: Any) -> Any:
        """torch's method, whose operands stand in another order than the function's."""
        return _apply("where", (condition, self, other), {})


class Symbol(Traced):
    """A value of every row, (B, n); or a parameter vector, (n,). It consists of blocks side by side.

    Attributes:
        graph: that its nodes are in.
        sizes: what the widths are in numbers.
        blocks: one node each.
        rank: 2, or 1 for a parameter vector.
        truth: whether it is what a comparison gives, which torch has as bool: 1 for true and 0 for false.

    """

    def __init__(
        self, graph: Algebra, sizes: Sizes, blocks: tuple[Node, ...], rank: int = 2, *, truth: bool = False
    ) -> None:
        if not torch.is_grad_enabled():
            raise UntraceableError(
                "A value without its gradient, by torch.no_grad or an autograd.Function,",
                "is nothing that a program can contain; soft + (hard - soft).detach() has the value of hard and the "
                "gradient of soft",
            )
        self.graph = graph
        self.sizes = sizes
        self.blocks = blocks
        self.rank = rank
        self.truth = truth

    def like(self, blocks: tuple[Node, ...], rank: int | None = None, *, truth: bool = False) -> "Symbol":
        return Symbol(self.graph, self.sizes, blocks, rank or self.rank, truth=truth)

    @property
    def columns(self) -> int:
        return sum(self.sizes[block.width] for block in self.blocks)

    @property
    def shape(self) -> tuple[Any, ...]:
        return (self.columns,) if self.rank == 1 else (Rows(), self.columns)

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    @property
    def ndim(self) -> int:
        return self.rank

    def dim(self) -> int:
        return self.rank

    def cut(self, start: int, stop: int) -> "Symbol":
        """The columns from start to stop; the cuts must lie between blocks."""
        edges = self._edges
        if start not in edges or stop not in edges or stop <= start:
            raise UntraceableError(
                f"A slice of columns {start} to {stop}",
                f"does not fall between gates, which begin at {list(edges)[:-1]}",
            )
        return self.like(self.blocks[edges[start] : edges[stop]], truth=self.truth)

    @cached_property
    def _edges(self) -> dict[int, int]:
        """The columns that blocks begin at, and that the last ends at, each with how many blocks lie before it."""
        columns = accumulate((self.sizes[block.width] for block in self.blocks), initial=0)
        return {column: number for number, column in enumerate(columns)}

    def __getitem__(self, key: Any) -> "Symbol":
        parts = key if isinstance(key, tuple) else (key,)
        if self.rank == 2:
            if len(parts) != 2 or isinstance(parts[0], Tensor) or parts[0] not in (slice(None), Ellipsis):
                raise UntraceableError("An index other than [:, a:b] or [..., a:b]")
            parts = parts[1:]
        if len(parts) != 1 or not isinstance(parts[0], slice) or parts[0].step not in {None, 1}:
            raise UntraceableError("An index other than a slice of columns")
        start, stop, _ = parts[0].indices(self.columns)
        return self.cut(start, stop)


class Matrix(Traced):
    """A weight matrix, or some of its blocks of rows; or the transpose of these.

    One of a number of rows that the cell gives is narrow: to programs each row is a vector, and what it is multiplied
    with becomes one number of each row of the batch.

    Attributes:
        number: of the parameter, among the weights that there are.
        parameter: which.
        blocks: the numbers of its blocks of rows that are meant.

    """

    def __init__(
        self, sizes: Sizes, number: int, parameter: Parameter, blocks: tuple[int, ...], *, transposed: bool = False
    ) -> None:
        self.sizes = sizes
        self.number = number
        self.parameter = parameter
        self.blocks = blocks
        self.transposed = transposed

    @property
    def narrow(self) -> bool:
        return self.parameter.columns is None

    @property
    def width(self) -> Width:
        """Of what it is multiplied with."""
        return self.parameter.rows if self.parameter.columns is None else self.parameter.columns

    @property
    def block(self) -> int:
        """The rows of a block."""
        return 1 if self.narrow else self.sizes[self.parameter.rows]

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = len(self.blocks) * self.block, self.sizes[self.width]
        return (columns, rows) if self.transposed else (rows, columns)

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    @property
    def T(self) -> "Matrix":  # noqa: N802 - torch's name
        return Matrix(self.sizes, self.number, self.parameter, self.blocks, transposed=not self.transposed)

    mT = T  # noqa: N815 - torch's name

    def t(self) -> "Matrix":
        return self.T

    def __getitem__(self, key: Any) -> "Matrix":
        parts = key if isinstance(key, tuple) else (key,)
        full = len(parts) == 1 or (len(parts) == 2 and isinstance(parts[1], slice) and parts[1] == slice(None))
        if self.transposed or not full or not isinstance(parts[0], slice) or parts[0].step not in {None, 1}:
            raise UntraceableError("An index of a matrix other than a slice of its rows")
        start, stop, _ = parts[0].indices(self.shape[0])
        return self.cut(start, stop)

    def cut(self, start: int, stop: int) -> "Matrix":
        """The rows from start to stop; the cuts must lie between blocks."""
        size = self.block
        if start % size or stop % size or stop <= start:
            raise UntraceableError(f"A slice of rows {start} to {stop}", f"does not fall between blocks of {size}")
        return Matrix(self.sizes, self.number, self.parameter, self.blocks[start // size : stop // size])
