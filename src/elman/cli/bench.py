"""`elman bench NAME`: the project's own benchmarks."""

from pathlib import Path
from typing import Annotated

import typer

from elman.benchmarks import BENCHMARKS
from elman.cli import output
from elman.cli.runs import Json


def bench(
    name: Annotated[
        str | None, typer.Argument(help=f"{', '.join(BENCHMARKS)} (default: list them).", metavar="NAME")
    ] = None,
    cell: Annotated[list[str] | None, typer.Option(help="lstm, gru, rnn or rnn-relu; may be repeated")] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="batch, time steps, input, hidden; may be repeated", metavar="B,T,I,H")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="rounds of each row")] = None,
    seconds: Annotated[float | None, typer.Option(help="time for each row, instead of rounds")] = None,
    peer: Annotated[
        list[str] | None, typer.Option(help="torch, jax or onnxruntime; may be repeated; torch is always compared with")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="also write DIR/NAME.json", metavar="DIR")] = None,
    json: Json = False,
) -> None:
    """Measure Elman's layers beside torch.nn, JAX and ONNX Runtime on this machine."""
    if name is None:
        hint = "elman bench NAME measures; elman bench --help shows the options."
        output.print_entries("benchmarks", BENCHMARKS, hint, json=json)
        return
    from elman.benchmarks import suite

    chosen = {"cells": cell, "shapes": shape, "peers": peer}
    result = suite.run(name, **chosen, rounds=rounds, seconds=seconds, save=save, tell=output.note)
    if json:
        output.print_json(result)
        return
    print(suite.headline(result))
    for table in suite.tables(result):
        print(f"\n{table.title}")
        output.print_rows(table.rows)
