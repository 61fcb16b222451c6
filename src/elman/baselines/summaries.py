"""A naive summary of a text: its first sentence. It does not know what the text is about."""

import re

SENTENCE = re.compile(r"\S.*?(?:[.!?…。！？]+[\"'»”’)]*(?=\s|$)|$)", re.DOTALL)


def first_sentence(text: str) -> str:
    """Return what comes before the first full stop, or the whole text where there is none."""
    found = SENTENCE.search(text)
    return "" if found is None else " ".join(found.group().split())
