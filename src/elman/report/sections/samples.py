"""Texts that the model made."""

from typing import Any

from elman.report.record import Record


def view(record: Record) -> dict[str, Any] | None:
    """Each sample with its prompt apart from what follows it."""
    samples = [_sample(sample) for sample in record.each("samples") if _has_text(sample)]
    return {"samples": samples} if samples else None


def _has_text(sample: Any) -> bool:
    return isinstance(sample, dict) and bool(sample.get("text"))


def _sample(sample: dict[str, Any]) -> dict[str, Any]:
    prompt, text = str(sample.get("prompt") or ""), str(sample["text"])
    return {"temperature": sample.get("temperature"), "prompt": prompt, "text": text.removeprefix(prompt)}
