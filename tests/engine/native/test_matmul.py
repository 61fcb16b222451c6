"""Products with packed panels are right for every height, width and tail, and do not depend on how they are cut."""

import pytest
import torch
from tests.engine.native.conftest import native
from tests.tolerance import assert_close, assert_equal

ROWS = (*range(1, 15), 31)
WIDTHS = (1, 2, 3, 4, 5, 6, 8)
"""In vectors; those above 4 are cut to 4 where there are 32 registers."""


def multiply(a, b, *, transposed=False, vectors=4, threads=1, pairs=False):
    out = torch.full((len(a), b.shape[1]), torch.nan, dtype=a.dtype)
    stored = b.t().contiguous() if transposed else b
    numbers = native.float32 if a.dtype == torch.float32 else native.float64
    numbers.matmul(
        a.data_ptr(), stored.data_ptr(), out.data_ptr(), len(a), len(b), b.shape[1], transposed, vectors, threads, pairs
    )
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("k", [1, 3, 16, 50, 257])
def test_every_shape(k, dtype, instruction_set):
    generator = torch.Generator().manual_seed(k)
    for rows in ROWS:
        for columns in (1, 3, 16, 17, 50, 64, 65, 100, 130):
            a = torch.randn(rows, k, generator=generator, dtype=dtype)
            b = torch.randn(k, columns, generator=generator, dtype=dtype)
            expected = (a.double() @ b.double()).to(dtype)
            found = [multiply(a, b, transposed=t, vectors=v) for t in (False, True) for v in WIDTHS]
            assert_close(found[0], expected)
            for other in found[1:]:
                assert_equal(other, found[0])


@pytest.mark.parametrize("k", [1, 2, 3, 16, 50, 257])
def test_pairs_are_products_of_bfloat16(k, instruction_set):
    generator = torch.Generator().manual_seed(k)
    for rows in ROWS:
        for columns in (1, 16, 17, 50, 64, 130):
            a, b = torch.randn(rows, k, generator=generator), torch.randn(k, columns, generator=generator)
            expected = (a.bfloat16().double() @ b.bfloat16().double()).float()
            found = [multiply(a, b, vectors=v, pairs=True) for v in (1, 2, 3, 4)]
            assert_close(found[0], expected)
            for other in found[1:]:
                assert_equal(other, found[0])


def test_pairs_are_rounded_to_the_nearest_and_ties_to_even(instruction_set):
    tie = 2.0**-8
    a = torch.tensor([1.0, 1 + tie, 1 + 3 * tie, 1 + 1.01 * tie, -1 - tie, 3.4e38, torch.inf, -torch.inf, torch.nan])
    assert_equal(multiply(a[:, None], torch.ones(1, 1), pairs=True)[:, 0], a.bfloat16().float())
    assert_equal(multiply(torch.ones(1, 1), a[None], pairs=True)[0], a.bfloat16().float())


def test_threads_do_not_matter():
    a, b = torch.randn(50, 70), torch.randn(70, 300)
    for threads in (2, 3):
        assert_equal(multiply(a, b, threads=threads), multiply(a, b))
