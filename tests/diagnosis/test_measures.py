"""What `diagnose` measures: right where the answer is known, and the same on every backend."""

import math
from dataclasses import replace

import pytest
import torch
from tests.diagnosis.networks import clamped, compare, every, last, linear, rectified
from torch import nn

import elman
from elman.cells import CELLS
from elman.diagnosis.update import Trial


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


@pytest.fixture(params=["native", "reference", "torch"])
def backend(request):
    with elman.backend(request.param):
        yield


CLOSED = [
    *[(kind, radius) for kind in (linear, rectified) for radius in (0.5, 0.8, 1.0, 1.2, 1.5)],
    *[(clamped, keep) for keep in (0.5, 0.9, 1.0)],
]


@pytest.mark.parametrize("loss", [last, every])
@pytest.mark.parametrize("steps", [40, 200])
@pytest.mark.parametrize(("kind", "rate"), CLOSED)
def test_rate_and_exponent_of_networks_known_in_closed_form(kind, rate, steps, loss):
    layer, x = kind(rate, steps)
    found = elman.diagnose(layer, x, loss).layers[0]
    assert found.decay_per_step == pytest.approx(rate, rel=0.02)
    assert found.lyapunov_exponent == pytest.approx(math.log(rate), abs=0.01)
    expected = math.inf if rate >= 1 else math.log(0.5) / math.log(rate)
    assert found.half_life == pytest.approx(expected, rel=0.05)
    if rate >= 1:
        assert found.horizon == math.inf or not any(found.input_by_lag)  # the input's weights may lie below float32
    elif found.horizon < math.inf:
        assert found.horizon == pytest.approx(math.log(0.01) / math.log(rate), abs=2)
    else:
        assert rate ** (steps - 1) > 0.01


@pytest.mark.parametrize("radius", [0.7, 1.3])
def test_singular_values_are_those_of_the_jacobian(radius):
    layer, x = linear(radius, 30)
    found = elman.diagnose(layer, x, last).layers[0].spectrum
    for values, mean in zip(found.values, found.mean_square, strict=True):
        assert values == pytest.approx([radius] * len(values), rel=1e-3)
        assert mean == pytest.approx(radius, rel=1e-3)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_leading_singular_values_beside_the_whole_jacobian(kind):
    layer = getattr(elman, kind)(3, 5)
    x = torch.randn(6, 1, 3)
    spectrum = elman.diagnose(layer, x, last).layers[0].spectrum
    t = spectrum.steps[-1]
    _, hidden = layer(x[:t])
    state = hidden if isinstance(hidden, tuple) else (hidden,)

    def step(*state):
        _, after = layer(x[t : t + 1], state if len(state) > 1 else state[0])
        return torch.cat([s.flatten() for s in (after if isinstance(after, tuple) else (after,))])

    with elman.backend("reference"):
        parts = torch.autograd.functional.jacobian(step, tuple(s.detach() for s in state))
    whole = torch.cat([part.flatten(1) for part in parts], 1)
    expected = torch.linalg.svdvals(whole)
    assert spectrum.values[-1][:3] == pytest.approx(expected[:3].tolist(), rel=0.02)
    assert spectrum.mean_square[-1] == pytest.approx(float(expected.square().mean().sqrt()), rel=0.25)


def test_gradients_are_autograds(backend):
    layer, x = elman.GRU(3, 5), torch.randn(9, 2, 3)
    found = elman.diagnose(layer, x, every).layers[0]
    state, states = None, []
    for t in range(9):
        _, state = layer(x[t : t + 1], state)
        states.append(state)
    loss = torch.cat(states).square().mean()
    expected = [float(g.norm()) for g in torch.autograd.grad(loss, states)]
    assert found.gradient_norm == pytest.approx(expected, rel=1e-4)
    single = elman.diagnose(layer, x, last).layers[0]
    assert single.gradient_norm_by_lag == pytest.approx(single.gradient_norm[::-1], rel=1e-5)


