"""The one table of how far two ways of computing the same thing may differ."""

import torch

# Relative and absolute, by dtype. Sums of a few hundred products in another order stay well below these.
TOLERANCE = {
    torch.float64: (1e-10, 1e-12),
    torch.float32: (1e-4, 1e-5),
    torch.bfloat16: (5e-2, 2e-2),
}


def assert_close(actual, expected):
    """Compare tensors, or nests of them, within the tolerance of their dtype; shapes and dtypes must agree."""
    if isinstance(expected, torch.Tensor):
        rtol, atol = TOLERANCE.get(expected.dtype, (0, 0))
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)
    else:
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other)


def assert_equal(actual, expected):
    """Compare tensors, or nests of them, bit for bit."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)
