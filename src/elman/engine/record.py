"""The states of every step of a call and, after the backward pass, their gradients.

It does not know how they are computed: a backend that is given a record fills it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(eq=False)
class Record:
    """What a backend writes down when it is asked to.

    Attributes:
        values: by layer, by state: (D, T, B, ·), zero beyond a row's length; part of the graph.
        gradients: by layer, by state: the whole gradient at that state, by way of later steps too, of the same shape;
            None as long as no backward pass has come by. A later pass replaces it.

    """

    values: list[tuple[Tensor, ...]] = field(default_factory=list)
    gradients: dict[int, tuple[Tensor, ...]] = field(default_factory=dict)

    def add(self, values: Sequence[Tensor]) -> None:
        """The values of the next layer."""
        self.values.append(tuple(values))
