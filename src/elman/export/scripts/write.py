"""Write what an exported network makes of a text: python example.py "A dog runs on the beach.".

It needs numpy and onnxruntime, and for texts in words or subwords also tokenizers. All else is in model.json. In each
step it takes the most probable symbol; `elman predict` follows several texts at a time, and finds better ones.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.scripts.cutting import cutting, symbols
from elman.export.scripts.sequence import write

HERE = Path(__file__).parent


def encode(read: dict[str, Any], text: str) -> dict[str, Any]:
    """Return the inputs for one text."""
    found = symbols(read, text)
    return {"symbols": np.array([found], np.int64), "lengths": np.array([len(found)], np.int64)}


def main(text: str) -> None:
    """Print what is written for a text."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    encoder, decoder = (onnxruntime.InferenceSession(HERE / f"{name}.onnx") for name in ("encoder", "decoder"))
    read, (wrote,) = description["modalities"]["input"], description["modalities"]["outputs"]
    written = write(encoder, decoder, description, encode(read, text), wrote["longest"])
    print(cutting(wrote)[1](written).strip())


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    main(given if given.strip() else sys.exit('give a text: python example.py "A dog runs on the beach."'))
