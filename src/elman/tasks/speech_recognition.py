"""Speech recognition: a recording becomes the text that is said in it. Synced many-to-many, with blanks between."""

import difflib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from elman import layers
from elman.baselines.labels import nearest_row
from elman.data.parts import spread
from elman.data.ragged import Integers
from elman.data.tables import Column, Source
from elman.errors import UsageError
from elman.generation.listening import SpeechStream
from elman.modalities import units
from elman.modalities.base import Answer, Input
from elman.modalities.recordings import Recordings
from elman.modalities.transcripts import Transcripts, repeats
from elman.tasks.base import Files, Score
from elman.tasks.on_tables import TableOptions, TableTask
from elman.tasks.prepared import PreparedExamples
from elman.tasks.sound import SoundOptions, recordings
from elman.tasks.text_measures import error_rates, missing
from elman.tasks.transcribed import frames_of, hear, pictures, recorded, transcripts
from elman.topologies.shared import SharedEncoder, Synced
from elman.training.options import option
from elman.training.transcribing import TRANSCRIBING, mean_loss

LIMIT = 20_000
"""Rows of the training part that a baseline learns from."""
SHOWN, PICTURED, WIDEST = 12, 4, 400
LOOKED_AT, WORST = 500, 8
"""Rows from all over among which the worst are looked for, and how many of these are shown."""
BATCH = 16
"""Rows in a batch at most."""


