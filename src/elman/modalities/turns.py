"""Turns as a modality: a row is a conversation, a list of texts or a text with a turn on each line; each is a time step.

The words of every turn are read by a recurrence of their own, and what it makes of them stands for the turn. It does not
know who speaks, nor what is asked of the turns.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elman import layers
from elman.data.ragged import Integers, Ragged, within
from elman.data.tables import Column
from elman.layers import LockedDropout
from elman.modalities.base import Input, Reader
from elman.modalities.words import WORDS, EncodedWords, WordBatch, Words


@dataclass(frozen=True)
class TurnBatch:
    """The turns of B conversations, N in all.

    Attributes:
        words: the words of all turns side by side, one conversation after the other.
        lengths: (N,), words in each turn.
        turns: (B,), turns of each conversation.
    """

    words: WordBatch
    lengths: Tensor
    turns: Tensor

    def to(self, device: torch.device) -> "TurnBatch":
        """The same on a device; the words' lengths stay where layers want them."""
        return TurnBatch(self.words.to(device), self.lengths, self.turns.to(device))


@dataclass(frozen=True)
class EncodedTurns:
    """Turns as rows of words, and for each conversation the numbers of its turns."""

    words: EncodedWords
    rows: Ragged

    @property
    def lengths(self) -> Integers:
        """Turns of each conversation."""
        return self.rows.lengths

    def batch(self, rows: Integers) -> TurnBatch:
        """Some conversations, one after the other."""
        turns = self.rows.flat(rows)
        lengths = torch.from_numpy(self.words.lengths[turns])
        return TurnBatch(self.words.batch(turns), lengths, torch.from_numpy(self.lengths[rows]))

    def without_each(self, row: int) -> "EncodedTurns":
        """One conversation as often as it has turns, each time without another of them."""
        turns = self.rows[row]
        left = np.concatenate([np.delete(turns, k) for k in range(len(turns))])
        return EncodedTurns(self.words, Ragged.of(left, np.full(len(turns), len(turns) - 1)))


class Turns(Input):
    """Turns of words.

    Args:
        words: what reads the words.
        longest: the most turns of a conversation, and the most words of a turn.
        cell: of the recurrence over words.
        hidden: its units in each direction.
        word_dropout: of the words' features.
    """

    name = "turns"
    dropout = 0.2

    def __init__(self, words: Words, longest: int, cell: str, hidden: int, word_dropout: float) -> None:
        self.words, self.longest = words, longest
        self.cell, self.hidden, self.word_dropout = cell, hidden, word_dropout

    @classmethod
    def fit(cls, column: Column, longest: int, cell: str, hidden: int, word_dropout: float) -> Self:
        """Collect words and their parts."""
        turns = _flat(column, lists(column, longest), longest)
        return cls(Words.fit(turns, WORDS, longest), longest, cell, hidden, word_dropout)

    def encode(self, column: Column) -> EncodedTurns:
        """Cut a column into turns and these into words; DataError names the first row where that cannot be."""
        turns = lists(column, self.longest)
        words = self.words.encode(_flat(column, turns, self.longest))
        return EncodedTurns(words, Ragged.of(np.arange(len(words.rows)), turns.list.len().to_numpy()))

    def reader(self, features: int) -> Reader:
        """Return a reader with about `features` numbers for each word."""
        return TurnReader(self.words.reader(features), self.cell, self.hidden, self.word_dropout)

    def facts(self, encoded: EncodedTurns) -> dict[str, int]:
        """Count turns and words."""
        return {"turns": len(encoded.rows.values), **self.words.facts(encoded.words)}

    def to_dict(self) -> dict[str, Any]:
        """Return the words' modality, and how they are read."""
        return {
            "words": self.words.to_dict(),
            "longest": self.longest,
            "cell": self.cell,
            "hidden": self.hidden,
            "word_dropout": self.word_dropout,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        return cls(**value | {"words": Words.from_dict(value["words"])})


class TurnReader(Reader):
    """features_t = [last states; max over the words] of a recurrence over the words of turn t, from both directions.

    Source: Yang et al. 2016, Hierarchical attention networks for document classification.

    Args:
        words: reads words.
        cell: of the recurrence.
        hidden: its units in each direction.
        dropout: probability with which a word's feature is zeroed, in all words of a turn alike, while training.
    """

    def __init__(self, words: Reader, cell: str, hidden: int, dropout: float) -> None:
        super().__init__()
        self.words = words
        self.dropout = LockedDropout(dropout)
        self.recurrence = layers.build(cell, words.features, hidden, bidirectional=True)
        self.features = 2 * self.recurrence.output_size

    def forward(self, batch: TurnBatch) -> Tensor:
        """Return (T, B, features), zeros beyond the end of a conversation."""
        read = self.dropout(self.words(batch.words))
        states, last = self.recurrence.scan(read, None, batch.lengths)
        dead = torch.arange(len(read)).unsqueeze(1) >= batch.lengths
        highest = states.masked_fill(dead.unsqueeze(-1).to(states.device), -torch.inf).amax(0)
        found = torch.cat([*last[0], highest], -1)
        padded = found.new_zeros(int(batch.turns.max()), len(batch.turns), self.features)
        return padded.index_put(_places(batch.turns), found)


def lists(column: Column, longest: int | None = None) -> pl.Series:
    """Return the column as lists of turns: a list as it is, a text cut at its lines, those without words left out.

    Raises:
        DataError: names the first row that is neither, has no turn, or more than `longest`.

    """
    if column.kind not in ("text", "texts"):
        raise column.error(0, f"holds {column.kind}, not turns: a list of texts, or a text with a turn on each line")
    column.check_filled()
    if column.kind == "text":
        turns = column.values.cast(pl.String).str.extract_all(r"[^\r\n]*\S[^\r\n]*")
    else:
        turns = column.values.cast(pl.List(pl.String))
    if (index := column.first(turns.list.len() == 0)) is not None:
        raise column.error(index, "has no turns; remove the row")
    if longest is not None and (index := column.first(turns.list.len() > longest)) is not None:
        count = f"{turns.list.len()[index]:,} turns, more than {longest:,}"
        raise column.error(index, f"has {count}; divide it, or allow it with --longest")
    return turns


def _flat(column: Column, turns: pl.Series, longest: int) -> Column:
    """All turns as a column of texts; DataError names row and turn of the first that is empty or too long."""
    texts, lengths = turns.explode(), turns.list.len().to_numpy()
    owners, places = np.repeat(np.arange(len(lengths)), lengths), within(lengths)
    words = texts.str.count_matches(WORDS).fill_null(0)
    for wrong, what in (
        (words == 0, "is empty; fill it in, or remove it"),
        (words > longest, f"has more than {longest:,} words; shorten it, or allow it with --longest"),
    ):
        if wrong.any():
            k = wrong.arg_max() or 0
            raise column.error(int(owners[k]), f"has a turn, number {places[k] + 1}, that {what}")
    return Column(column.source, column.name, texts, column.rows[owners])


def _places(turns: Tensor) -> tuple[Tensor, Tensor]:
    """For each turn, one conversation after the other, its time step and its conversation."""
    owners = torch.repeat_interleave(turns)
    return torch.arange(len(owners), device=turns.device) - (turns.cumsum(0) - turns)[owners], owners
