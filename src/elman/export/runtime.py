"""Models run by ONNX Runtime: to check what was exported, and to make it smaller."""

import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elman.export.base import Runner
from elman.export.to_onnx import quiet


def available() -> bool:
    """Whether ONNX Runtime is installed."""
    return find_spec("onnxruntime") is not None


def version() -> str:
    """ONNX Runtime's."""
    import onnxruntime

    found: str = onnxruntime.__version__
    return found


def runners(files: Mapping[str, bytes]) -> dict[str, Runner]:
    """Return for each file's content a function that runs it, with as many threads as torch has."""
    return {name: _runner(content) for name, content in files.items()}


def _runner(content: bytes) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        feed = {name: tensor.contiguous().numpy() for name, tensor in zip(names, inputs, strict=True)}
        return [torch.from_numpy(found) for found in session.run(None, feed)]

    return run


def quantized(content: bytes) -> bytes:
    """Return a model whose matrices are kept as int8, with a scale for each column; what they multiply is rounded too.

    Convolutions stay as they are: no spectrum survives eight bits, and what images are read by is small.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.registry import IntegerOpsRegistry

    with quiet(), tempfile.TemporaryDirectory(prefix="elman-") as folder:
        given, made = Path(folder) / "given.onnx", Path(folder) / "made.onnx"
        given.write_bytes(content)
        kinds = [kind for kind in IntegerOpsRegistry if kind != "Conv"]
        quantize_dynamic(given, made, op_types_to_quantize=kinds, weight_type=QuantType.QInt8, per_channel=True)
        return made.read_bytes()
