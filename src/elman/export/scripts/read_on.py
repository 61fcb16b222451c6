"""Read a text with an exported language model, and write on: python example.py "Once upon" 200.

It needs numpy and onnxruntime, and for a text in words or subwords also tokenizers. All else is in model.json.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
TEMPERATURE = 0.8


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
        lambda given: list(tokenizer.encode(given).ids),
        lambda numbers: str(tokenizer.decode(list(numbers), skip_special_tokens=False)),
    )


def begin(model: dict[str, Any]) -> dict[str, Any]:
    """Return the state that a text begins with, for one row."""
    inputs: list[dict[str, Any]] = model["inputs"][1:]
    return {each["name"]: np.zeros([1 if n == "batch" else n for n in each["shape"]], np.float32) for each in inputs}


def run(session: Any, symbols: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return ln P of what comes next, and the state after."""
    first = session.get_inputs()[0].name
    found, *after = session.run(None, {first: np.array(symbols, np.int64), **state})
    return found, dict(zip(state, after, strict=True))


def main(prompt: str, length: int) -> None:
    """Say how probable the prompt is, and what may follow it."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    encode, decode = cutting(description["modalities"]["text"])
    whole, step = (onnxruntime.InferenceSession(HERE / f"{name}.onnx") for name in ("model", "step"))

    symbols = encode(prompt)
    found, state = run(whole, [[*description["begin"], *symbols]], begin(description["models"]["model"]))
    known = found[0, len(description["begin"]) - 1 :]
    print(f"ln P of {prompt!r}: {sum(known[k][symbol] for k, symbol in enumerate(symbols)):.4f}")

    draw, ahead, written = np.random.default_rng(0), known[-1], []
    for _ in range(length):
        if description["unknown"] is not None:
            ahead[description["unknown"]] = -np.inf
        chances = np.exp(ahead.astype(np.float64) / TEMPERATURE)
        written.append(int(draw.choice(len(chances), p=chances / chances.sum())))
        found, state = run(step, written[-1:], state)
        ahead = found[0]
    print(prompt + decode(written))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "", int(sys.argv[2]) if len(sys.argv) > 2 else 200)
