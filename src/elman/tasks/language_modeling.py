"""Language modelling: predict the next symbol of one long text. Text in, text out, synced many-to-many, causal."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elman import assets, cells, layers
from elman.baselines.ngram import NGram
from elman.cells import title
from elman.data import stream
from elman.data.stream import Lanes, Symbols, Window
from elman.data.tables import Source, Table
from elman.data.text import ESCAPED, TextSource, lines, raw_lines
from elman.errors import DataError, UsageError
from elman.generation.sample import Sampling, first_symbols, generate
from elman.generation.stream import TextStream, said_of_line
from elman.modalities.base import CategoricalHead
from elman.modalities.text import EncodedText, Text
from elman.modalities.units import UNITS, Character, Unit
from elman.names import listed
from elman.tasks.base import Files, Material, Prepared, Score, Task
from elman.tasks.scoring import Floats, line_log_probabilities, log_probabilities
from elman.tasks.together import attempt, blocks, parted
from elman.topologies.synced import SyncedManyToMany
from elman.training import truncation
from elman.training.cost import Cost
from elman.training.options import TrainingOptions, option
from elman.types import State

HELD_OUT, HELD_OUT_MOST = 0.1, 1 << 20
SMALLEST = 20
EXCERPT_PIECES, EXCERPT_PIECE = 16, 2048
BLOCK = 1 << 20
BASELINE_SYMBOLS = 5_000_000


@dataclass(frozen=True, kw_only=True)
class LanguageModelingOptions(TrainingOptions):
    """The defaults are the best found for a few minutes on two cores; docs/log.md has the search."""

    unit: str = option("char", "what the text is cut into: char, byte, word or subword", choices=tuple(UNITS))
    symbols: int = option(2048, "how many words or subwords to tell apart", minimum=257, maximum=1 << 20)
    cell: str = option("lstm", "recurrent cell: one that `elman cells` lists, or your own as module:Class")
    hidden: int = option(512, "hidden units per layer", minimum=1)
    layers: int = option(1, "recurrent layers", minimum=1)
    embedding: int = option(64, "features per symbol", minimum=1)
    dropout: float = option(0.2, "dropout between layers and before the output", minimum=0, maximum=0.99, anew=True)
    lanes: int = option(32, "parallel lanes that the text is cut into (the batch)", minimum=1, anew=True)
    window: int = option(64, "time steps that the error is propagated back (k2)", minimum=1, anew=True)
    advance: int | None = option(None, "time steps between updates (k1; default: the window)", minimum=1, anew=True)

    def check(self) -> None:
        """k1 cannot exceed k2, and the cell must exist."""
        cells.find(self.cell)
        if self.advance is not None and self.advance > self.window:
            raise UsageError(f"--advance {self.advance} (k1) exceeds --window {self.window} (k2); give at most that")


class PreparedText(Prepared):
    """A text cut into symbols, in parts."""

    unknown_last = True

    def __init__(
        self,
        text: Text,
        parts: dict[str, EncodedText],
        facts: dict[str, dict[str, Any]],
        notes: tuple[str, ...] = (),
    ) -> None:
        self.text, self.parts, self.facts, self.notes = text, parts, facts, notes
        self.noun = f"{text.unit.noun}s"

    def to_dict(self) -> dict[str, Any]:
        """Describe the text's unit."""
        return {"text": self.text.to_dict()}


