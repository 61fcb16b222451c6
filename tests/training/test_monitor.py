"""What is shown while a run trains."""

from types import SimpleNamespace

import pytest

from elman.training.monitor import TimeLeft


@pytest.mark.parametrize(
    ("seconds", "left"),
    [(None, ""), (4.6, "0:04 left"), (600, "10:00 left"), (3600, "1:00:00 left"), (36_061, "10:01:01 left")],
)
def test_the_time_left_is_told_in_hours_minutes_and_seconds(seconds, left):
    assert TimeLeft().render(SimpleNamespace(fields={"left": seconds})).plain.strip() == left
