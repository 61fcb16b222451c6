"""The training loop on a network of one weight: every update, validation and record is what it would be by hand."""

import itertools
import math

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from elman.data.share import WHOLE
from elman.training.average import EVERY, FIRST, due
from elman.training.cost import Cost
from elman.training.loop import Job, fit
from elman.training.options import TrainingOptions
from elman.training.processes import Processes

PLAIN = {
    "optimizer": "sgd", "rate": 0.1, "momentum": 0.0, "weight_decay": 0.0, "warmup": 0, "final_rate": 1.0, "clip": 0.0,
    "average": 0.0, "precision": "float32", "device": "cpu", "steps": 20, "validations": 1,
}  # fmt: skip
NUMBERS = [0.5, 1.0, -0.3, 0.8, 0.1]


class Numbers:
    """One number a batch, over and over."""

    smallest = 1

    def __init__(self):
        self.taken = 0

    @property
    def epochs(self):
        return self.taken / len(NUMBERS)

    def next(self, share=WHOLE):
        self.taken += 1
        return NUMBERS[(self.taken - 1) % len(NUMBERS)]

    def state(self):
        return {"taken": self.taken}

    def restore(self, state):
        self.taken = state["taken"]


class Told:
    """All that was told of training."""

    def __init__(self):
        self.points, self.scores = [], []

    def training(self, share, values):
        self.points.append(values)

    def validation(self, share, values):
        self.scores.append(values)


def train(folder, validate=lambda _: 1.0, seen=None, **options):
    """How it ended, the weight, and all that was told; the loss of a number x is (w x - 1)^2, with w = 0 at first."""
    module, told = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Dropout(0.0)), Told()
    module[0].weight.data.zero_()

    def objective(module, number, carry):
        if seen is not None:
            seen.append((carry, module.training))
        loss = (module(torch.tensor([number])) - 1).square().sum()
        return Cost((loss,), (1,), 3, (torch.tensor(len(seen or ())),))

    made = TrainingOptions.make(PLAIN | options)
    files = folder / "model.safetensors", folder / "checkpoint.safetensors"
    ending, progress = fit(Job(module, Numbers(), objective, validate, made, *files, told), lambda _: None, Processes())
    return ending, progress, module[0].weight.item(), told


def by_hand(updates, accumulate=1, clip=math.inf):
    """The weight after each update, its gradient's norm, and the mean loss of its batches."""
    weight, found, numbers = 0.0, [], itertools.cycle(NUMBERS)
    for _ in range(updates):
        own = [next(numbers) for _ in range(accumulate)]
        loss = sum((weight * x - 1) ** 2 for x in own) / accumulate
        gradient = sum(2 * x * (weight * x - 1) for x in own) / accumulate
        weight -= 0.1 * gradient * min(1.0, clip / abs(gradient))
        found.append((weight, abs(gradient), loss))
    return found


@pytest.mark.parametrize("accumulate", [1, 2, 3])
@pytest.mark.parametrize("clip", [0.0, 0.4])
def test_an_update_goes_down_the_mean_of_its_batches_and_is_told(tmp_path, accumulate, clip):
    ending, progress, weight, told = train(tmp_path, accumulate=accumulate, clip=clip)
    expected = by_hand(20, accumulate, clip or math.inf)
    assert weight == pytest.approx(expected[-1][0], abs=1e-6)
    assert (ending, progress.step, progress.symbols) == ("finished", 20, 20 * accumulate * 3)
    assert [point["step"] for point in told.points] == [10, 20]
    for k, point in enumerate(told.points, 1):
        some = expected[10 * k - 10 : 10 * k]
        assert point["loss"] == pytest.approx(sum(loss for *_, loss in some) / 10, rel=1e-5)
        assert point["gradient_norm"] == pytest.approx(some[-1][1], rel=1e-4)
        assert (point["rate"], point["epoch"]) == pytest.approx((0.1, 10 * k * accumulate / 5))


def test_each_batch_begins_with_the_state_that_the_one_before_left(tmp_path):
    seen = []
    train(tmp_path, seen=seen, accumulate=2, steps=3)
    assert [carry and carry[0].item() for carry, _ in seen] == [None, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("steps", [20, FIRST + 4 * EVERY])
def test_a_validation_sees_the_average_without_dropout_and_training_goes_on_with_it(tmp_path, steps):
    seen, weights = [], []

    def validate(module):
        weights.append(module[0].weight.item())
        assert not module.training
        assert torch.is_inference_mode_enabled()
        return -float(len(weights))

    _, _, weight, _ = train(tmp_path, validate, seen, average=0.5, steps=steps, validations=4)
    average, expected = 0.0, []
    for number, (own, *_) in enumerate(by_hand(steps), 1):
        last = number - (1 if number <= FIRST else EVERY)
        left = min(0.5, (1 + last) / (10 + last)) ** (number - last) if last else 0.0
        average = left * average + (1 - left) * own if due(number) else average
        expected.append(average)
    assert weights == pytest.approx(expected[steps // 4 - 1 :: steps // 4], rel=1e-5)
    assert weight == weights[-1]
    assert all(training for _, training in seen)


@pytest.mark.parametrize(
    ("losses", "patience", "ending", "best", "validated"),
    [
        ([3, 2, 1, 1, 2, 1, 0, 0, 0, 0], None, "finished", 14, 20),
        ([3, 2, 1, 1, 2, 1, 0, 0, 0, 0], 3, "stopped", 6, 12),  # as good as before is not better
        ([3, 2, 1, 1, 0, 1, 1, 0, 0, 0], 3, "stopped", 10, 16),
        ([math.inf, 5, 6, 6, 6, 6, 6, 6, 6, 4], None, "finished", 20, 20),
    ],
)
def test_the_best_weights_are_kept_and_patience_ends_it(tmp_path, losses, patience, ending, best, validated):
    coming = iter(losses)
    found, progress, weight, told = train(tmp_path, lambda _: next(coming), validations=10, patience=patience)
    assert (found, progress.best_step, progress.step) == (ending, best, validated)
    assert [score["step"] for score in told.scores] == list(range(2, validated + 1, 2))
    assert [score["valid_loss"] for score in told.scores] == losses[: validated // 2]
    assert progress.best == min(losses[: validated // 2])
    assert weight == pytest.approx(by_hand(20)[best - 1][0], abs=1e-6)
    assert load_file(tmp_path / "model.safetensors")["0.weight"].item() == weight
