"""Findings are drawn from measured numbers: where each begins, what it says, and which of them come together."""

import math

import pytest

from elman.diagnosis.findings import findings
from elman.diagnosis.findings.words import factor, part, round_down, steps
from elman.diagnosis.gates import Gate
from elman.diagnosis.result import Diagnosis, LayerDiagnosis
from elman.diagnosis.spectrum import Spectrum
from elman.diagnosis.update import Trial


def gate(function="sigmoid", *, low=0.0, high=0.0, shut=0.0, dead=0.0):
    return Gate("f", "forget gate", function, low, high, shut, dead, [0], [0.0], [0.0], (0.0, 1.0), [1.0])


def layer(**changed):
    """A tanh layer of 40 steps, all of which the last one's loss needs, through which the gradient passes as it is."""
    healthy = {
        "name": "rnn",
        "cell": "rnn",
        "hidden": 8,
        "steps": 40,
        "stretch": 40,
        "gradient_norm": [1.0] * 40,
        "gradient_norm_by_lag": [1.0] * 40,
        "decay_per_step": 1.0,
        "decay_uncertainty": 0.0,
        "half_life": math.inf,
        "horizon": math.inf,
        "input_by_lag": [1.0] * 40,
        "lyapunov_exponent": 0.0,
        "spectrum": Spectrum([0], [[1.0]], [1.0]),
        "gates": [gate("tanh")],
        "needed_lag": 40,
        "row_norms": [1.0] * 5,
        "row_growth": [1.0] * 5,
    }
    return LayerDiagnosis(**(healthy | changed))


def found(*layers, **changed):
    whole = {"loss": 1.0, "gradient_norm": 1.0, "gradient_to_weight": {}, "clipping": {0.5: 0.37}, "truncation": {}}
    return findings(Diagnosis(list(layers), **(whole | {"kept": {}} | changed)))


def problems(*layers, **changed):
    return [each.problem for each in found(*layers, **changed)]


def test_nothing_is_found_where_all_is_well_nor_where_there_is_no_layer():
    assert problems(layer()) == problems() == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"decay_per_step": 1.12}, []),  # 1.12^39 = 83
        ({"decay_per_step": 1.13}, ["exploding"]),  # 1.13^39 = 117
        ({"decay_per_step": 1.125}, []),  # 1.125^39 = 98.9, 1.125^40 = 111: forty steps have 39 Jacobians
        ({"decay_per_step": 1.23, "decay_uncertainty": 0.05}, ["exploding"]),
        ({"decay_per_step": 1.22, "decay_uncertainty": 0.05}, []),
        ({"decay_per_step": 1.13, "decay_uncertainty": math.nan}, ["exploding"]),
        ({"decay_per_step": 1.13, "stretch": 38}, []),
    ],
)
def test_growth_is_exploding_from_a_hundredfold_on(changed, expected):
    assert problems(layer(**changed)) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"decay_per_step": 0.84}, ["vanishing"]),  # 0.84^40 = 0.00094
        ({"decay_per_step": 0.845}, []),  # 0.0012
        ({"decay_per_step": 0.83, "decay_uncertainty": 0.004}, ["vanishing"]),  # 0.838^40
        ({"decay_per_step": 0.83, "decay_uncertainty": 0.008}, []),  # 0.846^40
        ({"decay_per_step": 0.84, "decay_uncertainty": math.nan}, ["vanishing"]),
        ({"decay_per_step": 0.4, "needed_lag": 8}, ["vanishing"]),  # 0.4^8 = 0.00066
        ({"decay_per_step": 0.43, "needed_lag": 8}, []),  # 0.0012
        ({"decay_per_step": 0.29, "needed_lag": 7}, ["vanishing"]),
        ({"decay_per_step": 0.29, "needed_lag": 1, "stretch": 8}, []),
        ({"decay_per_step": 0.29, "needed_lag": 1, "stretch": 9}, ["vanishing"]),
        ({"decay_per_step": 0.31, "needed_lag": 1}, []),
    ],
)
def test_what_is_left_of_the_gradient_at_the_lag_that_is_needed_vanishes_below_a_thousandth(changed, expected):
    assert problems(layer(**changed)) == expected


