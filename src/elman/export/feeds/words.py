"""Words as a model's input: their numbers, and those of their parts."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from elman.export.base import BATCH, INDEX, TIME, Port
from elman.export.feeds.base import Fed, Feed, batched, lengths
from elman.modalities.words import WordBatch, WordReader, Words
from elman.training.examples import Batch

PARTS = "parts"
"""The axis of a word's parts."""


class PaddedWords(NamedTuple):
    """Words and their parts, each word's parts by itself, so that nothing but tensors is needed to say them.

    Attributes:
        words: (T, B), word numbers; 0 for none.
        parts: (T, B, N), part numbers; the number of parts for none.
    """

    words: Tensor
    parts: Tensor

    def to(self, device: torch.device) -> "PaddedWords":
        """The same on a device."""
        return PaddedWords(self.words.to(device), self.parts.to(device))

    @classmethod
    def of(cls, batch: WordBatch, none: int) -> "PaddedWords":
        """The same batch in this form."""
        ends = torch.cat([batch.starts[1:], torch.tensor([len(batch.parts)])])
        forms = [batch.parts[start:end] for start, end in zip(batch.starts.tolist(), ends.tolist(), strict=True)]
        padded = nn.utils.rnn.pad_sequence([*forms, torch.full((1,), none)], batch_first=True, padding_value=none)
        return cls(batch.words[batch.index], padded[batch.index])


class PaddedWordReader(nn.Module):
    """`WordReader` for `PaddedWords`."""

    def __init__(self, reader: WordReader, parts: int) -> None:
        super().__init__()
        self.words, self.features, self.none = reader.words, reader.features, parts
        table = reader.parts.weight.detach()[:parts]
        self.register_buffer("parts", torch.cat([table, table.new_zeros(1, table.shape[1])]))
        self.parts: Tensor

    def forward(self, batch: PaddedWords) -> Tensor:
        """Return (T, B, features)."""
        count = (batch.parts != self.none).sum(-1, keepdim=True).clamp(min=1)
        mean = nn.functional.embedding(batch.parts, self.parts).sum(-2) / count
        return torch.cat([self.words(batch.words), mean], -1)


class WordFeed(Feed):
    """Words (B, T) and parts (B, T, N)."""

    modality = Words

    def __init__(self, read: Words, reader: WordReader) -> None:
        super().__init__(read, PaddedWordReader(reader, len(read.parts)))

    @property
    def ports(self) -> tuple[Port, ...]:
        """Words, parts and lengths."""
        return *numbers(self.read, (BATCH, TIME)), lengths("words")

    def forward(self, *tensors: Tensor) -> Fed:
        """Turn them time first."""
        words, parts, lengths = tensors
        return Fed(PaddedWords(words.transpose(0, 1), parts.transpose(0, 1)), lengths)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """Give every word its own parts."""
        padded = PaddedWords.of(batch.inputs, len(self.read.parts))
        return batched(padded.words), batched(padded.parts), batch.lengths

    def step(self, *tensors: Tensor) -> Tensor:
        """Look words (B,) and parts (B, N) up."""
        found: Tensor = self.reader(PaddedWords(*tensors))
        return found


def numbers(read: Words, axes: tuple[str | int, ...]) -> tuple[Port, Port]:
    """The inputs for words that have these axes."""
    word = "word numbers: the place in `words`, from 1 on; 0 for all others"
    part = f"part numbers: the place in `parts`, from 0 on; {len(read.parts)} for none"
    return Port("words", axes, word, INDEX), Port("parts", (*axes, PARTS), part, INDEX)