def test_gradients_by_lag_are_those_of_the_last_step_that_each_direction_reads():
    """By way of the layers in the same direction: the upper layer reads the other direction's output as a constant."""
    layer, x = elman.LSTM(3, 5, 2, bidirectional=True), torch.randn(12, 2, 3)
    found = elman.diagnose(layer, x, every).layers
    lower, upper = elman.LSTM(3, 5, bidirectional=True), elman.LSTM(10, 5, bidirectional=True)
    for name, parameter in layer.named_parameters():
        (upper if "_l1" in name else lower).get_parameter(name.replace("_l1", "_l0")).data = parameter.data
    for direction, end in enumerate((-1, 0)):
        middle, _, below = lower(x, states=True)
        halves = list(middle.split(5, -1))
        halves[1 - direction] = halves[1 - direction].detach()
        output, _, above = upper(torch.cat(halves, -1), states=True)
        (output[end, :, 5 * direction :][:, :5].square() / output.numel()).sum().backward()
        for number, states in ((direction, below), (2 + direction, above)):
            by_time = sum(states.gradient(name)[direction].square().sum((1, 2)) for name in ("h", "c")).sqrt()
            by_lag = by_time if direction else by_time.flip(0)
            assert found[number].gradient_norm_by_lag == pytest.approx(by_lag.tolist(), rel=1e-4)


@pytest.mark.parametrize("loss", [last, every, lambda output: output[1][-2:].square().sum()])
def test_what_comes_from_the_other_end_is_no_growth(loss):
    """Below two directions a loss arrives from both ends; the Jacobians know but one rate."""
    found = elman.diagnose(nn.GRU(3, 32, 3, bidirectional=True), torch.randn(100, 4, 3), loss)
    for layer in found.layers:
        assert layer.decay_per_step == pytest.approx(math.exp(layer.lyapunov_exponent), rel=0.1)
    assert not [finding for finding in found.findings if finding.problem == "exploding"]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_rows_that_are_a_little_longer_go_on_behind_the_steps_that_are_looked_at(bidirectional):
    """Of rows of 20 and 19 steps 19 are looked at, with the state that the twentieth left to the reverse direction."""
    layer, x = elman.GRU(3, 5, bidirectional=bidirectional), torch.randn(20, 2, 3)
    lengths, whole = torch.tensor([20, 19]), torch.tensor([19, 19])
    given = torch.zeros(1 + bidirectional, 2, 5)
    if bidirectional:
        with torch.no_grad():
            given[1, 0] = layer(x[19:, :1])[1][1, 0]
    long = elman.diagnose(layer, {"input": x, "lengths": lengths}, every).layers
    cut = elman.diagnose(layer, {"input": x, "lengths": whole, "hx": given}, every).layers
    for one, other in zip(long, cut, strict=True):
        assert one.input_by_lag == pytest.approx(other.input_by_lag, rel=1e-4)
        assert one.lyapunov_exponent == pytest.approx(other.lyapunov_exponent, rel=1e-4)


def test_the_result_does_not_depend_on_the_backend():
    module, x = nn.LSTM(3, 12, 2), torch.randn(30, 4, 3)
    found = []
    for name in ("native", "reference", "torch"):
        with elman.backend(name):
            found.append(elman.diagnose(module, x, every, rate=0.1, window=8).to_dict())
    compare(found[0], found[1])
    compare(found[1], found[2])


def test_truncated_gradients_are_those_of_truncated_training():
    layer, x = elman.GRU(3, 6), torch.randn(24, 2, 3)
    found = elman.diagnose(layer, x, every, window=6)
    whole, cut = gradient(layer, x, 24), gradient(layer, x, 6)
    assert found.truncation[6] == pytest.approx(float(torch.cosine_similarity(whole, cut, dim=0)), abs=1e-4)
    assert found.kept[6] == pytest.approx(float(whole @ cut / (whole @ whole)), abs=1e-4)


