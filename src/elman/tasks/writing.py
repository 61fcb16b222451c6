"""What tasks share that read something and write a text about it: an encoder, a decoder that looks back, beam search.

A task says what is read, how texts are scored and what they are compared with.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from elman import layers
from elman.cells import title
from elman.data.parts import spread
from elman.data.ragged import Integers
from elman.data.tables import Column
from elman.errors import UsageError
from elman.generation.beam import Search
from elman.layers.attention import SCORES, Attention
from elman.modalities import units
from elman.modalities.base import Encoded, Reader
from elman.modalities.symbols import WrittenTexts
from elman.tasks.base import Score
from elman.tasks.looking import picture
from elman.tasks.on_tables import TableOptions, TableTask
from elman.tasks.prepared import PreparedExamples
from elman.tasks.written import least_expected, looked, write
from elman.topologies.encoder_decoder import EncoderDecoder, Writer
from elman.training.options import option
from elman.training.writing import WRITING, mean_loss

SHOWN, PICTURED, WIDEST = 12, 4, 40
LOOKED_AT, UNEXPECTED = 2000, 6
"""Rows from all over among which the least expected are looked for, and how many of these are shown."""


@dataclass(frozen=True, kw_only=True)
class WritingOptions(TableOptions):
    """What these tasks share."""

    budget: ClassVar[dict[str, float]] = {"minutes": 15.0}
    usual: ClassVar[dict[str, dict[str, float]]] = {"adamw": {"rate": 0.008, "weight_decay": 0.01}}

    warmup: int = option(200, "updates over which the rate rises to its peak", minimum=0)

    unit: str = option("subword", "what texts are cut into: subword, word, char or byte", choices=tuple(units.UNITS))
    symbols: int = option(4000, "how many subwords or words to tell apart", minimum=257, maximum=1 << 20)
    longest: int = option(200, "the most symbols that a text may have", minimum=1)
    hidden: int = option(
        384, "units per layer of the decoder; the encoder has half of them in each direction", minimum=2
    )
    embedding: int = option(256, "features per symbol", minimum=2)
    attention: str = option("dot", "how the decoder compares what it looks for: dot or additive", choices=SCORES)
    input_feeding: bool = option(False, "let the decoder know where it has looked: slower")
    input_dropout: float = option(0.3, "dropout of the symbols' features", minimum=0, maximum=0.99, anew=True)
    dropout: float = option(0.4, "dropout between layers and before the output", minimum=0, maximum=0.99, anew=True)
    label_smoothing: float = option(
        0.1, "share of probability that all symbols get alike", minimum=0, maximum=0.9, anew=True
    )
    beam: int = option(5, "unfinished texts that are followed at a time, for each row", minimum=1, maximum=1000)
    length_norm: float = option(1.0, "texts compete by log-probability / length ** this", minimum=0, maximum=10)

    def check(self) -> None:
        """Two directions need two halves."""
        super().check()
        if self.hidden % 2:
            raise UsageError(f"--hidden {self.hidden} is odd; each direction of the encoder has half of it")

    def answer(self, unit: units.Unit) -> WrittenTexts:
        """Return the modality of what is written in symbols of this unit."""
        return WrittenTexts(unit, self.longest, self.beam, self.length_norm)


class WritingTask(TableTask):
    """A task that writes a text about what it has read: abstract."""

    topology = "many-to-many"
    answers = ("text",)
    learning = WRITING
    free = True

    @abstractmethod
    def figures(self, prepared: PreparedExamples, part: str, written: Sequence[str]) -> Score:
        """Return what texts are worth, one for each row of the part, the headline first; none where it needs more."""

    @abstractmethod
    def naive(self, prepared: PreparedExamples, part: str) -> Iterable[tuple[str, list[str]]]:
        """Yield the name of each naive baseline, and the texts that it writes."""

    @abstractmethod
    def places(self, prepared: PreparedExamples, inputs: Encoded, row: int) -> dict[str, Any]:
        """Return what the decoder can look at in an encoded row, as the report's section on attention takes it."""

    def reader(self, prepared: PreparedExamples, options: Any) -> Reader | None:
        """Return what reads the input; None where the vectors of the symbols that are written do."""
        return prepared.input.reader(options.embedding)

    def copies(self, options: Any) -> bool:
        """Whether the decoder may copy symbols that were read."""
        del options
        return False

    def describe(self, options: Any) -> dict[str, Any]:
        """Say cell, layers and sizes."""
        o, plural = options, "s" if options.layers > 1 else ""
        beside = [f"{o.attention} attention"]
        beside += ["input feeding"] * o.input_feeding + ["copying"] * self.copies(o)
        units_of = f"{o.hidden // 2} hidden units each way to read and of {o.hidden} to write"
        return {"summary": f"{title(o.cell)}, {o.layers} layer{plural} of {units_of}, {', '.join(beside)}"}

    def network(self, prepared: PreparedExamples, options: Any) -> EncoderDecoder:
        """A reader, an encoder of both directions, and a decoder with attention."""
        o, output, reader = options, _output(prepared), self.reader(prepared, options)
        embedding = nn.Embedding(output.unit.size + 1, o.embedding)
        nn.init.normal_(embedding.weight, std=o.embedding**-0.5)
        read = o.embedding if reader is None else reader.features
        encoder = layers.build(o.cell, read, o.hidden // 2, o.layers, dropout=o.dropout, bidirectional=True)
        recurrence = layers.build(o.cell, o.embedding * (1 + o.input_feeding), o.hidden, o.layers, dropout=o.dropout)
        writer = Writer(
            embedding,
            recurrence,
            Attention(recurrence.output_size, encoder.output_size, o.attention),
            encoder.output_size,
            feeding=o.input_feeding,
            copying=self.copies(o),
            dropout=(o.input_dropout, o.dropout),
        )
        return EncoderDecoder(reader, encoder, writer, o.label_smoothing)

    def begin(self, network: EncoderDecoder, prepared: PreparedExamples) -> None:
        """How often each symbol is written."""
        (column,) = prepared.outputs
        written = prepared.examples("train").targets[column]
        network.writer.expect(torch.from_numpy(np.bincount(written.values, minlength=network.writer.end + 1)))

    def score(self, network: EncoderDecoder, prepared: PreparedExamples, part: str) -> Score:
        """Write a text for every row, and measure the texts; beside them the loss of the right ones."""
        with torch.inference_mode():
            loss = mean_loss(network, prepared.examples(part), None)
        rows = {"symbols": len(prepared.examples(part)), "unit": "row"}
        return self.figures(prepared, part, self.written(network, prepared, part)) | {"symbol_loss": loss} | rows

    def written(self, network: EncoderDecoder, prepared: PreparedExamples, part: str) -> list[str]:
        """Return the texts that the network writes for the rows of a part."""
        output = _output(prepared)
        found = write(network, prepared.examples(part), _search(output))
        return [output.text(row.tolist()) for row in found.symbols]

    def baselines(self, prepared: PreparedExamples, part: str) -> list[Score]:
        """Return the figures of what naive baselines write."""
        found = ((name, self.figures(prepared, part, texts)) for name, texts in self.naive(prepared, part))
        return [{"name": name} | figures for name, figures in found if figures]

    def tell(self, network: EncoderDecoder, prepared: PreparedExamples, column: Column) -> list[dict[str, Any]]:
        """Return for every row what was read, what is written, its probability, and that of each of its symbols."""
        output, (name,) = _output(prepared), prepared.outputs
        found = write(network, prepared.encode({prepared.input_name: column}), _search(output))
        return [
            {
                column.name: value,
                name: output.text(symbols.tolist()),
                f"{name}_probability": round(math.exp(float(sure.sum())), 6),
                f"{name}_symbols": output.unit.texts(symbols.tolist()),
                f"{name}_symbol_probabilities": np.exp(sure.astype(np.float64)).round(6).tolist(),
            }
            for value, symbols, sure in zip(
                column.values.to_list(), found.symbols, found.log_probabilities, strict=True
            )
        ]

    def showcase(self, network: EncoderDecoder, prepared: PreparedExamples, options: Any) -> dict[str, Any]:
        """Return rows of the part with what was written for them, and where the decoder looked meanwhile.

        The rows are from all over and, of many, those whose own texts the network expects least.
        """
        del options
        examples = prepared.examples(prepared.shown)
        lengths = examples.lengths
        short = np.flatnonzero(lengths <= max(WIDEST, lengths.min()))
        return {
            "writings": self._written(network, prepared, spread(len(lengths), SHOWN)),
            "unexpected": self._written(network, prepared, least_expected(network, examples, LOOKED_AT, UNEXPECTED)),
            "attention": self._looked(network, prepared, short[spread(len(short), PICTURED)]),
        }

    def _written(self, network: EncoderDecoder, prepared: PreparedExamples, rows: Integers) -> list[dict[str, Any]]:
        output, (name,), examples = _output(prepared), prepared.outputs, prepared.examples(prepared.shown)
        asked, right = (prepared.column(prepared.shown, column).take(rows) for column in (prepared.input_name, name))
        texts = [output.text(symbols.tolist()) for symbols in write(network, examples, _search(output), rows).symbols]
        return [
            {"row": int(row), "input": value, "truth": truth, "answer": text} | picture(examples.inputs, int(k))
            for k, row, value, truth, text in zip(rows, asked.rows, asked.values, right.values, texts, strict=True)
        ]

    def _looked(self, network: EncoderDecoder, prepared: PreparedExamples, rows: Integers) -> list[dict[str, Any]]:
        output, examples = _output(prepared), prepared.examples(prepared.shown)
        asked = prepared.column(prepared.shown, prepared.input_name).take(rows)
        texts = list(write(network, examples, _search(output), rows).symbols)
        every = zip(rows, asked.rows, texts, looked(network, examples, rows, texts), strict=True)
        return [
            {
                "row": int(row),
                **self.places(prepared, examples.inputs, int(k)),
                "written": [*output.unit.texts(text.tolist()), ""],
                "weights": weights.round(3).tolist(),
            }
            for k, row, text, weights in every
        ]


def _output(prepared: PreparedExamples) -> WrittenTexts:
    (output,) = prepared.outputs.values()
    assert isinstance(output, WrittenTexts)
    return output


def _search(output: WrittenTexts) -> Search:
    return Search(
        beams=output.beams, length_norm=output.length_norm, longest=output.longest, forbidden=output.unit.unknown
    )
