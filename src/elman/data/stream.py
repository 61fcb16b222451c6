"""One long stream of symbols on disk, cut into contiguous lanes that are read window by window.

Memory stays that of one window, whatever the length of the stream: the symbols lie in a file of the narrowest integers
that hold them and are mapped, not read. It does not know what the symbols mean.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from elman import files
from elman.data.share import WHOLE, Share
from elman.errors import RunError

Symbols = npt.NDArray[np.integer]
BLOCK = 1 << 20


def symbol_type(vocabulary: int) -> np.dtype[np.unsignedinteger]:
    """Return the narrowest unsigned type for symbols 0 ... vocabulary-1."""
    return np.dtype(np.uint8 if vocabulary <= 1 << 8 else np.uint16 if vocabulary <= 1 << 16 else np.uint32)


def write(path: Path, blocks: Iterable[Symbols], vocabulary: int) -> Symbols:
    """Write the symbols of all blocks to `path`, whole or not at all, and return them mapped from there."""
    kind, count = symbol_type(vocabulary), 0

    def fill(temporary: Path) -> None:
        nonlocal count
        with temporary.open("wb") as file:
            for block in blocks:
                file.write(block.astype(kind).tobytes())
                count += len(block)

    files.replace(path, fill)
    return read(path, vocabulary, count)


def read(path: Path, vocabulary: int, count: int) -> Symbols:
    """Map the `count` symbols that `write` left at `path`; RunError when they are gone or damaged."""
    kind = symbol_type(vocabulary)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise RunError(f"cannot read {path}: {files.reason(error)}; restore it, or train the run anew") from error
    if size != count * kind.itemsize:
        raise RunError(f"{path} is damaged: it should hold {count} symbols; restore it, or train the run anew")
    return np.memmap(path, kind, mode="r") if count else np.empty(0, kind)


def frequencies(symbols: Symbols, vocabulary: int) -> npt.NDArray[np.int64]:
    """How often each of the symbols 0 ... vocabulary-1 occurs, (V,); block by block, since they are mapped."""
    counts = np.zeros(vocabulary, np.int64)
    for start in range(0, len(symbols), BLOCK):
        counts += np.bincount(symbols[start : start + BLOCK], minlength=vocabulary)
    return counts


@dataclass(frozen=True)
class Window:
    """T consecutive time steps of B lanes.

    `inputs` and `targets` are (T, B) int64; the target of a step is the input of the next. `scored` is (T, B) bool, or
    None where every step counts. `fresh` says that the stream begins here, so that no state can be carried in.
    """

    inputs: Tensor
    targets: Tensor
    scored: Tensor | None = None
    fresh: bool = False


class Lanes:
    """A stream cut into B contiguous lanes of equal length, read side by side, as truncated BPTT needs it.

    Lane b holds the symbols b*length ... (b+1)*length; at most B-1 symbols at the end are left out.

    Args:
        symbols: the stream, mapped or in memory.
        lanes: B. Cut down to what the stream has symbols for.
    """

    def __init__(self, symbols: Symbols, lanes: int) -> None:
        self.symbols = symbols
        self.lanes = max(1, min(lanes, len(symbols) - 1))
        self.length = (len(symbols) - 1) // self.lanes

    def window(self, position: int, steps: int, share: Share = WHOLE) -> tuple[Tensor, Tensor]:
        """Return inputs and targets, (steps, B) int64 each, from `position` on in every lane of the share."""
        lanes = share.of(range(self.lanes))
        starts = [lane * self.length + position for lane in lanes]
        rows = [self.symbols[start : start + steps + 1].astype(np.int64) for start in starts]
        window = torch.from_numpy(np.stack(rows, axis=1))
        return window[:-1], window[1:]


def scoring_windows(symbols: Symbols, lanes: int, steps: int, context: int) -> Iterator[Window]:
    """Yield windows that score every symbol of the stream but the first, exactly once, with state carried over.

    The stream is cut into lanes for speed. Every lane but the first begins `context` symbols early and runs through
    them unscored, so that its state is warm where scoring begins: the sum is close to that of one single pass.
    """
    count = len(symbols) - 1
    lanes = max(1, min(lanes, count // max(1, 4 * context)))
    length = -(-(count + (lanes - 1) * context) // lanes)
    starts = np.arange(lanes) * (length - context)
    first_lane = starts == 0
    for first in range(0, length, steps):
        time = np.arange(first, min(first + steps, length))[:, None]
        index = np.minimum(time + starts, count - 1)
        scored = (time + starts < count) & (first_lane | (time >= context))
        yield Window(
            torch.from_numpy(symbols[index].astype(np.int64)),
            torch.from_numpy(symbols[index + 1].astype(np.int64)),
            torch.from_numpy(scored),
            fresh=first == 0,
        )
