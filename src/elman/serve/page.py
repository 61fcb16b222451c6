"""The page for people: what the run is, its score, and a form to try it. Self-contained, in the report's clothes.

It does not know how answers are computed: the page asks the service as any other client.
"""

from elman.report import page, record
from elman.report.sections import scores
from elman.run.run import Run
from elman.version import VERSION


def render(run: Run) -> str:
    """Return the page as HTML."""
    known = record.read(run.path)
    template = page.environment("elman.serve").get_template("page.html.j2")
    return template.render(
        name=run.path.resolve().name,
        task=run.task,
        model=known.get("model", "summary"),
        version=VERSION,
        score=scores.view(known),
        columns=(columns := run.prepared.columns),
        example="{" + ", ".join(f'"{name}": ...' for name in columns["read"]) + "}" if columns else '"some text"',
        generates=run.generates,
        streams=run.streams,
        files=run.prepared.reads_files,
    )
