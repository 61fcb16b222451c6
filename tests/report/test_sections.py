"""The sections of the report, one by one: what each shows of what a run left behind."""

import re

import pytest
from tests.report.left import leave, metrics, run, text_of

from elman.report import remedy, write


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


def test_what_a_score_means_stands_below_it_with_what_it_was_measured_on(tmp_path):
    text = text_of(leave(tmp_path, run(), metrics()))
    for words in (
        "It hesitates as if between 4.4 equally likely next characters.",
        "Scored on 111\u202f539 characters of the validation data; 3 of them (0.0027\u202f%) not in the vocabulary.",
    ):
        assert words in text, words
    page = (tmp_path / "report.html").read_text()
    bars = re.findall(r'<span>([^<]+)</span>\s*<span class="bar"><i class="\w+" style="width:([\d.]+)%', page)
    assert bars == [
        ("this model", "35.6"),
        ("5-gram (interpolated Kneser-Ney)", "37.2"),
        ("even guess among 66", "100.0"),  # ln 66
    ]


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
    assert "Test data this model 1.610 – 6-gram 1.540 – Validation data this model 1.490 4.44 6-gram 1.520 –" in text


@pytest.mark.parametrize("status", ["finished", "interrupted"])
def test_the_command_to_go_on_names_the_same_files_and_more_budget_if_it_was_spent(tmp_path, status):
    content = run() | {"status": status}
    content["options"]["steps"] = 1000
    content["data"] |= {"valid": {"path": "data/a b.txt"}, "test": {"path": "data/train.txt"}}
    text = text_of(leave(tmp_path, content))
    more = " --steps 2000" if status == "finished" else ""
    line = f"elman train language-modeling data/train.txt --valid 'data/a b.txt' --out {tmp_path} --resume{more}"
    assert re.search(re.escape(line) + " (?!--)", text)


def test_a_score_of_another_task_is_shown_under_its_own_name(tmp_path):
    text = text_of(leave(tmp_path, {"task": "forecasting", "scores": {"test": {"crps": 0.912}}}))
    assert "0.912" in text
    assert "Crps" in text


def test_steps_made_again_after_a_resume_are_shown_once(tmp_path):
    lines = [
        *({"step": step, "loss": 9.0} for step in range(1, 21)),
        *({"step": step, "loss": 2.0} for step in range(11, 31)),
    ]
    page = write(leave(tmp_path, {}, lines)).read_text(encoding="utf-8")
    curve = re.search(r'class="train" d="([^"]+)"', page)[1]
    assert len(re.findall(r"[ML]", curve)) == 30


def test_a_loss_that_left_the_numbers_is_named_with_its_step(tmp_path):
    lines = [*metrics(20), {"step": 21, "loss": float("nan"), "gradient_norm": float("inf")}]
    page = write(leave(tmp_path, {}, lines)).read_text(encoding="utf-8")
    assert "At step 21 the loss or the gradient was no longer finite." in page
    assert "nan" not in re.search(r'class="train" d="([^"]+)"', page)[1]


def test_what_the_curves_show_is_told_in_numbers(tmp_path):
    text = text_of(leave(tmp_path, run(), metrics()))  # the norm is 20 / step, the limit 1
    for words in (
        "Validation was lowest at step 200 (1.420); it has settled.",
        "A part of the training curve lies above the picture: at step 1 the loss was 4.00.",
        "The gradient was clipped in 9.5\u202f% of the steps shown.",
    ):
        assert words in text, words
    told = run() | {"options": {"clip": 0.0}}
    assert "was clipped" not in text_of(leave(tmp_path, told, metrics()))


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([3, 2, 1.5, 1.9], "by heart"),
        ([3, 2, 1.5, 1.52], "by heart"),
        ([3, 2, 1.5, 1.51], "settled"),
        ([3, 2.5, 2, 1.5], "still falling"),
        ([3, 1.5, 1.5, 1.5], "settled"),
        ([3, 1.5, 1.5, 1.49], "still falling"),
        ([3, 1.5, 1.5, 1.495], "settled"),
        ([3, 1.5, *[1.4] * 8, 1.39], "still falling"),  # over the last fifth, not since the beginning
        ([3, 1.5, *[1.4] * 8, 1.395], "settled"),
    ],
)
def test_the_validation_curve_is_put_into_words(tmp_path, losses, words):
    assert words in text_of(leave(tmp_path, {}, [{"step": i, "valid_loss": v} for i, v in enumerate(losses)]))


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([3, 2, 1.5, 1.9], "learnt by heart: more data, a higher --dropout or a smaller --hidden may help."),
        ([3, 2.5, 2, 1.5], "still falling at the end: train longer (--minutes 5)."),
        ([3, 1.5, 1.5, 1.5], "has settled: another --rate, a larger --hidden or more data may help"),
        ([3, 2], ""),
    ],
)
@pytest.mark.parametrize("rival", [1.0, 1.501, 2.0])
def test_a_network_that_is_not_better_than_the_baseline_is_told_what_to_try(tmp_path, losses, words, rival):
    told = {
        "options": {"minutes": 2.5, "dropout": 0.1},
        "scores": {"valid": {"loss": 1.5}},
        "baselines": {"valid": [{"name": "7-gram", "loss": rival}]},
    }
    folder = leave(tmp_path, told, [{"step": i, "valid_loss": v} for i, v in enumerate(losses)])
    found = remedy(folder)
    assert (words if rival < 2 else "") in found
    assert bool(found) == bool(words and rival < 2)
    assert found in text_of(folder)


