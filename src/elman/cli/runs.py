"""`elman evaluate | diagnose | predict | generate RUN`: what a trained network is good for."""

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elman.cli import output
from elman.errors import DataError, UsageError

if TYPE_CHECKING:
    from elman.run.predictions import Gathered, Predictions

RunArgument = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout and nothing else there")]


def evaluate(
    run: RunArgument,
    data: Annotated[
        Path | None, typer.Argument(help="A file (default: the run's own held-out part).", metavar="DATA")
    ] = None,
    json: Json = False,
) -> None:
    """Score a run beside its naive baseline."""
    from elman.run.run import load
    from elman.training.monitor import telling

    with telling(f"Scoring {data or 'the held-out part of the run'}"):
        found = load(run).evaluate(data)
    if json:
        output.print_json(found)
    else:
        output.print_scores(found["data"], found["score"], found["baselines"])


def diagnose(
    run: RunArgument,
    data: Annotated[
        Path | None, typer.Argument(help="A file like the training data (default: the run's own).", metavar="DATA")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="also write a page with pictures", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Say where gradients vanish or explode, how far the network remembers, and what to do."""
    from elman import files
    from elman.run.run import load
    from elman.training.monitor import telling

    if html is not None:
        files.check_writable(html)
    with telling("Looking inside the network"):
        found = load(run).diagnose(data)
    if html is not None:
        files.write_text(html, found.to_html())
        output.note(f"wrote {html}")
    if json:
        output.print_json(found.to_dict())
    else:
        print(found)


def predict(
    run: RunArgument,
    data: Annotated[
        str,
        typer.Argument(help="A file of the kind that the run was trained on, or - for standard input.", metavar="DATA"),
    ],
    out: Annotated[Path | None, typer.Option("--output", help="write a table: .csv, .tsv, .jsonl or .parquet")] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="answer the lines of standard input as they come, each given all before it (language models, and "
            "tagging of series, the numbers of a time step on each line; event models, a JSON list of events on each), "
            "or write down its sound, raw samples of 16 bits (speech recognition); with --json one object for each",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Answer every row of a file, and print answers as they come. Language and event models tell how probable each is.

    A table that --output writes has all columns of DATA, then the answers; where DATA has a column of an answer's name,
    such as the true label, the answer is called predicted_NAME. A recording, image or video that cannot be read is told
    on stderr, its answer is empty, and the exit status is 1.
    """
    from elman.data import tables
    from elman.run.predictions import Gathered
    from elman.run.run import load

    loaded = load(run)
    if follow:
        if data != "-" or out is not None:
            raise UsageError("--follow reads standard input and prints as it goes; give - as DATA, and no --output")
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # a stream goes on behind bytes that are no text
        output.print_as_they_come(loaded.stream().follow(sys.stdin), json=json)
        return
    if out is not None:
        tables.check_writable(out)
        if out.exists() and Path(data).exists() and out.samefile(data):
            raise UsageError(f"--output {out} is the file that is asked, which it would replace; give it another name")
    unread: list[DataError] = []

    def tell(error: DataError) -> None:
        unread.append(error)
        output.note(f"elman: {error}")

    asked, kept = "standard input" if data == "-" else data, None if out is None else Gathered(out)
    blocks = _answered(loaded.predictions_in_blocks(data, onerror=tell), kept, asked)
    if json:
        count = output.print_json_rows(blocks)
    else:
        count = output.print_table(blocks) if kept is None else sum(map(len, blocks))
    if unread:
        output.note(f"elman: {len(unread):,} of {count:,} rows have no answer")
        raise typer.Exit(1)


def _answered(found: Iterator["Predictions"], kept: "Gathered | None", asked: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each block; behind the last, write what is kept of all, and say what answers are called there.

    That it takes long is told until the first is there to be printed.
    """
    from elman.training.monitor import telling

    with ExitStack() as waiting:
        waiting.enter_context(telling(f"Answering {asked}"))
        for block in found:
            if kept is None:
                waiting.close()
            else:
                kept.add(block)
            yield block.rows
        if kept is not None:
            kept.write()
    if kept is not None:
        output.note(f"{len(kept):,} row{'s' * (len(kept) != 1)}: {kept.path}")
        for name, other in kept.renamed.items():
            output.note(f"{asked} has a column {name!r} of its own; what is predicted is in {other!r}")


def generate(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="what the text begins with, or sets of events as JSON")] = "",
    length: Annotated[int, typer.Option(help="how many symbols, or sets of events, to write")] = 500,
    temperature: Annotated[float, typer.Option(help="0: always the most probable symbol; 1: as learnt")] = 0.8,
    top_k: Annotated[int | None, typer.Option(help="draw from the k most probable symbols")] = None,
    top_p: Annotated[float | None, typer.Option(help="draw from the fewest symbols that add up to p")] = None,
    seed: Annotated[int, typer.Option(help="seed of the draws")] = 0,
    json: Json = False,
) -> None:
    """Write text with a language model, or sets of events with an event model, as it comes into being."""
    import torch

    from elman.run.run import load

    torch.set_num_threads(1)  # a step of one row is too small to share
    pieces = load(run).generate(prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    if json:
        output.print_json({"prompt": prompt, "text": "".join(pieces)})
        return
    sys.stdout.write(prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
