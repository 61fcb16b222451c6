"""What an example makes of words: their numbers, and those of their parts."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np


def numbers(read: dict[str, Any], texts: list[Any]) -> tuple[Any, Any, Any]:
    """Return words (N, W), parts (N, W, P) and how many words each has (N,), for texts or lists of words."""
    word = {known: k for k, known in enumerate(read["words"], 1)}
    part = {known: k for k, known in enumerate(read["parts"])}
    rows = [re.findall(read["pattern"], text) if isinstance(text, str) else text for text in texts]
    found = [[[part[each] for each in parts(form) if each in part] for form in row] for row in rows]
    words = np.zeros((len(rows), max(map(len, rows))), np.int64)
    padded = np.full((*words.shape, max([1, *(len(each) for row in found for each in row)])), len(part), np.int64)
    for n, row in enumerate(rows):
        words[n, : len(row)] = [word.get(form.lower(), 0) for form in row]
        for k, each in enumerate(found[n]):
            padded[n, k, : len(each)] = each
    return words, padded, np.array([len(row) for row in rows], np.int64)


def parts(form: str) -> Iterator[str]:
    """Yield the n-grams of 2 to 5 characters of a word, and after a space the kinds of its characters."""
    form = form[:50]
    word = f"<{form.lower()}>"
    for size in range(2, 6):
        yield from (word[first : first + size] for first in range(len(word) - size + 1))
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else "s" for c in form)
    yield " " + re.sub(r"(.)\1+", r"\1", kinds)
