"""Numbers as findings say them."""

import math


def factor(value: float) -> str:
    """0.9041 as 0.904, 1.2e-9 as 1.2e-09."""
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def part(value: float) -> str:
    """A share in percent, or as a power of ten where it is too small for that."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.0%}" if value >= 0.1 or value == 0 else f"{value:.1%}" if value >= 0.001 else f"{value:.0e}"


def steps(count: float) -> str:
    """A number of steps: 1 step, 3.4 steps, 200 steps."""
    text = f"{count:.0f}" if count >= 10 or count == round(count) else f"{count:.1f}"
    return f"{text} step{'' if text == '1' else 's'}"


def round_down(value: float) -> float:
    """To one digit: a value that a person would choose."""
    if not value > 0 or not math.isfinite(value):
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.floor(value / size + 1e-9) * size:.1g}")
