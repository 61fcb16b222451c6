"""The report of a run: one HTML file without outside parts, made from what lies in the run folder.

    trend       where training stood at its end, and what that asks for
    record      run.json and metrics.jsonl, as they were found
    measures    scores: their names, which direction is better, what they say in plain words
    wording     numbers, durations and names as people read them
    times       an axis of times, labelled as people read calendars and clocks
    charts      curves as geometry; template.html.j2 and its neighbours turn it into SVG
    shades      cells of a picture, likewise
    sections/   the parts of the page, one file and one template each: another task adds its own
    page        puts the parts together and writes the file

It knows nothing of torch, of the networks and of the tasks: what is not in the folder is not in the report.
"""

from pathlib import Path

from elman.report.page import render_diagnosis, write
from elman.report.record import read
from elman.report.sections import scores

__all__ = ["remedy", "render_diagnosis", "write"]


def remedy(folder: Path) -> str:
    """What to try with a run that is not better than its best baseline; nothing where it is."""
    view = scores.view(read(folder))
    return view["remedy"] if view else ""
