"""The computer, and what the training cost on them."""

from typing import Any

from elman.report import wording
from elman.report.record import Record

NAMES = {"cpu": "Processor", "gpu": "GPU", "memory_gib": "Memory, GiB", "torch": "PyTorch"}


def view(record: Record) -> dict[str, Any] | None:
    """Rows of (name, value)."""
    rows = [(NAMES.get(name, wording.title(name)), _text(value)) for name, value in record.part("machine").items()]
    rows += _cost(record)
    return {"rows": rows} if rows else None


def _cost(record: Record) -> list[tuple[str, str]]:
    training, counted = record.part("training"), wording.title(record.counted)
    words = {
        "device": ("Trained on", str.upper),
        "seconds": ("Training time", wording.duration),
        "steps": ("Steps", _text),
        "best_step": ("Weights kept from step", _text),
        "epochs": ("Epochs", _text),
        "symbols_seen": (f"{counted} seen", _text),
        "symbols_per_second": (f"{counted} per second", lambda value: wording.number(value, 0)),
    }
    return [(name, say(training[key])) for key, (name, say) in words.items() if training.get(key) is not None]


def _text(value: Any) -> str:
    return wording.number(value, 0 if isinstance(value, int) else 1)
