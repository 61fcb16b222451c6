"""The page of the table, in Markdown, from the rows that were kept: which cell learns what over how many steps.

It does not know how rows are measured.
"""

from textwrap import dedent, fill

from elman.experiments.lags.network import FEATURES, PARAMETERS, RATES, USUAL_RATE
from elman.experiments.lags.problem import PROBLEMS, Problem
from elman.experiments.lags.table import BUDGETS, Row
from elman.experiments.lags.training import BATCH, CLIP, EVERY, HELD_OUT
from elman.experiments.problems import CHANCE, SYMBOLS
from elman.experiments.suite import markdown

COMMAND = "python benchmarks/lags.py"


def page(rows: list[Row]) -> str:
    """All of it."""
    if not rows:
        return "\n\n".join([HEAD, _method(), f"Not measured yet: `{COMMAND}`."]) + "\n"
    kinds = dict.fromkeys((row["length"], row["problem"]) for row in rows)
    sections = [_section([row for row in rows if (row["length"], row["problem"]) == kind]) for kind in kinds]
    return "\n\n".join([HEAD, markdown(summary(rows)), _method(), *sections, _made(rows)]) + "\n"


HEAD = f"""\
# Long time lags: which cell learns over how many steps, and in which time

Made by `{COMMAND}` from `benchmarks/results/lags.json`; do not edit it.
`{COMMAND} --cell lstm --length 200 --again` measures a part of it anew."""


def _method() -> str:
    counts = ", ".join(f"{budget.updates} updates for T = {length}" for length, budget in BUDGETS.items())
    seconds = " and ".join(f"{budget.seconds:g}" for budget in BUDGETS.values())
    rates = ", ".join(f"{rate:g} for {cell}" for cell, rate in RATES.items())
    adding, recall = PROBLEMS["adding"], PROBLEMS["recall"]
    paragraphs = (
        f"""
        **Problems.** *Adding* (Hochreiter and Schmidhuber 1997, with numbers from 0 to 1 as is usual today): T pairs of
        a number and a mark; two are marked, one in each half; the last output is to be their sum. Guessing has a mean
        squared error of {CHANCE:.4f}, the variance of the sum (some papers give 0.1767); solved at {adding.goal:g}.
        *Delayed recall*: one of {SYMBOLS} symbols, then T steps of {SYMBOLS} others at random; the last output is to be
        the first symbol. Guessing is right in {recall.chance:.0%}; solved at {recall.goal:.0%}.
        """,
        f"""
        **Networks.** A linear map of the inputs to {FEATURES} features with ReLU, one recurrent layer, a linear
        read-out of its last output; as many units as make about {PARAMETERS:,} parameters in all. They begin as is
        usual for the cell, where `init=` offers that: chrono over T steps where a gate keeps or replaces the past,
        the identity for ReLU, orthogonal for tanh; "own" is what the cell sets itself, "torch" uniform in ±1/√H.
        IndRNN's weights are not clipped as in its paper.
        """,
        f"""
        **Training.** Adam at the rate {USUAL_RATE:g} ({rates}), {BATCH} fresh rows in each update, whole sequences
        without truncation, gradients clipped to the norm {CLIP:g}; the same rows for every cell. At most {counts}; or
        {seconds} s, for slow machines. Every {EVERY} updates the score is taken on {HELD_OUT} other rows, and
        training ends where that is good enough. What is not solved in so few updates may well be in more, or at another
        rate: rates come of short trials, not of a search.
        """,
    )
    return "\n\n".join(fill(dedent(text).strip(), 120, break_on_hyphens=False) for text in paragraphs)


def summary(rows: list[Row]) -> list[dict[str, str]]:
    """One line for each cell, one column for each problem and length; of several seeds each."""
    kinds = sorted({(row["problem"], row["length"]) for row in rows})
    return [
        {"cell": cell}
        | {
            f"{problem}, T = {length}": "; ".join(
                _result(row) for row in rows if (row["cell"], row["problem"], row["length"]) == (cell, problem, length)
            )
            or "-"
            for problem, length in kinds
        }
        for cell in dict.fromkeys(row["cell"] for row in rows)
    ]


def _result(row: Row) -> str:
    if row["end"] == "solved":
        return f"**{row['updates']:,} updates**, {row['seconds']:.0f} s"
    return f"no: {_score(row)}"


def _section(rows: list[Row]) -> str:
    """The table of one problem and length: the fastest first, then who did not solve it, the best first."""
    problem = PROBLEMS[rows[0]["problem"]]
    title = f"## {problem.title[0].upper()}{problem.title[1:]}, T = {rows[0]['length']}"
    several = len({row["seed"] for row in rows}) > 1
    return f"{title}\n\n{markdown([_line(row, problem, several=several) for row in sorted(rows, key=_rank)])}"


def _rank(row: Row) -> tuple[bool, float]:
    if row["end"] == "solved":
        return False, row["seconds"]
    if row["score"] is None:
        return True, float("inf")
    return True, -row["score"] if PROBLEMS[row["problem"]].rising else row["score"]


def _line(row: Row, problem: Problem, *, several: bool) -> dict[str, str]:
    seed = {"seed": str(row["seed"])} if several else {}
    return {
        "cell": row["cell"],
        **seed,
        "start": row["start"],
        "rate": f"{row['rate']:g}",
        "units": str(row["hidden"]),
        "parameters": f"{row['parameters']:,}",
        "ms per update": f"{row['ms_per_update']:.1f}",
        "updates": updates(row),
        problem.measure: _score(row),
        "seconds": f"{row['seconds']:.1f}",
    }


def updates(row: Row) -> str:
    """How many it took, or in how many it was not solved, and why there were no more."""
    if row["end"] == "solved":
        return f"{row['updates']:,}"
    why = {"updates": "", "seconds": ", time is up", "not finite": ", overflow"}[row["end"]]
    return f"not in {row['updates']:,}{why}"


def _score(row: Row) -> str:
    if row["score"] is None:
        return "overflow"
    return f"{row['score']:.0%}" if PROBLEMS[row["problem"]].rising else f"{row['score']:.3f}"


def said(row: Row) -> str:
    """One finished row in a line of progress."""
    line = _line(row, PROBLEMS[row["problem"]], several=True)
    return f"{row['problem']} T={row['length']}: " + ", ".join(f"{name} {text}" for name, text in line.items())


def _made(rows: list[Row]) -> str:
    places = "; ".join(dict.fromkeys(f"elman {row['elman']} on {row['where']}" for row in rows))
    dates = sorted({row["date"] for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    total = sum(row["seconds"] for row in rows)
    missing = [str(length) for length in BUDGETS if all(row["length"] != length for row in rows)]
    lacks = f" Not measured yet: T = {', '.join(missing)}." if missing else ""
    return f"{len(rows)} rows in {total / 60:.0f} minutes, {when}: {places}.{lacks}"
