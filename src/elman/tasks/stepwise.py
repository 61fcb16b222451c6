"""Tables with a row per time step: whether one is, which columns are read and answered, and which tells series apart.

As the user says, or as the table shows. It does not know what is done with them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from elman.data import timeline
from elman.data.steps import StepLayout, in_blocks, varies
from elman.data.tables import Table
from elman.errors import DataError, UsageError
from elman.names import listed
from elman.tasks.roles import LABELS

GROUPS = (
    "series",
    "series_id",
    "unique_id",
    "id",
    "group",
    "sequence",
    "sequence_id",
    "video",
    "recording",
    "session",
    "episode",
    "trial",
    "subject",
    "person",
    "user",
    "patient",
    "machine",
    "device",
    "engine",
    "unit",
    "sensor",
)
"""Names that people give to the column that tells series apart."""


@dataclass(frozen=True)
class Given:
    """What the user says of a table's columns."""

    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    group: str | None = None
    time: str | None = None

    @property
    def names(self) -> list[str]:
        """All columns that are named."""
        return [*self.inputs, *self.outputs, *filter(None, (self.group, self.time))]


def find(table: Table, given: Given, *, tags: bool) -> tuple[StepLayout, str] | None:
    """Settle the columns of a table with a row per time step, and say how; None where it has a row per example.

    It has a row per time step where the user says so, by several inputs, by a column that tells series apart or one of
    times, or by an input of numbers. Where he does not, its content must: columns of numbers, none of lists, and no
    texts that change within a series beside the answers.

    Args:
        table: the training table.
        given: what the user says.
        tags: whether time steps are answered; else series are, so that there must be several.

    Raises:
        DataError: there is no such column.
        UsageError: what is given contradicts itself, or is not enough to tell.

    """
    for name in given.names:
        table.column(name)
    if twice := next((name for name, count in Counter(given.names).items() if count > 1), None):
        raise UsageError(f"the column {twice!r} is named twice, for two things; name each column once")
    numeric = set(timeline.numeric(table))
    numbers = numeric.issuperset(given.inputs)
    said = bool(given.group or given.time or len(given.inputs) > 1 or (tags and given.inputs and numbers))
    if not said and not (numbers and all(column.kind in ("number", "text") for column in table.columns())):
        return None
    time = given.time or next((n for n in table.names if n.lower() in timeline.TIMES and n not in given.names), None)
    free = [name for name in table.names if name not in {time, *given.names}]
    group = given.group or _group(table, free, numeric, answered=bool(given.outputs))
    free = [name for name in free if name != group]
    outputs = list(given.outputs) or _answer(table, free, numeric, group, tags=tags)
    inputs = list(given.inputs) or [name for name in free if name in numeric and name not in outputs]
    if not said:
        texts = [name for name in free if name not in {*numeric, *outputs}]
        other = any(group is None or varies(table, name, group) for name in texts)
        if other or not inputs or not outputs or not (tags or group):
            return None
    _check(table, inputs, outputs, group, numeric, tags=tags)
    changing = [name for name in outputs if varies(table, name, group)] or outputs
    answered = changing if tags else []
    layout = StepLayout(inputs, answered, [name for name in outputs if name not in answered], group, time)
    return layout, _note(layout, given)


def _group(table: Table, free: Sequence[str], numeric: set[str], *, answered: bool) -> str | None:
    """The column that tells series apart, by its name or because its values come in blocks; None where none does."""
    named = [n for n in free if n.lower() in GROUPS and 2 * table.column(n).values.n_unique() <= len(table)]
    if len(named) == 1:
        return named[0]
    texts = [name for name in free if name not in numeric]
    others = [name for name in texts if name.lower() not in LABELS]
    blocks = [name for name in others if in_blocks(table.column(name))]
    if not blocks or not (answered or len(others) < len(texts) or len(others) > 1):
        return None  # the one column of texts is what is answered
    return max(blocks, key=lambda name: table.column(name).values.n_unique())


def _answer(table: Table, free: Sequence[str], numeric: set[str], group: str | None, *, tags: bool) -> list[str]:
    """The column that is answered, by its name or as the only one that could be; none where it is not to be told."""
    texts = [name for name in free if name not in numeric]
    for columns in (texts, [name for name in free if name in numeric and name.lower() != "y"]):  # it may be beside x
        named = [name for name in columns if name.lower() in LABELS]
        if len(named) == 1:
            return named
    able = [name for name in texts if group is None or varies(table, name, group) == tags]
    return next((columns for columns in (texts, able) if len(columns) == 1), [])


def _check(
    table: Table, inputs: list[str], outputs: list[str], group: str | None, numeric: set[str], *, tags: bool
) -> None:
    """Raise what is wrong with columns of a table that is said to have a row per time step."""
    if not inputs:
        there = table.described
        raise DataError(f"{table.source} has no column with a number for each time step to read; it has {there}")
    if wrong := next((name for name in inputs if name not in numeric), None):
        raise UsageError(
            f"--input names {wrong!r}, which holds {table.column(wrong).kind}; a row per time step is read by its "
            "numbers: name columns of them, or one column alone, without --group and --time"
        )
    if not outputs:
        raise UsageError(
            f"{table.source} has the columns {listed(table.names)}, and it does not show which of them is the answer; "
            "say it: --output COLUMN"
        )
    if not tags and group is None:
        raise UsageError(
            f"{table.source} shows no column that tells series apart, each of which has one answer; name it with "
            "--group, or train tagging, which answers every row"
        )


def _note(layout: StepLayout, given: Given) -> str:
    """How the columns were found, where they were not all given."""
    if given.inputs and given.outputs and (layout.group, layout.time) == (given.group, given.time):
        return ""
    apart = f"series told apart by {layout.group!r}" if layout.group else "all rows one series"
    order = f", times in {layout.time!r}" if layout.time else ""
    return (
        f"A row per time step: reading {listed(layout.inputs)}, answering {listed(layout.outputs)}, {apart}{order}; "
        "--input, --output, --group and --time say otherwise."
    )
