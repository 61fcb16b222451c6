"""A benchmark from what the user asked for to the result that is kept: machine, versions, date, rows, means.

It does not know what any benchmark measures.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elman import files, machine
from elman.benchmarks import find
from elman.benchmarks.base import Settings, Shape, Table
from elman.benchmarks.peers import PEERS, Peer
from elman.benchmarks.timing import Budget
from elman.errors import UsageError
from elman.names import nearest
from elman.version import VERSION


def run(
    name: str,
    *,
    cells: list[str] | None = None,
    shapes: list[str] | None = None,
    rounds: int | None = None,
    seconds: float | None = None,
    peers: list[str] | None = None,
    save: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure.

    Args:
        name: of the benchmark.
        cells: names of cells (default: all that the benchmark has).
        shapes: each as B,T,I,H (default: the benchmark's own).
        rounds: of each row.
        seconds: of each row, instead of rounds.
        peers: names (default: all). torch.nn is always among them.
        save: the folder where NAME.json is kept; that it can be is seen to before anything is measured.
        tell: is told of missing peers, of each row as it is done, and of the file.

    Raises:
        UsageError: if any of these makes no sense.
        ElmanError: if contenders give different answers.

    """
    benchmark = find(name)
    chosen = _peers(name, benchmark.peers, peers)
    present = [peer for peer in chosen if peer.installed()]
    if missing := [peer.name for peer in chosen if peer not in present]:
        tell(f"not installed, so not compared with: {', '.join(missing)}; pip install 'elman[bench]' brings them")
    settings = Settings(
        cells=tuple(_cell(cell, benchmark.cells) for cell in cells or benchmark.cells),
        shapes=tuple(map(Shape.parse, shapes)) if shapes else None,
        budget=_budget(rounds, seconds, benchmark.rounds),
        peers=tuple(present),
    )
    if save is not None:
        files.check_folder(save)
    rows = []
    for row in benchmark.rows(settings):
        rows.append(row)
        tell(benchmark.said(row))
    result = {
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "elman": VERSION,
        "machine": machine.facts(),
        "peers": {peer.name: peer.facts() for peer in present},
        "rows": rows,
        "means": benchmark.means(rows),
    }
    if save is not None:
        tell(f"wrote {files.write_json(files.make_folder(save) / f'{name}.json', result)}")
    return result


def tables(result: dict[str, Any]) -> list[Table]:
    """A result for people: its rows, then its means."""
    benchmark = find(result["benchmark"])
    return [*benchmark.tables(result["rows"]), benchmark.means_table(result["means"])]


def headline(result: dict[str, Any]) -> str:
    """Where and with what a result was measured, in a line."""
    facts = result["machine"]
    peers = result["peers"].items()
    versions = ", ".join(f"{name} {peer['version']} (threads: {peer['threads']})" for name, peer in peers)
    threads = f"{facts['cores']} cores, {facts['threads']} threads"
    return f"{facts['cpu']}, {threads}; elman {result['elman']}, {versions}; {result['date'][:10]}"


def _peers(name: str, known: tuple[str, ...], asked: list[str] | None) -> list[Peer]:
    for peer in asked or ():
        if peer not in known:
            raise UsageError(f"`elman bench {name}` has no peer {peer!r}; there is: {', '.join(known)}")
    return [PEERS[peer] for peer in known if asked is None or peer in asked or peer == known[0]]


def _cell(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        near = nearest(name.lower(), known, f"; there is: {', '.join(known)}")
        raise UsageError(f"this benchmark has no cell {name!r}{near}")
    return name


def _budget(rounds: int | None, seconds: float | None, default: int) -> Budget:
    if rounds is not None and seconds is not None:
        raise UsageError("the budget is given twice, as --rounds and as --seconds; choose one")
    if rounds is not None and rounds < 1:
        raise UsageError(f"--rounds {rounds} is out of range; give at least 1")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds {seconds:g} is out of range; give more than 0")
    return Budget(default if seconds is None and rounds is None else rounds, seconds)
