"""Where training stood when it ended, by its validations, and what that asks for."""

from typing import Literal

import numpy as np

from elman.report.record import Record, is_number

RISEN, FALLEN = 0.01, 0.005
"""By which share of its lowest value the loss must have risen since, or fallen over the last fifth."""

FEWEST = 3
"""Validations that show a trend: the first, the last and one between."""

Trend = Literal["falling", "settled", "rising"]


def trend(record: Record) -> Trend | None:
    """Whether the validation loss was still falling, has settled or rises again; None where too few were done."""
    losses = [float(each["valid_loss"]) for each in record.validations if is_number(each.get("valid_loss"))]
    if len(losses) < FEWEST:
        return None
    best = int(np.argmin(losses))
    if losses[-1] > (1 + RISEN) * losses[best]:
        return "rising"
    before = losses[int(0.8 * (len(losses) - 1))]
    return "falling" if best == len(losses) - 1 and losses[best] < (1 - FALLEN) * before else "settled"


def remedy(record: Record) -> str:
    """What to try where a network is not better than a naive baseline; nothing where the validations do not say."""
    options = record.part("options")
    found = trend(record)
    if found == "falling":
        return f"The validation loss was still falling at the end: train longer{_twice(record)}."
    if found == "rising":
        less = " or ".join(["a higher --dropout"] * ("dropout" in options) + ["a smaller --hidden"])
        return f"The validation loss has risen again, as the data is learnt by heart: more data, {less} may help."
    if found == "settled":
        return (
            "The validation loss has settled: another --rate, a larger --hidden or more data may help, and "
            "`elman diagnose` says whether gradients arrive."
        )
    return ""


def _twice(record: Record) -> str:
    """Twice the budget, as an option."""
    for name in ("minutes", "steps", "epochs"):
        if value := record.number("options", name):
            more = 2 * value
            return f" (--{name} {int(more) if more == int(more) else round(more, 3)})"
    return ""