def test_a_gradient_vanishes_where_no_layer_carries_it():
    falling, faster = layer(decay_per_step=0.8), layer(name="faster", decay_per_step=0.7)
    assert problems(falling, layer()) == []
    assert [each.layer for each in found(falling, faster)] == ["faster"]
    assert problems(falling, layer(needed_lag=7)) == ["vanishing"]  # a layer that need not carry far says nothing
    assert problems(falling, layer(needed_lag=8)) == []


def test_a_vanishing_gradient_is_told_by_rate_half_life_and_what_arrives():
    (finding,) = found(layer(decay_per_step=0.8, half_life=3.106, horizon=20.6))
    assert finding.evidence == (
        "The gradient falls by the factor 0.800 with every step back (half-life 3.1 steps), so that 1e-04 of it "
        "arrives 40 steps before the loss; an input moves the output by less than 1 % of the closest 21 steps back."
    )
    (beyond,) = found(layer(decay_per_step=0.8, half_life=3.106))
    assert beyond.evidence.endswith("40 steps before the loss.")
    (at_once,) = found(layer(decay_per_step=0.2, half_life=0.43, needed_lag=0))
    assert "20% of it arrives 1 step before the loss" in at_once.evidence


@pytest.mark.parametrize(
    ("cell", "change", "words"),
    [
        ("lstm", {"forget_bias": 3.7, "input_bias": -3.7}, "forget gate's bias at 3.7 and the input gate's at -3.7"),
        ("coupled-lstm", {"forget_bias": 3.7}, "forget gate's bias at 3.7"),
        ("gru", {"update_bias": 3.7}, "start the update gate's bias at 3.7"),
        ("mgu", {"replace_bias": -3.7}, "bias of the gate f at -3.7 (minus"),
        ("rnn", {"cell": "gru", "update_bias": 3.7}, "take a GRU in place of the tanh layer"),
        ("rnn-relu", {"cell": "gru", "update_bias": 3.7}, "take a GRU in place of the ReLU layer"),
        ("gru with layer norm", {"update_bias": 3.7}, "start the update gate's bias at 3.7"),
        ("own", {"cell": "gru", "update_bias": 3.7}, "take a GRU in place of own"),
    ],
)
def test_gates_are_opened_for_the_logarithm_of_the_lag(cell, change, words):
    (finding,) = found(layer(cell=cell, decay_per_step=0.8))  # ln 40 = 3.69
    assert finding.change == change
    assert words in finding.remedy
    assert ("start the recurrent matrix at the identity" in finding.remedy) == (cell == "rnn-relu")
    assert ("start the recurrent matrix at an orthogonal" in finding.remedy) == (cell == "rnn")


def test_a_bias_is_that_of_three_steps_at_least():
    (finding,) = found(layer(cell="gru", decay_per_step=0.2, needed_lag=1))
    assert finding.change == {"update_bias": 1.1}


def test_the_layer_that_grows_the_most_is_named_with_what_bounds_it():
    slower = layer(name="slower", decay_per_step=1.2)
    (finding,) = found(slower, layer(decay_per_step=1.5, lyapunov_exponent=0.4, needed_lag=7), clipping={0.5: 0.37})
    assert finding.layer == "rnn"
    assert finding.evidence == (
        "The gradient grows by the factor 1.500 with every step back, 1e+07 times over the 40 steps; the Lyapunov "
        "exponent is +0.400 a step, and the gradient's norm 1.000."
    )
    assert finding.change == {"start": "orthogonal", "clip": 0.3}
    assert "at an orthogonal matrix" in finding.remedy
    assert "7,523 times over" in found(layer(decay_per_step=1.25))[0].evidence
    assert found(layer(decay_per_step=1.5), clipping={})[0].change["clip"] == 1.0
    assert found(layer(decay_per_step=1.5), clipping={0.5: 40.0})[0].change["clip"] == 1.0


