"""What tasks share that read series: lists of numbers in the cells, or a table with a row per time step.

The second is read as the first: a row for each series. A task says whether it answers time steps or whole series.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from elman.data import tables
from elman.data.steps import StepLayout
from elman.data.tables import Table
from elman.tasks import stepwise
from elman.tasks.examples import ExampleOptions, ExampleTask
from elman.tasks.roles import Roles
from elman.training.options import option


@dataclass(frozen=True, kw_only=True)
class SeriesOptions(ExampleOptions):
    """What these tasks share."""

    input: list[str] | None = option(
        None,
        "column to read; in a table with a row per time step all columns of numbers to read (default: found by its "
        "content)",
    )
    group: str | None = option(
        None, "column that tells series apart, in a table with a row per time step (default: found by its content)"
    )
    time: str | None = option(
        None, "column of times in such a table (default: found by its name; without one, rows are in order)"
    )
    noise: float = option(0.1, "noise added to a series in training, in standard deviations", minimum=0)


class SeriesTask(ExampleTask):
    """A task that reads series, or something else: abstract."""

    data = f"a table ({tables.ENDINGS}) with a row per example, or per time step of series"
    held_out = "a tenth of the rows, or of the series, drawn at random"
    tags: ClassVar[bool]
    """Whether time steps are answered."""

    def cut(self, layout: StepLayout, options: Any) -> StepLayout:
        """Return the layout with the sizes of the windows that are learnt from; none unless a task says so."""
        del options
        return layout

    def opened(self, table: Table, options: Any, held_out: float | None) -> tuple[Table, Roles]:
        """Read a row per time step as a row per series."""
        given = stepwise.Given(options.input or (), options.output or (), options.group, options.time)
        found = stepwise.find(table, given, tags=self.tags)
        if found is None:
            return super().opened(table, options, held_out)
        layout, note = self.cut(found[0], options), found[1]
        series = layout.read(table)
        notes = [note] if note else []
        if held_out is not None and len(series) == 1:
            notes.append(f"There is one series: the last {held_out:.0%} of its rows are held out.")
        if series.longer:
            cut = f"windows of {layout.window} time steps, one every {layout.hop}"
            notes.append(f"Learning from {cut}, of longer series; --window and --hop say otherwise.")
        return series, Roles(layout.name, tuple(layout.outputs), tuple(notes))
