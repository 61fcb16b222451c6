"""Networks that answer whole rows, or every step of them: one model, which takes rows of unequal length.

It knows the topology `SharedEncoder` and the modalities that it reads. A network that reads in one direction only, and
answers every step, gets a second model for one step.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.export.base import (
    BATCH,
    INDEX,
    TIME,
    Exporter,
    Model,
    Port,
    Runner,
    StandIn,
    Trial,
    after,
    beginning,
    difference,
    names_of,
    states,
)
from elman.export.recurrence import Steps, portable
from elman.modalities.series import Series
from elman.modalities.symbols import SymbolTexts
from elman.modalities.words import WordBatch, WordReader, Words
from elman.topologies.shared import SharedEncoder, Synced

PARTS = "parts"
"""The axis of a word's parts."""
ROWS = (1, 2, 5, 32)
"""Of the trials' batches."""

TRIED = 200
"""Rows that the script's encoding is tried on."""


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


class Rows(nn.Module):
    """Inputs (B, T, ...) and lengths (B,) to ln P of every output, (B, V) or (B, T, V)."""

    def __init__(self, network: SharedEncoder, reader: nn.Module, *, words: bool) -> None:
        super().__init__()
        self.network: Any = portable(network)
        self.network.reader = reader
        self.words = words
        self.stepwise = [isinstance(output, Synced) for output in network.outputs]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ln P of each output's symbols."""
        *given, lengths = inputs
        given = [tensor.transpose(0, 1) for tensor in given]
        scores = self.network(PaddedWords(*given) if self.words else given[0], lengths)
        found = [scores[name].log_softmax(-1) for name in self.network.names]
        return tuple(one.transpose(0, 1) if each else one for one, each in zip(found, self.stepwise, strict=True))


class RowStep(nn.Module):
    """One step of a network that answers each: inputs (B, ...) and a state to ln P (B, V), and the state after."""

    def __init__(self, network: SharedEncoder, reader: nn.Module, *, words: bool) -> None:
        super().__init__()
        self.reader, self.words, self.count = reader, words, 2 if words else 1
        self.recurrence = Steps(network.recurrence)
        self.heads = nn.ModuleList(output.head for output in network.outputs)  # type: ignore[misc]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ln P of each output's symbols, and the state."""
        given, state = inputs[: self.count], inputs[self.count :]
        features, state = self.recurrence(self.reader(PaddedWords(*given) if self.words else given[0]), state)
        return *[head(features).log_softmax(-1) for head in self.heads], *state


