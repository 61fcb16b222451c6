"""`elman explain TOPIC`: a worked example told step by step; knows how it is shown, not what is in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elman.cli import output
from elman.errors import UsageError

if TYPE_CHECKING:
    from elman.diagnosis.hello.example import HelloExample

TOPICS = ("hello",)
WIDTHS = (80, 100)
"""Columns that the text is laid out for, least and most."""


def explain(
    topic: Annotated[str, typer.Argument(help="What to explain: hello.", metavar="TOPIC")],
    as_json: Annotated[bool, typer.Option("--json", help="print every number as one JSON object")] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="also draw the network: FILE.png, FILE.svg or FILE.pdf")
    ] = None,
) -> None:
    """Work through a small example step by step: hello, a network that learns to spell one word."""
    if topic not in TOPICS:
        raise UsageError(f"no explanation is called {topic!r}; there is: {', '.join(TOPICS)}")
    from elman.diagnosis.hello.example import example

    numbers = example()
    if picture is not None:
        from elman.diagnosis.hello.picture import draw

        draw(numbers, picture)
        output.note(f"wrote {picture}")
    if as_json:
        from elman.diagnosis.hello.as_dict import to_dict

        output.print_json(to_dict(numbers))
    else:
        _tell(numbers)


def _tell(numbers: "HelloExample") -> None:
    """Print the text at a readable width, without trailing blanks in a file or pipe."""
    from rich.console import Console

    from elman.diagnosis.hello.telling import story

    console = Console()
    least, most = WIDTHS
    console.width = min(max(console.width, least), most)
    if console.is_terminal:
        console.print(story(numbers))
        return
    with console.capture() as captured:
        console.print(story(numbers))
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
