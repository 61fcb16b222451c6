"""Write what an exported network makes of a text: python example.py "A dog runs on the beach.".

It needs numpy and onnxruntime, and for texts in words or subwords also tokenizers. All else is in model.json. In each
step it takes the most probable symbol; `elman predict` follows several texts at a time, and finds better ones.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


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


def write(encoder: Any, decoder: Any, description: dict[str, Any], symbols: list[int], longest: int) -> list[int]:
    """Return the symbols that are written for those that are read, without the end."""
    given = {"symbols": np.array([symbols], np.int64), "lengths": np.array([len(symbols)], np.int64)}
    keys, values, *carried = encoder.run(None, given)
    given |= {"keys": keys, "values": values}
    inputs = description["models"]["decoder"]["inputs"]
    names = [each["name"] for each in inputs if each["name"] not in {*given, "symbol"}]
    if len(names) > len(carried):  # what was thought last goes in too
        carried.append(np.zeros((1, inputs[-1]["shape"][1]), np.float32))
    fixed = {each["name"]: given[each["name"]] for each in inputs if each["name"] in given}
    written: list[int] = []
    for _ in range(longest):
        last = np.array(written[-1:] or [description["end"]], np.int64)
        found, _, *carried = decoder.run(None, {"symbol": last, **fixed, **dict(zip(names, carried, strict=True))})
        if description["unknown"] is not None:
            found[0, description["unknown"]] = -np.inf
        best = int(found[0].argmax())
        if best == description["end"]:
            break
        written.append(best)
    return written


def main(text: str) -> None:
    """Print what is written for a text."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    encoder, decoder = (onnxruntime.InferenceSession(HERE / f"{name}.onnx") for name in ("encoder", "decoder"))
    read, (wrote,) = description["modalities"]["input"], description["modalities"]["outputs"]
    symbols = cutting(read)[0](text)[: read["longest"]]
    print(cutting(wrote)[1](write(encoder, decoder, description, symbols, wrote["longest"])).strip())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.exit('give a text: python example.py "A dog runs on the beach."'))
