"""Networks that read a text and write another: two models, an encoder and one step of the decoder.

It knows the topology `EncoderDecoder`. The loop over the steps, greedy or with beams, is left to who runs them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.export.base import BATCH, INDEX, TIME, Exporter, Model, Port, Runner, Trial, after, difference, states
from elman.export.recurrence import portable
from elman.layers.attention import Memory
from elman.modalities.base import IGNORED
from elman.modalities.symbols import SymbolTexts
from elman.topologies.encoder_decoder import Carried, EncoderDecoder, Read

ROWS = (1, 2, 9)
"""Of the trials' batches."""
TRIED = 200
"""Rows that the script's encoding is tried on."""


class Encoder(nn.Module):
    """Symbols (B, T) and lengths (B,) to the memory, keys (B, T, A) and values (B, T, M), and the writer's state."""

    def __init__(self, network: EncoderDecoder) -> None:
        super().__init__()
        self.network: Any = portable(network)

    def forward(self, symbols: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """As `EncoderDecoder.read`."""
        network = self.network
        embedded = (network.reader or network.writer.embedding)(symbols.transpose(0, 1))
        features, state = network.encoder.scan(embedded, None, lengths)
        values = features.transpose(0, 1)
        return network.writer.attention.key(values), values, *network._bridge(state)  # noqa: SLF001


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
    """Translation and summarization."""

    topology = EncoderDecoder
    inputs = (SymbolTexts,)
    script = "write"

    def models(self) -> list[Model]:
        """Return the encoder and the decoder's step."""
        encoder, step, writer = Encoder(self.network), DecoderStep(self.network), self.network.writer
        unit, key = self.prepared.input.unit, writer.attention.key
        symbols = Port("symbols", (BATCH, TIME), f"the {unit.noun}s that are read, by number", INDEX)
        lengths = Port("lengths", (BATCH,), "how many of them each row has, from 1 on", INDEX)
        memory = (
            Port("keys", (BATCH, TIME, key.out_features), "what the decoder compares with"),
            Port("values", (BATCH, TIME, key.in_features), "what it finds there"),
        )
        carried = states(writer.recurrence, "from the encoder to begin")
        begun = tuple(Port(f"{port.name}_begin", port.axes, f"{port.name} for the decoder") for port in carried)
        if step.feeding:
            carried += (Port("fed", (BATCH, writer.embedding.embedding_dim), "what was thought; zeros to begin"),)
        last = Port("symbol", (BATCH,), f"the {unit.noun} written last; {writer.end} to begin", INDEX)
        said = Port("log_probabilities", (BATCH, writer.end + 1), f"ln P of each {unit.noun}, and last of the end")
        looked = Port("attention", (BATCH, TIME), "where the decoder looked")
        given = (last, *memory, lengths, *((symbols,) if step.copying else ()), *carried)
        return [
            Model("encoder", "reads a text", encoder, (symbols, lengths), (*memory, *begun)),
            Model("decoder", f"writes one {unit.noun}", step, given, (said, looked, *after(carried))),
        ]

    def facts(self) -> dict[str, Any]:
        """Return the symbol that stands before a text and behind it, and the one that is never written."""
        (output,) = self.prepared.outputs.values()
        return {"end": self.network.writer.end, "unknown": output.unit.unknown}

    def trials(self, runners: Mapping[str, Runner]) -> Iterator[Trial]:
        """Read held-out rows, and write what is right: all that the decoder says on the way must be the network's."""
        examples = self.prepared.examples(self.part)
        for rows in ROWS:
            batch = examples.batch(np.unique(np.linspace(0, len(examples) - 1, rows).astype(np.int64)))
            (targets,) = batch.targets.values()
            own, read = self.network(batch.inputs, batch.lengths, targets)
            expected = self.network.writer.log_probabilities(own, read), own.weights.transpose(0, 1)
            found = self._written(runners, batch.inputs, batch.lengths, targets)
            apart = max(difference(one, other) for one, other in zip(found, expected, strict=True))
            for name, steps in (("encoder", len(batch.inputs)), ("decoder", len(targets))):
                yield Trial(name, len(batch.lengths), steps, apart)

    def encodings(self, script: Any, description: Mapping[str, Any]) -> Iterator[bool]:
        """Cut the first held-out rows."""
        column = self.prepared.column(self.part, self.prepared.input_name)
        rows = self.prepared.examples(self.part).inputs.rows
        encode, _ = script.cutting(description["modalities"]["input"])
        longest = description["modalities"]["input"]["longest"]
        for k, row in enumerate(column.values.head(TRIED).to_list()):
            yield encode(row)[:longest] == rows[k].tolist()

    def stand_in(self, runners: Mapping[str, Runner]) -> None:
        """Return nothing: the loop over the steps is not a part of the models."""
        del runners

    def _written(
        self, runners: Mapping[str, Runner], inputs: Tensor, lengths: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """ln P (S, B, V + 1) and attention (S, B, T) before each target."""
        symbols, writer = inputs.t(), self.network.writer
        keys, values, *carried = runners["encoder"](symbols, lengths)
        if writer.feeding:
            carried.append(torch.zeros(len(lengths), writer.embedding.embedding_dim))
        given = (keys, values, lengths, *((symbols,) if writer.gate is not None else ()))
        before = torch.cat([torch.full_like(targets[:1], writer.end), targets[:-1]])
        found = []
        for last in torch.where(before == IGNORED, writer.end, before):
            said, looked, *carried = runners["decoder"](last, *given, *carried)
            found.append((said, looked))
        said, looked = (torch.stack(each) for each in zip(*found, strict=True))
        return said, looked