class LanguageModeling(Task):
    """P(x_1 ... x_T) = prod_t P(x_t | x_1 ... x_{t-1}), each factor read off the state of a recurrent network.

    Source: Mikolov et al. 2010, Recurrent neural network based language model.
    """

    name = "language-modeling"
    topology = "synced many-to-many"
    metric = "nats per symbol, perplexity, bits per character"
    baseline_name = "n-gram, modified Kneser-Ney"
    data = "a text (.txt, also .gz, .bz2, .xz), or the shipped text `tinyshakespeare`"
    held_out = "the last tenth, at most 1 MiB"
    next_step = "Write more: elman generate {run} (--prompt says how it begins)"
    Options = LanguageModelingOptions

    def prepare(
        self, files: Files, options: LanguageModelingOptions, folder: Path, known: PreparedText | None = None
    ) -> PreparedText:
        """Read the texts, hold out the last tenth (at most 1 MiB) if none is given for that, and encode all parts."""
        sources = _sources(files)
        first = sources["train"]
        text = Text.fit(first, options.unit, options.symbols) if known is None else known.text.extended(first)
        parts, facts = {}, {}
        for part, source in sources.items():
            parts[part] = text.encode(source, folder / f"{part}.symbols")
            facts[part] = _facts(source) | parts[part].facts()
            _check_length(part, source, parts[part], text.unit.noun)
        return PreparedText(text, parts, facts, _news(known, text))

    def load(self, described: dict[str, Any], facts: dict[str, dict[str, Any]], folder: Path) -> PreparedText:
        """Map the encoded parts from `folder`."""
        text = Text.from_dict(described["text"])
        parts = {
            part: EncodedText(
                stream.read(folder / f"{part}.symbols", text.unit.size, fact["symbols"]),
                fact["characters"],
                fact["unknown"],
            )
            for part, fact in facts.items()
        }
        return PreparedText(text, parts, facts)

    def fingerprint(self, file: Source, fact: dict[str, Any]) -> str:
        """That of the bytes that were the part."""
        return replace(_source(file), start=fact["start"], stop=fact["stop"]).sha256

    def describe(self, options: LanguageModelingOptions) -> dict[str, Any]:
        """Say cell, layers and sizes."""
        plural = "s" if options.layers > 1 else ""
        return {
            "summary": f"{title(options.cell)}, {options.layers} layer{plural} of {options.hidden} hidden units, "
            f"{options.embedding} features per {UNITS[options.unit].noun}"
        }

    def network(self, prepared: PreparedText, options: LanguageModelingOptions) -> SyncedManyToMany:
        """Embedding, recurrent layers, one score per symbol."""
        o, text = options, prepared.text
        recurrence = layers.build(o.cell, o.embedding, o.hidden, o.layers, dropout=o.dropout)
        return SyncedManyToMany(text.reader(o.embedding), recurrence, text.head(o.hidden), o.dropout)

    def begin(self, network: SyncedManyToMany, prepared: PreparedText) -> None:
        """How often each symbol occurs."""
        counts = stream.frequencies(prepared.parts["train"].symbols, prepared.text.unit.size)
        assert isinstance(network.head, CategoricalHead)
        network.head.expect(torch.from_numpy(counts))

    def material(self, prepared: PreparedText, options: LanguageModelingOptions) -> Material:
        """Truncated BPTT over lanes; validation on an excerpt of the held-out text."""
        advance = options.advance or options.window
        excerpt, size = _excerpt(prepared.parts["valid"].symbols), prepared.text.unit.size
        return Material(
            truncation.Windows(Lanes(prepared.parts["train"].symbols, options.lanes), options.window, advance),
            partial(_objective, advance=advance),
            lambda module: -float(log_probabilities(module, size, excerpt).mean()),
        )

    def score(self, network: SyncedManyToMany, prepared: PreparedText, part: str) -> Score:
        """Score every symbol but the first, with the state carried through the whole text."""
        text = prepared.parts[part]
        unit = prepared.text.unit
        return _figures(log_probabilities(network, unit.size, text.symbols), text, unit)

    def baselines(self, prepared: PreparedText, part: str) -> list[Score]:
        """Score an n-gram model of the training text."""
        size = prepared.text.unit.size
        order = 7 if size <= 512 else 3
        whole = prepared.parts["train"].symbols
        text = prepared.parts[part]
        model = NGram.fit(whole[:BASELINE_SYMBOLS], size, order)
        found = np.concatenate([_in_context(model, text.symbols, at) for at in range(1, len(text.symbols), BLOCK)])
        limited = f" of the first {BASELINE_SYMBOLS:,}" if len(whole) > BASELINE_SYMBOLS else ""
        name = f"{order}-gram, modified Kneser-Ney{limited}"
        return [{"name": name, **_figures(found, text, prepared.text.unit)}]

    def extend(self, prepared: PreparedText, part: str, file: Source, folder: Path) -> PreparedText:
        """Encode a further text with the run's symbols."""
        source = _source(file)
        text = prepared.text.encode(source, folder / f"{part}.symbols")
        _check_length(part, source, text, prepared.text.unit.noun)
        facts = {part: _facts(source) | text.facts()}
        return PreparedText(prepared.text, prepared.parts | {part: text}, prepared.facts | facts)

    def rows(self, prepared: PreparedText, data: Path | None) -> list[str]:
        """Return the lines of a text; of any file, where the network reads bytes."""
        return raw_lines(data) if prepared.text.unit.raw else lines(data)

    def predict(self, network: SyncedManyToMany, prepared: PreparedText, rows: list[str]) -> list[dict[str, Any]]:
        """Return for every line ln P(line | a line begins here), its perplexity per symbol, and what was unknown."""
        unit = prepared.text.unit
        _check_texts(rows, unit)
        encoded = [unit.encode(row) for row in rows]
        totals = line_log_probabilities(network, unit.size, first_symbols(unit, ""), encoded)
        known = zip(rows, encoded, totals, strict=True)
        return [said_of_line(unit, number, row, line, total) for number, (row, line, total) in enumerate(known, 1)]

    def predict_in_blocks(
        self,
        network: SyncedManyToMany,
        prepared: PreparedText,
        rows: list[str],
        onerror: Callable[[DataError], None] | None,
    ) -> Iterator[list[dict[str, Any]]]:
        """Score some lines after the other."""
        del onerror
        for block in blocks(len(rows)):
            said = self.predict(network, prepared, rows[block.start : block.stop])
            yield [line | {"line": block.start + line["line"]} for line in said]

    def predict_each(
        self, network: SyncedManyToMany, prepared: PreparedText, requests: Sequence[list[Any]]
    ) -> list[Any]:
        """Score the lines of several callers side by side."""
        found = [attempt(_check_texts, rows, prepared.text.unit) for rows in requests]
        good = [rows for rows, error in zip(requests, found, strict=True) if error is None]
        answers = iter(parted(self.predict(network, prepared, list(chain(*good))), [len(rows) for rows in good]))
        numbered = ([said | {"line": k} for k, said in enumerate(rows, 1)] for rows in answers)
        return [next(numbered) if error is None else error for error in found]

    def showcase(
        self, network: SyncedManyToMany, prepared: PreparedText, options: LanguageModelingOptions
    ) -> dict[str, Any]:
        """Return samples at three temperatures."""
        del options
        unit = prepared.text.unit
        samples = [
            {"temperature": t, "prompt": "", "text": "".join(generate(network, unit, "", 400, Sampling(temperature=t)))}
            for t in (0.5, 0.8, 1.0)
        ]
        return {"samples": samples}

    def generate(
        self, network: SyncedManyToMany, prepared: PreparedText, prompt: str, length: int, sampling: Sampling
    ) -> Iterator[str]:
        """Continue the prompt."""
        return generate(network, prepared.text.unit, prompt, length, sampling)

    def streams(self, prepared: PreparedText, options: LanguageModelingOptions) -> str:
        """Text."""
        del prepared, options
        return "text"

    def stream(self, network: SyncedManyToMany, prepared: PreparedText, weights: torch.dtype | None) -> TextStream:
        """Read on from where a line begins."""
        unit = prepared.text.unit
        return TextStream(network, unit, first_symbols(unit, ""), weights)


