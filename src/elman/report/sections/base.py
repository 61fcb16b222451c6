"""The contract of a section of the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from elman.report.record import Record


@dataclass(frozen=True)
class Section:
    """A part of the page: what it takes from a run, and the template `sections/<name>.html.j2` that shows it.

    `view` gives the template its `view`; None where the run has nothing for the section, which is then left out.
    """

    name: str
    title: str
    view: Callable[[Record], Mapping[str, Any] | None]


def image(value: Any) -> str:
    """An image of a run as a page may hold it: a PNG written out in letters, or nothing."""
    return value if isinstance(value, str) and value.startswith("data:image/png;base64,") else ""
