"""Networks that answer whole rows, or every step of them: one model, which takes rows of unequal length.

It knows the topology `SharedEncoder`; what rows are made of is left to feeds. A network that reads in one direction
only, and answers every step, gets a second model for one step.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elman.data.parts import spread
from elman.export.base import (
    BATCH,
    Exporter,
    Model,
    Port,
    Runner,
    StandIn,
    Trial,
    after,
    difference,
    names_of,
    states,
)
from elman.export.feeds import FEEDS, Feed, feed_of
from elman.export.recurrence import Steps, portable
from elman.generation.kept import beginning
from elman.modalities.base import Output
from elman.modalities.transcripts import Transcripts
from elman.run.run import Run
from elman.topologies.shared import SharedEncoder, Synced
from elman.training.examples import Batch

ROWS = (1, 2, 5, 32)
"""Of the trials' batches."""


class Rows(nn.Module):
    """What is fed, batch first, to ln P of every output, (B, V) or (B, T, V), and what the feed shows."""

    def __init__(self, network: SharedEncoder, feed: Feed) -> None:
        super().__init__()
        self.network: Any = portable(network)
        self.network.reader, self.feed = feed.reader, feed
        self.stepwise = [isinstance(output, Synced) for output in network.outputs]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ln P of each output's symbols."""
        given, lengths, shown = self.feed(*inputs)
        scores = self.network(given, lengths)
        found = [scores[name].log_softmax(-1) for name in self.network.names]
        turned = [one.transpose(0, 1) if each else one for one, each in zip(found, self.stepwise, strict=True)]
        return *turned, *shown


class RowStep(nn.Module):
    """One step of a network that answers each: what is fed and a state to ln P (B, V), and the state after."""

    def __init__(self, network: SharedEncoder, feed: Feed) -> None:
        super().__init__()
        self.feed, self.count, self.skip = feed, len(feed.step_ports), network.skip
        self.recurrence = Steps(network.recurrence)
        self.heads = nn.ModuleList(output.head for output in network.outputs)  # type: ignore[misc]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ln P of each output's symbols, and the state."""
        read = self.feed.step(*inputs[: self.count])
        features, state = self.recurrence(read, inputs[self.count :])
        seen = torch.cat([features, read], -1) if self.skip else features
        return *[head(seen).log_softmax(-1) for head in self.heads], *state


