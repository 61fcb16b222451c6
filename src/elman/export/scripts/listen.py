"""Answer a recording with an exported network: python example.py recording.wav.

It needs numpy and onnxruntime; for files that are no WAV also soundfile, for those at another rate scipy. All else is
in model.json.
"""

import json
import sys
from pathlib import Path

from elman.export.scripts.answers import told
from elman.export.scripts.samples import encode

HERE = Path(__file__).parent


def main(path: str) -> None:
    """Print the answers to a recording."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(HERE / "model.onnx")
    told(description["modalities"]["outputs"], session.run(None, encode(description["modalities"]["input"], path)))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.exit("give a recording: python example.py recording.wav"))