def test_a_window_is_the_same_for_layers_that_run_over_different_lengths():
    """A layer that is called twice, over 24 and over 16 steps, truncated to 6 each time."""
    layer, long, short = elman.GRU(3, 6), torch.randn(24, 2, 3), torch.randn(16, 2, 3)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, long, short):
            return self.layer(long), self.layer(short)

    found = elman.diagnose(Twice(), (long, short), lambda outputs: every(outputs[0]) + every(outputs[1]))
    whole, cut = (torch.cat([gradient(layer, long, steps), gradient(layer, short, steps)]) for steps in (24, 6))
    assert list(found.truncation) == [6]
    assert found.truncation[6] == pytest.approx(float(torch.cosine_similarity(whole, cut, dim=0)), abs=1e-4)


def gradient(layer, x, window):
    state, outputs = None, []
    for piece in x.split(window):
        output, state = layer(piece, state)
        outputs.append(output)
        state = state.detach()
    return torch.cat([g.flatten() for g in torch.autograd.grad(every((torch.cat(outputs),)), layer.parameters())])


def test_gates_have_their_names_and_limits():
    names = {"LSTM": {"f", "i", "g", "o", "c"}, "GRU": {"r", "z", "n"}, "RNN": {"h"}}
    for kind, expected in names.items():
        found = elman.diagnose(getattr(elman, kind)(3, 6), torch.randn(10, 2, 3), last).layers[0]
        assert set(found.saturation) == expected
        assert max(found.saturation.values()) == 0
    for cell in CELLS:
        layer = elman.Recurrent(cell, 3, 6)
        found = elman.diagnose(layer, torch.randn(10, 2, 3), last).layers[0]
        assert set(found.saturation) <= {*layer.cell.gates, *layer.cell.states}, cell
        assert len(set(found.saturation)) == len(found.gates), cell
        assert all(gate.called for gate in found.gates), cell
    layer = elman.LSTM(3, 6)
    with torch.no_grad():
        layer.bias_ih_l0[6:12] = 20.0
    gates = {gate.name: gate for gate in elman.diagnose(layer, torch.randn(10, 2, 3), last).layers[0].gates}
    assert (gates["f"].high, gates["f"].low, gates["f"].by_unit) == (1.0, 0.0, [1.0] * 6)
    assert gates["f"].histogram[-1] == 1.0
    assert (gates["f"].times, gates["f"].by_time) == (list(range(10)), [1.0] * 10)


def test_dead_units_are_counted():
    layer = elman.RNN(3, 8, nonlinearity="relu")
    with torch.no_grad():
        layer.bias_ih_l0[:6] = -50.0
    found = elman.diagnose(layer, torch.randn(10, 4, 3), last)
    assert found.layers[0].dead >= 0.75
    assert found.findings[0].problem == "dead"
    (gate,) = found.layers[0].gates
    several = [replace(gate, dead=0.25), replace(gate, dead=0.5), replace(gate, function="tanh", dead=1.0)]
    assert replace(found.layers[0], gates=several).dead == 0.5


def test_a_gate_that_is_always_shut_is_no_dead_unit():
    layer = elman.LSTM(3, 6)
    with torch.no_grad():
        layer.bias_ih_l0[6:12] = -20.0
    found = elman.diagnose(layer, torch.randn(10, 2, 3), last)
    assert {gate.name: gate.dead for gate in found.layers[0].gates}["f"] == 1.0
    assert found.layers[0].dead == 0.0
    assert "dead" not in [finding.problem for finding in found.findings]


