"""Rows that are mapped from disk: they come back as they were written, and damage is told."""

import numpy as np
import pytest

from elman.data import mapped
from elman.errors import RunError


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = [np.arange(6, dtype=np.int8).reshape(3, 2), np.empty((0, 2), np.int8), -np.ones((1, 2), np.int8)]
    place = tmp_path / "a"
    for found in (mapped.write(place, iter(rows), (2,), np.int8), mapped.read(place, 3, (2,), np.int8)):
        assert isinstance(found.values, np.memmap)
        assert all(np.array_equal(row, kept) for row, kept in zip(found, rows, strict=True))
        assert found.padded(np.array([2, 0])).tolist() == [[[-1, -1], [0, 1]], [[0, 0], [2, 3]], [[0, 0], [4, 5]]]
    assert len(mapped.write(tmp_path / "none", iter(()), (2,), np.int8)) == 0


def test_damage_is_told(tmp_path):
    mapped.write(tmp_path / "a", [np.zeros((3, 2), np.int8)], (2,), np.int8)
    for rows, width in ((2, 2), (1, 4), (9, 2)):
        with pytest.raises(RunError, match=r"a is damaged: it should hold \d rows"):
            mapped.read(tmp_path / "a", rows, (width,), np.int8)
    with pytest.raises(RunError, match=r"cannot read .*none: no such file"):
        mapped.read(tmp_path / "none", 1, (2,), np.int8)
