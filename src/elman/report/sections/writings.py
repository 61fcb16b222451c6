"""Texts that were read, with the right answer and what was written."""

import difflib
import re
from typing import Any

from elman.report.record import Record
from elman.report.sections.base import image

Piece = tuple[str, bool]
WORDS = re.compile(r"\s*\S+\s*")
ALIKE = 0.4
"""The share of words in common from which on it helps to mark the others."""
LONGEST = 600
"""Characters of a text that was read which are shown; a page of e-mails in full is read by nobody."""


def view(record: Record) -> dict[str, Any] | None:
    """Rows from all over the part that was scored and, where they were looked for, the worst or least expected ones."""
    rows = _rows(record.each("writings"))
    return {"rows": rows} | {kind: _rows(record.each(kind)) for kind in ("worst", "unexpected")} if rows else None


def _rows(entries: list[Any]) -> list[dict[str, Any]]:
    return [_row(entry) for entry in entries if isinstance(entry, dict)]


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    texts = {name: str(entry.get(name) or "") for name in ("input", "truth", "answer")}
    if len(texts["input"]) > LONGEST:
        texts["input"] = f"{texts['input'][:LONGEST].rstrip()} …"
    texts["image"] = image(entry.get("image"))
    right = texts["truth"].strip() == texts["answer"].strip()
    truth, answer = _differences(texts["truth"], texts["answer"])
    return texts | {"row": entry.get("row"), "right": right, "truth": truth, "answer": answer}


def _differences(truth: str, answer: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts as pieces, each marked or not; unmarked where they have so little in common that all would be."""
    words = tuple(WORDS.findall(text) for text in (truth, answer))
    ours, theirs = ([word.strip() for word in own] for own in words)
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    if matcher.ratio() < ALIKE:
        return [(truth, False)], [(answer, False)]
    steps = matcher.get_opcodes()
    return (
        _pieces([("".join(words[0][i:j]), how != "equal") for how, i, j, _, _ in steps if i < j]),
        _pieces([("".join(words[1][i:j]), how != "equal") for how, _, _, i, j in steps if i < j]),
    )


def _pieces(found: list[Piece]) -> list[Piece]:
    """The same without marks on the spaces at their ends."""
    parts = [(text, differs, len(text.rstrip())) for text, differs in found]
    return [piece for text, differs, end in parts for piece in ((text[:end], differs), (text[end:], False)) if piece[0]]
