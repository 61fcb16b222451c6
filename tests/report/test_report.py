"""The report: one file on its own, from whatever a run left behind, that says the truth and trusts no text."""

import re
from pathlib import Path

import pytest
from tests.report.left import HOSTILE, PIXEL, Marks, leave, metrics, run, text_of

from elman.errors import RunError
from elman.report import write
from elman.report.sections import SECTIONS


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
