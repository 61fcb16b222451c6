"""The page: reads a run folder, lets each section take what it needs, and writes report.html beside it.

It does not know what the sections say.
"""

from pathlib import Path
from typing import Any

import jinja2

from elman import files
from elman.report import sections, wording
from elman.report.record import Record, read
from elman.report.sections import SECTIONS
from elman.version import VERSION

FILTERS = (
    wording.breakable,
    wording.duration,
    wording.number,
    wording.percent,
    wording.setting,
    wording.title,
    wording.visible,
)
STATUS = {"finished": "finished", "training": "still training", "stopped": "stopped early", "failed": "failed"}


def write(folder: Path) -> Path:
    """Write `report.html` into a run folder, whole or not at all.

    Args:
        folder: holds `run.json`, and `metrics.jsonl` where there is one.

    Returns:
        The path of the report.

    Raises:
        RunError: the folder is not a run, or cannot be written to.
    """
    page = render(read(Path(folder)))
    whole = page.encode("utf-8", "replace").decode()  # a generated text may hold half a surrogate pair
    return files.write_text(Path(folder) / "report.html", whole)


def render(record: Record) -> str:
    """The page as text."""
    found = [(section, section.view(record)) for section in SECTIONS]
    status = str(record.get("status") or "unknown")
    return (
        environment()
        .get_template("template.html.j2")
        .render(
            name=record.folder.resolve().name,
            task=record.get("task") or "run",
            model=record.get("model", "summary"),
            version=record.get("elman"),
            created=str(record.get("created") or "").replace("T", " ")[:16],
            status=status,
            status_words=STATUS.get(status, status),
            message=record.get("message"),
            sections=[(section, view) for section, view in found if view is not None],
        )
    )


def render_diagnosis(diagnosis: dict[str, Any], name: str) -> str:
    """A page of its own for a diagnosis, as `Diagnosis.to_dict` has it, without a run."""
    template = environment().get_template("diagnosis.html.j2")
    return template.render(name=name, version=VERSION, view=sections.diagnosis.of(diagnosis))


def environment(*packages: str) -> jinja2.Environment:
    """Jinja as the pages need it: with the words' filters, the style sheet, and the templates of further packages."""
    loaders = [jinja2.PackageLoader(package, ".") for package in ("elman.report", *packages)]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {function.__name__: function for function in FILTERS}
    return environment
