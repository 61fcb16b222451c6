"""The report: one file on its own, from whatever a run left behind, that says the truth and trusts no text."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from elman.errors import RunError
from elman.report import write
from elman.report.sections import SECTIONS

PIXEL = "data:image/png;base64,iVBORw0KGgo="
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&{{ 7*7 }}"


def diagnosis():
    """What `Diagnosis.to_dict` leaves of a layer that forgets."""
    gate = {"name": "f", "function": "sigmoid", "low": 0.0, "high": 0.25, "edges": [0.0, 1.0], "histogram": [0.5, 0.5]}
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
        "backend": {"name": "torch", "reason": "the vendor's kernel is the fastest here"},
        "training": {"steps": 1618, "seconds": 130.0, "symbols_seen": 3313664, "epochs": 3.3},
        "scores": {"valid": {"loss": loss, "perplexity": 4.44, "symbols": 111539, "unknown": 3, "unit": "character"}},
        "baseline": {"name": "5-gram (interpolated Kneser-Ney)", "loss": baseline, "perplexity": 4.76},
        "confusion": {
            "labels": ["no", "yes"],
            "counts": [[8, 2], [1, 9]],
            "pairs": [{"truth": "no", "answer": "yes", "rows": 2, "of": 10}],
        },
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


def test_the_page_is_one_file_that_loads_nothing_and_runs_nothing(tmp_path):
    path = write(leave(tmp_path, run(), metrics()))
    page = path.read_text(encoding="utf-8")
    marks = Marks(page)
    assert path == tmp_path / "report.html"
    assert not marks.open
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert not {"script", "iframe", "object", "embed"} & {tag for tag, _ in marks.seen}
    assert [values.get("href") for _, values in marks.seen if "href" in values] == ["data:,"]
    assert {values["src"] for _, values in marks.seen if "src" in values} == {PIXEL}
    assert not any(name.startswith("on") for _, values in marks.seen for name in values)


def test_an_image_is_only_what_was_written_out_in_letters(tmp_path):
    named = run() | {"writings": [{"row": 1, "input": "a.png", "truth": "", "answer": "", "image": "http://a/b.png"}]}
    assert "http:" not in write(leave(tmp_path, named)).read_text(encoding="utf-8")


def test_a_decoder_that_looked_at_places_is_shown_over_the_image(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    (gazes,) = re.findall(r'<div class="gazes">.*?</div>\n{2}|<div class="gazes">.*?(?=</section>)', page, re.DOTALL)
    places = re.findall(r"top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%;opacity:([\d.]+)", gazes)
    assert places == [
        ("0.0", "100.0", "50.0", "0.7"),
        ("50.0", "100.0", "50.0", "0.077"),
        ("50.0", "100.0", "50.0", "0.7"),
    ]


def test_a_wrong_answer_stands_below_its_frame(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    assert page.count('<div class="film">') == 3
    assert page.count('<div class="tags">') == 1
    assert page.count('class="wrong" style="left:25.0%;width:50.0%" title="down"') == 1
    assert re.findall(r"<figcaption>left(.*?)</figcaption>", page) == ["", "<b>up</b>"]


def test_how_sure_a_network_is_of_a_video_stands_below_each_frame(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    (section,) = re.findall(r'<section id="watched".*?</section>', page, re.DOTALL)
    assert re.findall(r'style="width:([\d.]+)%"></i></div><figcaption>(\d+)', section) == [
        ("25.0", "25"),
        ("90.0", "90"),
        ("10.0", "10"),
    ]
    assert section.count("answered:") == 1


def test_a_decoder_that_looked_at_frames_is_shown_below_them(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    first, second = re.findall(r'<table class="looked">.*?</table>', page, re.DOTALL)
    assert "<img" not in first
    assert second.count("<img") == 2
    assert re.findall(r"opacity:([\d.]+)", second) == ["0.9", "0.1", "0.99"]


def test_events_that_came_lie_over_those_that_were_expected(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    assert page.count('<div class="roll">') == 1
    assert '<path class="expected" fill-opacity="1.0" d="M1 1h2v1h-2z"/>' in page
    assert '<path class="came" d="M0 0.3h1v0.4h-1zM1 1.3h2v0.4h-2z"/>' in page  # the first event is the lowest
    assert 'title="&lt;b&gt;"' in page


def test_a_call_is_told_turn_by_turn_with_what_decided_it(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    assert '<td>agent</td><td dir="auto">hello</td><td>greet</td><td></td>' in page
    assert '<td></td><td dir="auto">my card?</td><td>card<b class="off">pin</b></td>' in page
    assert "topic: <b>card</b>, answered <b" in page
    assert re.findall(r"<small>pin (\d+)\D+(\d+)", page) == [("90", "20")]


def test_a_series_without_mase_is_not_called_one_that_never_changed(tmp_path):
    told = text_of(leave(tmp_path, run(), metrics()))  # it may repeat itself exactly
    assert "of 1 more, without a change from one season to the next, there is no MASE." in told


def test_a_finished_run_shows_every_section(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', page) == [section.name for section in SECTIONS]


def test_every_option_fact_and_sample_is_there(tmp_path):
    text = text_of(leave(tmp_path, run(), metrics()))
    for word in (
        "tie_weights no",
        "steps –",
        "rate 0.004",
        "1\u202f217\u202f602",
        "86c4e6aa",
        "EPYC 9R14",
        "2 min 10 s",
    ):
        assert word in text
    for word in ("un chat", "·dog", "ROMEO: What say you?", "It fades fast.", f"elman evaluate {tmp_path}", "--resume"):
        assert word in text


@pytest.mark.parametrize(
    ("loss", "words", "difference"),
    [
        (1.49, "Better than the naive baseline", "The model is ahead by 0.070 (4.5"),
        (1.7, "Worse than the naive baseline", "The model is behind by 0.140 (9.0"),
        (1.561, "No better than the naive baseline", "within half a percent"),
    ],
)
def test_the_headline_says_honestly_who_is_better(tmp_path, loss, words, difference):
    text = text_of(leave(tmp_path, run(loss), metrics()))
    assert words in text
    assert difference in text
    assert "Lower is better" in text
    assert "5-gram (interpolated Kneser-Ney): 1.560" in text


def test_a_score_without_a_baseline_is_said_to_stand_alone(tmp_path):
    content = run()
    del content["baseline"]
    assert "No baseline was measured" in text_of(leave(tmp_path, content))


def test_every_part_is_shown_beside_its_own_baseline_and_the_test_part_leads(tmp_path):
    content = run()
    del content["baseline"]
    content["scores"]["test"] = {"loss": 1.61, "symbols": 10, "unit": "character"}
    content["baselines"] = {"valid": {"name": "6-gram", "loss": 1.52}, "test": {"name": "6-gram", "loss": 1.54}}
    text = text_of(leave(tmp_path, content, metrics()))
    assert "1.610 nats per character, test data Worse than the naive baseline. 6-gram: 1.540." in text
    assert text.index("6-gram, test data 1.540") < text.index("6-gram, validation data 1.520")


@pytest.mark.parametrize("status", ["finished", "interrupted"])
def test_the_command_to_go_on_names_the_same_files_and_more_budget_if_it_was_spent(tmp_path, status):
    content = run() | {"status": status}
    content["options"]["steps"] = 1000
    content["data"] |= {"valid": {"path": "data/a b.txt"}, "test": {"path": "data/train.txt"}}
    text = text_of(leave(tmp_path, content))
    more = " --steps 2000" if status == "finished" else ""
    line = f"elman train language-modeling data/train.txt --valid 'data/a b.txt' --out {tmp_path} --resume{more}"
    assert re.search(re.escape(line) + " (?!--)", text)


def test_hostile_texts_stay_texts(tmp_path):
    def poison(value):
        if isinstance(value, dict):
            return {f"{key}": poison(item) for key, item in value.items()} | {HOSTILE: HOSTILE}
        return [poison(item) for item in value] if isinstance(value, list) else HOSTILE

    for content in (poison(run()), run() | {name: poison(run()[name]) for name in ("options", "data", "samples")}):
        content["task"] = "language-modeling"
        page = write(leave(tmp_path, content, [*metrics(), {"step": 1e9, "loss": HOSTILE}])).read_text(encoding="utf-8")
        marks = Marks(page)
        assert not marks.open
        assert "script" not in {tag for tag, _ in marks.seen}
        assert {values["src"] for tag, values in marks.seen if tag == "img"} <= {PIXEL}
        assert not any(name.startswith("on") for _, values in marks.seen for name in values)
        assert "{{ 7*7 }}" in page


def test_an_interrupted_run_shows_its_best_validation_and_how_to_go_on(tmp_path):
    content = {name: run()[name] for name in ("task", "options", "data", "baseline")}
    content |= {"status": "interrupted", "message": "Stopped by Ctrl-C at step 200."}
    leave(tmp_path, content, metrics())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 201, "lo')
    text = text_of(tmp_path)
    assert "Stopped by Ctrl-C at step 200." in text
    assert "Not a final score: the best validation so far, at step 200" in text
    assert text.index("--resume") < text.index("elman evaluate")


@pytest.mark.parametrize(
    "content", [{}, {"status": "training"}, {"task": "forecasting", "scores": {"test": {"mase": 0.9}}}]
)
@pytest.mark.parametrize(
    "lines", [[], [{"step": 1, "loss": 3.0}], [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}]]
)
def test_a_page_comes_out_of_next_to_nothing(tmp_path, content, lines):
    assert not Marks(write(leave(tmp_path, content, lines)).read_text(encoding="utf-8")).open


@pytest.mark.parametrize("name", sorted(run()))
@pytest.mark.parametrize("value", [None, 0, "text", [], {}, [[1]], {"valid": 3}])
def test_a_part_of_an_unexpected_form_does_not_stop_the_page(tmp_path, name, value):
    write(leave(tmp_path, run() | {name: value}, metrics()))


def test_a_score_of_another_task_is_shown_under_its_own_name(tmp_path):
    text = text_of(leave(tmp_path, {"task": "forecasting", "scores": {"test": {"crps": 0.912}}}))
    assert "0.912" in text
    assert "Crps" in text


def test_steps_made_again_after_a_resume_are_shown_once(tmp_path):
    lines = [
        *({"step": step, "loss": 9.0} for step in range(1, 21)),
        {"event": "resumed", "step": 10},
        *({"step": step, "loss": 2.0} for step in range(11, 31)),
    ]
    page = write(leave(tmp_path, {}, lines)).read_text(encoding="utf-8")
    assert "Training was resumed at step 10." in page
    curve = re.search(r'class="train" d="([^"]+)"', page)[1]
    assert len(re.findall(r"[ML]", curve)) == 30


def test_a_loss_that_left_the_numbers_is_named_with_its_step(tmp_path):
    lines = [*metrics(20), {"step": 21, "loss": float("nan"), "gradient_norm": float("inf")}]
    page = write(leave(tmp_path, {}, lines)).read_text(encoding="utf-8")
    assert "At step 21 the loss or the gradient was no longer finite." in page
    assert "nan" not in re.search(r'class="train" d="([^"]+)"', page)[1]


@pytest.mark.parametrize(
    ("losses", "words"),
    [([3, 2, 1.5, 1.9], "by heart"), ([3, 2.5, 2, 1.5], "still falling"), ([3, 1.5, 1.5, 1.5], "settled")],
)
def test_the_validation_curve_is_put_into_words(tmp_path, losses, words):
    assert words in text_of(leave(tmp_path, {}, [{"step": i, "valid_loss": v} for i, v in enumerate(losses)]))


def test_generated_half_characters_and_control_characters_are_written(tmp_path):
    content = run() | {"samples": [{"text": "half \ud800, bell \x07, reversed \u202e"}]}
    page = write(leave(tmp_path, content)).read_bytes().decode("utf-8")
    assert "half ?, bell \ufffd, reversed \ufffd" in page


def test_a_failed_write_leaves_the_old_report_and_nothing_else(tmp_path, monkeypatch):
    write(leave(tmp_path, run()))
    old = (tmp_path / "report.html").read_bytes()
    leave(tmp_path, run(loss=1.2))

    def refuse(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(RunError, match="no space left"):
        write(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl", "report.html", "run.json"]


def test_a_folder_that_is_no_run_is_refused_in_words(tmp_path):
    with pytest.raises(RunError, match=r"holds no run\.json"):
        write(tmp_path / "nowhere")
    with pytest.raises(RunError, match="cannot be read"):
        write(leave(tmp_path, '{"task": "lang'))
    with pytest.raises(RunError, match="holds no object"):
        write(leave(tmp_path, "[]"))


def test_findings_and_what_was_measured_inside_stand_in_words_and_pictures(tmp_path):
    text = text_of(leave(tmp_path, run(), metrics()))
    for words in (
        "Vanishing (r) . It fades fast. Lost.",
        "Remedy: Hold.",
        "recurrence lstm, 512 0.1000 0.3 beyond 3 -2.300",
        "horizon beyond 3",
        "50\u202f% of the steps at 0.2, 10\u202f% of the steps at 0.4",
        "0.91 with a window of 16",
        "takes this batch's loss from 1.5000 to a number that is not finite",
        "sigmoid, 25\u202f% at the limits",
        "50\u202f% of the units dead",
    ):
        assert words in text, words
    page = (tmp_path / "report.html").read_text()
    assert page.count("<rect") == 3 + 4  # the steps that have a gradient, the bars of two gates
    assert "While learning" not in page


def test_what_was_seen_while_learning_is_shown_over_time(tmp_path):
    seen = [
        {
            "step": step,
            "event": "diagnosis",
            "layers": [{"name": "r", "steps": 64, "decay_per_step": 0.5 + step / 1000, "horizon": "infinite"}],
        }
        for step in (50, 100, 150)
    ]
    content = run()
    del content["diagnosis"]
    page = write(leave(tmp_path, content, [*metrics(), *seen])).read_text()
    assert "While learning" in page
    assert "Factor per step of lag, while learning" in page
    assert "No fault found" not in page


@pytest.mark.parametrize(
    ("accuracy", "rows", "verdict"),
    [
        (0.824, 1821, "No better than the naive baseline. linear : 0.819, and a difference of 0.005 is no more than"),
        (0.824, 100_000, "Better than the naive baseline."),
        (0.81, 1821, "No better than the naive baseline."),
        (0.79, 1821, "Worse than the naive baseline."),
        (0.95, 20, "Better than the naive baseline."),
        (0.90, 20, "No better than the naive baseline."),
    ],
)
def test_a_difference_that_chance_makes_of_so_few_rows_is_none(tmp_path, accuracy, rows, verdict):
    score = {"accuracy": accuracy, "symbols": rows, "unit": "row"}
    other = {"name": "linear", "accuracy": 0.819}
    scored = {"scores": {"test": score}, "baselines": {"test": [other]}}
    text = text_of(leave(tmp_path, run() | {"task": "classification"} | scored))
    assert verdict.replace(" :", ":") in text
