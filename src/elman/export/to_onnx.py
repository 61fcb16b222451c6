"""A model as an ONNX file's bytes, by torch's own exporter.

It knows modules of tensors with named inputs and outputs, and nothing of runs.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from elman.errors import RunError
from elman.export.base import Model, Port

OPSET = 18
NEEDED = ("onnx", "onnxscript")


def check_installed() -> None:
    """Raise RunError where a library is missing that writing needs."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise RunError(f"an export needs {' and '.join(missing)}: pip install 'elman[export]'")
    if not hasattr(torch.onnx, "ops"):
        raise RunError(f"an export needs torch 2.9 or later, this is {torch.__version__}: pip install --upgrade torch")


def to_onnx(model: Model, properties: Mapping[str, str]) -> bytes:
    """Return the file's content.

    Args:
        model: what is exported.
        properties: plain texts that the file carries.

    """
    example, axes = tuple(port.example() for port in model.inputs), _dynamic(model.inputs)
    with quiet(), torch.no_grad():
        program = torch.export.export(
            _Positional(model.module.eval()),
            example,
            dynamic_shapes=axes,
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,  # else torch 2.11 refuses images of even width
        )
        made: Any = torch.onnx.export(
            program,
            input_names=[port.name for port in model.inputs],
            output_names=[port.name for port in model.outputs],
            dynamic_shapes=axes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    _clean(made.model, model, properties)
    found: bytes = made.model_proto.SerializeToString()
    return found


class _Positional(nn.Module):
    """A module whose inputs are one list, whatever they are called."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *inputs: Tensor) -> Any:
        return self.inner(*inputs)


def _dynamic(inputs: tuple[Port, ...]) -> tuple[Any, ...]:
    """The axes of any length, as torch's exporter takes them."""
    least: dict[str, int] = {axis: 1 for port in inputs for axis in port.axes if isinstance(axis, str)}
    for port in inputs:  # the exporter wants to be told what the model does not need
        least |= port.sizes
    axes = {name: torch.export.Dim(name, min=size) for name, size in sorted(least.items())}
    return (tuple({k: axes[axis] for k, axis in enumerate(port.axes) if isinstance(axis, str)} for port in inputs),)


def _clean(found: Any, model: Model, properties: Mapping[str, str]) -> None:
    """Take out what the exporter says of the machine and of its own work, and name the axes of what comes out."""
    for node in found.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
    for value in (*found.graph.initializers.values(), *found.graph.inputs, *found.graph.outputs):
        value.metadata_props.clear()
    found.graph.metadata_props.clear()
    found.graph.name, found.graph.doc_string = model.name, model.does
    found.producer_name, found.producer_version = "elman", properties["elman"]
    found.metadata_props.clear()
    found.metadata_props.update(properties)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep a tool's own progress and remarks, which are for those who write exporters, to itself."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
