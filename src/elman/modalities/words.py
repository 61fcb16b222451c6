"""Words as a modality: a text or a list of tokens, each token read by what it is and by what it is made of.

A frequent word has a vector of its own; every word, rare and unseen ones too, has those of its character n-grams, so
that forms of one word are alike and spelling mistakes are survived (Bojanowski et al. 2017). It does not know what the
words are read for.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from elman.data.ragged import Array, Integers, Ragged
from elman.data.tables import Column
from elman.modalities.base import Input, Reader

WORDS = r"\w+(?:['’]\w+)*|[^\w\s]"
"""A word, with its apostrophes, or a single sign."""
TOKENS = r"\S+"
MOST_WORDS, MOST_PARTS = 50_000, 100_000
UNKNOWN = 0
SHORTEST, LONGEST = 2, 5


@dataclass(frozen=True)
class WordBatch:
    """Some rows of words.

    Attributes:
        index: (T, B), which of the U distinct forms stands where; 0 beyond a row's end.
        words: (U,), the word number of each form, 0 if it has none.
        parts: the part numbers of all forms, one form after the other.
        starts: (U,), where each form's parts begin.
    """

    index: Tensor
    words: Tensor
    parts: Tensor
    starts: Tensor

    def to(self, device: torch.device) -> "WordBatch":
        """The same on a device."""
        return WordBatch(*(t.to(device) for t in (self.index, self.words, self.parts, self.starts)))


@dataclass(frozen=True)
class EncodedWords:
    """Rows of forms, and for each distinct form its word number and its parts."""

    rows: Ragged
    words: Integers
    parts: Ragged

    @property
    def lengths(self) -> Integers:
        """Words in each row."""
        return self.rows.lengths

    def batch(self, rows: Integers) -> WordBatch:
        """Some rows side by side."""
        return self._batch(self.rows.padded(rows))

    def line(self, rows: Integers) -> WordBatch:
        """Some rows one after the other, as if they were one: T is the sum of their lengths, B is 1."""
        return self._batch(self.rows.flat(rows)[:, None])

    def _batch(self, forms: Array) -> WordBatch:
        used, index = np.unique(forms, return_inverse=True)
        starts = np.cumsum(self.parts.lengths[used]) - self.parts.lengths[used]
        return WordBatch(
            torch.from_numpy(index.reshape(forms.shape)),
            torch.from_numpy(self.words[used]),
            torch.from_numpy(self.parts.flat(used)),
            torch.from_numpy(starts),
        )


class Words(Input):
    """Words by number, and n-grams of 2 to 5 characters by number.

    Args:
        words: those that have a vector, by falling frequency.
        parts: the n-grams and shapes that have one.
        pattern: a regular expression that matches one word of a text; lists of tokens are taken as they are.
        longest: the most words that a row may have.
        forget: how often a word's own vector is left out in training, so that the network trusts its parts too.
        whole: whether training read texts, which were cut by a pattern of the network's own, so that lists of tokens
            are no texts to it.
    """

    name = "words"

    def __init__(
        self, words: list[str], parts: list[str], pattern: str, longest: int, forget: float, *, whole: bool = False
    ) -> None:
        self.words, self.parts = words, parts
        self.pattern, self.longest, self.forget, self.whole = pattern, longest, forget, whole
        self._word = {word: number for number, word in enumerate(words, 1)}
        self._part = {part: number for number, part in enumerate(parts)}

    @classmethod
    def fit(cls, column: Column, pattern: str = WORDS, longest: int = 2000, forget: float = 0.1) -> Self:
        """Collect the words that occur at least twice, and the parts that are common to two words at least."""
        _check(column, column.kind)
        forms = cut(column, pattern, longest).explode()
        lower = forms.str.to_lowercase().value_counts(sort=True)
        twice = lower.filter((lower["count"] > 1) & lower[forms.name].is_not_null())[forms.name]
        counts = Counter(part for form in forms.unique() if form for part in _parts(form))
        common = [part for part, count in counts.most_common(MOST_PARTS) if count > 1]
        whole = column.form == "text" and pattern != TOKENS
        return cls(sorted(twice[:MOST_WORDS]), sorted(common), pattern, longest, forget, whole=whole)

    def extended(self, column: Column) -> Self:
        """Add the words and parts that are new."""
        found = self.fit(column, self.pattern, self.longest, self.forget)
        words = [word for word in found.words if word not in self._word]
        parts = [part for part in found.parts if part not in self._part]
        fixed = (self.pattern, self.longest, self.forget)
        return type(self)(self.words + words, self.parts + parts, *fixed, whole=self.whole)

    def encode(self, column: Column) -> EncodedWords:
        """Cut a column into words and look them up; DataError names the first row without any, or with too many."""
        lists = self._cut(column)
        flat = lists.explode().fill_null("")
        forms = flat.unique(maintain_order=True)
        index = flat.replace_strict(forms, pl.Series(range(len(forms)), dtype=pl.Int32), return_dtype=pl.Int32)
        words = np.array([self._word.get(form.lower(), UNKNOWN) for form in forms], np.int64)
        known = [[self._part[part] for part in _parts(form) if part in self._part] for form in forms]
        parts = np.array([part for row in known for part in row], np.int64)
        rows = Ragged.of(index.to_numpy(), lists.list.len().to_numpy())
        return EncodedWords(rows, words, Ragged.of(parts, np.array([len(row) for row in known])))

    def check(self, column: Column) -> None:
        """Cut the rows that may have no words, or too many."""
        self._cut(doubtful(column, self.longest))

    def _cut(self, column: Column) -> pl.Series:
        if self.whole and column.form == "texts":
            raise column.error(0, "holds a list, but training read whole texts; join each list to a text")
        return cut(column, self.pattern, self.longest)

    def reader(self, features: int) -> Reader:
        """Return an embedding of words and parts."""
        return WordReader(len(self.words) + 1, len(self.parts), features, self.forget)

    def facts(self, encoded: EncodedWords) -> dict[str, int]:
        """Count words, and those without a vector of their own."""
        return {
            "words": len(encoded.rows.values),
            "unknown_words": int((encoded.words[encoded.rows.values] == UNKNOWN).sum()),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return words, parts, and how texts are cut."""
        return {
            "words": self.words,
            "parts": self.parts,
            "pattern": self.pattern,
            "longest": self.longest,
            "forget": self.forget,
            "whole": self.whole,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Take what `to_dict` returned."""
        fixed = (value["pattern"], value["longest"], value["forget"])
        return cls(value["words"], value["parts"], *fixed, whole=value.get("whole", False))


class WordReader(Reader):
    """Features of a token: the vector of its word, if it has one, beside the mean of the vectors of its parts."""

    def __init__(self, words: int, parts: int, features: int, forget: float) -> None:
        super().__init__()
        self.features = features
        self.forget = forget
        self.words = nn.Embedding(words, features - features // 2, padding_idx=UNKNOWN)
        self.parts = nn.EmbeddingBag(max(1, parts), features // 2, mode="mean")

    def forward(self, batch: WordBatch) -> Tensor:
        """Return (T, B, features)."""
        words = batch.words
        if self.training and self.forget:
            words = words * (torch.rand(words.shape, device=words.device) >= self.forget)
        forms = torch.cat([self.words(words), self.parts(batch.parts, batch.starts)], -1)
        return nn.functional.embedding(batch.index, forms)


def cut(column: Column, pattern: str, longest: int | None = None) -> pl.Series:
    """Return the column as lists of words: a list as it is, a text cut by the pattern.

    Raises:
        DataError: names the first row that is no text, is empty, or has more than `longest` words.

    """
    _check(column, column.form)
    column.check_filled()
    lists = column.values if column.form == "texts" else column.values.cast(pl.String).str.extract_all(pattern)
    lists = lists.cast(pl.List(pl.String))
    lengths = lists.list.len()
    if (index := column.first(lengths == 0)) is not None:
        raise column.error(index, "is empty; fill it in, or remove the row")
    if longest is not None and (index := column.first(lengths > longest)) is not None:
        many = f"{lengths[index]:,} words, more than {longest:,}"
        raise column.error(index, f"has {many}; shorten it, or train a new network with a larger --longest")
    return lists


def doubtful(column: Column, longest: int | None) -> Column:
    """Return the rows that may be empty, or have more than `longest` words or symbols.

    None has more of them than bytes, and one, a space that a unit puts before the text.
    """
    if column.form != "text":
        return column
    texts = column.values.cast(pl.String)
    right = texts.str.contains(r"\S").fill_null(value=False)
    if longest is not None:
        right &= (texts.str.len_bytes() < longest).fill_null(value=False)
    return column.take((~right).arg_true().to_numpy())


def _check(column: Column, held: str) -> None:
    """Raise DataError where what a column holds is neither texts nor lists of them."""
    if held not in ("text", "texts"):
        raise column.error(0, f"holds {held}, not text")


def _parts(form: str) -> Iterator[str]:
    """The n-grams of a form between < and >, without letter case, and its shape after a space: " Xx", " d"."""
    word = f"<{form[:50].lower()}>"
    for size in range(SHORTEST, LONGEST + 1):
        for first in range(len(word) - size + 1):
            yield word[first : first + size]
    yield " " + _shape(form[:50])


def _shape(form: str) -> str:
    """The kinds of characters, without repetitions: X upper, x lower case, d digit, s sign."""
    kinds = ("X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else "s" for c in form)
    shape = ""
    for kind in kinds:
        shape += kind if not shape.endswith(kind) else ""
    return shape
