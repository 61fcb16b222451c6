"""The state of a stream as bytes that can be saved and moved: safetensors, with the run's mark and what was read.

It does not know where they are kept.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from elman.errors import DataError, UsageError


class Moved(NamedTuple):
    """A state, and how many symbols it has read."""

    state: Mapping[str, Tensor]
    read: int


def pack(moved: Moved, run: str) -> bytes:
    """Return the bytes of a state of the run with this fingerprint."""
    whole = {name: tensor.contiguous() for name, tensor in moved.state.items()}
    return save(whole, {"run": run, "read": str(moved.read)})


def unpack(blob: bytes, run: str) -> Moved:
    """Return the state.

    Raises:
        DataError: if the bytes are damaged.
        UsageError: if the state belongs to another run.

    """
    try:
        length = int.from_bytes(blob[:8], "little")
        marks = json.loads(blob[8 : 8 + length]).get("__metadata__", {})
        state = load(blob)
        read = _count(marks.get("read", "0"))
    except (SafetensorError, ValueError, AttributeError, RecursionError, KeyError) as error:
        raise DataError(
            "this is no state of a stream: it is no safetensors, or damaged; send it as it was got"
        ) from error
    if (mark := marks.get("run")) != run:
        whose = "carries no mark of its run" if mark is None else f"is of another run (its weights are {mark:.12}...)"
        raise UsageError(f"this state {whose}; a stream of this run (weights {run:.12}...) cannot go on from it")
    return Moved(state, read)


def _count(said: str) -> int:
    """A count as `pack` writes it; ValueError where it is none, or beyond what any stream reads."""
    read = int(said)
    if not 0 <= read < 1 << 62:
        raise ValueError(f"{read} is no count")
    return read
