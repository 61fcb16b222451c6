"""What an example makes of a text in symbols: their numbers, and back."""

import sys
from collections.abc import Callable, Sequence
from typing import Any


def cutting(text: dict[str, Any]) -> tuple[Callable[[str], list[int]], Callable[[Sequence[int]], str]]:
    """Return how a text becomes numbers, and numbers text."""
    if text["unit"] == "char":
        characters = text["characters"]
        number = {character: k for k, character in enumerate(characters)}  # all others share the last number
        return (
            lambda given: [number.get(character, len(characters)) for character in given],
            lambda numbers: "".join((characters + "\ufffd")[k] for k in numbers),
        )
    if text["unit"] == "byte":
        return lambda given: list(given.encode()), lambda numbers: bytes(numbers).decode(errors="replace")
    from tokenizers import Tokenizer  # pip install tokenizers

    tokenizer = Tokenizer.from_str(text["tokenizer"])
    return (
        lambda given: list(tokenizer.encode(f" {given.strip()}").ids),  # every word with the space before it
        lambda numbers: str(tokenizer.decode(list(numbers), skip_special_tokens=False)),
    )


def symbols(read: dict[str, Any], text: str) -> list[int]:
    """Return the numbers of a text that is read; of a longer one than is read its beginning, if the run takes that."""
    found, longest = cutting(read)[0](text), read["longest"]
    if len(found) > longest and not read["shorten"]:
        sys.exit(f"the text has {len(found):,} symbols, more than {longest:,}; shorten it")
    return found[:longest]
