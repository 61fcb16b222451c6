"""ONNX Runtime: a model of one node, the LSTM, GRU or RNN operator, through its Python session."""

from typing import Any

import torch
from torch import Tensor

from elman.benchmarks.base import Work
from elman.benchmarks.peers.base import Peer
from elman.benchmarks.problem import Problem
from elman.cells import CELLS

GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""torch's gates in the operator's order: i o f c of i f g o; z r h of r z n."""

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "gru": {"linear_before_reset": 1},
    "rnn": {"activations": ["Tanh"]},
    "rnn-relu": {"activations": ["Relu"]},
}
OPSET, IR_VERSION = 17, 8
"""Old enough for every release that is still in use."""


class OnnxRuntime(Peer):
    name = "onnxruntime"
    packages = ("onnxruntime", "onnx")

    def forward(self, problem: Problem) -> Work:
        session, x = _session(problem), {"x": problem.x.numpy()}
        return Work(lambda: session.run(["y"], x), lambda found: {"the output": torch.from_numpy(found[0]).squeeze(1)})

    def training(self, problem: Problem) -> None:  # noqa: ARG002
        return None

    def step(self, problem: Problem) -> Work:
        session, feed = _session(problem), {"x": problem.x.numpy()}
        names = [f"{state}_next" for state in CELLS[problem.cell].states]
        zeros = torch.zeros(1, problem.shape.B, problem.shape.H).numpy()
        feed |= dict.fromkeys(CELLS[problem.cell].states, zeros)

        def run() -> Any:
            found = session.run(names, feed)
            feed.update(zip(CELLS[problem.cell].states, found, strict=True))
            return found

        return Work(run, lambda found: {"h": torch.from_numpy(found[0])[0]})


def _session(problem: Problem) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(_model(problem), options, providers=["CPUExecutionProvider"])


def _model(problem: Problem) -> bytes:
    """The operator's model: x (T, B, I) and a state that may be left out, to y (T, 1, B, H) and the state after."""
    from onnx import TensorProto, helper, numpy_helper

    shape, cell = problem.shape, problem.cell
    states, memory = CELLS[cell].states, (1, shape.B, shape.H)
    weights = {name: numpy_helper.from_array(tensor.numpy(), name) for name, tensor in _weights(problem).items()}
    zeros = [numpy_helper.from_array(torch.zeros(memory).numpy(), state) for state in states]
    outputs = {"y": (shape.T, 1, shape.B, shape.H), **{f"{state}_next": memory for state in states}}

    def declared(name: str, shape: tuple[int, ...]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    node = helper.make_node(
        cell.partition("-")[0].upper(),
        ["x", *weights, "", *states],  # between them the lengths, left out
        list(outputs),
        hidden_size=shape.H,
        **ATTRIBUTES[cell],
    )
    graph = helper.make_graph(
        [node],
        cell,
        [declared("x", (shape.T, shape.B, shape.I)), *(declared(state, memory) for state in states)],
        [declared(name, shape) for name, shape in outputs.items()],
        [*weights.values(), *zeros],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    made: bytes = model.SerializeToString()
    return made


def _weights(problem: Problem) -> dict[str, Tensor]:
    """The operator's W (1, G*H, I), R (1, G*H, H) and B (1, 2*G*H)."""
    order = GATES.get(problem.cell, (0,))
    torchs = [problem.weights[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    ih, hh, *biases = (torch.cat([tensor.chunk(len(order))[gate] for gate in order]) for tensor in torchs)
    return {"W": ih[None], "R": hh[None], "B": torch.cat(biases)[None]}
