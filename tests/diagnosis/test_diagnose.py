"""`diagnose`: every kind of module, without a trace in what it looks into, one sentence where it cannot."""

import json
import math
import random

import numpy as np
import pytest
import torch
from tests.diagnosis.networks import Tangle, compare, every, last, rectified
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman
from elman.errors import UsageError


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


def trained(looked_into):
    """Three updates, with or without a look inside after each; everything that could differ then."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    module, x, y = Tangle(), torch.randn(4, 20, 3), torch.randn(4, 20, 1)
    optimizer = torch.optim.Adam(module.parameters())
    for number in range(3):
        optimizer.zero_grad()
        (module(x) - y).square().mean().backward()
        optimizer.step()
        if looked_into:
            before = [list(vars(each)) for each in module.modules()]
            kept = module.kept
            elman.diagnose(module, x, lambda output: (output - y).square().mean(), optimizer=optimizer, window=5)
            assert [list(vars(each)) for each in module.modules()] == before
            assert module.kept is kept
            assert (module.calls, len(module.log)) == (number + 1, number + 1)
            assert type(module.lower) is nn.LSTM
    state = [*module.state_dict().values(), *(p.grad for p in module.parameters()), torch.get_rng_state()]
    state += [torch.as_tensor(v) for s in optimizer.state_dict()["state"].values() for v in s.values()]
    return [value.clone() for value in state] + [torch.tensor([random.random(), np.random.rand()])]  # noqa: NPY002


def test_training_goes_on_bit_by_bit_as_without_it():
    assert all(torch.equal(a, b) for a, b in zip(trained(looked_into=True), trained(looked_into=False), strict=True))


@pytest.mark.parametrize("kind", [nn.LSTM, elman.GRU])
def test_a_layer_that_no_gradient_reaches_is_told(kind):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.lower, self.upper = kind(3, 8), kind(8, 8)

        def forward(self, x):
            return self.upper(self.lower(x)[0].detach())[0]

    finding = elman.diagnose(Cut(), torch.randn(20, 4, 3), lambda output: output.square().mean()).findings[0]
    assert (finding.problem, finding.layer) == ("vanishing", "lower")
    assert finding.evidence.startswith("No gradient arrives at any of the 20 steps of this layer")
    assert ".detach()" in finding.remedy


def test_rows_that_no_gradient_reaches_say_nothing_of_clipping():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.out = elman.GRU(3, 8), nn.Linear(3, 1)

        def forward(self, x):
            self.layer(x)
            return self.out(x)

    found = elman.diagnose(Idle(), torch.randn(20, 4, 3), lambda output: output.square().mean())
    assert found.gradient_norm > 0
    assert found.clipping == {}


def test_a_loss_without_any_gradient_is_a_fault():
    mask = torch.zeros(20, 4, 1)
    found = elman.diagnose(elman.GRU(3, 8), torch.randn(20, 4, 3), lambda output: (output[0] * mask).sum())
    assert found.findings[0].evidence == "The loss is 0.000, and its gradient is exactly zero at every weight."
    assert "mask" in found.findings[0].remedy


def test_a_wrong_label_among_rows_that_are_known_well_is_no_cliff():
    layer, x, weight = elman.GRU(3, 8), torch.randn(20, 16, 3), torch.ones(16)
    weight[1:] = 1e-3
    found = elman.diagnose(layer, x, lambda output: (output[0][-1].square().sum(1) * weight).sum())
    row_norms = found.layers[0].row_norms
    assert max(row_norms) > 100 * sorted(row_norms)[8]
    assert not [finding for finding in found.findings if finding.problem == "exploding"]


class Carrying(nn.Module):
    """Begins with the state that the last call left, and draws numbers of three kinds."""

    def __init__(self):
        super().__init__()
        self.layer, self.state = elman.GRU(3, 8), None

    def forward(self, x):
        output, state = self.layer(x, self.state)
        self.state = state.detach()
        return output * (1 + random.random() + np.random.rand() + torch.rand(()))  # noqa: NPY002


def test_an_update_is_tried_from_where_the_batch_began():
    trial = elman.diagnose(Carrying(), torch.randn(20, 4, 3), lambda output: output.square().mean(), rate=1e-9).trial
    assert trial.after == pytest.approx(trial.before, rel=1e-6)


@pytest.mark.parametrize("spoilt", [False, True])
def test_an_embedding_with_sparse_gradients_is_as_one_without(spoilt):
    found = []
    for sparse in (False, True):
        torch.manual_seed(1)
        module = nn.Sequential(nn.Embedding(9, 3, sparse=sparse), elman.GRU(3, 8))
        x = torch.randint(9, (20, 4))
        if spoilt:
            module[0].weight.register_hook(lambda gradient: gradient * math.nan)
        found.append(elman.diagnose(module, x, every, rate=0.1).to_dict())
    compare(*found)
    assert ("gradient of 0.weight" in str(found[1]["non_finite"])) is spoilt


def test_an_optimizer_of_another_model_is_refused():
    layer, other = elman.GRU(3, 8), elman.GRU(3, 8)
    optimizer = torch.optim.Adam(other.parameters())
    with pytest.raises(UsageError, match="the optimizer holds no parameter of this module"):
        elman.diagnose(layer, torch.randn(20, 4, 3), every, optimizer=optimizer)


def test_an_optimizer_that_evaluates_the_loss_itself_is_refused():
    module = elman.RNN(3, 4)
    optimizer = torch.optim.LBFGS(module.parameters())
    with pytest.raises(UsageError, match="LBFGS takes the loss as a function"):
        elman.diagnose(module, torch.randn(9, 2, 3), lambda output: output[0].mean(), optimizer=optimizer)


def test_it_leaves_everything_as_it_was_when_the_loss_raises():
    module, x = Tangle(), torch.randn(2, 10, 3)
    before = {name: value.clone() for name, value in module.state_dict().items()}

    def broken(output):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        elman.diagnose(module, x, broken)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.calls == 0
    assert "forward" not in vars(module.lower)


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(3, 6, batch_first=True)

    def forward(self, x, lengths):
        packed, _ = self.layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return pad_packed_sequence(packed, batch_first=True)[0]


def test_packed_sequences_and_lengths():
    module, lengths = Packed(), torch.tensor([12, 20, 5])
    x = torch.randn(3, 20, 3)
    found = elman.diagnose(module, (x, lengths), lambda output: output.sum())
    assert found.layers[0].steps == 20
    assert found.layers[0].gradient_norm[19] > 0
    twin = elman.convert(Packed())
    twin.load_state_dict(module.state_dict())
    assert found.loss == pytest.approx(float(twin(x, lengths).sum().detach()), rel=1e-5)


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"bidirectional": True}, {"num_layers": 2}])
def test_layers_in_every_form(options):
    layer = elman.LSTM(3, 6, **options)
    found = elman.diagnose(layer, torch.randn(12, 14, 3), every)
    directions, depth = 1 + layer.bidirectional, layer.num_layers
    assert len(found.layers) == directions * depth
    assert {each.steps for each in found.layers} == {14 if layer.batch_first else 12}
    assert all(math.isfinite(each.lyapunov_exponent) for each in found.layers)
    assert all(len(each.gradient_norm_by_lag) > 5 for each in found.layers)


class Loop(nn.Module):
    """A cell that the module steps by itself, or the same as a layer."""

    def __init__(self, layer, out):
        super().__init__()
        self.layer, self.out = layer, out

    def forward(self, x):
        if isinstance(self.layer, nn.RNNBase):
            return self.out(self.layer(x)[0])
        state, outputs = None, []
        for step in x:
            state = self.layer(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return self.out(torch.stack(outputs))


@pytest.mark.parametrize("loss", [lambda y: y.square().mean(), lambda y: y[-1].square().mean()], ids=["every", "last"])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_cell_stepped_by_the_module_is_seen_as_the_layer_that_it_is(kind, loss):
    cell, layer, out, x = (
        getattr(nn, kind + "Cell")(3, 6),
        getattr(nn, kind)(3, 6),
        nn.Linear(6, 1),
        torch.randn(20, 4, 3),
    )
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            getattr(layer, f"{name}_l0").copy_(parameter)
    one, other = (elman.diagnose(Loop(each, out), x, loss, rate=0.1) for each in (cell, layer))
    for name in ("gradient_norm_by_lag", "decay_per_step", "lyapunov_exponent", "needed_lag", "horizon", "saturation"):
        compare(getattr(one.layers[0], name), getattr(other.layers[0], name))
    compare(one.truncation, other.truncation)
    assert one.trial.after == pytest.approx(other.trial.after, rel=1e-5)
    assert "forward" not in vars(cell)


def test_it_works_where_gradients_are_off():
    layer, x = elman.GRU(3, 6), torch.randn(12, 2, 3)
    expected = elman.diagnose(layer, x, last).layers[0].decay_per_step
    with torch.no_grad():
        assert elman.diagnose(layer, x, last).layers[0].decay_per_step == pytest.approx(expected)
    with torch.inference_mode():
        assert elman.diagnose(layer, x.clone(), last).layers[0].decay_per_step == pytest.approx(expected)


def test_an_encoder_is_followed_through_its_decoder():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.GRU(3, 6), nn.GRU(2, 6)

        def forward(self, x, y):
            return self.decoder(y, self.encoder(x)[1])[0]

    found = elman.diagnose(Pair(), (torch.randn(60, 4, 3), torch.randn(12, 4, 2)), lambda y: y.square().mean())
    assert [(layer.name, layer.steps, layer.needed_lag) for layer in found.layers] == [
        ("encoder", 60, 59),
        ("decoder", 12, 0),
    ]
    assert found.findings[0].problem == "vanishing"
    assert found.findings[0].layer == "encoder"


def test_resets_and_single_sequences():
    layer, x = elman.GRU(3, 6), torch.randn(20, 3)
    reset = torch.zeros(20, dtype=torch.bool)
    reset[8] = True
    found = elman.diagnose(layer, {"input": x, "reset": reset}, last).layers[0]
    assert found.gradient_norm[:8] == [0.0] * 8
    assert len(found.input_by_lag) == 12


def test_windows_that_a_module_cuts_are_seen():
    layer = elman.GRU(3, 6)
    with torch.no_grad():
        layer.bias_ih_l0[6:12] = 5.0

    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            state = None
            for piece in x.split(10):
                output, state = self.layer(piece, state)
                state = state.detach()
            return output, state

    found = elman.diagnose(Cut(), torch.randn(40, 4, 3), last)
    assert found.window == 10
    assert found.layers[0].steps == 40
    assert [finding.problem for finding in found.findings] == ["window-too-short"]
    assert found.truncation[10] <= 1
    assert found.layers[0].decay_per_step > 0.9


@pytest.mark.parametrize(
    ("spoil", "where", "problem"),
    [
        (lambda module, x: x[3, 1].fill_(math.nan), "the batch: element [3, 1, 0]", "non-finite"),
        (
            lambda module, x: module.layer.weight_hh_l0.data[0].fill_(math.inf),
            "the weights: layer.weight_hh_l0",
            "non-finite",
        ),
        (lambda module, x: module.read.bias.data.fill_(3e38), "what layer reads: step 0", "non-finite"),
    ],
)
def test_the_first_place_that_is_not_finite(spoil, where, problem):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.read, self.layer = nn.Linear(3, 3), elman.GRU(3, 4)

        def forward(self, x):
            return self.layer(self.read(x) * 1e3)

    module, x = Net(), torch.randn(8, 2, 3)
    spoil(module, x)
    found = elman.diagnose(module, x, last)
    assert found.non_finite.startswith(where)
    assert [finding.problem for finding in found.findings] == [problem]
    json.dumps(found.to_dict(), allow_nan=False)
    assert "<html" in found.to_html()


def test_growth_out_of_the_finite_numbers_is_an_explosion():
    layer, x = rectified(1.5, 230)
    found = elman.diagnose(layer, x, lambda output: output[0].square().sum())
    assert found.non_finite is not None
    assert found.findings[0].problem == "exploding"
    assert found.layers[0].lyapunov_exponent == pytest.approx(math.log(1.5), abs=0.01)


def test_a_gradient_beyond_the_squares_of_float32_has_a_norm():
    """As in a stack of layers that each blow it up: 1e25 is finite, its square is not."""
    layer, x = rectified(1.0, 20)
    found = elman.diagnose(layer, x, lambda output: output[0].mean() * 1e25)
    gradients = torch.autograd.grad(layer(x)[0].mean(), layer.parameters())
    expected = 1e25 * math.sqrt(sum(float(g.square().sum()) for g in gradients))
    assert found.non_finite is None
    assert found.gradient_norm == pytest.approx(expected, rel=1e-4)
    assert found.clipping


def test_what_not_a_number_hides_is_unknown():
    layer, x = elman.GRU(3, 6), torch.randn(20, 1, 3)
    x[4] = math.nan
    found = elman.diagnose(layer, x, last)
    numbers = (found.layers[0].lyapunov_exponent, found.layers[0].horizon, found.layers[0].decay_per_step)
    assert all(map(math.isnan, numbers))
    assert "nan" not in str(found)


def frozen():
    return elman.GRU(3, 4).requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    ("module", "x", "loss", "words"),
    [
        (nn.TransformerEncoderLayer(4, 2, 8), torch.randn(5, 1, 4), torch.sum, "has no recurrent layer to look into"),
        (elman.GRU(3, 4), torch.randn(2, 1, 3), last, "the batch has 2 time steps"),
        (elman.GRU(3, 4), torch.randn(9, 0, 3), last, "the batch has no rows"),
        (frozen(), torch.randn(9, 1, 3), last, "are frozen"),
        (elman.GRU(3, 4), torch.randn(9, 1, 3), lambda output: output[0], "the loss must be one number, got a tensor"),
        (elman.GRU(3, 4), torch.randn(9, 1, 3), lambda output: 1.0, "the loss must be one number, got float"),
        (
            elman.GRU(3, 4),
            torch.randn(9, 1, 3),
            lambda o: o[0].detach().sum(),
            "the loss does not depend on any weight",
        ),
        (lambda x: x, torch.randn(9, 1, 3), last, "diagnose looks into a torch.nn.Module, got function"),
    ],
)
def test_what_cannot_be_diagnosed_gets_one_sentence(module, x, loss, words):
    with pytest.raises(elman.UsageError, match=words) as error:
        elman.diagnose(module, x, loss)
    assert "\n" not in str(error.value)


def test_layers_that_were_not_run_get_one_sentence():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.out = elman.GRU(3, 4), nn.Linear(3, 1)

        def forward(self, x):
            return self.out(x)

    with pytest.raises(elman.UsageError, match="no recurrent layer of Idle was run"):
        elman.diagnose(Idle(), torch.randn(9, 1, 3), torch.sum)
    for name in ("rate", "clip", "window"):
        with pytest.raises(elman.UsageError, match=f"{name} must be positive"):
            elman.diagnose(elman.GRU(3, 4), torch.randn(9, 1, 3), last, **{name: -1})
