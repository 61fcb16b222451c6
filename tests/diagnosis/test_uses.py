"""What users have around a layer and hand to `diagnose`: subclasses, checkpoints, a layer called twice, mistakes."""

import json
import math

import pytest
import torch
from tests.diagnosis.networks import compare, every, last
from torch import nn
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint

import elman


class Own(nn.LSTM):
    """With methods of its own."""


class Changed(nn.LSTM):
    def forward(self, x):
        return super().forward(x * 2)


class ChangedToo(elman.LSTM):
    def forward(self, x):
        return super().forward(x * 2)


def test_a_subclass_is_followed_that_leaves_forward_alone():
    torch.manual_seed(0)
    own, x = Own(3, 6), torch.randn(20, 4, 3)
    plain = nn.LSTM(3, 6)
    plain.load_state_dict(own.state_dict())
    compare(*(elman.diagnose(each, x, every).to_dict() for each in (own, plain)))


@pytest.mark.parametrize("kind", [Changed, ChangedToo])
def test_a_forward_of_its_own_is_told(kind):
    with pytest.raises(elman.UsageError, match=f"{kind.__name__} derives from .* forward of its own"):
        elman.diagnose(kind(3, 6), torch.randn(20, 4, 3), every)


class Dropped(nn.Module):
    """Sets the recurrent weights before every call, as AWD-LSTM does; the layer has only raw ones."""

    def __init__(self, layer):
        super().__init__()
        self.layer, weight = layer, layer.weight_hh_l0
        del layer._parameters["weight_hh_l0"]
        layer.register_parameter("weight_hh_l0_raw", weight)

    def forward(self, x):
        self.layer.weight_hh_l0 = nn.functional.dropout(self.layer.weight_hh_l0_raw, 0.5)
        return self.layer(x)


def pruned(layer):
    return prune.l1_unstructured(layer, "weight_hh_l0", 0.5)


@pytest.mark.parametrize("way", [Dropped, pruned])
def test_weights_that_are_made_anew_for_every_call_are_those_that_run(way):
    x, found = torch.randn(20, 4, 3), []
    for kind in (nn.LSTM, elman.LSTM):
        torch.manual_seed(0)
        module = way(kind(3, 6))
        every(module(x)).backward()
        found.append(elman.diagnose(module, x, every, rate=0.1).to_dict())
    compare(*found)
    assert found[0]["gradient_norm"] > 0


class Checkpointed(nn.Module):
    def __init__(self, kind, reentrant):
        super().__init__()
        self.layer, self.out, self.reentrant = kind(3, 6, 2), nn.Linear(6, 1), reentrant

    def forward(self, x):
        if self.reentrant is None:
            return self.out(self.layer(x)[0])
        return self.out(checkpoint(self.layer, x, use_reentrant=self.reentrant)[0])


@pytest.mark.parametrize("kind", [nn.LSTM, elman.LSTM, elman.GRU])
def test_a_layer_in_a_checkpoint_is_seen_as_without_it(kind):
    module, x, found = Checkpointed(kind, reentrant=False), torch.randn(20, 4, 3), []
    for module.reentrant in (False, None):
        found.append(elman.diagnose(module, x, lambda y: y.square().mean(), rate=0.1).to_dict())
    compare(*found)
    assert "forward" not in vars(module.layer)


def test_a_checkpoint_that_hides_the_layer_is_told():
    x = torch.randn(20, 4, 3, requires_grad=True)
    with pytest.raises(elman.UsageError, match="nor in a checkpoint with use_reentrant=True"):
        elman.diagnose(Checkpointed(nn.LSTM, reentrant=True), x, lambda y: y.square().mean())


class Stepped(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 6)

    def forward(self, x):
        state, outputs = None, []
        for step in x:
            state = self.cell(step, state)
            outputs.append(state[0])
        return (torch.stack(outputs),)


