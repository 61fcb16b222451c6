"""Networks that write a text about what they read: two models, an encoder and one step of the decoder.

It knows the topology `EncoderDecoder`. The loop over the steps, greedy or with beams, is left to who runs them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elman.data.parts import spread
from elman.export.base import BATCH, INDEX, TIME, Exporter, Model, Port, Runner, Trial, after, difference, states
from elman.export.feeds import Feed, feed_of
from elman.export.recurrence import portable
from elman.layers.attention import Memory
from elman.modalities.base import IGNORED
from elman.modalities.images import Images
from elman.modalities.symbols import SymbolTexts
from elman.modalities.videos import Videos
from elman.run.run import Run
from elman.topologies.encoder_decoder import Carried, EncoderDecoder, Read
from elman.training.examples import Batch

ROWS = (1, 2, 9)
"""Of the trials' batches."""


class Encoder(nn.Module):
    """What is fed to the memory, keys (B, T, A) and values (B, T, M), new lengths, and the state to write."""

    def __init__(self, network: EncoderDecoder, feed: Feed, *, measures: bool) -> None:
        super().__init__()
        self.network: Any = portable(network)
        self.network.reader, self.feed, self.measures = feed.reader, feed, measures

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """As `EncoderDecoder.read`."""
        given, lengths, _ = self.feed(*inputs)
        read, carried = self.network.read(given, lengths)
        return read.memory.keys, read.memory.values, *([lengths] if self.measures else []), *carried.state


class DecoderStep(nn.Module):
    """The symbol written last (B,), memory, lengths and state to ln P (B, V + 1), attention (B, T), state after.

    With copying the symbols that were read go in too, with input feeding what was thought last goes in and comes out.
    """

    def __init__(self, network: EncoderDecoder) -> None:
        super().__init__()
        self.writer: Any = portable(network.writer)
        self.copying, self.feeding = network.writer.gate is not None, network.writer.feeding

    def forward(self, symbol: Tensor, keys: Tensor, values: Tensor, lengths: Tensor, *rest: Tensor) -> tuple[Any, ...]:
        """As one step of `Writer`."""
        given = list(rest)
        read_symbols = given.pop(0).transpose(0, 1) if self.copying else lengths.unsqueeze(0)
        fed = given.pop() if self.feeding else None
        dead = (torch.arange(values.shape[1]) >= lengths.unsqueeze(1)).unsqueeze(1)
        read = Read(Memory(keys, values, dead), read_symbols)
        written, carried = self.writer(symbol.unsqueeze(0), Carried(tuple(given), fed), read)
        found = self.writer.log_probabilities(written, read)[0]
        return found, written.weights[:, 0], *carried.state, *([carried.fed] if self.feeding else [])


class Writing(Exporter):
    """Translation, summarization and captioning."""

    topology = EncoderDecoder
    inputs = (SymbolTexts, Images, Videos)

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.feed = feed_of(self.prepared.input, self.network.reader)
        self.measures = all(port.name != "lengths" for port in self.feed.ports)
        self.script = "caption" if isinstance(self.prepared.input, Images | Videos) else "write"

    def models(self) -> list[Model]:
        """Return the encoder and the decoder's step."""
        step, writer = DecoderStep(self.network), self.network.writer
        (output,) = self.prepared.outputs.values()
        noun, key, inputs = output.unit.noun, writer.attention.key, self.feed.ports
        lengths = Port("lengths", (BATCH,), "how many steps of the memory each row has", INDEX)
        memory = (
            Port("keys", (BATCH, TIME, key.out_features), "what the decoder compares with"),
            Port("values", (BATCH, TIME, key.in_features), "what it finds there"),
        )
        carried = states(writer.recurrence, "from the encoder to begin")
        begun = tuple(Port(f"{port.name}_begin", port.axes, f"{port.name} for the decoder") for port in carried)
        if step.feeding:
            carried += (Port("fed", (BATCH, writer.embedding.embedding_dim), "what was thought; zeros to begin"),)
        last = Port("symbol", (BATCH,), f"the {noun} written last; {writer.end} to begin", INDEX)
        said = Port("log_probabilities", (BATCH, writer.end + 1), f"ln P of each {noun}, and last of the end")
        looked = Port("attention", (BATCH, TIME), "where the decoder looked")
        given = (last, *memory, lengths, *(inputs[:1] if step.copying else ()), *carried)
        found = (*memory, *([lengths] if self.measures else []), *begun)
        encoder = Encoder(self.network, self.feed, measures=self.measures)
        return [
            Model("encoder", f"reads {self.prepared.input.name}", encoder, inputs, found),
            Model("decoder", f"writes one {noun}", step, given, (said, looked, *after(carried))),
        ]

    def facts(self) -> dict[str, Any]:
        """Return the symbol that stands before a text and behind it, and the one that is never written."""
        (output,) = self.prepared.outputs.values()
        return {"end": self.network.writer.end, "unknown": output.unit.unknown}

    def trials(self, runners: Mapping[str, Runner]) -> Iterator[Trial]:
        """Read held-out rows, and write what is right: all that the decoder says on the way must be the network's."""
        examples = self.prepared.examples(self.part)
        for rows in ROWS:
            batch = examples.batch(spread(len(examples), rows))
            (targets,) = batch.targets.values()
            own, read = self.network(batch.inputs, batch.lengths, targets)
            expected = self.network.writer.log_probabilities(own, read), own.weights.transpose(0, 1), batch.lengths
            found = self._written(runners, batch, targets)
            apart = max(difference(one, other) for one, other in zip(found, expected, strict=True))
            for name, steps in (("encoder", int(batch.lengths.max())), ("decoder", len(targets))):
                yield Trial(name, len(batch.lengths), steps, apart)

    def encodings(self, script: Any, description: Mapping[str, Any]) -> Iterator[bool]:
        """Encode the first held-out rows."""
        column, examples = self.prepared.column(self.part, self.prepared.input_name), self.prepared.examples(self.part)
        return self.feed.encodings(script, description["modalities"]["input"], column, examples)

    def stand_in(self, runners: Mapping[str, Runner]) -> None:
        """Return nothing: the loop over the steps is not a part of the models."""
        del runners

    def _written(self, runners: Mapping[str, Runner], batch: Batch, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ln P (S, B, V + 1) and attention (S, B, T) before each target, and the memory's lengths."""
        inputs, writer = self.feed.tensors(batch), self.network.writer
        keys, values, *carried = runners["encoder"](*inputs)
        lengths = carried.pop(0) if self.measures else batch.lengths
        if writer.feeding:
            carried.append(torch.zeros(len(lengths), writer.embedding.embedding_dim))
        given = (keys, values, lengths, *(inputs[:1] if writer.gate is not None else ()))
        before = torch.cat([torch.full_like(targets[:1], writer.end), targets[:-1]])
        found = []
        for last in torch.where(before == IGNORED, writer.end, before):
            said, looked, *carried = runners["decoder"](last, *given, *carried)
            found.append((said, looked))
        said, looked = (torch.stack(each) for each in zip(*found, strict=True))
        return said, looked, lengths
