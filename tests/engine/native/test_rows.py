"""Real steps out of a padded batch and into one: the same as torch's indexing, whatever the strides and threads."""

import pytest
import torch

from elman.engine.native.rows import Rows
from elman.engine.packing import Packing


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(7, 5, 1), (60, 24, 96)], ids=str)
@pytest.mark.usefixtures("threads")
def test_there_and_back(size, dtype):
    steps, batch, features = size
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, steps - 2, (batch,), generator=generator)  # no row reaches the end
    lengths[1] = 0
    x = torch.randn(size, generator=generator, dtype=dtype)
    packing, rows = Packing.from_lengths(lengths, steps, x.device), Rows(x, batch, lengths, None, None)
    assert (rows.steps, rows.count, rows.real) == (len(packing.batch_sizes), len(packing.rows), int(lengths.sum()))
    expected = packing.pack(x)
    batch_first = x.transpose(0, 1).contiguous().transpose(0, 1)
    features_first = x.transpose(1, 2).contiguous().transpose(1, 2)
    for form in (x, batch_first, features_first, torch.cat([x, x], -1)[..., :features]):
        assert torch.equal(rows.packed(form), expected)
    assert torch.equal(rows.padded(expected), packing.unpack(expected))


def test_one_row_for_all_stays_one():
    lengths = torch.tensor([3, 1])
    whole = torch.ones(()).expand(4, 2, 6)
    packed = Rows(whole, 2, lengths, None, None).packed(whole)
    assert (packed.shape, packed.stride(0)) == ((4, 6), 0)
    assert torch.equal(packed, torch.ones(4, 6))
