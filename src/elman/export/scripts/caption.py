"""Write what an exported network sees in an image or a video: python example.py image.png.

It needs numpy, onnxruntime and Pillow, and for texts in words or subwords also tokenizers. All else is in model.json.
A video is an animated image, or a folder of images.
In each step it takes the most probable symbol; `elman predict` follows several texts at a time, and finds better ones.
"""

import json
import sys
from pathlib import Path

from elman.export.scripts.cutting import cutting
from elman.export.scripts.pixels import encode
from elman.export.scripts.sequence import write

HERE = Path(__file__).parent


def main(path: str) -> None:
    """Print what is written for an image or video."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    encoder, decoder = (onnxruntime.InferenceSession(HERE / f"{name}.onnx") for name in ("encoder", "decoder"))
    read, (wrote,) = description["modalities"]["input"], description["modalities"]["outputs"]
    symbols = write(encoder, decoder, description, encode(read, path), wrote["longest"])
    print(cutting(wrote)[1](symbols).strip())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.exit("give an image: python example.py image.png"))
