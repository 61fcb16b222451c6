"""How a symbol is drawn: from the distribution and from the symbols that the options leave, within their bounds."""

import math

import pytest
import torch

from elman.errors import UsageError
from elman.generation.sample import HOTTEST, Sampling, draw

SHARES = torch.tensor([0.1, 0.5, 0.15, 0.25])


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("temperature", 0, True),
        ("temperature", HOTTEST, True),
        ("temperature", -1e-9, False),
        ("temperature", math.nextafter(HOTTEST, math.inf), False),
        ("temperature", math.nan, False),
        ("top_k", 1, True),
        ("top_k", 0, False),
        ("top_p", 1, True),
        ("top_p", 0, False),
        ("top_p", math.nextafter(1, 2), False),
        ("seed", -(1 << 63), True),
        ("seed", (1 << 63) - 1, True),
        ("seed", -(1 << 63) - 1, False),
        ("seed", 1 << 63, False),
    ],
)
def test_options_are_taken_up_to_their_bounds(name, value, taken):
    if taken:
        sampling = Sampling.make({name: value})
        assert 0 <= draw(SHARES.log(), None, sampling, torch.Generator().manual_seed(sampling.seed)) < 4
    else:
        with pytest.raises(UsageError, match=f"^--{name.replace('_', '-')} .* is out of range; it must "):
            Sampling(**{name: value})


def drawn(count, unknown=None, **options):
    """How often each symbol is drawn, as shares."""
    generator, sampling = torch.Generator().manual_seed(1), Sampling(**{"temperature": 1.0} | options)
    symbols = torch.tensor([draw(SHARES.log(), unknown, sampling, generator) for _ in range(count)])
    return torch.bincount(symbols, minlength=4) / count


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, SHARES),
        ({"temperature": 0.5}, SHARES**2),
        ({"temperature": 2.0}, SHARES**0.5),
        ({"top_k": 2}, SHARES * torch.tensor([0, 1, 0, 1])),
        ({"top_k": 3}, SHARES * torch.tensor([0, 1, 1, 1])),
        ({"top_k": 4}, SHARES),
        ({"top_p": 0.49}, SHARES * torch.tensor([0, 1, 0, 0])),
        ({"top_p": 0.51}, SHARES * torch.tensor([0, 1, 0, 1])),
        ({"top_p": 0.76}, SHARES * torch.tensor([0, 1, 1, 1])),
        ({"top_p": 0.91}, SHARES),
        ({"top_k": 3, "top_p": 0.8}, SHARES * torch.tensor([0, 1, 0, 1])),  # of what the three add up to
        ({"unknown": 1}, SHARES * torch.tensor([1, 0, 1, 1])),
        ({"temperature": 0.0}, torch.tensor([0.0, 1, 0, 0])),
        ({"temperature": 5e-324, "unknown": 1}, torch.tensor([0.0, 0, 0, 1])),
    ],
)
def test_symbols_are_drawn_as_often_as_the_options_say(options, expected):
    found = drawn(2000, **options)
    assert found.tolist() == pytest.approx((expected / expected.sum()).tolist(), abs=0.035)
    assert torch.equal(found > 0, expected > 0)


def test_symbols_that_add_up_to_p_are_enough():
    generator, sampling = torch.Generator().manual_seed(0), Sampling(top_p=0.5)
    assert len({draw(torch.zeros(4), None, sampling, generator) for _ in range(50)}) == 2
