"""How far a network's probabilities can be believed, and what is won by taking only the answers that it is sure of."""

from typing import Any

from elman.report.charts import Axes, Chart, Line, draw
from elman.report.record import Record, is_number
from elman.report.wording import number, percent

TRUE = 0.02
"""By how much the mean probability may miss the share that is right for it to be taken at its word."""
FEWER = 0.5
"""A threshold is recommended from which on the share of wrong answers is at most so much of what it is overall."""
FEW = 20
"""So few answers say nothing of a probability; their bin is not drawn."""


def view(record: Record) -> dict[str, Any] | None:
    """For every answered column the sentences, the table of thresholds, and the picture."""
    entries = [entry for entry in record.each("trust") if _is_whole(entry)]
    columns = [_column(entry, record.number("temperatures", str(entry.get("column")))) for entry in entries]
    return {"columns": columns} if columns else None


def _column(entry: dict[str, Any], temperature: float | None) -> dict[str, Any]:
    above = [each for each in entry["above"] if each["answers"]]
    return {
        "name": entry.get("column"),
        "word": _word(entry) + _calibrated(temperature),
        "advice": _advice(entry, above),
        "chart": _chart(entry),
        "above": [
            {
                "sure": each["sure"],
                "share": each["answers"] / entry["answers"],
                "right": each["right"] / each["answers"],
            }
            for each in above
        ],
    }


def _word(entry: dict[str, Any]) -> str:
    """What the network says of itself, beside what is true."""
    said, right = entry["said"], entry["right"] / entry["answers"]
    told = f"Its answers have a probability of {percent(said)} on average, and {percent(right)} of them are right: "
    if abs(said - right) <= TRUE:
        return told + "its probabilities can be taken at their word."
    return told + ("it is surer than it should be." if said > right else "it is right more often than it says.")


def _calibrated(temperature: float | None) -> str:
    """What was done so that they can be believed; nothing in runs where nothing was."""
    if temperature is None:
        return ""
    return f" (After training its scores were divided by {number(temperature, 2)}, as the validation rows asked for.)"


def _advice(entry: dict[str, Any], above: list[dict[str, Any]]) -> str:
    """The lowest threshold that leaves half as many wrong answers; nothing where none does."""
    wrong = _wrong(entry)
    for each in above:
        left = _wrong(each)
        if wrong and left <= FEWER * wrong:
            share = percent(each["answers"] / entry["answers"])
            these = f"Of those that it is at least {percent(each['sure'])} sure of, {share} of all, {percent(left)}"
            return f"{these} are wrong in place of {percent(wrong)}: let people look at the others."
    return ""


def _wrong(counts: dict[str, Any]) -> float:
    return float((counts["answers"] - counts["right"]) / counts["answers"])


def _chart(entry: dict[str, Any]) -> Chart | None:
    """How often answers are right, by how sure the network is of them."""
    bins = [each for each in entry["bins"] if each["answers"] >= FEW]
    said, right = ([each[name] for each in bins] for name in ("said", "right"))
    off = f"{number(entry['error'], 3)} off on average" if is_number(entry.get("error")) else ""
    lines = [
        Line("as often as it says", [0, 1], [0, 1], "level"),
        Line("this model", said, right, "train", off, dots=True),
    ]
    title, axes = "How often it is right", Axes("probability of the answer", "share of the answers", low=0.0, high=1.0)
    return draw(title, axes, lines) if len(bins) > 1 else None


def _is_whole(entry: Any) -> bool:
    """Whether an entry has answers, and numbers where they are needed."""
    if not isinstance(entry, dict) or not all(is_number(entry.get(name)) for name in ("answers", "right", "said")):
        return False
    return entry["answers"] > 0 and all(
        isinstance(entry.get(part), list)
        and all(isinstance(each, dict) and all(is_number(each.get(name)) for name in names) for each in entry[part])
        for part, names in (("bins", ("answers", "said", "right")), ("above", ("sure", "answers", "right")))
    )
