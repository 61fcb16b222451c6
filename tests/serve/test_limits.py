"""What a service takes at most has bounds of its own."""

from math import nan

import pytest

from elman.errors import UsageError
from elman.serve import Limits


@pytest.mark.parametrize("name", ["rows", "requests", "body", "streams"])
def test_one_is_the_least_of_what_is_counted(name):
    assert getattr(Limits(**{name: 1}), name) == 1
    for value in (0, nan):
        with pytest.raises(UsageError, match=f"^--{name} {value} is out of range; it must be at least 1$"):
            Limits(**{name: value})


@pytest.mark.parametrize("name", ["wait", "expire"])
def test_time_may_be_nothing_and_not_less(name):
    assert getattr(Limits(**{name: 0}), name) == 0
    for value in (-0.5, nan):
        with pytest.raises(UsageError, match=f"^--{name} {value} is out of range; it must be at least 0.0$"):
            Limits(**{name: value})
