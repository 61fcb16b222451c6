"""What keeps a network from learning: one file for each problem, in the order of importance.

A problem that explains another comes first, and the explained one is then left out.
"""

from elman.diagnosis.findings import cutoff, dead, exploding, nonfinite, rate, saturated, vanishing, window
from elman.diagnosis.result import Diagnosis, Finding

CHECKS = (
    exploding.overflow,
    nonfinite.check,
    dead.check,
    saturated.check,
    cutoff.check,
    exploding.check,
    vanishing.check,
    rate.check,
    window.check,
)
"""Each says what it has found, or None. A number that is not finite leaves the later ones nothing to judge."""

UNTAUGHT = (exploding.overflow, nonfinite.check, rate.check)
"""Those that count where the gradient through the layers teaches no weight."""

EXPLAINED = {
    "vanishing": {"dead", "saturated"},
    "exploding": {"saturated"},
    "rate-too-high": {"exploding", "saturated"},
    "window-too-short": {"exploding"},
}
"""For a problem those that explain it."""


def findings(diagnosis: Diagnosis) -> list[Finding]:
    """The findings, the most important first; none where all is well."""
    found: list[Finding] = []
    for check in CHECKS if diagnosis.taught else UNTAUGHT:
        finding = check(diagnosis)
        problems = {each.problem for each in found}
        if finding is not None and not problems & {finding.problem, *EXPLAINED.get(finding.problem, ())}:
            found.append(finding)
        if diagnosis.non_finite is not None and found:
            break
    return found
