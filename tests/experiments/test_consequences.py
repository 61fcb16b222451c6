"""Consequences: runs that leave the finite numbers go on, and the remedies make them finite."""

import math
from dataclasses import replace

from elman.experiments import consequences
from elman.experiments.consequences import BOUNDED, CLIP, NEITHER, SETTINGS, STRONG, UNBOUNDED, Trained

GOOD = Trained(0.9, 50, 0.001, 1.0, finite=True)


def test_an_explosion_ends_in_no_number_and_clipping_keeps_it_finite(monkeypatch):
    monkeypatch.setattr(consequences, "UPDATES", 60)
    lost = consequences._trained(SETTINGS[UNBOUNDED, ""], 0)
    assert not lost.finite
    assert math.isnan(lost.loss)
    assert lost.updates is None
    assert lost.factor > 1
    clipped = consequences._trained(SETTINGS[UNBOUNDED, CLIP], 0)
    assert clipped.finite
    assert math.isfinite(clipped.loss)


def test_a_network_without_a_problem_gets_there_and_one_that_vanishes_does_not(monkeypatch):
    monkeypatch.setattr(consequences, "UPDATES", 100)
    good, bad = (consequences._trained(SETTINGS[problem, ""], 0) for problem in (NEITHER, STRONG))
    assert good.updates is not None
    assert good.accuracy > 0.95
    assert bad.updates is None
    assert bad.accuracy < 0.5
    assert bad.factor < 0.5 < good.factor


def test_the_verdict_follows_from_what_was_found():
    found = {key: [GOOD, GOOD] for key in SETTINGS}
    assert consequences._judged(found)[0] == "does not hold"
    slow = replace(GOOD, updates=200)
    bad, lost = replace(GOOD, updates=None, accuracy=0.25), replace(GOOD, updates=None, finite=False, loss=math.nan)
    found |= {key: [slow, slow] for key in SETTINGS if key[0] != NEITHER and not key[1]}
    found |= {(STRONG, ""): [bad, bad], (UNBOUNDED, ""): [lost, lost]}
    verdict, reason = consequences._judged(found)
    assert verdict == "holds in part"
    assert "nothing crashes" in reason
    assert "did not mend" not in reason
    assert "1 of 2 runs" in consequences._judged(found | {(BOUNDED, CLIP): [GOOD, bad]})[1]
    assert "25% at radius 0.4" in consequences._measured(found)
    row = consequences._row([lost, lost])
    assert (row["loss at the end"], row["updates"], row["not finite"]) == ("not a number", "–", "2 of 2")