def test_an_update_on_trial_is_the_optimizers():
    layer, x = elman.GRU(3, 6), torch.randn(10, 4, 3)
    optimizer = torch.optim.RMSprop(layer.parameters(), lr=0.01)
    trial = elman.diagnose(layer, x, every, optimizer=optimizer).trial
    loss = every(layer(x))
    assert trial.before == pytest.approx(float(loss.detach()))
    loss.backward()
    optimizer.step()
    assert trial.after == pytest.approx(float(every(layer(x)).detach()), rel=1e-5)
    layer.zero_grad()
    low, high = (elman.diagnose(layer, x, every, rate=rate) for rate in (0.01, 1e4))
    plain = every(layer(x))
    plain.backward()
    torch.optim.SGD(layer.parameters(), lr=0.01).step()
    assert (low.trial.rate, low.trial.before) == (0.01, pytest.approx(float(plain.detach())))
    assert low.trial.after == pytest.approx(float(every(layer(x)).detach()), rel=1e-5)
    squares = sum(float(parameter.grad.square().sum()) for parameter in layer.parameters())
    assert (low.trial.promised, low.trial.steepest) == pytest.approx((0.01 * squares, 0.01 * squares), rel=1e-4)
    assert not low.findings
    assert low.trial.better_rate is None
    assert high.findings[0].problem == "rate-too-high"
    assert high.trial.better_rate in [1e4 / 4**tries for tries in range(1, 7)]


def test_gradients_are_told_beside_their_weights():
    layer, x = elman.GRU(3, 6), torch.randn(10, 4, 3)
    layer.bias_ih_l0.data.zero_()
    found = elman.diagnose(layer, x, every).gradient_to_weight
    every(layer(x)).backward()
    norms = {name: (float(p.grad.norm()), float(p.detach().norm())) for name, p in layer.named_parameters()}
    expected = {name: own / weights if weights else math.nan for name, (own, weights) in norms.items()}
    assert found == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_the_lag_that_is_needed_is_a_rows_and_a_directions_own():
    both, x = elman.GRU(3, 6, 2, bidirectional=True), torch.randn(30, 64, 3)
    for loss, expected in (
        (last, [29, 0]),
        (lambda output: output[0][0].square().sum(), [0, 29]),
        (lambda output: output[0][20].square().sum(), [20, 9]),
        (lambda output: output[1][-2:].square().sum(), [29, 29]),
        (lambda output: output[1][-1].square().sum(), [0, 29]),
        (every, [0, 0]),
        (lambda output: output[0].amax(0).sum(), [0, 0]),
    ):
        assert [layer.needed_lag for layer in elman.diagnose(both, x, loss).layers] == 2 * expected
    lengths, rows = torch.tensor([30, 0, 11, 25]), torch.arange(4)
    single = elman.diagnose(
        elman.GRU(3, 6),
        {"input": x[:, :4], "lengths": lengths},
        lambda output: output[0][lengths - 1, rows].square().sum(),
    )
    assert single.layers[0].needed_lag == 29
    assert single.findings[0].problem == "vanishing"


def test_moments_that_lead_up_the_slope_of_one_batch_are_no_fault():
    layer, x = elman.GRU(3, 6), torch.randn(10, 4, 3)
    gradients = torch.autograd.grad(every(layer(x)), layer.parameters())
    found = []
    for rate in (0.01, 1e3):
        optimizer = torch.optim.SGD(layer.parameters(), rate, momentum=0.9)
        for parameter, gradient in zip(layer.parameters(), gradients, strict=True):
            optimizer.state[parameter]["momentum_buffer"] = -5 * gradient
        found.append(elman.diagnose(layer, x, every, optimizer=optimizer))
    assert found[0].trial.promised == pytest.approx(-found[0].trial.steepest)
    assert found[0].trial.after > found[0].trial.before
    assert not found[0].findings
    assert "where its slope promised a rise of" in found[1].findings[0].evidence
    assert 0 < found[1].findings[0].change["rate"] < 1e3


@pytest.mark.parametrize("rise", [0.0, 6e-8, -6e-8, 1e-5])
def test_a_rise_within_rounding_is_none(rise):
    assert not Trial(1e-6, 1.0, 1.0 + rise, promised=1e-9, steepest=1e-9).overshoots


@pytest.mark.parametrize(("promised", "rise", "overshoots"), [(100, 0.4, False), (100, 0.6, True), (0.1, 0.2, True)])
def test_a_rise_by_half_or_by_what_was_promised_is_too_much(promised, rise, overshoots):
    assert Trial(1.0, 1.0, 1.0 + rise, promised=promised, steepest=promised).overshoots == overshoots


