"""Draw symbols one after the other from a causal network, each fed back as the next input.

It knows nothing of runs or terminals: it yields text as it comes into being.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

import torch
from torch import Tensor

from elman.errors import UsageError
from elman.generation.stream import PIECE, Reading
from elman.modalities.units import Unit
from elman.names import first_few, flag, nearest

COLDEST, HOTTEST = 1e-30, 1e30
"""Beyond these temperatures float32 ends. At lower ones only the most probable symbol has a chance."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next symbol is drawn from the distribution.

    Attributes:
        temperature: scores are divided by it; 0 takes the most probable symbol always.
        top_k: draw from the k most probable symbols only (Fan et al. 2018).
        top_p: draw from the fewest symbols whose probabilities add up to p (Holtzman et al. 2020).
        seed: of the draws.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0

    @classmethod
    def make(cls, given: Mapping[str, Any]) -> Self:
        """Make it of what is given by name, where None means the default; UsageError for a wrong name or value."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in known:
                hint = nearest(name, known, f"; there are {', '.join(known)}")
                raise UsageError(f"unknown option {name!r}{hint}")
        return cls(**{name: value for name, value in given.items() if value is not None})

    def __post_init__(self) -> None:
        """Check kinds and ranges; UsageError."""
        for name, value in dataclasses.asdict(self).items():
            if name in ("top_k", "seed") and value is not None:
                check_whole(name, value)
            elif value is not None and not isinstance(value, Real):
                raise UsageError(f"{flag(name)} {value!r:.60} is not a number")
        if not -(1 << 63) <= self.seed < 1 << 63:
            raise UsageError(f"--seed {self.seed} is out of range; it must have at most 63 bits")
        if not 0 <= self.temperature <= HOTTEST:
            raise UsageError(f"--temperature {self.temperature} is out of range; it must be from 0 to {HOTTEST:g}")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"--top-k {self.top_k} is out of range; it must be at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"--top-p {self.top_p} is out of range; it must be above 0 and at most 1")


def check_whole(name: str, value: Any) -> None:
    """Raise UsageError where an option is no whole number."""
    if not isinstance(value, Integral):
        raise UsageError(f"{flag(name)} {value!r:.60} is not a whole number")


def check_length(length: int) -> None:
    """Raise UsageError where nobody can draw so many symbols, or sets of events."""
    if length < 0:
        raise UsageError(f"--length {length} is out of range; it must be at least 0")


def generate(network: Any, unit: Unit, prompt: str, length: int, sampling: Sampling) -> Iterator[str]:
    """Yield `length` symbols of text that continues `prompt`, piece by piece, some of which may be empty.

    Args:
        network: a causal network over the unit's symbols, (inputs (T, B), state) -> (scores (T, B, V), state).
        unit: what the symbols mean.
        prompt: what the text begins with; it is not repeated. Where it is empty, a line begins.
        length: how many symbols to draw.
        sampling: how.

    Raises:
        UsageError: the prompt holds symbols that the network has never seen.
    """
    if unseen := unit.unseen(prompt):
        raise UsageError(
            f"the prompt holds {unit.noun}s that the network has never seen: {first_few(unseen)}; leave them out or "
            "replace them"
        )
    check_length(length)
    return _generate(network, unit, prompt, length, sampling)


def _generate(network: Any, unit: Unit, prompt: str, length: int, sampling: Sampling) -> Iterator[str]:
    generator = torch.Generator().manual_seed(sampling.seed)
    decoder, reading = unit.decoder(), Reading(network)
    symbols = first_symbols(unit, prompt)
    while length and len(symbols) > PIECE:  # whoever waits for a long prompt to be read can do something between
        reading.read(symbols[:PIECE])
        symbols = symbols[PIECE:]
        yield ""
    for _ in range(length):
        reading.read(symbols)
        symbols = [draw(reading.scores, unit.unknown, sampling, generator)]
        yield decoder.push(symbols[0])


def first_symbols(unit: Unit, prompt: str) -> list[int]:
    """Return what the network reads before its first prediction: the prompt, or the end of a line, or anything."""
    for text in (prompt, "\n", " "):
        if text and not unit.unseen(text):
            return [int(symbol) for symbol in unit.encode(text)]
    return [0]


def draw(scores: Tensor, unknown: int | None, sampling: Sampling, generator: torch.Generator) -> int:
    """Draw one symbol from scores (V,); the unknown symbol is never drawn."""
    scores = scores.clone()
    if unknown is not None and scores.numel() > 1:
        scores[unknown] = -torch.inf
    if sampling.temperature < COLDEST:
        return int(scores.argmax())
    scores /= sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scores.numel():
        best = scores.topk(sampling.top_k)
        scores = torch.full_like(scores, -torch.inf).scatter(0, best.indices, best.values)
    if sampling.top_p is not None:
        ordered, index = scores.softmax(-1).sort(descending=True)
        beyond = ordered.cumsum(-1) - ordered >= sampling.top_p
        beyond[0] = False  # as float32 the smallest shares are 0
        scores[index[beyond]] = -torch.inf
    return int(torch.multinomial(scores.softmax(-1), 1, generator=generator))