def test_a_network_that_is_always_right_is_told_no_remedy(tmp_path):
    lines = [{"step": i, "valid_loss": v} for i, v in enumerate([3, 2, 1])]
    for score, best in (({"accuracy": 1.0}, 1.0), ({"wer": 0.0}, 0.0), ({"accuracy": 0.9}, None)):
        told = {"scores": {"valid": score}, "baselines": {"valid": [{"name": "nearest row", **score}]}}
        assert bool(remedy(leave(tmp_path, told, lines))) == (best is None)


def test_a_run_without_scores_is_told_nothing(tmp_path):
    lines = [{"step": i, "valid_loss": v} for i, v in enumerate([3, 2, 1])]
    assert not remedy(leave(tmp_path, {}, []))
    assert not remedy(leave(tmp_path, {"options": {"epochs": 3}}, lines))


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
        "f forget gate sigmoid, 25\u202f% at the limits",
        "50\u202f% of the units dead",
    ):
        assert words in text, words
    page = (tmp_path / "report.html").read_text()
    assert page.count("<rect") == 3 + 4  # the steps that have a gradient, the bars of two gates
    assert "While learning" not in page


def test_the_fitted_rate_and_the_inputs_beside_the_closest_one_are_drawn_where_they_lie(tmp_path):
    """The gradient by lag is exactly geometric, so that its fitted line lies on it; inputs begin at one."""
    layer = run()["diagnosis"]["layers"][0] | {"input_by_lag": [2.0, 0.2, 0.002, 0.02]}
    told = run() | {"diagnosis": run()["diagnosis"] | {"layers": [layer]}}
    page = write(leave(tmp_path, told, metrics())).read_text()
    lag, inputs = (
        re.findall(r'class="(layer0[\w ]*)" d="([^"]+)"', page.partition(title)[2].partition("</figure>")[0])
        for title in ("<b>Gradient by lag", "<b>How much an input moves")
    )
    assert dict(lag)["layer0"] == dict(lag)["layer0 level"]
    (heights,) = ([float(point.split()[1]) for point in re.split("[ML]", path)[1:]] for _, path in inputs)
    first, second, third, fourth = heights
    assert second - first == pytest.approx(fourth - second, abs=0.2)
    assert third - second == pytest.approx(2 * (second - first), abs=0.2)
    strengths = re.findall(r'<rect x="[^"]+" y="0" width="[^"]+" height="20" fill-opacity="([^"]+)"', page)
    assert strengths == ["0.05", "0.525", "1.0"]  # of 1e-6, 1e-4 and 1e-2


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
        (0.824, 1821, "No better than the naive baseline. Linear : 0.819, and a difference of 0.005 is no more than"),
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


def test_the_measure_stands_below_the_headline_where_it_has_no_unit(tmp_path):
    scores = {"valid": {"bleu": 29.8, "mse": 0.4, "symbols": 10, "unit": "row"}}
    baselines = {"valid": [{"name": "word by word", "bleu": 14.3}]}
    text = text_of(leave(tmp_path, run() | {"scores": scores, "baselines": baselines}, metrics()))
    assert "29.8 BLEU, validation data Better than the naive baseline. Word by word: 14.3." in text
    assert "BLEU MSE scaled" in text


