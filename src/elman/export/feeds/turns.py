"""Conversations as a model's input: the words of every turn, each turn a row by itself."""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from elman.export.base import BATCH, INDEX, TIME, Port
from elman.export.feeds.base import Fed, Feed, lengths
from elman.export.feeds.words import PaddedWordReader, PaddedWords, numbers
from elman.export.recurrence import portable
from elman.modalities.turns import TurnReader, Turns
from elman.modalities.words import WordReader
from elman.training.examples import Batch

WORDS = "words"
"""The axis of a turn's words."""


class PaddedTurns(NamedTuple):
    """The turns of B conversations.

    Attributes:
        words: (B, T, W), word numbers.
        parts: (B, T, W, N), part numbers.
        counts: (B, T), words of each turn.
    """

    words: Tensor
    parts: Tensor
    counts: Tensor

    def to(self, device: torch.device) -> "PaddedTurns":
        """The same on a device."""
        return PaddedTurns(*(tensor.to(device) for tensor in self))


class PaddedTurnReader(nn.Module):
    """`TurnReader` for `PaddedTurns`."""

    def __init__(self, reader: TurnReader, parts: int) -> None:
        super().__init__()
        self.words = PaddedWordReader(cast("WordReader", reader.words), parts)
        self.recurrence: Any = portable(reader).recurrence

    def forward(self, batch: PaddedTurns) -> Tensor:
        """Return (T, B, features)."""
        rows, steps, _ = batch.words.shape
        found = self.turns(*(tensor.flatten(0, 1) for tensor in batch))
        return found.reshape(rows, steps, -1).transpose(0, 1)

    def turns(self, words: Tensor, parts: Tensor, counts: Tensor) -> Tensor:
        """Return (N, features) for the words (N, W) and parts (N, W, ·) of turns of so many words (N,)."""
        read = self.words(PaddedWords(words.transpose(0, 1), parts.transpose(0, 1)))
        counts = counts.clamp_min(1)  # a turn that there is not has no words
        states, last = self.recurrence.scan(read, None, counts)
        dead = torch.arange(read.shape[0]).unsqueeze(1) >= counts
        return torch.cat([last[0][0], last[0][1], states.masked_fill(dead.unsqueeze(-1), -torch.inf).amax(0)], -1)


class TurnFeed(Feed):
    """Words (B, T, W), parts (B, T, W, N), and how many words each turn has (B, T)."""

    modality = Turns
    script = "follow"

    def __init__(self, read: Turns, reader: TurnReader) -> None:
        super().__init__(read, PaddedTurnReader(reader, len(read.words.parts)))

    @property
    def ports(self) -> tuple[Port, ...]:
        """Words, parts, counts and lengths."""
        counts = Port("counts", (BATCH, TIME), "words of each turn; what lies behind them is not read", INDEX)
        return *numbers(self.read.words, (BATCH, TIME, WORDS)), counts, lengths("turns")

    def forward(self, *tensors: Tensor) -> Fed:
        """Hand them on."""
        *turns, lengths = tensors
        return Fed(PaddedTurns(*turns), lengths)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """Lay turns out by conversation and time step."""
        given, none = batch.inputs, len(self.read.words.parts)
        line = PaddedWords.of(given.words, none)
        (steps, rows), longest = given.shape, max(len(places) for places in given.places)
        words = torch.zeros(rows, steps, longest, dtype=INDEX)
        parts = torch.full((*words.shape, line.parts.shape[-1]), none)
        counts = torch.cat(given.lengths)
        owners = zip(given.rows.tolist(), given.steps.tolist(), strict=True)
        turns = [
            turn[:count]
            for group, many in zip(given.places, given.lengths, strict=True)
            for turn, count in zip(group.t(), many, strict=True)
        ]
        for (row, step), turn in zip(owners, turns, strict=True):
            words[row, step, : len(turn)], parts[row, step, : len(turn)] = line.words[turn, 0], line.parts[turn, 0]
        return (
            words,
            parts,
            torch.zeros(rows, steps, dtype=INDEX).index_put((given.rows, given.steps), counts),
            batch.lengths,
        )

    def step(self, *tensors: Tensor) -> Tensor:
        """Read a turn of each conversation."""
        features: Tensor = self.reader.turns(*tensors)
        return features