@pytest.mark.parametrize(
    ("changed", "change", "words"),
    [
        ({}, {"clip": 0.3, "cell": "gru", "update_bias": 3.7}, "To stay without gates, start the recurrent matrix"),
        ({"cell": "rnn-relu", "needed_lag": 7}, {"start": "orthogonal", "clip": 0.3}, "matrix at the identity"),
        (
            {"cell": "gru"},
            {"start": "orthogonal", "clip": 0.3, "update_bias": 3.7},
            "by the factor 1.500, and clip the gradient's norm at 0.3; start the update gate's bias at 3.7",
        ),
        ({"cell": "gru", "needed_lag": 7}, {"start": "orthogonal", "clip": 0.3}, "at 0.3. Layer norm"),
    ],
)
def test_growth_is_bounded_by_the_start_and_by_clipping_and_held_where_there_is_a_lag(changed, change, words):
    (finding,) = found(layer(decay_per_step=1.5, **changed))
    assert finding.change == change
    assert words in finding.remedy


def test_growth_that_left_the_finite_numbers_is_the_cause():
    slow, fast = layer(lyapunov_exponent=0.12), layer(name="fast", lyapunov_exponent=0.5)
    (finding,) = found(slow, fast, non_finite="the gradient of rnn")  # e^(0.12 * 40) = 122, e^0.5 = 1.649
    assert (finding.problem, finding.layer) == ("exploding", "fast")
    assert "grows by the factor 1.649 with every step; over 40 steps that left" in finding.evidence
    assert finding.change["clip"] == 1.0
    assert problems(slow, non_finite="the loss") == ["exploding"]
    assert problems(layer(lyapunov_exponent=0.115), non_finite="the loss") == ["non-finite"]  # 99.5
    for where in ("the batch, row 3", "the weights", "what goes into rnn"):
        assert problems(fast, non_finite=where) == ["non-finite"]


@pytest.mark.parametrize(
    ("where", "remedy", "change"),
    [
        ("the batch, row 3", "leave that row out", {}),
        ("the weights of rnn", "go back to the last weights", {"restore": "weights"}),
        ("what goes into rnn", "look at the modules before this layer", {}),
        ("the loss", "look at the loss", {}),
    ],
)
def test_what_is_not_finite_is_the_only_finding(where, remedy, change):
    (finding,) = found(layer(decay_per_step=0.5), non_finite=where, window=5, truncation={5: 0.1}, kept={5: 0.1})
    assert finding.evidence == f"The first number that is not finite stands in {where}."
    assert finding.remedy.startswith(remedy)
    assert finding.change == change


def test_a_cliff_is_a_row_that_grew_a_hundred_times_as_much_as_the_middle_one():
    steep = {"row_norms": [2.0, 2.0, 2.0, 19.0, 410.0], "row_growth": [1.0, 2.0, 2.0, 2.0, 300.0]}
    (finding,) = found(layer(), layer(name="steep", **steep))
    assert (finding.problem, finding.layer, finding.change) == ("exploding", "steep", {"clip": 0.3})
    assert "gradient is 205 times the middle row's, and 20% of the rows have more than ten times" in finding.evidence
    assert finding.remedy.startswith("clip the gradient's norm at 0.3,")
    assert problems(layer(**steep | {"row_norms": [2.0, 2.0, 2.0, 2.0, 200.0]})) == []
    assert problems(layer(**steep | {"row_growth": [1.0, 2.0, 2.0, 2.0, 200.0]})) == []  # it came in so steep
    assert problems(layer(**steep), clip=3.7) == []  # ten times the middle gradient, 0.37
    assert problems(layer(**steep), clip=3.8) == ["exploding"]


