"""A network that writes a word letter by letter, from one vector or from another word: a plain one, to be read.

It does not know what is claimed. Source: Sutskever et al., "Sequence to sequence learning with neural networks" (2014).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.layers import build
from elman.types import State

END = 0


class Word(nn.Module):
    """The last state of a GRU that has read a word.

    Args:
        letters: V.
        hidden: H.
    """

    def __init__(self, letters: int, hidden: int) -> None:
        super().__init__()
        self.read, self.layer = nn.Embedding(letters, hidden // 2), build("gru", hidden // 2, hidden)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """(B, H) for padded words (B, T)."""
        _, (state,) = self.layer.scan(self.read(words.T), None, lengths)
        return state[0]


class Writer(nn.Module):
    """A GRU that begins with the reader's answer as its state, and reads at each step the letter that it wrote before.

    Args:
        reader: anything -> (B, H).
        letters: V, of which number 0 is the end.
        hidden: H.
    """

    def __init__(self, reader: nn.Module, letters: int, hidden: int) -> None:
        super().__init__()
        self.reader, self.read = reader, nn.Embedding(letters, hidden // 2)
        self.layer, self.head = build("gru", hidden // 2, hidden), nn.Linear(hidden, letters)

    def forward(self, inputs: tuple[Tensor, ...], words: Tensor) -> Tensor:
        """The mean loss per letter of words (B, T), their ends included; what it reads is what it should have written.

        Args:
            inputs: what the reader takes.
            words: padded with 0.
        """
        before, ended = F.pad(words.T, (0, 0, 1, 0), value=END), F.pad(words.T, (0, 0, 0, 1), value=END)
        output, _ = self.layer.scan(self.read(before), (self.reader(*inputs)[None],))
        counts = before != END
        counts[0] = True
        return F.cross_entropy(self.head(output)[counts], ended[counts])

    @torch.no_grad()
    def write(self, inputs: tuple[Tensor, ...], most: int) -> Tensor:
        """(B, most): always the likeliest letter."""
        state: State = (self.reader(*inputs)[None],)
        letters, written = torch.full(state[0].shape[:2], END), []
        for _ in range(most):
            output, state = self.layer.scan(self.read(letters), state)
            letters = self.head(output).argmax(-1)
            written.append(letters[0])
        return torch.stack(written, 1)
