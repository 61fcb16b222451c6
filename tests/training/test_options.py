"""Options and budgets: wrong ones are refused by name, the schedule follows the budget."""

import dataclasses
import math

import pytest

from elman.errors import UsageError
from elman.tasks.classification import ClassificationOptions
from elman.training import budget
from elman.training.budget import Progress
from elman.training.options import TrainingOptions


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hiden": 3}, "unknown option 'hiden'"),
        ({"stepz": 3}, "did you mean 'steps'"),
        ({"steps": 0}, "--steps 0 is out of range; it must be at least 1"),
        ({"steps": 2.5}, "--steps 2.5 is not a whole number"),
        ({"minutes": "two"}, "--minutes 'two' is not a number"),
        ({"rate": float("nan")}, "--rate nan is not a number"),
        ({"momentum": 1.5}, "--momentum 1.5 is out of range; it must be from 0 to 0.9999"),
        (
            {"clip_value": 1e300},
            r"--clip-value 1e\+300 is out of range; it must be at most 3.4e\+38, what float32 holds",
        ),
        (
            {"accumulate": 10**19},
            "--accumulate 10{19} is out of range; it must be at most 9223372036854775807, what int64",
        ),
        ({"seed": 10**19}, "--seed 10{19} is out of range; it must be from 0 to 9223372036854775807"),
        ({"weight_decay": float("inf")}, "--weight-decay inf is out of range; it must be finite"),
        ({"final_rate": -0.1}, r"--final-rate -0\.1 is out of range; it must be from 0 to 1"),
        ({"warmup": -1}, "--warmup -1 is out of range; it must be at least 0"),
        ({"optimizer": "adam"}, "--optimizer 'adam' is not known; choose one of adamw, rmsprop, sgd"),
        ({"steps": 3, "minutes": 1}, "the budget is given twice, in minutes and in steps"),
    ],
)
def test_wrong_options_are_refused_by_name(given, message):
    with pytest.raises(UsageError, match=message):
        TrainingOptions.make(given)


def test_every_default_is_taken_where_it_is_given():
    defaults = {field.name: field.default for field in dataclasses.fields(ClassificationOptions)}
    made = ClassificationOptions.make(defaults | {"steps": 1})
    assert made == ClassificationOptions.make({"steps": 1})


def test_two_minutes_are_the_budget_where_none_is_given():
    assert TrainingOptions.make({}).minutes == 2.0
    assert TrainingOptions.make({"steps": 5}).minutes is None


def test_the_rate_of_an_optimizer_is_its_own():
    assert TrainingOptions.make({"optimizer": "sgd"}).rate == 2.0
    assert TrainingOptions.make({"optimizer": "sgd", "rate": 0.1}).rate == 0.1


def test_the_rate_rises_over_the_warm_up_and_falls_over_the_budget():
    options = TrainingOptions.make({"steps": 100, "rate": 1.0, "warmup": 9, "final_rate": 0.1})
    rates = [budget.rate(options, Progress(step=step)) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert max(rates) == pytest.approx(1.0, rel=0.03)
    assert rates[55] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + -0.1564), rel=0.001)
    assert rates[100] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "progress", "share"),
    [
        ({"steps": 10}, Progress(step=5), 0.5),
        ({"epochs": 4.0}, Progress(epochs=1), 0.25),
        ({"minutes": 2.0}, Progress(seconds=30), 0.25),
    ],
)
def test_each_budget_counts_its_own_unit(options, progress, share):
    assert budget.spent(TrainingOptions.make(options), progress) == share


@pytest.mark.parametrize("options", [{"steps": 10}, {"epochs": 4.0}, {"minutes": 2.0}])
def test_nothing_is_spent_and_nothing_found_before_the_first_update(options):
    begun = Progress()
    assert budget.spent(TrainingOptions.make(options), begun) == 0
    assert dataclasses.asdict(begun) == dict.fromkeys(dataclasses.asdict(begun), 0) | {"best": math.inf}


@pytest.mark.parametrize(("steps", "validations"), [(50, 50), (100, 100), (1000, 100), (300, 7), (3, 10)])
def test_the_budget_is_interrupted_at_equal_distances_to_validate(steps, validations):
    options = TrainingOptions.make({"steps": steps, "validations": validations})
    found = [k for k in range(1, steps + 1) if budget.validates(options, (k - 1) / steps, Progress(step=k))]
    assert found == [k for k in range(1, steps + 1) if k * validations // steps > (k - 1) * validations // steps]
