"""`elman experiments NAME`: what textbooks claim, measured on this machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from elman import files
from elman.cli import output
from elman.cli.runs import Json
from elman.errors import UsageError
from elman.experiments import EXPERIMENTS


def experiments(
    name: Annotated[
        str | None, typer.Argument(help=f"{', '.join(EXPERIMENTS)} (default: list them).", metavar="NAME")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="how many seeds (default: the experiment's own)")] = None,
    save: Annotated[Path | None, typer.Option(help="also write DIR/NAME.json", metavar="DIR")] = None,
    claims: Annotated[
        Path | None, typer.Option(help="write the page of all claims from the results in --save", metavar="FILE")
    ] = None,
    json: Json = False,
) -> None:
    """Reproduce by measurement what textbooks claim about recurrent networks."""
    from elman.experiments import suite

    if claims is not None and save is None:
        raise UsageError("--claims needs --save DIR, the folder with the results")
    if name is None and claims is None:
        hint = "elman experiments NAME measures; elman experiments --help shows the options."
        output.print_entries("experiments", EXPERIMENTS, hint, json=json)
        return
    if save is not None:  # what takes minutes is not measured for nothing
        files.check_folder(save)
    if claims is not None:
        files.check_writable(claims)
    if name is not None:
        result = suite.run(name, seeds, output.note)
        if save is not None:
            output.note(f"wrote {suite.keep(result, save)}")
        if json:
            output.print_json(result)
        else:
            _show(result)
    if claims is not None and save is not None:
        output.note(f"wrote {suite.write_claims(save, claims)}")


def _show(result: dict[str, Any]) -> None:
    for word in ("claim", "expected", "method"):
        print(f"{word.capitalize()}: {result[word]}")
    print()
    output.print_rows([tuple(result["rows"][0]), *(tuple(map(str, row.values())) for row in result["rows"])])
    print(f"\nMeasured: {result['measured']}\nVerdict: {result['verdict']}. {result['reason']}")
