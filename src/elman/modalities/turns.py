"""Turns as a modality: a row is a conversation, a list of texts or a text with a turn on each line, each a time step.

The words of every turn are read by a recurrence of their own, and what it makes of them stands for the turn. It does
not know who speaks, nor what is asked of the turns.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from elman import layers
from elman.data.ragged import Integers, Ragged, row_of, within
from elman.data.tables import Column
from elman.layers import LockedDropout
from elman.modalities.base import Input, Reader
from elman.modalities.words import WORDS, EncodedWords, WordBatch, Words, doubtful

MOST = 128
"""Turns that are read at once. All turns of 32 short calls at once are three quarters padding, and a step takes a third
longer; those of long calls would not fit into memory."""


@dataclass(frozen=True)
class TurnBatch:
    """The turns of B conversations, N in all, in groups of similar length.

    Attributes:
        words: of all turns, one after the other.
        places: of each group, (W, n), where among all words each of a turn's stands; 0 beyond its end.
        lengths: of each group, (n,), words in each turn.
        steps: (N,), at which time step each turn stands, one group after the other.
        rows: (N,), in which conversation.
        shape: T and B.
    """

    words: WordBatch
    places: list[Tensor]
    lengths: list[Tensor]
    steps: Tensor
    rows: Tensor
    shape: tuple[int, int]

    def to(self, device: torch.device) -> "TurnBatch":
        """The same on a device."""
        return TurnBatch(
            self.words.to(device),
            [places.to(device) for places in self.places],
            [lengths.to(device) for lengths in self.lengths],
            self.steps.to(device),
            self.rows.to(device),
            self.shape,
        )


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
        """Some conversations side by side."""
        turns, counts = self.rows.flat(rows), self.lengths[rows]
        lengths = self.words.lengths[turns]
        line = Ragged.of(np.arange(lengths.sum()), lengths)
        groups = _groups(lengths)
        order = np.concatenate(groups)
        return TurnBatch(
            self.words.line(turns),
            [torch.from_numpy(line.padded(group)) for group in groups],
            [torch.from_numpy(lengths[group]) for group in groups],
            torch.from_numpy(within(counts)[order]),
            torch.from_numpy(row_of(counts)[order]),
            (int(counts.max()), len(rows)),
        )

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
    dropout = 0.1

    def __init__(self, words: Words, longest: int, cell: str, hidden: int, word_dropout: float) -> None:
        self.words, self.longest = words, longest
        self.cell, self.hidden, self.word_dropout = cell, hidden, word_dropout

    @classmethod
    def fit(cls, column: Column, longest: int, cell: str, hidden: int, word_dropout: float) -> Self:
        """Collect words and their parts."""
        turns = _flat(column, lists(column, longest), longest)
        return cls(Words.fit(turns, WORDS, longest), longest, cell, hidden, word_dropout)

    def extended(self, column: Column) -> Self:
        """Add the words and parts that are new."""
        turns = _flat(column, lists(column, self.longest), self.longest)
        return type(self)(self.words.extended(turns), self.longest, self.cell, self.hidden, self.word_dropout)

    def encode(self, column: Column) -> EncodedTurns:
        """Cut a column into turns and these into words; DataError names the first row where that cannot be."""
        turns = lists(column, self.longest)
        words = self.words.encode(_flat(column, turns, self.longest))
        return EncodedTurns(words, Ragged.of(np.arange(len(words.rows)), turns.list.len().to_numpy()))

    def check(self, column: Column) -> None:
        """Cut the rows that may have no turns, or too many, or too many words in one."""
        rows = doubtful(column, self.longest)
        _flat(rows, lists(rows, self.longest), self.longest)

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
        rest = (value[name] for name in ("longest", "cell", "hidden", "word_dropout"))
        return cls(Words.from_dict(value["words"]), *rest)


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
        words = self.words(batch.words).squeeze(1)
        found = torch.cat([self.read(words, *group) for group in zip(batch.places, batch.lengths, strict=True)])
        padded = found.new_zeros(*batch.shape, self.features)
        return padded.index_put((batch.steps, batch.rows), found)

    def read(self, words: Tensor, places: Tensor, lengths: Tensor) -> Tensor:
        """The features of some turns, (n, features), that have their words at these places."""
        read = self.dropout(nn.functional.embedding(places, words))
        states, last = self.recurrence.scan(read, None, lengths)
        dead = torch.arange(len(read), device=lengths.device).unsqueeze(1) >= lengths
        return torch.cat([*last[0], states.masked_fill(dead.unsqueeze(-1), -torch.inf).amax(0)], -1)


def lists(column: Column, longest: int | None = None) -> pl.Series:
    """Return the column as lists of turns: a list as it is, a text cut at its lines, those without words left out.

    Raises:
        DataError: names the first row that is neither, has no turn, or more than `longest`.

    """
    if column.form not in ("text", "texts"):
        raise column.error(0, f"holds {column.form}, not turns: a list of texts, or a text with a turn on each line")
    column.check_filled()
    if column.form == "text":
        turns = column.values.cast(pl.String).str.extract_all(r"[^\r\n]*\S[^\r\n]*")
    else:
        turns = column.values.cast(pl.List(pl.String))
    if (index := column.first(turns.list.len() == 0)) is not None:
        raise column.error(index, "has no turns; remove the row")
    if longest is not None and (index := column.first(turns.list.len() > longest)) is not None:
        count = f"{turns.list.len()[index]:,} turns, more than {longest:,}"
        raise column.error(index, f"has {count}; divide it, or train a new network with a larger --longest")
    return turns


def _flat(column: Column, turns: pl.Series, longest: int) -> Column:
    """All turns as a column of texts; DataError names row and turn of the first that is empty or too long."""
    texts, lengths = turns.explode(), turns.list.len().to_numpy()
    owners, places = row_of(lengths), within(lengths)
    words = texts.str.count_matches(WORDS).fill_null(0)
    for wrong, what in (
        (words == 0, "is empty in turn {}; fill it in, or remove the turn"),
        (
            words > longest,
            f"has more than {longest:,} words in turn {{}}; shorten it, or train a new network with a larger --longest",
        ),
    ):
        if wrong.any():
            k = wrong.arg_max() or 0
            raise column.error(int(owners[k]), what.format(places[k] + 1))
    return Column(column.source, column.name, texts, column.rows[owners])


def _groups(lengths: Integers) -> list[Integers]:
    """Numbers of turns in groups of about MOST, by rising length."""
    return np.array_split(np.argsort(lengths, kind="stable"), -(-len(lengths) // MOST))