def test_rows_that_are_not_finite_or_all_zero_are_no_cliff():
    assert problems(layer(row_norms=[math.nan, 1.0, 1.0, 1.0, math.inf], row_growth=[1.0] * 5)) == []
    assert problems(layer(row_norms=[0.0, 0.0, 0.0, 0.0, 300.0], row_growth=[0.0, 0.0, 0.0, 0.0, 300.0])) == []
    assert problems(layer(row_norms=[], row_growth=[])) == []
    beside = {"row_norms": [math.inf, math.inf, 1.0, 1.0, 205.0], "row_growth": [math.inf, 1.0, 1.0, math.nan, 205.0]}
    assert problems(layer(**beside)) == ["exploding"]


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ([gate("tanh", low=0.5, high=0.4), gate()], ["saturated"]),
        ([gate("tanh", low=0.5, high=0.39), gate()], []),
        ([gate(shut=0.9)], ["saturated"]),
        ([gate(shut=0.89)], []),
        ([gate("tanh", shut=0.95), gate()], []),  # below zero is no limit of a tanh
        ([gate(high=0.95), gate()], []),  # an open gate is no fault
        ([gate(low=0.4, high=0.3), gate(low=0.5)], ["saturated"]),  # 0.6 of both
        ([gate(low=0.4, high=0.3), gate(low=0.49)], []),
        ([gate("relu", low=0.95, shut=0.95)], []),
        ([], []),
    ],
)
def test_a_layer_is_saturated_by_its_tanhs_its_shut_gates_or_all_together(gates, expected):
    assert problems(layer(gates=gates)) == expected


def test_the_most_saturated_layer_is_named_and_its_weights_are_started_anew():
    less = layer(name="less", gates=[gate("tanh", low=0.9)])
    (finding,) = found(less, layer(cell="gru", gates=[gate("relu"), gate(low=0.9, high=0.08)]))
    assert finding.layer == "rnn"
    assert finding.evidence.endswith("of the steepest: forget gate f 98%.")
    assert finding.change == {"start": "default", "update_bias": 3.7}
    assert "; start the update gate's bias at 3.7" in finding.remedy
    (near,) = found(layer(cell="gru", gates=[gate(shut=0.9)], needed_lag=7))
    assert near.change == {"start": "default"}
    assert "of one. If training" in near.remedy


def test_a_layer_is_dead_from_six_tenths_of_its_units_on():
    dead = [layer(name=f"{share}", cell="rnn-relu", gates=[gate("relu", dead=share)]) for share in (0.59, 0.6, 0.75)]
    assert problems(dead[0]) == []
    assert problems(dead[1]) == ["dead"]
    (finding,) = found(*dead)
    assert finding.layer == "0.75"
    assert finding.evidence.startswith("75% of the 8 ReLU units")
    assert finding.change == {"cell": "gru", "update_bias": 3.7}


def test_no_gradient_at_all_or_none_at_a_layer_is_told_before_all_else():
    (nothing,) = found(layer(gradient_norm=[0.0] * 40), gradient_norm=0.0)
    assert (nothing.problem, nothing.layer) == ("vanishing", None)
    cut = layer(name="cut", gradient_norm=[0.0] * 40)
    (finding,) = found(layer(), cut, layer(name="after", gradient_norm=[0.0] * 39 + [1e-9]))
    assert (finding.problem, finding.layer) == ("vanishing", "cut")
    assert "any of the 40 steps of this layer, while that of all weights has the norm 1.000." in finding.evidence
    assert problems(cut, gradient_norm=math.nan) == []


@pytest.mark.parametrize(
    ("cosine", "kept", "expected"),
    [(0.9, 0.5, []), (0.89, 0.5, ["window-too-short"]), (0.9, 0.49, ["window-too-short"])],
)
def test_a_window_is_too_short_where_direction_or_size_of_the_gradient_is_lost(cosine, kept, expected):
    assert problems(layer(), window=5, truncation={5: cosine}, kept={5: kept}) == expected


