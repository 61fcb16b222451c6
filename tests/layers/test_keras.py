"""Keras's layers taken over, against its equations written down here, and against Keras itself where that is there."""

import numpy as np
import pytest
import torch

import elman
from elman.errors import UsageError

UNITS, INPUTS = 5, 4


class Layer:
    """A layer of Keras, as far as it is asked; `__call__` is its mathematics."""

    gates = 1

    def __init__(self, seed=0, **said):
        generator = np.random.default_rng(seed)
        self.said = {"units": UNITS, "activation": "tanh", "use_bias": True, "recurrent_dropout": 0.0}
        self.said |= {"go_backwards": False} | self.own | said
        width = self.gates * UNITS
        shapes = [(INPUTS, width), (UNITS, width)] + [self.bias_shape(width)] * self.said["use_bias"]
        self.arrays = [generator.normal(size=shape).astype(np.float32) for shape in shapes]

    own = {}  # noqa: RUF012

    def bias_shape(self, width):
        return (width,)

    def get_config(self):
        return self.said

    def get_weights(self):
        return self.arrays

    def __call__(self, x):
        kernel, recurrent, *bias = self.arrays
        bias = bias[0] if bias else np.zeros(self.bias_shape(self.gates * UNITS), np.float32)
        h = c = np.zeros((len(x), UNITS), np.float32)
        found = []
        for t in range(x.shape[1]):
            h, c = self.step(x[:, t], h, c, kernel, recurrent, bias)
            found.append(h)
        return np.stack(found, 1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class SimpleRNN(Layer):
    def step(self, x, h, c, kernel, recurrent, bias):
        value = x @ kernel + h @ recurrent + bias
        return (np.tanh(value) if self.said["activation"] == "tanh" else np.maximum(value, 0)), c


class LSTM(Layer):
    gates, own = 4, {"recurrent_activation": "sigmoid"}

    def step(self, x, h, c, kernel, recurrent, bias):
        i, f, candidate, o = np.split(x @ kernel + h @ recurrent + bias, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
        return sigmoid(o) * np.tanh(c), c


class GRU(Layer):
    gates, own = 3, {"recurrent_activation": "sigmoid", "reset_after": True}

    def bias_shape(self, width):
        return (2, width) if self.said["reset_after"] else (width,)

    def step(self, x, h, c, kernel, recurrent, bias):
        first, second = bias if self.said["reset_after"] else (bias, np.zeros_like(bias))
        xz, xr, xh = np.split(x @ kernel + first, 3, -1)
        hz, hr, hh = np.split(h @ recurrent + second, 3, -1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        told = r * hh if self.said["reset_after"] else (r * h) @ recurrent[:, 2 * UNITS :]
        return z * h + (1 - z) * np.tanh(xh + told), c


class Bidirectional:
    merge_mode = "concat"

    def __init__(self, layer, backward):
        self.forward_layer, self.backward_layer = layer, backward

    def get_weights(self):
        return self.forward_layer.get_weights() + self.backward_layer.get_weights()

    def __call__(self, x):
        back = self.backward_layer(x[:, ::-1])[:, ::-1]
        return np.concatenate([self.forward_layer(x), back], -1)


KINDS = [
    (LSTM, {}),
    (LSTM, {"use_bias": False, "recurrent_dropout": 0.2}),
    (GRU, {}),
    (GRU, {"reset_after": False}),
    (GRU, {"use_bias": False}),
    (SimpleRNN, {}),
    (SimpleRNN, {"activation": "relu"}),
]
given = np.random.default_rng(1).normal(size=(3, 7, INPUTS)).astype(np.float32)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "said"), KINDS)
def test_a_layer_of_keras_is_taken_over_with_what_it_computes_and_goes_back(kind, said, both):
    layer = kind(**said)
    if both:
        layer = Bidirectional(layer, kind(seed=1, **said, go_backwards=True))
    ours = elman.from_keras(layer).eval()
    assert ours.bidirectional == both
    assert ours.options.recurrent_dropout == said.get("recurrent_dropout", 0.0)
    output, _ = ours(torch.from_numpy(given))
    np.testing.assert_allclose(output.detach().numpy(), layer(given), rtol=0, atol=2e-5)
    for mine, theirs in zip(elman.to_keras(ours), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_two_biases_become_the_sum_that_keras_has():
    layer = elman.LSTM(INPUTS, UNITS)
    (*_, bias) = elman.to_keras(layer)
    torch.testing.assert_close(torch.from_numpy(bias), (layer.bias_ih_l0 + layer.bias_hh_l0).detach())


def unbuilt():
    layer = LSTM()
    layer.arrays = []
    return layer


def summed():
    layer = Bidirectional(LSTM(), LSTM())
    layer.merge_mode = "sum"
    return layer


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (unbuilt, "no weights yet"),
        (summed, "merge_mode='sum'"),
        (lambda: LSTM(activation="relu"), "relu and sigmoid"),
        (lambda: GRU(recurrent_activation="hard_sigmoid"), "tanh and hard_sigmoid"),
        (lambda: LSTM(go_backwards=True), "go_backwards=True"),
        (lambda: Bidirectional(GRU(), GRU(reset_after=False)), "differ"),
        (lambda: Bidirectional(np.zeros(3), LSTM()), "got ndarray"),
        (lambda: torch.nn.LSTM(3, 4), "got LSTM"),
        (lambda: 3, "got int"),
    ],
)
def test_what_elman_does_not_compute_is_refused(layer, said):
    with pytest.raises(UsageError, match=said):
        elman.from_keras(layer())


class Gru(elman.Cell):
    """h' = tanh(r + z - n): of the name of one that Keras has, and not the same."""

    gates, states = ("r", "z", "n"), ("h",)

    def step(self, projected, state, weights):
        r, z, n = projected.chunk(3, -1)
        return ((r + z - n).tanh(),)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: elman.LSTM(3, 4, 2),
        lambda: elman.LSTM(3, 4, proj_size=2),
        lambda: elman.GRU(3, 4, layer_norm=True),
        lambda: elman.Recurrent("mingru", 3, 4),
        lambda: elman.Recurrent(Gru(), 3, 4),
        lambda: elman.LSTMCell(3, 4),
        lambda: torch.nn.LSTM(3, 4),
    ],
)
def test_what_keras_does_not_have_is_refused(layer):
    with pytest.raises(UsageError, match="Keras has a layer for"):
        elman.to_keras(layer())


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "said"), KINDS)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras_itself(kind, said, both, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layer = getattr(keras.layers, kind.__name__)(UNITS, return_sequences=True, bias_initializer="random_normal", **said)
    layer = keras.layers.Bidirectional(layer) if both else layer
    theirs = layer(given).detach().numpy()
    ours = elman.from_keras(layer).eval()
    np.testing.assert_allclose(ours(torch.from_numpy(given))[0].detach().numpy(), theirs, rtol=0, atol=2e-5)
    layer.set_weights(elman.to_keras(ours))
    np.testing.assert_array_equal(layer(given).detach().numpy(), theirs)
