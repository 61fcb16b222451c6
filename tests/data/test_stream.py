"""Streams: lanes are contiguous, targets are the next inputs, and scoring counts every symbol once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data import stream
from elman.data.stream import Lanes, scoring_windows
from elman.errors import RunError


def test_lanes_are_contiguous_stretches_of_the_stream():
    inputs, targets = Lanes(np.arange(21), lanes=4).window(0, 5)
    assert inputs.T.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
    assert (targets == inputs + 1).all()


def test_there_are_never_more_lanes_than_symbols():
    lanes = Lanes(np.arange(3), lanes=64)
    assert (lanes.lanes, lanes.length) == (2, 1)


@given(count=st.integers(2, 400), lanes=st.integers(1, 9), steps=st.integers(1, 50), context=st.integers(0, 12))
def test_scoring_counts_every_target_once_and_with_its_own_history(count, lanes, steps, context):
    symbols = np.arange(count)
    scored, last = [], None
    for window in scoring_windows(symbols, lanes, steps, context):
        if last is not None:
            followed = window.inputs[0] == np.minimum(last + 1, count - 2)
            assert not window.fresh
            assert followed.all()
        last = window.inputs[-1].numpy()
        kept = window.scored
        assert (window.targets[kept] == window.inputs[kept] + 1).all()
        scored += window.targets[kept].tolist()
    assert sorted(scored) == list(range(1, count))


def test_all_lanes_but_the_first_are_warm_where_scoring_begins():
    seen: dict[int, int] = {}
    for window in scoring_windows(np.arange(2000), lanes=3, steps=64, context=100):
        for lane in range(window.inputs.shape[1]):
            first = window.targets[:, lane][window.scored[:, lane]]
            begin = int(window.inputs[0, lane]) if window.fresh else seen.get(-lane - 1, 0)
            if window.fresh:
                seen[-lane - 1] = begin
            if len(first) and lane not in seen:
                seen[lane] = int(first[0]) - begin
    assert seen[0] == 1
    assert seen[1] == seen[2] == 101


@pytest.mark.parametrize(("vocabulary", "width"), [(256, 1), (257, 2), (70_000, 4)])
def test_symbols_lie_in_the_narrowest_integers(tmp_path, vocabulary, width):
    path = tmp_path / "s"
    symbols = stream.write(path, [np.array([0, 1]), np.array([vocabulary - 1])], vocabulary)
    assert symbols.tolist() == [0, 1, vocabulary - 1]
    assert path.stat().st_size == 3 * width


def test_symbols_are_counted_block_by_block(monkeypatch):
    monkeypatch.setattr(stream, "BLOCK", 3)
    symbols = np.array([4, 0, 0, 2, 4, 4, 4], np.uint8)
    assert stream.frequencies(symbols, 6).tolist() == [2, 0, 1, 0, 4, 0]


def test_lost_data_is_a_run_error(tmp_path):
    with pytest.raises(RunError, match=r"cannot read .*gone: no such file"):
        stream.read(tmp_path / "gone", 10, 3)
    (tmp_path / "cut").write_bytes(b"ab")
    with pytest.raises(RunError, match=r"cut is damaged: it should hold 3 symbols"):
        stream.read(tmp_path / "cut", 10, 3)
