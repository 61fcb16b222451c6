"""Whether two contenders computed the same: a time of a wrong answer is worth nothing.

It does not know who they are.
"""

from torch import Tensor

from elman.errors import ElmanError

TOLERANCE = 1e-4
"""How far a tensor may be off, relative to its largest value. Two correct float32 ways differ by about 1e-6 to 1e-5."""


def deviation(
    found: dict[str, Tensor], expected: dict[str, Tensor], *, who: str, than: str, case: str, allowed: float = TOLERANCE
) -> float:
    """The largest deviation over the tensors that `found` has, each relative to the largest value expected of it.

    Raises:
        ElmanError: if it exceeds the tolerance, naming the tensor.

    """
    worst = 0.0
    for name, tensor in found.items():
        off = _off(tensor, expected[name])
        if not off <= allowed:
            raise ElmanError(
                f"{case}: {name} of {who} differs from that of {than} by {off:.1e} of its largest value, allowed are "
                f"{allowed:.0e}, so that no time is reported; `elman doctor` shows what to report with this line"
            )
        worst = max(worst, off)
    return worst


def _off(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    largest = expected.abs().max().clamp(min=1e-30)
    return float((found - expected).abs().max() / largest)
