"""Many-to-many of unequal lengths: one recurrence reads, another writes and looks back at what was read.

It knows numbers of symbols, not what they stand for; what is read may be anything that a reader makes a sequence of.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.layers import LockedDropout, Stack
from elman.layers.attention import Attention, Memory
from elman.modalities.base import IGNORED, log_frequencies
from elman.types import State

SMALLEST = 1e-30


@dataclass(frozen=True)
class Read:
    """What the writer looks back at.

    Attributes:
        memory: the reader's states.
        symbols: (T, B), the symbols that were read; None where they are not copied.
    """

    memory: Memory
    symbols: Tensor | None

    def rows(self, chosen: Tensor) -> "Read":
        """Some rows of the batch."""
        symbols = None if self.symbols is None else self.symbols.index_select(1, chosen)
        return Read(self.memory.rows(chosen), symbols)

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.memory.values.device


@dataclass(frozen=True)
class Written:
    """What was thought at S steps of writing.

    Attributes:
        features: (S, B, E), from which the next symbol is told.
        weights: (B, S, T), where the writer looked.
        copying: (S, B), the logit of the probability of copying what it looks at; None where it does not copy.
    """

    features: Tensor
    weights: Tensor
    copying: Tensor | None

    @classmethod
    def joined(cls, steps: list["Written"]) -> "Written":
        """What was thought at several steps, one after the other."""
        copying = [step.copying for step in steps if step.copying is not None]
        features, weights = torch.cat([step.features for step in steps]), torch.cat([step.weights for step in steps], 1)
        return cls(features, weights, torch.cat(copying) if copying else None)


@dataclass(frozen=True)
class Carried:
    """What goes from one step of writing to the next: the recurrence's state, and features that are fed back."""

    state: State
    fed: Tensor | None

    def rows(self, chosen: Tensor) -> "Carried":
        """Some rows of the batch."""
        state = tuple(tensor.index_select(1, chosen) for tensor in self.state)
        return Carried(state, None if self.fed is None else self.fed.index_select(0, chosen))


