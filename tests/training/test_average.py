"""The running average: soon free of the initial weights, then as slow as asked, whether it moves always or not."""

import pytest
import torch

from elman.training.average import EVERY, FIRST, averaged, due


def moved(weights, decay):
    """The average after updates that have left these weights, from 100."""
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(100.0)
    average = averaged(module, decay)
    for number, weight in enumerate(weights, 1):
        with torch.no_grad():
            module.weight.fill_(weight)
        if due(number):
            average.update_parameters(module)
    return average.module.weight.item()


def test_it_forgets_the_beginning_and_then_follows_slowly():
    assert FIRST < 100
    settled = moved([1.0] * 100, 0.9)
    assert settled == pytest.approx(1.0, abs=0.01)
    assert moved([1.0] * 100 + [2.0] * EVERY, 0.9) == pytest.approx(2 - 0.9**EVERY, abs=0.01)


def test_it_is_what_an_average_at_every_update_would_be():
    weights, every = [float(number) for number in range(1, 301)], 0.0
    for number, weight in enumerate(weights):
        every += (1 - (min(0.998, number and (1 + number) / (10 + number)))) * (weight - every)
    assert moved(weights, 0.998) == pytest.approx(every, rel=0.02)


def test_each_move_is_as_far_as_the_updates_since_the_last_one_would_have_gone():
    for decay in (0.6, 0.998):
        expected, weights = 0.0, [float(number % 7) for number in range(1, FIRST + 3 * EVERY + 1)]
        for number, weight in enumerate(weights, 1):
            last = number - (1 if number <= FIRST else EVERY)  # the update at which it moved before
            left = min(decay, (1 + last) / (10 + last)) ** (number - last) if last else 0
            expected = left * expected + (1 - left) * weight if due(number) else expected
            assert moved(weights[:number], decay) == pytest.approx(expected, rel=1e-4)


def test_it_moves_at_every_update_first_and_then_at_every_few():
    assert all(due(number) for number in range(1, FIRST + 1))
    assert [number for number in range(FIRST + 1, FIRST + 3 * EVERY) if due(number)] == [
        FIRST + EVERY,
        FIRST + 2 * EVERY,
    ]
