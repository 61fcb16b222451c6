"""Calls turn by turn: who said what, how it is tagged and how it was, and which turn decided the labels."""

from typing import Any

from elman.report.record import Record, are_numbers, has_lists, is_number

SPEAKER = 24
"""The most letters of what stands before a colon and names a speaker."""
TOLD = 0.05
"""By how much a label's probability must change without a turn for the turn to be named."""


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored."""
    calls = [_call(entry) for entry in record.each("calls") if _is_call(entry)]
    return {"calls": calls} if calls else None


def _call(entry: dict[str, Any]) -> dict[str, Any]:
    labels = {name: label for name, label in entry["labels"].items() if _is_label(label)}
    tags = {name: tag for name, tag in entry["tags"].items() if _is_tag(tag, len(entry["turns"]))}
    return {
        "row": entry.get("row"),
        "labels": [_label(name, label) for name, label in labels.items()],
        "columns": list(tags),
        "decided": any(label["without"] for label in labels.values()),
        "turns": [_turn(k, str(text), tags, labels) for k, text in enumerate(entry["turns"])],
    }


def _turn(k: int, text: str, tags: dict[str, Any], labels: dict[str, Any]) -> dict[str, Any]:
    speaker, colon, said = text.partition(":")
    named = bool(colon) and 0 < len(speaker.strip()) <= SPEAKER and bool(said.strip())
    return {
        "speaker": speaker.strip() if named else "",
        "said": said.strip() if named else text,
        "tags": [_answer(tag["truth"][k], tag["answer"][k]) for tag in tags.values()],
        "decides": [
            {"label": name, "answer": str(label["answer"]), "from": label["probability"], "to": label["without"][k]}
            for name, label in labels.items()
            if k < len(label["without"]) and abs(label["probability"] - label["without"][k]) >= TOLD
        ],
    }


def _answer(truth: Any, answer: Any) -> dict[str, Any]:
    return {"truth": str(truth), "answer": None if truth == answer else str(answer)}


def _label(name: str, label: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "probability": label["probability"], **_answer(label["truth"], label["answer"])}


def _is_call(entry: Any) -> bool:
    return has_lists(entry, "turns") and all(isinstance(entry.get(name), dict) for name in ("tags", "labels"))


def _is_tag(tag: Any, turns: int) -> bool:
    return has_lists(tag, "truth", "answer") and min(len(tag["truth"]), len(tag["answer"])) >= turns


def _is_label(label: Any) -> bool:
    return isinstance(label, dict) and is_number(label.get("probability")) and are_numbers(label.get("without"))
