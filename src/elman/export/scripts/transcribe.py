"""Write down what is said in a recording: python example.py recording.wav.

With --stream behind it, a network that hears in one direction takes the recording in pieces of a tenth of a second, as
a microphone gives them. It needs numpy and onnxruntime; for files that are no WAV also soundfile, for those at another
rate scipy, for texts in words or subwords tokenizers. All else is in model.json.
"""

import json
import sys
from pathlib import Path

import numpy as np

from elman.export.scripts.cutting import cutting
from elman.export.scripts.hearing import search, stream
from elman.export.scripts.samples import encode

HERE = Path(__file__).parent


def main(path: str, *, piecewise: bool) -> None:
    """Print what is said in a recording."""
    import onnxruntime

    description = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
    sessions = {name: onnxruntime.InferenceSession(HERE / f"{name}.onnx") for name in description["models"]}
    (output,), given = description["modalities"]["outputs"], encode(description["modalities"]["input"], path)
    if piecewise:
        piece = description["modalities"]["input"]["rate"] // 10
        pieces = np.split(given["samples"][0], range(piece, given["samples"].shape[1], piece))
        heard = list(stream(description, sessions["frames"], sessions["step"], pieces))
    else:
        said, _, steps = sessions["model"].run(None, given)
        if description["unknown"] is not None:
            said[..., description["unknown"]] = -np.inf
        heard = search(said[0, : steps[0]], output["beams"])
    print(cutting(output)[1](heard).strip())


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else sys.exit("give a recording: python example.py recording.wav")
    main(given, piecewise="--stream" in sys.argv[2:])