def test_colours_of_the_matrix_stay_pale_below_their_numbers(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    (matrix,) = re.findall(r'<table class="matrix">.*?</table>', page, re.DOTALL)
    assert re.findall(r"opacity:([\d.]+)", matrix) == ["0.44", "0.11", "0.06", "0.49"]


def test_a_long_text_that_was_read_is_cut(tmp_path):
    written = {"row": 1, "input": "word " * 400, "truth": "so", "answer": "no"}
    text = text_of(leave(tmp_path, run() | {"writings": [written]}, metrics()))
    assert "word word …" in text
    assert 100 < text.count("word word") * 2 < 150


def test_speed_is_told_in_what_is_counted(tmp_path):
    points = [{"step": k, "loss": 1.0, "symbols_per_second": 5.0} for k in (1, 2)]
    told = run() | {"counted": "rows"}
    told["training"] = told["training"] | {"symbols_per_second": 5.0}
    text = text_of(leave(tmp_path, told, points))
    assert "rows per second 5" in text
    assert "Rows seen" in text
    assert "symbols per second" not in text.lower()


def test_the_part_of_a_file_is_told_in_bytes(tmp_path):
    parts = {"train": {"path": "a", "start": 0, "stop": 900}, "valid": {"path": "a", "start": 900, "stop": None}}
    text = text_of(leave(tmp_path, run() | {"data": parts}, metrics()))
    assert "Bytes 0 to 900" in text
    assert "Bytes 900 to the end" in text


def test_commands_do_not_break_within_an_option(tmp_path):
    page = write(leave(tmp_path, run(), metrics())).read_text(encoding="utf-8")
    assert "<span>--prompt</span> TEXT <span>--length</span> 500" in page


def test_what_lies_between_the_quantiles_is_told_as_a_share(tmp_path):
    text = text_of(leave(tmp_path, run(), metrics()))
    assert "Of the values that came, 80\u202f% should lie within the widest interval." in text


def forecasts(**more):
    return run() | {"forecasts": run()["forecasts"] | more}


def of_forecasts(folder, content):
    page = write(leave(folder, content, metrics())).read_text(encoding="utf-8")
    (section,) = re.findall(r'<section id="forecasts".*?</section>', page, re.DOTALL)
    return section


def test_a_forecast_has_its_dates_the_end_of_what_is_known_and_its_interval(tmp_path):
    days = [f"2026-03-{day:02}" for day in range(1, 6)]
    section = of_forecasts(tmp_path, forecasts(time="day", times=[days]))
    assert "<b>load of x, after 2026-03-03</b>" in section
    assert re.findall(r'class="x[^>]*left:([\d.]+)%">([^<]+)(?:<small>(\d+))?', section)[:4] == [
        ("25.0", "2 Mar", "2026"),
        ("50.0", "3 Mar", ""),
        ("75.0", "4 Mar", ""),
        ("100.0", "5 Mar", ""),
    ]
    assert '<span class="moment" style="left:50.0%">now</span>' in section
    assert re.findall(r'<i class="([^"]+)"></i>([^<]+)', section) == [
        ("known", "known"),
        ("valid", "what came"),
        ("train", "forecast, median"),
        ("train area", "80\u202f% interval"),
    ]
    assert section.count('<path class="train area" d="M500.0') == 1  # it opens from what was known last
    assert "day</div>" in section


def test_a_forecast_without_times_counts_its_steps_from_now(tmp_path):
    section = of_forecasts(tmp_path, forecasts(times=[["2026-03-01"], "lost"]))
    assert "load of x, window 1" in section
    assert "time steps from now" in section


@pytest.mark.parametrize(
    ("inside", "words"),
    [(0.7, "it is too narrow"), (0.78, "it is as wide as it should be"), (0.93, "it is wider than it need be")],
)
def test_whether_an_interval_holds_what_it_says_stands_in_words(tmp_path, inside, words):
    target = run()["forecasts"]["targets"][0] | {"inside": inside}
    section = of_forecasts(tmp_path, forecasts(targets=[target], below=[[0.15, 0.5, 0.8]]))
    assert f"held {100 * inside:.0f}\u202f% of what came: {words}" in section
    assert "<td>15\u202f%</td><td>50\u202f%</td><td>80\u202f%</td>" in section


def test_how_errors_grow_with_the_time_ahead_stands_beside_the_naive_ones(tmp_path):
    rows = {"unit": "MASE", "network": [[1.0, 2.0]], "last season of 24": [[2.0, 3.0]], "last value": [[]]}
    section = of_forecasts(tmp_path, forecasts(ahead=rows))
    assert '<b>Error by how far ahead</b> <span class="quiet">MASE</span>' in section
    assert "last season of 24 <b>2.500</b>" in section
    assert "last value" not in section
