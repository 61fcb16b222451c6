"""Telling how training goes: a line per record for programs, a bar or plain lines for people."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn
from rich.text import Text as RichText

from elman import files
from elman.errors import RunError

PLAIN_SECONDS = 10.0
PATIENCE = 10.0
"""Seconds after which what shows no progress is told."""


class Metrics:
    """`metrics.jsonl`: one JSON object a line, in the order of the steps."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, values: dict[str, Any]) -> None:
        """Add a line; RunError when the disk is full."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {files.reason(error)}") from error

    def forget_after(self, step: int) -> None:
        """Drop the lines of steps that a continued run will do again."""
        kept = [line for line in files.json_lines(self.path) if line["step"] <= step]
        files.write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))


class Lasting:
    """A stream for what people may read or not: that its terminal is closed, or its file full, ends nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Be the stream in all else."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, where that is possible."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, where that is possible."""
        with suppress(OSError):
            self._stream.flush()


@contextmanager
def telling(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Say on stderr what is done in a block that takes long, so that nobody wonders whether anything happens."""

    def tell() -> None:
        print(f"{what} ...", file=Lasting(sys.stderr), flush=True)

    timer = threading.Timer(PATIENCE, tell)
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Silence:
    """Tells nobody: for processes that train with one that does."""

    def training(self, share: float, values: dict[str, float]) -> None:
        """Take a stretch of training."""

    def validation(self, share: float, values: dict[str, float]) -> None:
        """Take a validation."""

    def diagnosis(self, values: dict[str, Any]) -> None:
        """Take what was seen inside the network."""


class Display:
    """Writes the metrics, and shows them on stderr: a live bar on a terminal, plain lines elsewhere, or nothing.

    Args:
        metrics: where the records go.
        noun: what is counted, in the plural: "characters".
        quiet: show nothing.
    """

    def __init__(self, metrics: Metrics, noun: str, *, quiet: bool = False) -> None:
        self.metrics, self.noun, self.quiet = metrics, noun, quiet
        self.stream = cast("TextIO", Lasting(sys.stderr))
        self.console = Console(file=self.stream)
        self.bar: Progress | None = None
        self.valid, self.shown, self.begun = "", 0.0, time.perf_counter()
        self.first_share: float | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.quiet:
            self.bar = Progress(
                BarColumn(bar_width=24),
                TaskProgressColumn(),
                TextColumn("{task.fields[facts]}"),
                TimeLeft(),
                console=self.console,
                transient=False,
            )
            self.task = self.bar.add_task("training", total=1.0, facts="", left=None)
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def note(self, text: str) -> None:
        """Say something once."""
        if not self.quiet:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def training(self, share: float, values: dict[str, float]) -> None:
        """Record a stretch of training."""
        self.metrics.append(values)
        speed = f"{values['symbols_per_second']:,.0f} {self.noun}/s"
        self._show(share, f"step {values['step']:,.0f}  loss {values['loss']:.3f}{self.valid}  {speed}")

    def validation(self, share: float, values: dict[str, float]) -> None:
        """Record a validation."""
        self.metrics.append(values)
        self.valid = f"  valid {values['valid_loss']:.3f}"
        if self.bar is not None:
            self.bar.update(self.task, completed=min(1.0, share))
        else:
            self._show(share, f"step {values['step']:,.0f}{self.valid}", always=True)

    def diagnosis(self, values: dict[str, Any]) -> None:
        """Record what was seen inside the network, and say what keeps it from learning."""
        self.metrics.append(values)
        if values["findings"] and not self.quiet:
            problems = ", ".join(each["problem"] for each in values["findings"])
            self.console.print(f"step {values['step']:,}: {problems}; `elman diagnose` says more", highlight=False)

    def interrupted(self, signals: int) -> None:
        """Say what follows on the first of several signals, where a validation and the scores may take a while."""
        if signals == 1:
            self.note("Interrupted: keeping and scoring what was learnt so far; Ctrl-C again leaves out the scores.")
        else:
            self.note("Interrupted: leaving out what is not scored yet; Ctrl-C again ends at once.")

    def _show(self, share: float, facts: str, *, always: bool = False) -> None:
        if self.quiet:
            return
        left = self._seconds_left(share)
        if self.bar is not None:
            self.bar.update(self.task, completed=min(1.0, share), facts=facts, left=left)
            return
        now = time.perf_counter()
        if always or now - self.shown > PLAIN_SECONDS:
            self.shown = now
            print(f"{min(1.0, share):4.0%}  {facts}{_clock(left)}", file=self.stream, flush=True)

    def _seconds_left(self, share: float) -> float | None:
        if self.first_share is None:
            self.first_share, self.begun = share, time.perf_counter()
        done = share - self.first_share
        return (time.perf_counter() - self.begun) / done * max(0.0, 1 - share) if done > 0.001 else None


class TimeLeft(ProgressColumn):
    """Hours, minutes and seconds until the budget is spent."""

    def render(self, task: Any) -> RichText:
        """Return "0:48 left", or "1:02:05 left"."""
        return RichText(_clock(task.fields["left"]), style="cyan")


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, within = divmod(minutes, 60)
    return f"  {hours}:{within:02d}:{rest:02d} left" if hours else f"  {minutes}:{rest:02d} left"