@pytest.mark.parametrize("kind", [lambda: nn.GRU(3, 6), lambda: elman.LSTM(3, 6, 2), Stepped])
def test_a_frozen_layer_below_one_that_learns_has_its_gradients(kind):
    class Upon(nn.Module):
        def __init__(self):
            super().__init__()
            self.lower, self.upper = kind(), nn.GRU(6, 6)

        def forward(self, x):
            return self.upper(self.lower(x)[0])

    module, x = Upon(), torch.randn(20, 4, 3)
    learning = elman.diagnose(module, x, every)
    module.lower.requires_grad_(False)
    frozen = elman.diagnose(module, x, every)
    assert not frozen.findings
    for one, other in zip(learning.layers, frozen.layers, strict=True):
        compare(one.gradient_norm, other.gradient_norm)


def test_a_reservoir_whose_readout_alone_learns_is_measured_as_a_network_that_learns():
    class Reservoir(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.out = elman.RNN(3, 16), nn.Linear(16, 1)

        def forward(self, x):
            return self.out(self.layer(x)[0])

    module, x = Reservoir(), torch.randn(30, 4, 3)
    (learning,) = elman.diagnose(module, x, torch.mean).layers
    module.layer.requires_grad_(False)
    (found,) = elman.diagnose(module, x, torch.mean).layers
    assert found.lyapunov_exponent == pytest.approx(learning.lyapunov_exponent)
    assert (found.horizon, found.saturation) == (learning.horizon, learning.saturation)
    compare(found.spectrum.values, learning.spectrum.values)
    compare(found.gradient_norm, learning.gradient_norm)
    whole = elman.diagnose(module, x, lambda output: output[-1].mean())
    assert not whole.taught
    assert not whole.findings
    assert not whole.truncation  # there is no gradient to cut
    assert "No fault" not in str(whole) + whole.to_html()
    lower = nn.Sequential(nn.Linear(3, 3), module)
    assert [each.problem for each in elman.diagnose(lower, x, lambda output: output[-1].mean()).findings] == [
        "vanishing"
    ]
    module.requires_grad_(False)
    with pytest.raises(elman.UsageError, match="all weights of the module are frozen"):
        elman.diagnose(module, x, torch.mean)


def test_a_compiled_module_is_seen_as_it_is_written():
    module, x, compiled = nn.Sequential(elman.GRU(3, 6)), torch.randn(20, 4, 3), []

    def backend(graph, _):
        compiled.append(graph)
        return graph

    fast = torch.compile(module, backend=backend)
    loss = every(fast(x)).detach()
    graphs = len(compiled)  # several, where torch 2.6 breaks what it compiles
    found = elman.diagnose(fast, x, every, rate=0.1).to_dict()
    found["gradient_to_weight"] = {name.replace("_orig_mod.", ""): v for name, v in found["gradient_to_weight"].items()}
    compare(found, elman.diagnose(module, x, every, rate=0.1).to_dict())
    assert torch.equal(every(fast(x)).detach(), loss)
    assert len(compiled) == graphs > 0


@pytest.mark.parametrize("kind", [lambda: elman.GRU(3, 6), Stepped])
def test_a_layer_needs_no_lag_of_one_that_does_not_read_it(kind):
    class Beside(nn.Module):
        def __init__(self):
            super().__init__()
            self.tags, self.label, self.lower = kind(), elman.GRU(3, 6), kind()
            self.upper = elman.GRU(6, 6)

        def forward(self, x):
            return self.tags(x)[0], self.label(x)[0][-1], self.upper(torch.relu(self.lower(x)[0]))[0][-1]

    found = elman.diagnose(Beside(), torch.randn(20, 4, 3), lambda output: sum(each.square().mean() for each in output))
    needed = {layer.name.split(".")[0]: layer.needed_lag for layer in found.layers}
    assert needed == {"tags": 0, "label": 19, "lower": 19, "upper": 19}


class Piecewise(nn.Module):
    """Takes a layer through a sequence in pieces, and hands on what its output or its state says after each."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.state, self.forgets = layer, False, False

    def forward(self, x):
        hidden, found = None, []
        for piece in x.split(4):
            output, hidden = self.layer(piece, hidden)
            h = hidden[0] if isinstance(hidden, tuple) else hidden
            found.append(h[-1] if self.state else output[-1])
            if self.forgets:
                h[:, 1] = 0
        return torch.stack(found)


@pytest.mark.parametrize("kind", [nn.LSTM, elman.GRU])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_state_after_each_piece_says_what_the_output_does(kind, layers):
    module, x, found = Piecewise(kind(3, 6, layers)), torch.randn(24, 4, 3), []
    for module.state in (False, True):
        found.append(elman.diagnose(module, x, lambda output: output.square().mean(), window=8).to_dict())
    compare(*found)
    assert {layer["needed_lag"] for layer in found[1]["layers"]} == {3}


def test_a_state_that_the_module_changes_in_place_stays_changed():
    module, x = Piecewise(elman.GRU(3, 6)), torch.randn(24, 4, 3)
    module.forgets = True
    found = elman.diagnose(module, x, lambda output: output.square().mean())
    assert found.loss == pytest.approx(float(module(x).square().mean().detach()))


def test_two_calls_of_a_layer_have_two_names():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.gru = nn.LSTM(4, 4), nn.GRU(4, 4)

        def forward(self, x):
            return self.gru(self.lstm(self.lstm(x)[0].flip(0))[0])

    found = elman.diagnose(Twice(), torch.randn(20, 4, 4), last)
    assert [layer.name for layer in found.layers] == ["lstm, call 1", "lstm, call 2", "gru"]


def test_a_dead_layer_has_no_horizon():
    layer = elman.RNN(3, 8, nonlinearity="relu")
    nn.init.constant_(layer.bias_ih_l0, -100)
    found = elman.diagnose(layer, torch.randn(60, 4, 3), last).layers[0]
    assert (found.decay_per_step, found.half_life, found.horizon) == (0, 0, 0)


@pytest.mark.parametrize("kind", [nn.LSTM, lambda *sizes: elman.RNN(*sizes, nonlinearity="relu")])
def test_gates_that_are_no_numbers_are_unknown(kind):
    layer = kind(3, 8)
    nn.init.constant_(layer.bias_ih_l0, math.nan)
    found = elman.diagnose(layer, torch.randn(20, 4, 3), last)
    assert all(map(math.isnan, found.layers[0].saturation.values()))
    assert "%" not in str(found)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "unknown at" in found.to_html()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch": torch.randn(9, 1, 3).numpy()}, "got a ndarray to read; give the batch as tensors"),
        ({"loss": None}, "loss is a function from the module's output to a number, got NoneType"),
        ({"optimizer": torch.optim.Adam}, "optimizer must be the one that training steps, got the class Adam"),
        ({"optimizer": 0.1}, "optimizer must be the one that training steps, got float"),
        ({"norms": ["a"]}, r"norms are the numbers that clip_grad_norm_ returned in earlier steps, got \['a'\]"),
        ({"norms": 5}, "in earlier steps, got 5"),
        ({"rate": "a"}, "rate must be positive, got 'a'"),
        ({"window": 2.5}, r"window must be a whole number of time steps, got 2\.5"),
    ],
)
def test_what_is_no_training_is_told_in_one_sentence(given, words):
    with pytest.raises(elman.UsageError, match=words) as error:
        elman.diagnose(elman.GRU(3, 4), **{"batch": torch.randn(9, 1, 3), "loss": last, **given})
    assert "\n" not in str(error.value)


def test_norms_may_be_tensors_as_torch_returns_them():
    found = elman.diagnose(elman.GRU(3, 4), torch.randn(9, 1, 3), last, norms=[torch.tensor(2.0)])
    assert set(found.clipping.values()) == {2.0}


@pytest.mark.parametrize(("rows", "told"), [(1, False), (2, True)])
def test_one_row_does_not_say_what_clipping_would_act_on(rows, told):
    found = elman.diagnose(elman.GRU(3, 4), torch.randn(9, rows, 3), every)
    assert ("clipping would act" in str(found)) is told
    assert ("Clipping the gradient" in found.to_html()) is told
