"""Every option of the run, and what became of them: the model."""

from typing import Any

from elman.report.record import Record


def view(record: Record) -> dict[str, Any] | None:
    """The options by name, and the model in numbers."""
    options, model = record.part("options"), record.part("model")
    if not options and not model:
        return None
    return {"options": dict(sorted(options.items())), "model": model}
