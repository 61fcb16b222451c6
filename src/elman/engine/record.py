"""The states of every step of a layer and, after the backward pass, their gradients.

It does not know how they are computed: a backend that is given a record fills it.
"""

from dataclasses import dataclass

from elman.types import State


@dataclass(eq=False)
class Record:
    """What a backend writes down when it is asked to.

    Attributes:
        values: by state: (D, T, B, ·), zero beyond a row's length; part of the graph.
        gradients: by state: the whole gradient at that state, by way of later steps too, of the same shape; None as
            long as no backward pass has come by. A later pass replaces it; one of many gradients at once does not.

    """

    values: State = ()
    gradients: State | None = None
