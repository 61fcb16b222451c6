"""The command line: parse, call, print. Nothing is computed here.

The commands' own imports stand inside them, so that `elman --help` answers at once.
"""

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import typer

from elman import files, machine
from elman.cli import bench, experiments, explain, export, listing, runs, serving
from elman.cli.training import TaskGroup
from elman.errors import ElmanError, UsageError
from elman.training.interrupt import endings

COMMANDS: tuple[Callable[..., None], ...] = (
    runs.evaluate,
    runs.predict,
    runs.generate,
    runs.diagnose,
    export.export,
    serving.serve,
    explain.explain,
    experiments.experiments,
    listing.runs,
    listing.tasks,
    listing.cells,
    listing.doctor,
    bench.bench,
)


WIDEST = 110
"""Columns of a help page at most: a wider terminal is filled so far, as longer lines are hard to read."""
ROUNDS = "6000"
"""How long OpenMP's threads wait for each other before they give their core away. GNU's usual 300 000 rounds are made
for a machine of one's own; so a training step takes half the time beside another busy process, and alone the same
(docs/log.md)."""


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 failed, 2 bad usage."""
    _prepare_threads()
    _prepare_streams()
    warnings.formatwarning = _warning
    for number in endings():
        signal.signal(number, _end)
    try:
        _run()
    except ElmanError as error:
        if not error.told:
            print(f"elman: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except (MemoryError, RuntimeError) as error:
        from elman.training.memory import ran_out

        if not ran_out(error):
            raise
        print("elman: there is not enough memory for this; give less data at once", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # of files that are read or written, they are ElmanErrors by now
        with suppress(OSError):  # of a terminal that is closed
            if not isinstance(error, BrokenPipeError):  # whoever reads has seen enough
                print(f"elman: {error.filename or 'standard output'}: {files.reason(error)}", file=sys.stderr)
        os._exit(1)  # else what could not be written would be tried once more


def _run() -> None:
    """Run the command, and write the rest of what it printed; the interpreter's end is too late to tell of errors."""
    try:
        _command()(prog_name="elman")
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning as people read it: without the place in the program."""
    del filename, lineno, line
    return f"{category.__name__}: {message}\n"


def _end(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that on the way out all is removed that is only half there, temporary folders too."""
    del frame
    sys.exit(128 + number)


def _prepare_threads() -> None:
    """Say what OpenMP reads when torch is loaded, where the user has not."""
    if (limit := machine.thread_limit()) is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(limit))
    if sys.argv[1:2] != ["bench"] and "OMP_WAIT_POLICY" not in os.environ:  # peers are measured as they come
        os.environ.setdefault("GOMP_SPINCOUNT", ROUNDS)


def _prepare_streams() -> None:
    """Read UTF-8, as of files; and print what the terminal has no sign for as a question mark."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Commands(typer.core.TyperGroup):
    """The commands in the order in which they are used, with their whole summaries."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands, training first."""
        return sorted(super().list_commands(ctx), key=lambda name: name != "train")

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands; a summary that is longer than a line is wrapped, not cut off."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        summaries = [(name, " ".join((each.help or "").split("\n\n")[0].split())) for name, each in found if each]
        with formatter.section("Commands"):
            formatter.write_dl(summaries)


def _command() -> Any:
    app = typer.Typer(
        cls=Commands,
        help="Recurrent networks for the computer you have: train, look inside, run forever.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    )
    app.add_typer(
        typer.Typer(cls=TaskGroup, no_args_is_help=True, subcommand_metavar="TASK DATA"),
        name="train",
        help="Train a network for a task.",
    )
    for command in COMMANDS:
        app.command()(command)
    return typer.main.get_command(app)