class Answering(Exporter):
    """Classification, tagging, video tagging, call analysis, and speech recognition up to the search for a text."""

    topology = SharedEncoder
    inputs = tuple(feed.modality for feed in FEEDS)

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.feed = feed_of(self.prepared.input, self.network.reader)
        outputs: dict[str, Any] = self.prepared.outputs
        self.outputs, self.count = outputs, len(outputs)
        self.script = "transcribe" if any(isinstance(o, Transcripts) for o in outputs.values()) else self.feed.script

    @property
    def stepwise(self) -> bool:
        """Whether the network can answer step by step as it reads."""
        every = all(output.stepwise for output in self.outputs.values())
        return every and not self.network.recurrence.bidirectional

    def models(self) -> list[Model]:
        """Return the model of whole rows and, where it can be, that of one step."""
        module, outputs = Rows(self.network, self.feed), self._outputs()
        whole = Model("model", "answers whole rows", module, self.feed.ports, (*outputs, *self.feed.shown))
        return [whole, *self.feed.beside(), self._step(outputs)] if self.stepwise else [whole]

    def facts(self) -> dict[str, Any]:
        """Return the blank, and the symbol that is never written; where no text is heard the modalities say it all."""
        heard = [output for output in self.outputs.values() if isinstance(output, Transcripts)]
        return {"blank": heard[0].blank, "unknown": heard[0].unit.unknown} if heard else {}

    def batches(self) -> Iterator[Batch]:
        """Held-out rows from all over, in batches of several sizes."""
        examples = self.feed.examples(self.prepared, self.part)
        for rows in ROWS:
            yield examples.batch(spread(len(examples), rows))

    def trials(self, runners: Mapping[str, Runner]) -> Iterator[Trial]:
        """Answer the batches."""
        for batch in self.batches():
            sizes = len(batch.lengths), int(batch.lengths.max())
            found, shown = self.answered(runners["model"], batch)
            inputs, pairs = self.feed.own(batch, shown)
            own = [one.log_softmax(-1) for one in self.network(inputs, batch.lengths).values()]
            pairs += self._within(batch, found, own)
            yield Trial("model", *sizes, max(difference(*pair) for pair in pairs))
            if self.stepwise:
                yield from self.feed.trials(runners, batch)
                stepped = self._answered_by_steps(runners, batch)
                yield Trial("step", *sizes, max(difference(*pair) for pair in self._within(batch, stepped, own)))

    def encodings(self, script: Any, description: Mapping[str, Any]) -> Iterator[bool]:
        """Encode the first held-out rows."""
        column = self.prepared.column(self.part, self.prepared.input_name)
        examples = self.feed.examples(self.prepared, self.part)
        return self.feed.encodings(script, description["modalities"]["input"], column, examples)

    def stand_in(self, runners: Mapping[str, Runner]) -> tuple[nn.Module, Any]:
        """Return a network that answers by the model, and the run's rows as it takes them."""
        examples = self.feed.examples(self.prepared, self.part)
        return _Answers(self, runners["model"]), self.prepared.where(self.part, examples)

    def answered(self, run: Runner, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """ln P of every output, time first, for a batch of the feed's examples, and what was shown beside."""
        found, steps = run(*self.feed.tensors(batch)), int(batch.lengths.max())
        outputs = zip(found[: self.count], self.outputs.values(), strict=True)
        return [one.transpose(0, 1)[:steps] if o.stepwise else one for one, o in outputs], found[self.count :]

    def _answered_by_steps(self, runners: Mapping[str, Runner], batch: Batch) -> list[Tensor]:
        """The same step by step."""
        state, found = beginning(self.network.recurrence, len(batch.lengths)), []
        for now in self.feed.pieces(runners, self.feed.tensors(batch)):
            answers = runners["step"](*now, *state)
            found.append(answers[: self.count])
            state = tuple(answers[self.count :])
        return [torch.stack(each) for each in zip(*found, strict=True)]

    def _within(self, batch: Batch, found: list[Tensor], own: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """What must be alike: of answers at every step those within a row's length."""
        live = (torch.arange(int(batch.lengths.max())).unsqueeze(1) < batch.lengths).unsqueeze(-1)
        every = zip(found, own, self.outputs.values(), strict=True)
        return [(one * live, other * live) if o.stepwise else (one, other) for one, other, o in every]

    def _outputs(self) -> tuple[Port, ...]:
        every = zip(names_of(self.outputs), self.outputs.items(), strict=True)
        return tuple(self._output(name, column, output) for name, (column, output) in every)

    def _output(self, name: str, column: str, output: Output | Transcripts) -> Port:
        axes = (BATCH, self.feed.time) if output.stepwise else (BATCH,)
        if isinstance(output, Transcripts):
            size, said = output.blank + 1, f"each {output.unit.noun}, and last of the blank"
        else:
            size, said = len(output.symbols), f"each of `symbols` of {column!r}"
        meaning = f"ln P of {said}" + (", at every step" if output.stepwise else "")
        return Port(f"{name}_log_probabilities", (*axes, size), meaning)

    def _step(self, outputs: tuple[Port, ...]) -> Model:
        state = states(self.network.recurrence)
        said = tuple(_of_step(port.without(self.feed.time)) for port in outputs)
        inputs, module = (*self.feed.step_ports, *state), RowStep(self.network, self.feed)
        return Model("step", "answers one step", module, inputs, (*said, *after(state)))


class _Answers(StandIn):
    """SharedEncoder, run elsewhere."""

    def __init__(self, exporter: Answering, run: Runner) -> None:
        super().__init__()
        self._exporter, self._run = exporter, run

    def forward(self, inputs: Any, lengths: Tensor) -> dict[str, Tensor]:
        found, _ = self._exporter.answered(self._run, Batch(inputs, lengths, {}))
        return dict(zip(self._exporter.outputs, found, strict=True))


def _of_step(port: Port) -> Port:
    return Port(port.name, port.axes, port.meaning.replace(", at every step", ""), port.type)
