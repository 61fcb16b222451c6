"""What runs leave behind, as the report finds it, and the page that is made of it."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

from elman.report import write

PIXEL = "data:image/png;base64,iVBORw0KGgo="
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&{{ 7*7 }}"


def diagnosis():
    """What `Diagnosis.to_dict` leaves of a layer that forgets."""
    gate = {
        "name": "f",
        "called": "forget gate",
        "function": "sigmoid",
        "low": 0.0,
        "high": 0.25,
        "edges": [0.0, 1.0],
        "histogram": [0.5, 0.5],
    }
    layer = {
        "name": "recurrence",
        "cell": "lstm",
        "hidden": 512,
        "steps": 4,
        "gradient_norm": [1e-6, 1e-4, 1e-2, None],
        "gradient_norm_by_lag": [1.0, 0.1, 0.01, 0.001],
        "decay_per_step": 0.1,
        "decay_uncertainty": None,
        "half_life": 0.3,
        "horizon": "infinite",
        "input_by_lag": [1.0, 0.1, 0.02, 0.015],
        "lyapunov_exponent": -2.3,
        "spectrum": {"steps": [0, 3], "values": [[0.9, 0.1], [0.8, 0.1]], "mean_square": [0.3, 0.3]},
        "gates": [gate, gate | {"name": "h", "function": "relu", "dead": 0.5}],
    }
    finding = {
        "problem": "vanishing",
        "evidence": "It fades fast.",
        "meaning": "Lost.",
        "remedy": "Hold.",
        "layer": "r",
    }
    trial = {"rate": 0.1, "before": 1.5, "after": None}
    return {
        "layers": [layer],
        "findings": [finding],
        "clipping": {"0.5": 0.2, "0.1": 0.4},
        "truncation": {"16": 0.91},
        "trial": trial,
    }


def run(loss=1.49, baseline=1.56):
    """What a finished run of language modelling leaves in run.json."""
    return {
        "schema": 1,
        "elman": "0.1.0",
        "task": "language-modeling",
        "status": "finished",
        "message": "",
        "created": "2026-05-11T14:03:22+02:00",
        "options": {"cell": "LSTM", "hidden": 512, "clip": 1.0, "steps": None, "tie_weights": False, "rate": 0.004},
        "data": {"train": {"path": "data/train.txt", "symbols": 1003854, "characters": 1003854, "sha256": "86c4e6aa"}},
        "model": {"summary": "LSTM, 1 layer of 512 hidden units", "parameters": 1217602, "vocabulary": 66},
        "machine": {"cpu": "EPYC 9R14", "cores": 2, "memory_gib": 23.4, "torch": "2.13.0"},
        "training": {"steps": 1618, "seconds": 130.0, "symbols_seen": 3313664, "epochs": 3.3},
        "scores": {"valid": {"loss": loss, "perplexity": 4.44, "symbols": 111539, "unknown": 3, "unit": "character"}},
        "baseline": {"name": "5-gram (interpolated Kneser-Ney)", "loss": baseline, "perplexity": 4.76},
        "confusion": {
            "labels": ["no", "yes"],
            "counts": [[8, 2], [1, 9]],
            "pairs": [{"truth": "no", "answer": "yes", "rows": 2, "of": 10}],
        },
        "trust": [
            {
                "column": "answer",
                "answers": 20,
                "right": 17,
                "said": 0.9,
                "error": 0.05,
                "bins": [{"answers": 20, "said": 0.9, "right": 0.85}],
                "above": [{"sure": 0.5, "answers": 20, "right": 17}],
            }
        ],
        "forecasts": {
            "levels": [0.1, 0.5, 0.9],
            "targets": [{"target": "load", "mse": 0.25, "mae": 0.4, "mase": 0.9, "mae_original": 12.5}],
            "windows": [
                [{"past": [1, 2, 3], "future": [4, 5], "quantiles": [[3, 4], [4, 4.5], [5, 6]], "series": "x"}]
            ],
            "series": {
                "season": 24,
                "count": 3,
                "measured": 2,
                "better": 1,
                "rows": [
                    {"series": "north", "mase": 0.8, "naive": 1.1, "mae_original": 3.0, "inside": 0.8},
                    {"series": "south", "mase": "lost"},
                ],
            },
        },
        "spans": {
            "kinds": {"city": {"truth": 3, "answered": 2, "right": 1}},
            "rows": [{"tokens": ["to", "new", "york"], "truth": [[1, 3, "city"]], "answer": [[2, 3, "city"]]}],
        },
        "writings": [{"row": 3, "input": "a dog", "truth": "un chien", "answer": "un chat", "image": PIXEL}],
        "attention": [
            {"row": 3, "read": [" a", " dog"], "written": [" un", ""], "weights": [[0.9, 0.1], [0.01, 0.99]]},
            {"row": 4, "read": [" a"], "written": [""], "weights": "lost"},
            {"row": 5, "image": PIXEL, "grid": [1, 2], "written": [" un", ""], "weights": [[0.9, 0.1], [0.01, 0.99]]},
            {"row": 6, "image": PIXEL, "grid": [2, 2], "written": [""], "weights": [[0.9, 0.1]]},
            {"row": 7, "frames": [PIXEL, PIXEL], "written": [" un", ""], "weights": [[0.9, 0.1], [0.01, 0.99]]},
            {"row": 8, "frames": [PIXEL], "written": [""], "weights": [[0.9, 0.1]]},
        ],
        "bands": [
            {"row": 5, "channels": [[0.1, 0.2, 0.3]], "truth": ["up", "up", "down"], "answer": ["up", "down", "down"]},
            {"row": 6, "channels": [[0.1, 0.2]], "truth": ["up"], "answer": ["up"]},
            {"row": 7, "channels": "lost", "truth": [], "answer": []},
        ],
        "roll": [
            {
                "row": 5,
                "events": [
                    {"event": "60", "expected": "099", "came": "011"},
                    {"event": "<b>", "expected": "001", "came": "100"},
                ],
            },
            {"row": 6, "events": [{"event": "60", "expected": "09", "came": "0"}]},
            {"row": 7, "events": []},
        ],
        "films": [
            {"row": 5, "images": [PIXEL, PIXEL], "truth": ["left", "left"], "answer": ["left", "up"]},
            {"row": 6, "images": [PIXEL], "truth": ["left", "left"], "answer": ["left", "up"]},
        ],
        "watched": [
            {"row": 5, "images": [PIXEL, PIXEL], "truth": "up", "answer": "up", "probabilities": [0.25, 0.9]},
            {"row": 6, "images": [PIXEL], "truth": "up", "answer": "left", "probabilities": [0.1]},
            {"row": 7, "images": [PIXEL], "truth": "up", "answer": "left", "probabilities": [0.1, 0.2]},
            {"row": 8, "images": [PIXEL], "truth": "up", "answer": "left", "probabilities": ["sure"]},
        ],
        "heard": [
            {
                "row": 3,
                "input": "a.wav",
                "text": "no",
                "symbols": ["n", "o"],
                "at": [0.01, 0.03],
                "lasts": 0.05,
                "times": [0.01, 0.03],
                "curves": [[0.9, 0.1], [0.1, 0.8]],
                "blank": [0.0, 0.1],
                "sound": ["0912", "3400"],
            },
            {"row": 4, "symbols": ["n"], "at": [0.1], "lasts": 0, "times": [0.1], "curves": [[1]], "blank": [0]},
        ],
        "calls": [
            {
                "row": 5,
                "turns": ["agent: hello", "my card?"],
                "tags": {"tags": {"truth": ["greet", "card"], "answer": ["greet", "pin"]}},
                "labels": {"topic": {"truth": "card", "answer": "pin", "probability": 0.9, "without": [0.9, 0.2]}},
            },
            {"row": 6, "turns": ["hi"], "tags": {"tags": {"truth": []}}, "labels": {"topic": {"truth": "card"}}},
            {"row": 7, "turns": "lost"},
        ],
        "mistakes": [{"row": 7, "input": "well well", "truth": "no", "answer": "yes", "probability": 0.98}],
        "samples": [{"temperature": 0.8, "prompt": "ROMEO:", "text": "ROMEO:\nWhat say you?"}],
        "diagnosis": diagnosis(),
    }


def metrics(steps=200):
    for step in range(1, steps + 1):
        yield {"step": step, "seconds": step / 10, "loss": 1 + 3 / step, "rate": 0.004, "gradient_norm": 20 / step}
        if step % 50 == 0:
            yield {"step": step, "seconds": step / 10, "valid_loss": 1.4 + 4 / step}


def leave(folder: Path, content, lines=()):
    (folder / "run.json").write_text(content if isinstance(content, str) else json.dumps(content))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def text_of(folder: Path) -> str:
    """The words of the report, without marks, with one space between them."""
    page = write(folder).read_text(encoding="utf-8")
    body = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


class Marks(HTMLParser):
    """All marks of a page, and whether each that opens is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
