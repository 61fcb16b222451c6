"""Rate too high: one update overshoots on the very batch that it was made from."""

from elman.diagnosis.findings.words import factor
from elman.diagnosis.result import Diagnosis, Finding


def check(diagnosis: Diagnosis) -> Finding | None:
    """By the trial, where the rate is known."""
    trial = diagnosis.trial
    if trial is None or not trial.overshoots:
        return None
    better = trial.better_rate
    rate = float(f"{(better or trial.rate / 4096) / 4:.1g}")
    way, well = ("fall", "does not rise") if trial.promised > 0 else ("rise", "keeps to that")
    known = f"; at {better:.2g} it {well}" if better else f"; even at {trial.rate / 4096:.2g} it rises"
    return Finding(
        problem="rate-too-high",
        evidence=(
            f"One update at the rate {trial.rate:.3g} takes the loss of this very batch from {factor(trial.before)} to "
            f"{factor(trial.after)}, where its slope promised a {way} of {factor(abs(trial.promised))}{known}."
        ),
        meaning="Every update jumps over the valley that it should go down into.",
        remedy=f"lower the rate to {rate:.1g}; a warm-up of some hundred updates keeps it safe at the start.",
        change={"rate": rate},
    )
