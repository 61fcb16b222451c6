"""JAX: the usual layer of its users, a jitted lax.scan with the input projected for all steps in one matmul outside.

Gates are in torch's order and convention, so that the answers compare. Arrays are float32, weights lie as (in, out).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from elman.benchmarks.base import Work
from elman.benchmarks.peers.base import Peer
from elman.benchmarks.problem import Problem


class JaxScan(Peer):
    name = "jax"
    packages = ("jax",)
    threads = "one per core"

    def forward(self, problem: Problem) -> Work:
        import jax

        layer, (weights, x) = jax.jit(_layer(problem.cell)), _arrays(problem)
        return Work(lambda: jax.block_until_ready(layer(weights, x)), lambda output: {"the output": _tensor(output)})

    def training(self, problem: Problem) -> Work:
        import jax

        layer, (weights, x) = _layer(problem.cell), _arrays(problem)

        def loss(weights: Any, x: Any) -> Any:
            output = layer(weights, x)
            return output.sum(), output

        step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
        return Work(lambda: jax.block_until_ready(step(weights, x)), _read_training)

    def step(self, problem: Problem) -> None:  # noqa: ARG002
        return None


def _read_training(found: Any) -> dict[str, Tensor]:
    (_, output), (d_weights, d_x) = found
    gradients = {"the input": _tensor(d_x), **{name: _tensor(array).t() for name, array in d_weights.items()}}
    return {"the output": _tensor(output)} | {f"the gradient of {name}": d for name, d in gradients.items()}


def _tensor(array: Any) -> Tensor:
    import numpy as np

    return torch.from_numpy(np.array(array))


def _arrays(problem: Problem) -> Any:
    """Weights under torch.nn's names, matrices transposed, and the input."""
    import jax

    arrays = ({name: tensor.t().numpy() for name, tensor in problem.weights.items()}, problem.x.numpy())
    return jax.device_put(arrays, jax.devices("cpu")[0])


def _layer(cell: str) -> Callable[[Any, Any], Any]:
    """The output (T, B, H) from weights and x (T, B, I)."""
    from jax import lax, nn
    from jax import numpy as jnp

    def lstm(w: Any, x: Any) -> Any:
        def step(state: Any, projected: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(projected + h @ w["weight_hh_l0"], 4, axis=-1)
            c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
            h = nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = _zeros(w, x)
        return lax.scan(step, (zeros, zeros), x @ w["weight_ih_l0"] + w["bias_ih_l0"] + w["bias_hh_l0"])[1]

    def gru(w: Any, x: Any) -> Any:
        def step(h: Any, projected: Any) -> Any:
            xr, xz, xn = jnp.split(projected, 3, axis=-1)
            hr, hz, hn = jnp.split(h @ w["weight_hh_l0"] + w["bias_hh_l0"], 3, axis=-1)
            r, z = nn.sigmoid(xr + hr), nn.sigmoid(xz + hz)
            h = (1 - z) * jnp.tanh(xn + r * hn) + z * h
            return h, h

        return lax.scan(step, _zeros(w, x), x @ w["weight_ih_l0"] + w["bias_ih_l0"])[1]

    def rnn(w: Any, x: Any) -> Any:
        activation = jnp.tanh if cell == "rnn" else nn.relu

        def step(h: Any, projected: Any) -> Any:
            h = activation(projected + h @ w["weight_hh_l0"])
            return h, h

        return lax.scan(step, _zeros(w, x), x @ w["weight_ih_l0"] + w["bias_ih_l0"] + w["bias_hh_l0"])[1]

    return {"lstm": lstm, "gru": gru}.get(cell, rnn)


def _zeros(weights: Any, x: Any) -> Any:
    from jax import numpy as jnp

    return jnp.zeros((x.shape[1], weights["weight_hh_l0"].shape[0]), x.dtype)