def test_learnt_states_are_what_a_sequence_begins_with():
    layer, x = elman.GRU(3, 6, num_layers=2, learn_state=True), torch.randn(12, 4, 3)
    with torch.no_grad():
        for name in ("initial_h_l0", "initial_h_l1"):
            getattr(layer, name).uniform_(-1, 1)
    given = torch.stack([layer.initial_h_l0, layer.initial_h_l1]).detach().unsqueeze(1).expand(-1, 4, -1)
    learnt = elman.diagnose(layer, x, every)
    compare(learnt.to_dict()["layers"], elman.diagnose(layer, (x, given), every).to_dict()["layers"])
    zeros = elman.diagnose(layer, (x, torch.zeros_like(given)), every)
    assert learnt.layers[0].lyapunov_exponent != pytest.approx(zeros.layers[0].lyapunov_exponent, rel=1e-4)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_layers_of_different_sizes(cell, bidirectional):
    layer = elman.Recurrent(cell, 3, (8, 5), bidirectional=bidirectional)
    lower, upper = (
        elman.Recurrent(cell, *sizes, bidirectional=bidirectional) for sizes in ((3, 8), (8 << bidirectional, 5))
    )
    for name, parameter in layer.named_parameters():
        other = dict((lower if "_l0" in name else upper).named_parameters())[name.replace("_l1", "_l0")]
        other.data = parameter.data
    x = torch.randn(14, 4, 3)
    loss = lambda given: given[0].square().mean() + sum(state.sum() for state in tensors(given[1]))  # noqa: E731
    one = elman.diagnose(layer, x, loss)
    apart = elman.diagnose(Two(lower, upper), x, loss)
    assert [each.hidden for each in one.layers] == [8, 8, 5, 5] if bidirectional else [8, 5]
    for a, b in zip(one.layers, apart.layers, strict=True):
        for name in ("gradient_norm", "row_norms", "input_by_lag", "lyapunov_exponent", "saturation"):
            compare(getattr(a, name), getattr(b, name))


class Residual(nn.Module):
    """Three layers one above the other, the upper ones beside what they read; with the states of every step."""

    def __init__(self, layers):
        super().__init__()
        self.lower, self.middle, self.upper = layers

    def forward(self, x):
        first, *below = self.lower(x, states=True)
        second, *between = self.middle(first, states=True)
        third, *above = self.upper(first + second, states=True)
        return first + second + third, [below, between, above]


@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_layers_beside_which_their_input_passes(cell):
    layer, x = getattr(elman, cell)(4, 4, 3, residual=True), torch.randn(12, 2, 4)
    apart = Residual([getattr(elman, cell)(4, 4) for _ in range(3)])
    for (_, own), (_, parameter) in zip(apart.named_parameters(), layer.named_parameters(), strict=True):
        own.data = parameter.data
    found, alone = elman.diagnose(layer, x, every).layers, elman.diagnose(apart, x, every).layers
    output, states = apart(x)
    (output[-1].square().sum() / output.numel()).backward()
    for one, other, (_, there) in zip(found, alone, states, strict=True):
        for name in ("gradient_norm", "row_norms", "input_by_lag", "lyapunov_exponent", "saturation"):
            compare(getattr(one, name), getattr(other, name))
        norms = torch.stack([there.gradient(name).square().sum((0, 2, 3)) for name in layer.cell.states]).sum(0).sqrt()
        assert one.gradient_norm_by_lag == pytest.approx(norms.flip(0).tolist(), rel=1e-4)


class Two(nn.Module):
    """Layers one above the other, with the states of both."""

    def __init__(self, lower, upper):
        super().__init__()
        self.lower, self.upper = lower, upper

    def forward(self, x):
        middle, below = self.lower(x)
        output, above = self.upper(middle)
        return output, [below, above]


def tensors(hx):
    return [hx] if isinstance(hx, torch.Tensor) else [tensor for each in hx for tensor in tensors(each)]