def _news(known: PreparedText | None, text: Text) -> tuple[str, ...]:
    """What to say of characters that a pretrained network does not know yet."""
    before, now = None if known is None else known.text.unit, text.unit
    if not isinstance(before, Character) or not isinstance(now, Character) or now.size == before.size:
        return ()
    return (f"New to the pretrained network: the characters {listed(now.characters[before.size - 1 :])}.",)


def _check_texts(rows: list[Any], unit: Unit) -> None:
    """Raise DataError at the first row that is no text."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, str):
            raise DataError(f"row {number} is no text, but {row!r:.60}; a language model takes texts, one for each row")
        if not row.isascii() and not _has_bytes(row, unit):
            raise DataError(f"row {number} holds half of a surrogate pair, which is no text; mend it")


def _has_bytes(row: str, unit: Unit) -> bool:
    """Whether a text has bytes: half of a surrogate pair has none, unless it stands for a byte that is no text."""
    try:
        return bool(row.encode("utf-8", ESCAPED if unit.raw else "strict"))
    except UnicodeEncodeError:
        return False


def _objective(network: Any, window: Window, carry: State | None, *, advance: int) -> Cost:
    device = next(network.parameters()).device
    moved = replace(window, inputs=window.inputs.to(device), targets=window.targets.to(device))
    loss, carry = truncation.loss(network, moved, carry, advance)
    targets = window.targets.numel() if window.scored is None else int(window.scored.sum())
    return Cost((loss,), (targets,), targets, carry)


def _in_context(model: NGram, symbols: Symbols, at: int) -> Floats:
    """Return ln P of the block of symbols that begins at `at`, each with all the history that the model uses."""
    first = max(0, at - model.order + 1)
    return model.log_probability(symbols[first : at + BLOCK])[at - first :]


def _excerpt(symbols: Symbols) -> Symbols:
    """Return pieces from all over a text, enough to validate on without spending the budget, or a short text whole."""
    if len(symbols) <= EXCERPT_PIECES * EXCERPT_PIECE:
        return symbols
    starts = np.linspace(0, len(symbols) - EXCERPT_PIECE, EXCERPT_PIECES).astype(int)
    return np.concatenate([symbols[start : start + EXCERPT_PIECE] for start in starts])


def _sources(files: Files) -> dict[str, TextSource]:
    train = _source(files.train)
    size = train.size
    if size < SMALLEST:
        what = "is empty" if size == 0 else f"has only {size} byte{'s' * (size > 1)}"
        raise DataError(f"{files.train} {what}; give a text of at least a few thousand characters")
    held = {part: _source(file) for part, file in files.held_out.items()}
    if files.valid is None:
        train, valid = train.split(size - min(int(size * HELD_OUT), HELD_OUT_MOST))
        held = {"valid": valid, **held}
    return {"train": train, **held}


def _source(data: Source) -> TextSource:
    if isinstance(data, Table):
        raise UsageError(
            f"language-modeling reads one text, and {data} is a table; give its texts in a list, or a file"
        )
    return TextSource(data) if isinstance(data, Path) else data


def _facts(source: TextSource) -> dict[str, Any]:
    return {"path": assets.name(source.path), "start": source.start, "stop": source.stop, "sha256": source.sha256}


def _check_length(part: str, source: TextSource, text: EncodedText, noun: str) -> None:
    if len(text.symbols) < 2:
        which = "the held-out last tenth of " if source.start else ""
        count = f"{len(text.symbols)} {noun}{'s' * (len(text.symbols) != 1)}"
        purpose = "train on" if part == "train" else "score"
        raise DataError(f"{which}{source.path} has {count}, too few to {purpose}; give at least a few thousand {noun}s")


def _figures(found: Floats, text: EncodedText, unit: Unit) -> Score:
    """What ln P of every symbol but the first comes to; where that one is unknown, it is not among those scored."""
    loss = -float(found.mean())
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "bits_per_character": loss * len(text.symbols) / text.characters / math.log(2),
        "symbols": len(found),
        "unknown": text.unknown - int(text.symbols[0] == unit.unknown),
        "unit": unit.noun,
    }
