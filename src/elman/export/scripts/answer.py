"""Answer a row with an exported network: python example.py "a text", or a series as JSON: "[[1.5, 2], [1.4, 2]]".

It needs numpy and onnxruntime, and for texts in subwords also tokenizers. All else is in model.json.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def encode(read: dict[str, Any], row: Any) -> dict[str, Any]:
    """Return the inputs for one row: a text, a list of words, or a list with the numbers of each step."""
    if read["modality"] == "series":
        steps = np.array(row, np.float64).reshape(len(row), -1)
        return {"values": ((steps - read["mean"]) / read["deviation"]).astype(np.float32)[None]}
    if read["modality"] == "symbols":
        return {"symbols": np.array([symbols(read, row)], np.int64)}
    forms = re.findall(read["pattern"], row) if isinstance(row, str) else row
    word = {known: k for k, known in enumerate(read["words"], 1)}
    part = {known: k for k, known in enumerate(read["parts"])}
    found = [[part[each] for each in parts(form) if each in part] for form in forms]
    padded = np.full((1, len(forms), max(1, *map(len, found))), len(part), np.int64)
    for k, numbers in enumerate(found):
        padded[0, k, : len(numbers)] = numbers
    return {"words": np.array([[word.get(form.lower(), 0) for form in forms]], np.int64), "parts": padded}


def symbols(read: dict[str, Any], text: str) -> list[int]:
    """Cut a text into the numbers of its symbols."""
    if read["unit"] == "char":
        number = {character: k for k, character in enumerate(read["characters"])}
        return [number.get(character, len(number)) for character in text][: read["longest"]]
    if read["unit"] == "byte":
        return list(text.encode())[: read["longest"]]
    from tokenizers import Tokenizer  # pip install tokenizers

    found: list[int] = Tokenizer.from_str(read["tokenizer"]).encode(f" {text.strip()}").ids
    return found[: read["longest"]]


def parts(form: str) -> Iterator[str]:
    """Yield the n-grams of 2 to 5 characters of a word, and after a space the kinds of its characters."""
    form = form[:50]
    word = f"<{form.lower()}>"
    for size in range(2, 6):
        yield from (word[first : first + size] for first in range(len(word) - size + 1))
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else "s" for c in form)
    yield " " + re.sub(r"(.)\1+", r"\1", kinds)


def decode(output: dict[str, Any], found: Any) -> list[tuple[str, float]]:
    """Return the answers and their probabilities, one of a whole row or one for each step."""
    chosen = best(output, found) if found.ndim == 2 else [int(found.argmax())]
    rows = found if found.ndim == 2 else found[None]
    return [(output["symbols"][k], float(np.exp(row[k]))) for k, row in zip(chosen, rows, strict=True)]


def best(output: dict[str, Any], found: Any) -> list[int]:
    """Return the most probable tags, (T,); where they mark spans, the most probable that mark any (Viterbi)."""
    tags = output["symbols"]
    if not all(tag == "O" or tag[:2] in ("B-", "I-") for tag in tags):
        return [int(k) for k in found.argmax(-1)]
    allowed = [[0 if tag[:2] != "I-" or before[2:] == tag[2:] else -1e4 for tag in tags] for before in [*tags, "O"]]
    ahead = np.array(allowed, np.float32)
    total, came = found[0] + ahead[-1], []
    for now in found[1:]:
        ways = total[:, None] + ahead[:-1]
        came.append(ways.argmax(0))
        total = ways.max(0) + now
    path = [int(total.argmax())]
    for origin in reversed(came):
        path.append(int(origin[path[-1]]))
    return path[::-1]


def main(row: Any) -> None:
    """Print the answers to a row."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    inputs = encode(description["modalities"]["input"], row)
    steps = next(iter(inputs.values())).shape[1]
    outputs = session.run(None, {**inputs, "lengths": np.array([steps], np.int64)})
    for output, found in zip(description["modalities"]["outputs"], outputs, strict=True):
        print(f"{output['column']}:", ", ".join(f"{said} ({sure:.4f})" for said, sure in decode(output, found[0])))


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else sys.exit('give a row: python example.py "a text"')
    main(json.loads(given) if given.startswith("[") else given)
