"""The functions of functions.h stay within the bounds that it states, over the whole range."""

import mpmath
import pytest
import torch
from tests.engine.native.conftest import native
from tests.tolerance import assert_equal

CODES = {"sigmoid": 1, "tanh": 2, "exp": 4, "log": 5, "softplus": 11, "expm1": 48, "log1p": 49}
TRUE = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": torch.log,
    "expm1": torch.expm1,
    "log1p": torch.log1p,
    "softplus": lambda x: x.clamp(min=0) + torch.log1p(torch.exp(-x.abs())),
}
BOUNDS = {"sigmoid": 3e-7, "tanh": 3e-7, "exp": 2e-7, "log": 2e-7, "softplus": 4e-7, "expm1": 4e-7, "log1p": 4e-7}
BOUNDS64 = {"sigmoid": 6e-16, "tanh": 6e-16, "exp": 4e-16, "log": 5e-16, "expm1": 9e-16, "log1p": 9e-16}
NORMAL = torch.finfo(torch.float32).tiny


def apply(name, x):
    """One function by the runtime, with denormals as the host has them: on."""
    out = torch.empty_like(x)
    numbers = native.float32 if x.dtype == torch.float32 else native.float64
    numbers.apply(CODES[name], [out.data_ptr(), x.data_ptr()], 0, 0, 1, len(x))
    return out


def every_thousandth_float():
    """All exponents, both signs, denormals included."""
    positive = torch.arange(0, 0x7F800000, 997, dtype=torch.int32).view(torch.float32)
    return torch.cat([positive, -positive])


@pytest.mark.parametrize("name", CODES)
def test_float32(name, instruction_set):
    x = every_thousandth_float()
    x = x[x > {"log": 0, "log1p": -1}.get(name, -torch.inf)]
    exact = TRUE[name](x.double())
    low = 87 if name == "sigmoid" else 1e30
    usual = (exact.abs() >= NORMAL) & (exact.abs() < 3.4e38) & (x.abs() >= NORMAL) & (x > -low)
    error = (apply(name, x).double() - exact).abs()
    assert (error / exact.abs())[usual].max() <= BOUNDS[name]
    rest = error[~usual & (x.abs() >= NORMAL) & (exact.abs() < 3.4e38)]
    assert (rest < 2e-38).all()


@pytest.mark.parametrize("name", BOUNDS64)
def test_float64(name, instruction_set):
    generator = torch.Generator().manual_seed(0)
    size = torch.exp(torch.rand(3000, generator=generator, dtype=torch.float64) * 26.5 - 20)
    x = size * torch.randn(3000, generator=generator, dtype=torch.float64).sign()
    x = x.abs() if name in {"log", "log1p"} else x[x.abs() < 700]
    with mpmath.workdps(40):
        true = {"sigmoid": lambda v: 1 / (1 + mpmath.exp(-v))}.get(name, getattr(mpmath, name, None))
        exact = [true(mpmath.mpf(float(value))) for value in x]
        errors = [abs((mpmath.mpf(float(y)) - e) / e) for y, e in zip(apply(name, x), exact, strict=True)]
    assert max(errors) <= BOUNDS64[name]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_special_values(dtype, instruction_set):
    inf, nan = torch.inf, torch.nan
    expected = {
        "sigmoid": [nan, 1, 0, 0.5, 0.5],
        "tanh": [nan, 1, -1, 0, 0],
        "exp": [nan, inf, 0, 1, 1],
        "log": [nan, inf, nan, -inf, -inf],
        "softplus": [nan, inf, 0, 2**0.5 * 0 + 0.6931471805599453, 0.6931471805599453],
    }
    x = torch.tensor([nan, inf, -inf, 0.0, -0.0], dtype=dtype)
    for name, values in expected.items():
        found = apply(name, x)
        torch.testing.assert_close(found, torch.tensor(values, dtype=dtype), rtol=1e-6, atol=1e-37, equal_nan=True)


def test_tanh_is_never_beyond_one(instruction_set):
    assert apply("tanh", every_thousandth_float()).abs().max() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_nearest_whole_number(dtype, instruction_set):
    limit = 2.0**23 if dtype == torch.float32 else 2.0**52
    x = torch.arange(-40, 41, dtype=dtype) / 4
    far = torch.tensor(
        [limit / 2 - 0.5, limit / 2 + 0.5, limit - 0.5, limit + 1, 1e30, torch.inf, torch.nan], dtype=dtype
    )
    x = torch.cat([x, far, -far])
    out = torch.empty_like(x)
    numbers = native.float32 if dtype == torch.float32 else native.float64
    numbers.apply(47, [out.data_ptr(), x.data_ptr()], 0, 0, 1, len(x))
    assert_equal(out, torch.round(x))


def test_at_the_ends_expm1_and_log1p_are_what_they_tend_to(instruction_set):
    assert apply("expm1", torch.tensor([-torch.inf, -200.0, 89.0, torch.inf])).tolist() == [
        -1,
        -1,
        torch.inf,
        torch.inf,
    ]
    assert apply("log1p", torch.tensor([-1.0, torch.inf])).tolist() == [-torch.inf, torch.inf]
    assert apply("log1p", torch.tensor([-1.5])).isnan().all()
