"""The headline and the score table: the model beside its naive baseline, also when it loses."""

import math
from typing import Any

from elman.report import wording
from elman.report.measures import MEASURES, Measure, headline
from elman.report.record import Entry, Record, is_number
from elman.report.trend import remedy

NAMES = {"train": "training data", "valid": "validation data", "test": "test data"}
LEVEL = 0.005
"""Scores that differ by less than this part count as level: about the standard error of a loss on 10⁵ symbols."""


def view(record: Record) -> dict[str, Any] | None:
    """The headline, bars and table; the best validation so far where there is no score; None without either."""
    split = next((name for name in _splits(record) if record.part("scores", name)), None)
    score = record.part("scores", split) if split else _best_validation(record)
    key = headline(score)
    if key is None:
        return None
    measure = MEASURES.get(key, Measure(wording.title(key)))
    unit = str(score.get("unit") or "symbol")
    rivals = _by_merit(record.baselines(split or "valid"), key, measure)
    rival = rivals[0] if rivals else {}
    baseline = rival.get(key)
    chance = _chance(score, baseline, key) if measure.share else 0.0
    verdict = _verdict(score[key], baseline, measure, chance)
    perfect = measure.share and score[key] == (0 if measure.lower_is_better else 1)
    return {
        "value": score[key],
        "digits": measure.digits,
        "unit": measure.unit.format(unit=unit) or measure.name,
        "where": NAMES.get(split, split) if split else None,
        "step": score.get("step"),
        "meaning": measure.meaning(score[key]).format(unit=unit) if measure.meaning else "",
        "direction": "Lower is better." if measure.lower_is_better else "Higher is better.",
        "baseline": {"name": _capitalized(_name(rival)), "value": baseline},
        "verdict": verdict,
        "remedy": remedy(record) if split and not perfect and verdict in ("behind", "level") else "",
        "chance": chance,
        "scored": score.get("symbols"),
        "difference": abs(score[key] - baseline) if baseline is not None else None,
        "part": abs(score[key] - baseline) / abs(baseline) if baseline else None,
        "bars": _bars(record, measure, score[key], [(_name(entry), entry[key]) for entry in rivals]),
        "table": _table(record, unit),
    }


def _splits(record: Record) -> list[str]:
    """The scored parts, the one that nothing was chosen by first."""
    return sorted(record.part("scores"), key=lambda name: (name != "test", name != "valid"))


def _best_validation(record: Record) -> dict[str, Any]:
    done = [entry for entry in record.validations if is_number(entry["valid_loss"])]
    if not done:
        return {}
    best = min(done, key=lambda entry: float(entry["valid_loss"]))
    return {"loss": best["valid_loss"], "step": best["step"], "unit": record.get("options", "unit")}


def _chance(score: dict[str, Any], baseline: float | None, key: str) -> float:
    """The standard error of the difference of two shares of so many rows; rows are few where accuracies are close."""
    rows, shares = score.get("symbols"), [score[key], baseline]
    if not is_number(rows) or not rows or not all(is_number(share) for share in shares):
        return 0.0
    return math.sqrt(sum(max(0.0, float(share) * (1 - float(share))) for share in shares) / float(rows))


def _verdict(value: float, baseline: float | None, measure: Measure, chance: float) -> str:
    if baseline is None:
        return "alone"
    if abs(value - baseline) <= max(LEVEL * abs(baseline), chance):
        return "level"
    return "ahead" if (value < baseline) == measure.lower_is_better else "behind"


def _name(baseline: Entry) -> str:
    return str(baseline.get("name") or "baseline")


def _capitalized(name: str) -> str:
    """As a sentence begins."""
    return name[:1].upper() + name[1:]


def _by_merit(baselines: list[Entry], key: str, measure: Measure) -> list[Entry]:
    """The baselines that have this score, the best first."""
    scored = [entry for entry in baselines if is_number(entry.get(key))]
    return sorted(scored, key=lambda entry: float(entry[key]), reverse=not measure.lower_is_better)


def _bars(record: Record, measure: Measure, value: float, rivals: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Bars from zero for the model, the baselines and a guess, as percentages of the longest."""
    bars = [("this model", value, "model"), *((name, number, "other") for name, number in rivals)]
    vocabulary = record.number("model", "vocabulary")
    if measure.by_chance and vocabulary and vocabulary > 1:
        bars.append((f"even guess among {vocabulary:.0f}", measure.by_chance(int(vocabulary)), "chance"))
    shown = [(name, number, style) for name, number, style in bars if number >= 0]
    longest = max((number for _, number, _ in shown), default=0)
    if len(shown) < 2 or not longest:
        return []
    return [{"name": n, "value": v, "style": s, "width": round(100 * v / longest, 1)} for n, v, s in shown]


def _table(record: Record, unit: str) -> dict[str, Any] | None:
    """For each scored part a row for the model and one for each baseline; one column for each measure."""
    splits = _splits(record)
    every = [
        (split, who or _name(entry), entry)
        for split in splits
        for who, entry in [
            ("this model", record.part("scores", split)),
            *(("", entry) for entry in record.baselines(split)),
        ]
    ]
    rows = [(split, name, entry) for split, name, entry in every if entry and not entry.get("note")]
    if not rows:
        return None
    first = {str(record.get("scores", split, "headline")) for split in splits}
    keys = [key for key in MEASURES if any(is_number(entry.get(key)) for *_, entry in rows)]
    keys.sort(key=lambda key: key not in first)
    known = {*MEASURES, "symbols", "unknown", "series", "unit", "name", "split"}
    keys += dict.fromkeys(key for *_, entry in rows for key, v in entry.items() if is_number(v) and key not in known)
    measures = [(key, MEASURES.get(key, Measure(wording.title(key)))) for key in keys]
    return {
        "columns": [(m.name, _besides(m.name, m.unit.format(unit=unit))) for _, m in measures],
        "parts": [
            (
                _capitalized(NAMES.get(part, part)),
                [(n, [wording.number(e.get(key), m.digits) for key, m in measures]) for s, n, e in rows if s == part],
            )
            for part in splits
        ],
        "notes": [
            *(_symbols(split, record.part("scores", split), unit) for split in splits),
            *dict.fromkeys(str(record.get("scores", split, "signature") or "") for split in splits),
            *dict.fromkeys(str(entry["note"]) for s in splits for entry in record.baselines(s) if entry.get("note")),
        ],
    }


def _besides(name: str, unit: str) -> str:
    """What a unit says that the name above it does not."""
    return unit[len(name) :].lstrip(", ") if unit.lower().startswith(name.lower()) else unit


def _symbols(split: str, entry: dict[str, Any], unit: str) -> str:
    """How much was scored, and how much of it the vocabulary lacks."""
    symbols, unknown = entry.get("symbols"), entry.get("unknown")
    if not symbols or not is_number(symbols):
        return ""
    series = f" of {wording.number(entry['series'])} series" if is_number(entry.get("series")) else ""
    scored = (
        f"Scored on {wording.number(symbols)} {unit}{'s' * (symbols != 1)}{series} of the {NAMES.get(split, split)}"
    )
    if not unknown or not is_number(unknown):
        return scored + "."
    return f"{scored}; {wording.number(unknown)} of them ({wording.percent(unknown / symbols)}) not in the vocabulary."
