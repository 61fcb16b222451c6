"""Answer an image or a video with an exported network: python example.py image.png.

It needs numpy, onnxruntime and Pillow. All else is in model.json. A video is an animated image, or a folder of images.
"""

import json
import sys
from pathlib import Path

from elman.export.scripts.answers import told
from elman.export.scripts.pixels import encode

HERE = Path(__file__).parent


def main(given: str) -> None:
    """Print the answers to an image or video."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    told(description["modalities"]["outputs"], session.run(None, encode(description["modalities"]["input"], given)))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.exit("give an image: python example.py image.png"))