def test_the_next_window_that_is_long_enough_is_advised():
    truncation = {2: 0.95, 5: 0.5, 10: 0.95, 20: 0.89, 30: 0.9, 40: 1.0}
    kept = {2: 0.6, 5: -0.2, 10: 0.4, 20: 0.9, 30: 0.5, 40: 1.0}
    layers = layer(stretch=30), layer()
    (finding,) = found(*layers, window=5, truncation=truncation, kept=kept)
    assert finding.change == {"window": 30}
    assert "Truncated to 5 steps, the gradient of the recurrent weights keeps 0% of" in finding.evidence
    assert "the whole one over 40 steps, at a cosine of 0.50" in finding.evidence
    (longest,) = found(*layers, window=5, truncation={2: 0.95, 5: 0.5}, kept={2: 0.6, 5: 0.5})
    assert longest.change == {"window": 40}
    assert problems(layer(), window=None, truncation=truncation, kept=kept) == []
    assert problems(layer(), window=6, truncation=truncation, kept=kept) == []  # not measured


@pytest.mark.parametrize(
    ("promised", "better", "rate", "words"),
    [
        (0.2, 0.02, 0.005, "a fall of 0.200; at 0.02 it does not rise."),
        (-0.2, 0.02, 0.005, "a rise of 0.200; at 0.02 it keeps to that."),
        (0.2, None, 5e-06, "a fall of 0.200; even at 2e-05 it rises."),
    ],
)
def test_a_rate_that_overshoots_is_lowered_to_a_quarter_of_one_that_does_not(promised, better, rate, words):
    (finding,) = found(layer(), trial=Trial(0.08, 1.0, 2.0, promised, 0.2, better))
    assert finding.evidence.endswith(words)
    assert finding.change == {"rate": rate}
    assert problems(layer(), trial=Trial(0.08, 1.0, 0.9, promised, 0.2)) == []


OVERSHOT = {"trial": Trial(0.08, 1.0, 2.0, 0.2, 0.2)}
CUT_SHORT = {"window": 5, "truncation": {5: 0.5}, "kept": {5: 0.2}}
SATURATED, DEAD = {"gates": [gate(shut=0.9)]}, {"gates": [gate("relu", dead=0.9)]}


@pytest.mark.parametrize(
    ("changed", "whole", "expected"),
    [
        (SATURATED | {"decay_per_step": 0.8}, {}, ["saturated"]),
        (DEAD | {"decay_per_step": 0.8}, {}, ["dead"]),
        (SATURATED | {"decay_per_step": 1.5}, {}, ["saturated"]),
        (DEAD | {"decay_per_step": 1.5}, {}, ["dead", "exploding"]),
        (SATURATED, OVERSHOT | CUT_SHORT, ["saturated", "window-too-short"]),
        ({"decay_per_step": 1.5}, OVERSHOT | CUT_SHORT, ["exploding"]),
        ({"decay_per_step": 0.8}, OVERSHOT | CUT_SHORT, ["vanishing", "rate-too-high", "window-too-short"]),
        ({"decay_per_step": 0.8, "gradient_norm": [0.0] * 40}, {}, ["vanishing"]),
    ],
)
def test_what_another_finding_explains_is_left_out(changed, whole, expected):
    assert problems(layer(**changed), **whole) == expected


def test_numbers_are_said_briefly():
    numbers = (0.9041, 1e-3, 9.99e-4, 9999.0, 1e4, 0.0, -2.5, -2e-9)
    assert [factor(value) for value in numbers] == [
        "0.904", "0.001", "1.0e-03", "9999.000", "1.0e+04", "0.000", "-2.500", "-2.0e-09",
    ]  # fmt: skip
    assert [part(value) for value in (0.456, 0.1, 0.0999, 0.001, 0.0009, 0.0, math.nan, math.inf)] == [
        "46%", "10%", "10.0%", "0.1%", "9e-04", "0%", "nan", "inf",
    ]  # fmt: skip
    assert [steps(count) for count in (1, 0, 3.42, 9.4, 10.4, 9.0, 200)] == [
        "1 step", "0 steps", "3.4 steps", "9.4 steps", "10 steps", "9 steps", "200 steps",
    ]  # fmt: skip
    assert steps(math.inf) == "inf steps"
    assert [round_down(value) for value in (0.37, 0.3, 42.0, 10.0, 0.0, -1.0, math.inf, math.nan)] == [
        0.3, 0.3, 40.0, 10.0, 1.0, 1.0, 1.0, 1.0,
    ]  # fmt: skip