class Writer(nn.Module):
    """h_s = recurrence(y_{s-1}, h_{s-1}); f_s = tanh(W [h_s; context_s]); P(y_s) = softmax(E f_s).

    Symbol V, the last, ends a text, and stands before its first symbol. The matrix E that scores symbols is the one
    that embeds them (Press & Wolf 2017). With `feeding` the recurrence reads [y_{s-1}; f_{s-1}], so that it knows where
    it has looked (Luong et al. 2015): better, and slower, since all steps can no longer be computed at once. With
    `copying`, P(y) = g softmax(E f)_y + (1 - g) sum of the attention to the steps that hold y (See et al. 2017).

    Args:
        embedding: of V + 1 symbols, of size E.
        recurrence: from E, with feeding 2 E, features to H; time first.
        attention: from queries of H.
        read: features of the memory, M.
        feeding: whether what was thought is fed back.
        copying: whether symbols can be copied; they are then the same as those that are read.
        dropout: probability with which a feature is zeroed, at all steps alike: of the embedding, and before scoring.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        recurrence: Stack,
        attention: Attention,
        read: int,
        *,
        feeding: bool = False,
        copying: bool = False,
        dropout: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__()
        size, found = embedding.embedding_dim, recurrence.output_size + read
        self.end = embedding.num_embeddings - 1
        self.embedding, self.recurrence, self.attention = embedding, recurrence, attention
        self.feeding = feeding
        self.combine = nn.Linear(found, size)
        self.gate = nn.Linear(found, 1) if copying else None
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self.share: Tensor
        self.register_buffer("share", torch.full_like(self.bias, 1 / len(self.bias)), persistent=False)
        self.before, self.after = LockedDropout(dropout[0]), LockedDropout(dropout[1])

    def expect(self, counts: Tensor) -> None:
        """Begin with how often each symbol occurs in training, (V + 1,): with ln P of each by itself as bias.

        A vocabulary has symbols that no text has, such as most bytes. The smoothing gives them nothing: if each of them
        got the same little probability, what is thought would have to be nearly the same everywhere.
        """
        with torch.no_grad():
            self.bias.copy_(log_frequencies(counts))
            self.share.copy_((counts > 0) / len(counts))

    def begin(self, state: State) -> Carried:
        """What is carried into the first step, from the state of the recurrence, tensors (L, B, ·)."""
        rows = state[0].shape[1]
        fed = state[0].new_zeros(rows, self.embedding.embedding_dim) if self.feeding else None
        return Carried(state, fed)

    def forward(self, symbols: Tensor, carried: Carried, read: Read) -> tuple[Written, Carried]:
        """Return what is thought after each of the symbols (S, K * B): K texts for each row that was read."""
        embedded = self.before(self.embedding(symbols))
        if not self.feeding:
            return self._advance(embedded, carried, read)
        steps = []
        for step in embedded.split(1):
            written, carried = self._advance(step, carried, read)
            steps.append(written)
        return Written.joined(steps), carried

    def _advance(self, embedded: Tensor, carried: Carried, read: Read) -> tuple[Written, Carried]:
        steps, rows, _ = embedded.shape
        fed = [] if carried.fed is None else [carried.fed.unsqueeze(0)]
        features, state = self.recurrence.scan(torch.cat([embedded, *fed], -1), carried.state)
        asked = features.reshape(-1, read.memory.values.shape[0], features.shape[-1])
        context, weights = self.attention(asked, read.memory)
        found = torch.cat([asked, context], -1)
        thought = torch.tanh(self.combine(found))
        copying = None if self.gate is None else self.gate(found).squeeze(-1)
        last = thought.reshape(steps, rows, -1)[-1] if self.feeding else None
        return Written(thought, weights, copying), Carried(state, last)

    def scores(self, features: Tensor) -> Tensor:
        """Scores (..., V + 1) of the symbols that may come next, for features (..., E), in float32."""
        return _exact(F.linear(features, self.embedding.weight, self.bias))

    def log_probabilities(self, written: Written, read: Read) -> Tensor:
        """ln P of every symbol that may come next, (S, B, V + 1)."""
        said = self.scores(written.features).log_softmax(-1)
        if written.copying is None or read.symbols is None:
            return said
        copied = torch.sigmoid(_exact(written.copying)).unsqueeze(-1)
        weights = _exact(written.weights.transpose(0, 1))
        places = read.symbols.t().unsqueeze(0).expand(len(weights), -1, -1)
        pointed = torch.zeros_like(said).scatter_add_(-1, places, weights)
        return (said.exp() * (1 - copied) + pointed * copied).clamp_min(SMALLEST).log()


class EncoderDecoder(nn.Module):
    """P(y | x) = product over s of P(y_s | y_1 ... y_{s-1}, x).

    The writer begins with the state that the encoder ends with, that of both directions side by side; the encoder is
    therefore of half the writer's size if it has two, and of the same number of layers.

    Args:
        reader: what is read -> features (T, B, I); None where what is read and what is written are the same symbols,
            which the writer's embedding then stands for too.
        encoder: any Elman layer, time first.
        writer: looks back at the encoder's output.
        label_smoothing: the share of a target's probability that all symbols get alike in training, but for those of
            which it is known that they never occur.
    """

    def __init__(self, reader: nn.Module | None, encoder: Stack, writer: Writer, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.reader, self.encoder, self.writer = reader, encoder, writer
        self.label_smoothing = label_smoothing

    def read(self, inputs: Any, lengths: Tensor) -> tuple[Read, Carried]:
        """Read rows of these lengths (B,), as the reader takes them; symbols (T, B)."""
        inputs = inputs.to(self.writer.bias.device)
        embedded = (self.reader or self.writer.embedding)(inputs)
        features, state = self.encoder.scan(self.writer.before(embedded), None, lengths)
        memory = self.writer.attention.remember(features, lengths)
        copied = None if self.writer.gate is None else inputs
        return Read(memory, copied), self.writer.begin(self._bridge(state))

    def forward(self, inputs: Any, lengths: Tensor, targets: Tensor) -> tuple[Written, Read]:
        """Return what is thought before each of the targets (S, B), those before it given."""
        read, carried = self.read(inputs, lengths)
        targets = targets.to(read.device)
        before = torch.cat([torch.full_like(targets[:1], self.writer.end), targets[:-1]])
        before = torch.where(before == IGNORED, self.writer.end, before)
        return self.writer(before, carried, read)[0], read

    def _bridge(self, state: State) -> State:
        if not self.encoder.bidirectional:
            return state
        return tuple(torch.cat([tensor[0::2], tensor[1::2]], -1) for tensor in state)

    def losses(self, inputs: Any, lengths: Tensor, targets: Tensor) -> Tensor:
        """-ln P of each target that is not IGNORED, (N,), one step after the other; smoothed while training."""
        written, read = self(inputs, lengths, targets)
        targets = targets.to(read.device)
        scored = targets != IGNORED
        wanted = targets[scored].unsqueeze(-1)
        said = self.writer.scores(self.writer.after(written.features)[scored]).log_softmax(-1)
        chosen = said.gather(-1, wanted).squeeze(-1)
        if written.copying is not None and read.symbols is not None:
            gate = _exact(written.copying)[scored]
            pointed = _pointed(_exact(written.weights), read.symbols, targets)[scored].clamp_min(SMALLEST)
            chosen = torch.logaddexp(F.logsigmoid(-gate) + chosen, F.logsigmoid(gate) + pointed.log())
        if not self.training or not self.label_smoothing:
            return -chosen
        share = self.label_smoothing * self.writer.share
        return -((1 - share.sum()) * chosen + said.mv(share))


def _exact(value: Tensor) -> Tensor:
    """At least float32, where matmuls may have been less exact."""
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _pointed(weights: Tensor, symbols: Tensor, targets: Tensor) -> Tensor:
    """How much of the attention (B, S, T) lies on those of the symbols (T, B) that are the target (S, B), (S, B)."""
    same = symbols.t().unsqueeze(1) == targets.t().unsqueeze(-1)
    return (weights * same).sum(-1).t()
