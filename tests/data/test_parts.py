"""Rows by number alone."""

import numpy as np
import pytest

from elman.data.parts import spread


@pytest.mark.parametrize(("count", "most"), [(0, 3), (1, 3), (3, 3), (4, 3), (7, 12), (1000, 6), (10**6, 997)])
def test_rows_from_all_over_are_different_and_in_order_with_the_first_and_the_last(count, most):
    rows = spread(count, most)
    assert len(rows) == min(count, most)
    assert (np.diff(rows) > 0).all()
    assert rows[[0, -1]].tolist() == [0, count - 1] if count else rows.tolist() == []
