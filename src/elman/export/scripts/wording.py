"""What an example makes of words: their numbers, and those of their parts."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np


def numbers(read: dict[str, Any], texts: list[Any]) -> tuple[Any, Any, Any]:
    """Return words (N, W), parts (N, W, P) and how many words each has (N,), for texts or lists of words."""
    word = {known: k for k, known in enumerate(read["words"], 1)}
    part = {known: k for k, known in enumerate(read["parts"])}
    rows = [cut(read["pattern"], text) if isinstance(text, str) else text for text in texts]
    found = [[[part[each] for each in parts(form) if each in part] for form in row] for row in rows]
    words = np.zeros((len(rows), max(map(len, rows))), np.int64)
    padded = np.full((*words.shape, max([1, *(len(each) for row in found for each in row)])), len(part), np.int64)
    for n, row in enumerate(rows):
        words[n, : len(row)] = [word.get(form.lower(), 0) for form in row]
        for k, each in enumerate(found[n]):
            padded[n, k, : len(each)] = each
    return words, padded, np.array([len(row) for row in rows], np.int64)


def cut(pattern: str, text: str) -> list[str]:
    """Return all that matches; a mark belongs to a word, and a fraction does not, as for Unicode and not for Python."""
    return [text[found.start() : found.end()] for found in re.finditer(pattern, "".join(map(plain, text)))]


def plain(c: str) -> str:
    """Return a character that is to Python's regular expressions what this one is to Unicode's."""
    kind = unicodedata.category(c)
    if kind[0] in "LM" or kind in ("Nd", "Nl", "Pc") or c.isupper() or c.islower() or c in "\u200c\u200d":
        return "a"
    return "." if kind == "No" or "\x1c" <= c <= "\x1f" else c


def parts(form: str) -> Iterator[str]:
    """Yield the n-grams of 2 to 5 characters of a word, and after a space the kinds of its characters."""
    form = form[:50]
    word = f"<{form.lower()}>"
    for size in range(2, 6):
        yield from (word[first : first + size] for first in range(len(word) - size + 1))
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else "s" for c in form)
    yield " " + re.sub(r"(.)\1+", r"\1", kinds)