class Answering(Exporter):
    """Classification and tagging."""

    topology = SharedEncoder
    inputs = (Words, SymbolTexts, Series)
    script = "answer"

    @property
    def words(self) -> bool:
        """Whether words are read, with their parts."""
        return isinstance(self.prepared.input, Words)

    @property
    def stepwise(self) -> bool:
        """Whether the network can answer step by step as it reads."""
        every = all(output.stepwise for output in self.prepared.outputs.values())
        return every and not self.network.recurrence.bidirectional and not isinstance(self.prepared.input, Series)

    def models(self) -> list[Model]:
        """Return the model of whole rows and, where it can be, that of one step."""
        lengths = Port("lengths", (BATCH,), "steps of each row, from 1 on; what lies behind them is not read", INDEX)
        inputs, outputs = self._inputs(), self._outputs()
        module = Rows(self.network, self._reader(), words=self.words)
        whole = Model("model", "answers whole rows", module, (*inputs, lengths), outputs)
        return [whole, self._step(inputs, outputs)] if self.stepwise else [whole]

    def facts(self) -> dict[str, Any]:
        """Return nothing: the modalities say it all."""
        return {}

    def trials(self, runners: Mapping[str, Runner]) -> Iterator[Trial]:
        """Answer held-out rows, batches from all over."""
        examples = self.prepared.examples(self.part)
        for rows in ROWS:
            chosen = np.unique(np.linspace(0, len(examples) - 1, rows).astype(np.int64))
            batch = examples.batch(chosen)
            own = [one.log_softmax(-1) for one in self.network(batch.inputs, batch.lengths).values()]
            found = self._answer(runners["model"], batch.inputs, batch.lengths)
            sizes = len(chosen), int(batch.lengths.max())
            yield Trial("model", *sizes, max(difference(one, other) for one, other in zip(found, own, strict=True)))
            if self.stepwise:
                live = (torch.arange(sizes[1]).unsqueeze(1) < batch.lengths).unsqueeze(-1)
                stepped = self._answer_steps(runners["step"], batch.inputs)
                pairs = zip(stepped, own, strict=True)
                yield Trial("step", *sizes, max(difference(one * live, other * live) for one, other in pairs))

    def encodings(self, script: Any, description: Mapping[str, Any]) -> Iterator[bool]:
        """Encode the first held-out rows."""
        examples = self.prepared.examples(self.part)
        column = self.prepared.column(self.part, self.prepared.input_name)
        for k, row in enumerate(column.values.head(TRIED).to_list()):
            found = script.encode(description["modalities"]["input"], row)
            own = self._tensors(examples.batch(np.array([k])).inputs)
            yield all(
                np.array_equal(found[p.name][0], t[:, 0].numpy()) for p, t in zip(self._inputs(), own, strict=True)
            )

    def stand_in(self, runners: Mapping[str, Runner]) -> nn.Module:
        """Return a network that answers by the model."""
        return _Answers(self, runners["model"])

    def _answer(self, run: Runner, inputs: Any, lengths: Tensor) -> list[Tensor]:
        """ln P of every output, time first, for a batch as the network takes it."""
        found = run(*(tensor.transpose(0, 1).contiguous() for tensor in self._tensors(inputs)), lengths)
        outputs = self.prepared.outputs.values()
        return [one.transpose(0, 1) if out.stepwise else one for one, out in zip(found, outputs, strict=True)]

    def _answer_steps(self, run: Runner, inputs: Any) -> list[Tensor]:
        """The same step by step."""
        tensors = self._tensors(inputs)
        state, found = beginning(self.network.recurrence, tensors[0].shape[1]), []
        for now in zip(*tensors, strict=True):
            answers = run(*now, *state)
            found.append(answers[: len(self.prepared.outputs)])
            state = tuple(answers[len(self.prepared.outputs) :])
        return [torch.stack(each) for each in zip(*found, strict=True)]

    def _tensors(self, inputs: Any) -> tuple[Tensor, ...]:
        """A batch as tensors, time first."""
        return PaddedWords.of(inputs, len(self.prepared.input.parts)) if self.words else (inputs,)

    def _inputs(self) -> tuple[Port, ...]:
        read = self.prepared.input
        if isinstance(read, Series):
            return (Port("values", (BATCH, TIME, read.channels), "z-scores: (value - mean) / deviation"),)
        if isinstance(read, SymbolTexts):
            return (Port("symbols", (BATCH, TIME), f"{read.unit.noun}s by number", INDEX),)
        word = "word numbers: the place in `words`, from 1 on; 0 for all others"
        part = f"part numbers: the place in `parts`, from 0 on; {len(read.parts)} for none"
        return Port("words", (BATCH, TIME), word, INDEX), Port("parts", (BATCH, TIME, PARTS), part, INDEX)

    def _outputs(self) -> tuple[Port, ...]:
        names = names_of(self.prepared.outputs)
        return tuple(
            Port(
                f"{name}_log_probabilities",
                (BATCH, *((TIME,) if output.stepwise else ()), len(output.symbols)),
                f"ln P of each of `symbols` of {column!r}" + (", at every step" if output.stepwise else ""),
            )
            for name, (column, output) in zip(names, self.prepared.outputs.items(), strict=True)
        )

    def _step(self, inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> Model:
        state = states(self.network.recurrence)
        return Model(
            "step",
            "answers one step",
            RowStep(self.network, self._reader(), words=self.words),
            (*(_without_time(port) for port in inputs), *state),
            (*(_without_time(port) for port in outputs), *after(state)),
        )

    def _reader(self) -> nn.Module:
        reader: Any = self.network.reader
        return PaddedWordReader(reader, len(self.prepared.input.parts)) if self.words else reader


class _Answers(StandIn):
    """SharedEncoder, run elsewhere."""

    def __init__(self, exporter: Answering, run: Runner) -> None:
        super().__init__()
        self._exporter, self._run = exporter, run

    def forward(self, inputs: Any, lengths: Tensor) -> dict[str, Tensor]:
        found = self._exporter._answer(self._run, inputs, lengths)  # noqa: SLF001
        return dict(zip(self._exporter.prepared.outputs, found, strict=True))


def _without_time(port: Port) -> Port:
    meaning = port.meaning.replace(", at every step", "")
    return Port(port.name, tuple(axis for axis in port.axes if axis != TIME), meaning, port.type)