@dataclass(frozen=True, kw_only=True)
class SpeechRecognitionOptions(SoundOptions, TableOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    budget: ClassVar[dict[str, float]] = {"epochs": 15.0}

    batch: int | None = option(None, "rows in a batch (default: 16, fewer where rows are few)", minimum=1, anew=True)
    unit: str = option("char", "what texts are cut into: char, byte, word or subword", choices=tuple(units.UNITS))
    symbols: int = option(1000, "how many subwords or words to tell apart", minimum=257, maximum=1 << 20)
    bidirectional: bool = option(True, "hear each recording from both ends")
    embedding: int = option(200, "features per time step that the recurrence reads", minimum=2)
    input_dropout: float = option(0.1, "dropout of the features of a time step", minimum=0, maximum=0.99, anew=True)
    dropout: float = option(0.3, "dropout between layers and before the output", minimum=0, maximum=0.99, anew=True)
    beam: int = option(
        8, "beginnings of a text that are followed at a time, for each row (1: none)", minimum=1, maximum=1000
    )

    def batch_size(self, rows: int) -> int:
        """Rows in a batch, of so many to learn from."""
        return self.batch or min(BATCH, super().batch_size(rows))


class SpeechRecognition(TableTask):
    """P(text | x), read off the states of a recurrent network by connectionist temporal classification."""

    name = "speech-recognition"
    topology = "synced many-to-many"
    metric = "word error rate, character error rate"
    baseline_name = "most frequent transcript; that of the nearest recording"
    Options = SpeechRecognitionOptions
    inputs = ("recordings",)
    answers = ("text",)
    answer_names = ("text", "transcript", "transcription", "sentence", "words")
    modalities = (Recordings, Transcripts)
    learning = TRANSCRIBING
    free = True

    def notes(self) -> tuple[str, ...]:
        """Say what cannot be measured."""
        return missing("jiwer", "word and character error rates")

    def fit(
        self, input: Column, outputs: list[Column], options: SpeechRecognitionOptions
    ) -> tuple[Input, Sequence[Answer]]:
        """Recordings, and one text."""
        o, output = options, self.only(outputs)
        return recordings(input, o), [Transcripts.fit(output, o.unit, o.symbols, o.beam)]

    def prepare(
        self, files: Files, options: SpeechRecognitionOptions, folder: Path, known: PreparedExamples | None = None
    ) -> PreparedExamples:
        """Read the tables, and see that every recording is long enough for its text."""
        prepared = super().prepare(files, options, folder, known)
        for part in prepared.facts:
            _check_long_enough(prepared, part)
        return prepared

    def extend(self, prepared: PreparedExamples, part: str, file: Source, folder: Path) -> PreparedExamples:
        """Read a further table, likewise."""
        more = super().extend(prepared, part, file, folder)
        _check_long_enough(more, part)
        return more

    def network(self, prepared: PreparedExamples, options: SpeechRecognitionOptions) -> SharedEncoder:
        """A convolution, recurrent layers, and at every time step a score for each symbol and the blank."""
        o, reader = options, prepared.input.reader(options.embedding)
        shape = reader.features, o.hidden, o.layers
        recurrence = layers.build(o.cell, *shape, dropout=o.dropout, bidirectional=o.bidirectional)
        ((name, output),) = prepared.outputs.items()
        wired = {name: Synced(output.head(recurrence.output_size))}
        return SharedEncoder(reader, recurrence, wired, (o.input_dropout, o.dropout))

    def begin(self, network: SharedEncoder, prepared: PreparedExamples) -> None:
        """How often each symbol is heard, and at how many time steps none."""
        (name,), examples, blank = prepared.outputs, prepared.examples("train"), transcripts(prepared).blank
        counts = np.bincount(examples.targets[name].values, minlength=blank + 1)
        counts[blank] = examples.lengths.sum() - counts.sum()
        wiring: Any = network.outputs[0]
        wiring.head.expect(torch.from_numpy(counts))

    def score(self, network: SharedEncoder, prepared: PreparedExamples, part: str) -> Score:
        """Write down every row, and measure the texts; beside them the loss of the right ones."""
        examples, output = prepared.examples(part), transcripts(prepared)
        heard = hear(network, examples, output)
        loss = mean_loss(network, examples, None)
        figures = _figures(prepared, part, [output.text(row.tolist()) for row in heard.symbols])
        return figures | {"symbol_loss": loss, "symbols": len(examples), "unit": "row"}

    def baselines(self, prepared: PreparedExamples, part: str) -> list[Score]:
        """Return the figures of the most frequent transcript, and of that of the nearest recording."""
        (name,), count = prepared.outputs, len(prepared.examples(part))
        known = prepared.column("train", name).values.head(LIMIT)
        usual = Counter(known).most_common(1)[0][0]
        train, asked = (frames_of(prepared, each) for each in ("train", part))
        nearest = nearest_row(train.first(LIMIT), np.arange(len(known)), asked)
        limited = f" of the first {LIMIT:,} rows" if len(train) > LIMIT else ""
        return [
            {"name": "most frequent transcript", **_figures(prepared, part, [usual] * count)},
            {"name": f"nearest recording{limited}", **_figures(prepared, part, known.gather(nearest).to_list())},
        ]

    def tell(self, network: SharedEncoder, prepared: PreparedExamples, column: Column) -> list[dict[str, Any]]:
        """Return for every row the recording, its text and its probability, and its symbols with their seconds."""
        output, (name,) = transcripts(prepared), prepared.outputs
        heard = hear(network, prepared.encode({prepared.input_name: column}), output)
        return [
            {
                column.name: value,
                name: output.text(symbols.tolist()),
                f"{name}_probability": round(math.exp(sure), 6),
                f"{name}_symbols": output.unit.texts(symbols.tolist()),
                f"{name}_seconds": recorded(prepared).seconds(steps).round(3).tolist(),
            }
            for value, symbols, steps, sure in zip(
                column.values.to_list(), heard.symbols, heard.steps, heard.log_probabilities, strict=True
            )
        ]

    def showcase(self, network: SharedEncoder, prepared: PreparedExamples, options: Any) -> dict[str, Any]:
        """Return rows from all over the part with what was heard in them, the worst of many, and when symbols were."""
        del options
        lengths = prepared.examples(prepared.shown).lengths
        short = np.flatnonzero(lengths <= max(WIDEST, lengths.min()))
        heard = self._written(network, prepared, spread(len(lengths), LOOKED_AT))
        wrong = [row for row in heard if row["truth"].split() != row["answer"].split()]
        return {
            "writings": [heard[k] for k in spread(len(heard), SHOWN)],
            "worst": sorted(wrong, key=lambda row: _alike(row["truth"], row["answer"]))[:WORST],
            "heard": pictures(network, prepared, short[spread(len(short), PICTURED)]),
        }

    def streams(self, prepared: PreparedExamples, options: SpeechRecognitionOptions) -> str:
        """Sound, unless recordings are heard from both ends."""
        del prepared
        return "" if options.bidirectional else "sound"

    def stream(self, network: SharedEncoder, prepared: PreparedExamples, weights: torch.dtype | None) -> SpeechStream:
        """Return the network as one that listens on and on."""
        if weights is not None:
            raise UsageError("a stream of speech keeps its weights as they are; leave out weights=")
        return SpeechStream(network, recorded(prepared), transcripts(prepared))

    def _written(self, network: SharedEncoder, prepared: PreparedExamples, rows: Integers) -> list[dict[str, Any]]:
        part, output, (name,) = prepared.shown, transcripts(prepared), prepared.outputs
        heard = hear(network, prepared.examples(part), output, rows)
        asked, right = (prepared.column(part, column).take(rows) for column in (prepared.input_name, name))
        return [
            {"row": int(row), "input": value, "truth": truth, "answer": output.text(symbols.tolist())}
            for row, value, truth, symbols in zip(asked.rows, asked.values, right.values, heard.symbols, strict=True)
        ]


def _alike(truth: str, answer: str) -> float:
    """The share of characters that two texts have in common, in order."""
    return difflib.SequenceMatcher(None, truth, answer, autojunk=False).ratio()


def _figures(prepared: PreparedExamples, part: str, written: Sequence[str]) -> Score:
    """Error rates, and the share of rows without any error."""
    (name,) = prepared.outputs
    right = [" ".join(text.split()) for text in prepared.column(part, name).values]
    written = [" ".join(text.split()) for text in written]
    return error_rates(written, right) | {"row_accuracy": float(np.mean([*map(str.__eq__, written, right)]))}


def _check_long_enough(prepared: PreparedExamples, part: str) -> None:
    """Raise DataError at the first row whose recording has fewer time steps than its text needs."""
    (name,), examples = prepared.outputs, prepared.examples(part)
    texts = examples.targets[name]
    again = repeats(texts)
    short = np.flatnonzero(examples.lengths < texts.lengths + again)
    if not len(short):
        return
    row, noun, more = int(short[0]), transcripts(prepared).unit.noun, len(short) - 1
    twice = f", {again[row]:,} of them twice in a row," if again[row] else ""
    others = f" ({more:,} more like it)" if more else ""
    steps = f"{examples.lengths[row]:,} time steps{others}"
    raise prepared.column(part, name).error(
        row,
        f"has {texts.lengths[row]:,} {noun}s{twice} but its recording only {steps}; "
        "mend or remove the row, or take a smaller --stride or another --unit",
    )
