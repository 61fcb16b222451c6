"""From one-to-one to synced many-to-many in one and both directions: a small model each, beside a naive baseline."""

from collections.abc import Callable, Sequence

from elman.experiments import wirings
from elman.experiments.base import Experiment, Outcome, Verdict, interval
from elman.experiments.wirings import BOTH, CAPITALS, NEXT, ONE, ONE_TO_ONE, SYNCED, WIRINGS

Scores = dict[tuple[str, str], list[float]]
"""By topology and problem, for each seed."""


class Topologies(Experiment):
    """One small model each, beside a naive baseline."""

    name = "topologies"
    claim = (
        "A recurrent network can be wired in five ways, each for problems of its own: one-to-one, one-to-many, "
        "many-to-one, many-to-many, and synced many-to-many."
    )
    expected = (
        "Each learns its problem better than a naive guess; synced in both directions is another thing than synced in "
        "one."
    )
    method = (
        "GRUs of 64 to 128 units on problems cut from Tiny Shakespeare, 500 to 1200 updates of Adam at 0.005, scored "
        "on the last tenth of the text, or on a tenth of the words or sentences, none of which was learnt from. "
        '"Letters right" is 100 less the letter error rate, F1 that of the capitals. Of two networks on one problem '
        "the one that reads in both directions has about as many parameters."
    )

    def run(self, seeds: Sequence[int], tell: Callable[[str], None]) -> Outcome:
        rows, models, naives = [], Scores(), Scores()
        for wiring in WIRINGS:
            tell(f"{wiring.topology}: {wiring.problem}")
            found = [wiring.score(seed) for seed in seeds]
            key = wiring.topology, wiring.problem
            models[key], naives[key] = ([each[i] for each in found] for i in range(2))
            rows.append(
                {
                    "topology": wiring.topology,
                    "problem": wiring.problem,
                    "measure": wiring.measure,
                    "model": interval(models[key]) + " %",
                    "naive": f"{interval(naives[key])} % ({wiring.naive})",
                }
            )
        return Outcome(rows, _measured(models, naives), *_judged(models, naives), list(seeds))


def _better(models: Scores, naives: Scores) -> int:
    """How many wirings beat their baseline with every seed."""
    return sum(all(one > other for one, other in zip(models[key], naives[key], strict=True)) for key in models)


def _measured(models: Scores, naives: Scores) -> str:
    said = {key: f"{interval(scores)} %" for key, scores in models.items()}
    return (
        f"{_better(models, naives)} of {len(models)} beat their baseline with every seed. Capitals are found at an F1 "
        f"of {said[SYNCED, CAPITALS]} from the letters up to each, of {said[BOTH, CAPITALS]} in both directions. The "
        f"next letter is said right in {said[ONE_TO_ONE, ONE]} by one-to-one, {said[SYNCED, NEXT]} by one direction, "
        f"and {said[BOTH, NEXT]} by both, which have read it. The gradient of one-to-one's recurrent matrix is "
        f"{wirings.recurrent_gradient(1):g}."
    )


def _judged(models: Scores, naives: Scores) -> tuple[Verdict, str]:
    """Verdict and reason."""
    if _better(models, naives) < len(models):
        return "does not hold", "A wiring did no better than a naive guess."
    differ = min(models[BOTH, CAPITALS]) > max(models[SYNCED, CAPITALS]) and min(models[BOTH, NEXT]) > 95
    if not differ:
        return "holds", "Each learns its problem, and the two synced forms do not differ."
    return "holds in part", (
        "Each learns its problem. But one-to-one is not recurrent: of a single step nothing recurs, and the recurrent "
        'matrix gets no gradient. And "synced" is two wirings that texts mix up: in both directions it knows the '
        "future, which helps where the whole row is there before it is answered; where the future is what is asked "
        "for, it reads the answer off, and it cannot follow a stream."
    )
