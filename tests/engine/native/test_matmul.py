"""Products with packed panels are right for every height, width and tail, and do not depend on how they are cut."""

import pytest
import torch
from tests.engine.native.conftest import native
from tests.tolerance import assert_close, assert_equal

ROWS = (*range(1, 15), 31)


def multiply(a, b, *, transposed=False, vectors=4, threads=1):
    out = torch.full((len(a), b.shape[1]), torch.nan, dtype=a.dtype)
    stored = b.t().contiguous() if transposed else b
    numbers = native.float32 if a.dtype == torch.float32 else native.float64
    numbers.matmul(
        a.data_ptr(), stored.data_ptr(), out.data_ptr(), len(a), len(b), b.shape[1], transposed, vectors, threads
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
            found = [multiply(a, b, transposed=t, vectors=v) for t in (False, True) for v in (1, 2, 3, 4)]
            assert_close(found[0], expected)
            for other in found[1:]:
                assert_equal(other, found[0])


def test_threads_do_not_matter():
    a, b = torch.randn(50, 70), torch.randn(70, 300)
    for threads in (2, 3):
        assert_equal(multiply(a, b, threads=threads), multiply(a, b))
