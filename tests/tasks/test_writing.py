"""Tasks that read a text and write another one: from a table to a run that writes, and scores itself."""

import json
import random
import subprocess
import sys

import pytest

import elman
from elman import tasks
from elman.baselines.summaries import first_sentence
from elman.baselines.translations import WordByWord
from elman.data import tables
from elman.errors import DataError, UsageError
from elman.tasks import text_measures
from elman.training.examples import Examples

TINY = {
    "batch": 16,
    "hidden": 48,
    "embedding": 32,
    "symbols": 400,
    "epochs": 40.0,
    "rate": 0.01,
    "warmup": 20,
    "average": 0.95,
    "precision": "float32",
    "dropout": 0.0,
    "input_dropout": 0.0,
}
NOUNS = {"house": "maison", "car": "voiture", "dress": "robe", "table": "table", "flower": "fleur"}
COLOURS = {"red": "rouge", "green": "verte", "white": "blanche", "grey": "grise"}
NAMES = ("Kilo", "Zulu", "Papa", "Mike", "Echo", "Lima")
FILLERS = ("we met today", "all is well", "the sky is blue", "please call back", "nothing else is new")


def pairs(count, seed=0):
    """A colour stands before its noun, and in French behind it."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        (noun, nom), (colour, couleur) = draw.choice(list(NOUNS.items())), draw.choice(list(COLOURS.items()))
        rows.append({"en": f"a {colour} {noun}.", "fr": f"une {nom} {couleur}."})
    return rows


def mails(count, seed=0):
    """The summary says a name and a number that stand in the text after a signal."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        name, number = draw.choice(NAMES), draw.randint(100, 999)
        parts = [*draw.sample(FILLERS, 2), f"about {name} {number}"]
        draw.shuffle(parts)
        rows.append({"body": ". ".join(parts) + ".", "subject": f"{name} {number}"})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("texts")
    tables.write(place / "pairs.jsonl", pairs(300))
    tables.write(place / "test-pairs.jsonl", pairs(40, seed=1))
    tables.write(place / "mails.jsonl", mails(400))
    judged = [row | {"references": [f"on {row['subject']}", "other"]} for row in mails(40, seed=1)]
    tables.write(place / "test-mails.jsonl", judged)
    return place


@pytest.fixture(scope="module")
def translator(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    files = {"test": folder / "test-pairs.jsonl", "out": out}
    return elman.train("translation", folder / "pairs.jsonl", output="fr", quiet=True, **files, **TINY)


@pytest.fixture(scope="module")
def summarizer(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "r"
    files = {"test": folder / "test-mails.jsonl", "out": out, "references": "references"}
    return elman.train("summarization", folder / "mails.jsonl", quiet=True, **files, **TINY)


def test_a_translator_learns_and_says_so_beside_its_baseline(translator):
    score, (naive,) = translator.scores["test"], translator.description["baselines"]["test"]
    assert next(iter(score)) == "bleu"
    assert score["bleu"] > 95
    assert naive["bleu"] < score["bleu"]
    assert 30 < naive["chrf"] < 90
    assert "tok:13a" in score["signature"]
    assert translator.evaluate()["score"] == score


def test_the_loss_of_a_score_is_that_of_all_rows_however_few_a_validation_looks_at(translator, monkeypatch):
    in_order = Examples.in_order
    monkeypatch.setattr(Examples, "in_order", lambda self, most=None: in_order(self, most and 3))
    score = tasks.find("translation").score(translator.network, translator.prepared, "test")
    assert score["symbol_loss"] == pytest.approx(translator.scores["test"]["symbol_loss"], rel=1e-6)


def test_the_report_shows_the_rows_whose_own_text_is_wrong(translator, tmp_path):
    rows, wrong = pairs(40, seed=2), (3, 17, 31)
    for row in wrong:
        rows[row]["fr"] = "une erreur grande"
    task, file = translator._task, tmp_path / "some-wrong.jsonl"
    tables.write(file, rows)
    prepared = task.extend(translator.prepared, "test", file, tmp_path)
    shown = task.showcase(translator.network, prepared, None)["unexpected"]
    assert len(shown) == 6
    assert sorted(row["row"] for row in shown[:3]) == [row + 1 for row in wrong]
    assert {row["truth"] for row in shown[:3]} == {"une erreur grande"}


def test_a_file_is_scored_as_it_was_in_training(translator, summarizer, folder):
    for run, name in ((translator, "test-pairs.jsonl"), (summarizer, "test-mails.jsonl")):
        found = run.evaluate(folder / name)
        assert found["score"] == run.scores["test"]
        assert found["baselines"] == run.description["baselines"]["test"]


def test_symbols_that_only_held_out_rows_have_are_not_learnt(tmp_path):
    rows = [{"en": f"the letter {k}", "fr": f"lettre {chr(0x4E00 + k)}"} for k in range(60)]
    options = {"output": "fr", "unit": "char", "steps": 1, "hidden": 8, "embedding": 8, "quiet": True}
    prepared = elman.train("translation", rows, out=tmp_path / "r", **options).prepared
    (output,) = prepared.outputs.values()
    for text in prepared.column("valid", "fr").values:
        assert output.unit.unseen(text) == [text[-1]]


def test_a_prediction_is_a_text_with_the_probability_of_each_symbol(translator):
    found, other = translator.predict(["a red house.", {"en": "a grey car."}])
    assert (found["fr"], other["fr"]) == ("une maison rouge.", "une voiture grise.")
    assert "".join(found["fr_symbols"]).strip() == found["fr"]
    assert len(found["fr_symbol_probabilities"]) == len(found["fr_symbols"]) + 1
    product = 1.0
    for probability in found["fr_symbol_probabilities"]:
        product *= probability
    assert product == pytest.approx(found["fr_probability"], rel=1e-3)
    assert translator.predict(["a red house."])[0]["fr_probability"] == pytest.approx(found["fr_probability"], abs=2e-6)


def test_what_is_written_for_several_callers_is_what_is_written_for_each(translator):
    rows = [row[translator.prepared.input_name] for row in pairs(6, seed=3)]
    requests = [rows[:1], rows[1:4], [""], rows[4:]]
    first, second, wrong, last = translator.predict_each(requests)
    (name,) = translator.prepared.outputs
    for found, asked in ((first, rows[:1]), (second, rows[1:4]), (last, rows[4:])):
        assert [row[name] for row in found] == [row[name] for row in translator.predict(asked)]
    assert isinstance(wrong, DataError)


def test_a_summary_copies_what_it_could_not_know(summarizer):
    score, (naive,) = summarizer.scores["test"], summarizer.description["baselines"]["test"]
    assert next(iter(score)) == "rouge1"
    assert score["rouge_l"] > 60 > naive["rouge_l"]
    assert "best of up to 3" in score["signature"]
    assert "best of" not in summarizer.scores["valid"]["signature"]


def test_the_report_shows_what_was_written_and_where_it_looked(translator):
    page = translator.report.read_text()
    assert "What it writes" in page
    assert "Where it looks" in page
    shown = translator.description["attention"][0]
    assert len(shown["weights"]) == len(shown["written"])
    assert all(len(row) == len(shown["read"]) and abs(sum(row) - 1) < 0.02 for row in shown["weights"])


def test_a_run_that_was_cut_off_ends_as_the_uninterrupted_one(folder, tmp_path):
    tiny = TINY | {"input_feeding": True, "dropout": 0.2}
    del tiny["epochs"]
    whole = elman.train(
        "translation", folder / "pairs.jsonl", output="fr", out=tmp_path / "a", steps=8, quiet=True, **tiny
    )
    begun = {"output": "fr", "out": tmp_path / "b", "quiet": True}
    code = (
        "import sys, json, elman; from elman.training import loop; loop.CHECKPOINT_SECONDS = 0.0\n"
        "update, count = loop.Trainer.update, [0]\n"
        "def stop(self, share):\n"
        "    count[0] += 1\n"
        "    if count[0] > 4: sys.exit(9)\n"
        "    update(self, share)\n"
        "loop.Trainer.update = stop\n"
        "place = {'output': 'fr', 'out': sys.argv[2], 'quiet': True}\n"
        "elman.train('translation', sys.argv[1], steps=8, **place, **json.loads(sys.argv[3]))"
    )
    arguments = [str(folder / "pairs.jsonl"), str(tmp_path / "b"), json.dumps(tiny)]
    assert subprocess.run([sys.executable, "-c", code, *arguments], check=False).returncode == 9
    resumed = elman.train("translation", folder / "pairs.jsonl", steps=8, resume=True, **begun)
    for name, value in whole.network.state_dict().items():
        assert value.equal(resumed.network.state_dict()[name]), name


@pytest.mark.parametrize(
    "options",
    [
        {"shared": False},
        {"attention": "additive", "layers": 2, "cell": "gru"},
        {"unit": "char"},
        {"unit": "word", "copying": True},
        {"beam": 1, "length_norm": 0.0},
    ],
    ids=str,
)
def test_every_option_makes_a_whole_run(folder, tmp_path, options):
    tiny = TINY | {"epochs": 2.0} | options
    run = elman.train("translation", folder / "pairs.jsonl", output="fr", out=tmp_path / "r", quiet=True, **tiny)
    assert 0 < run.scores["valid"]["symbol_loss"] < 6
    (answer,) = elman.load(run.path).predict(["a white flower."])
    assert isinstance(answer["fr"], str)


BAD = [
    ("translation", {}, "does not show which of them is the answer; say it: --output COLUMN"),
    ("translation", {"output": "de"}, "has no column 'de'"),
    (
        "translation",
        {"output": "fr", "longest": 3},
        "subwords, more than 3; shorten it, or train a new network with a larger --longest",
    ),
    ("translation", {"output": "fr", "copying": True, "shared": False}, "leave out --no-shared, or give --no-copying"),
    ("translation", {"output": "fr", "hidden": 33}, "--hidden 33 is odd"),
    (
        "translation",
        {"output": "fr", "attention": "mul"},
        "--attention 'mul' is not known; choose one of dot, additive",
    ),
    ("translation", {"output": "fr", "beam": 0}, "--beam 0 is out of range"),
]


@pytest.mark.parametrize(("task", "options", "message"), BAD)
def test_bad_requests_get_one_sentence_and_leave_nothing(folder, tmp_path, task, options, message):
    with pytest.raises((DataError, UsageError)) as error:
        elman.train(task, folder / "pairs.jsonl", out=tmp_path / "r", quiet=True, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "r").exists()


def test_empty_texts_are_named_by_row(tmp_path):
    rows = pairs(40)
    rows[6]["fr"] = "  "
    with pytest.raises(DataError, match="row 7, column 'fr' is empty"):
        elman.train("translation", tables.write(tmp_path / "t.jsonl", rows), output="fr", out=tmp_path / "r")


def test_only_the_beginning_of_a_long_text_is_summarized(tmp_path):
    rows = mails(40)
    rows[3]["body"] += " and so on" * 20_000
    run = elman.train(
        "summarization",
        tables.write(tmp_path / "t.jsonl", rows),
        out=tmp_path / "r",
        quiet=True,
        **TINY | {"epochs": 1.0},
    )
    assert sum(part["shortened"] for part in run.description["data"].values()) == 1


def test_a_run_does_not_generate(translator):
    with pytest.raises(UsageError, match="does not generate; let it predict rows"):
        translator.generate()


def test_without_the_libraries_of_the_measures_all_else_is_there(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    monkeypatch.setattr(text_measures, "find_spec", lambda name: None)
    assert text_measures.missing("sacrebleu", "BLEU")[0].endswith("pip install 'elman[metrics]'")
    tiny = TINY | {"epochs": 1.0}
    run = elman.train("translation", folder / "pairs.jsonl", output="fr", out=tmp_path / "r", quiet=True, **tiny)
    assert "bleu" not in run.scores["valid"]
    assert run.description["baselines"]["valid"] == []


def test_word_by_word_learns_which_word_stands_for_which():
    rows = pairs(60)
    for row in rows[::2]:
        row |= {"en": row["en"].removesuffix("."), "fr": row["fr"].removesuffix(".")}
    naive = WordByWord([row["en"] for row in rows], [row["fr"] for row in rows])
    assert naive.translate("a green dress.") == "une verte robe."
    assert naive.translate("A green zebra!") == "Une verte zebra!"


def test_bleu_of_scripts_without_spaces_counts_characters():
    found = text_measures.bleu(["猫が好きです。", "犬"], [["猫が好きだ。"], ["犬"]])
    assert "tok:char" in found["signature"]
    assert "tok:13a" in text_measures.bleu(["a cat, a 猫"], [["a cat, a 猫"]])["signature"]
    assert text_measures.bleu(["a cat", "a dog"], [["a cat"], ["a dog"]]) == {"chrf": 100.0}  # BLEU would be 0


def test_rouge_counts_words_of_every_script_and_takes_the_best_reference():
    found = text_measures.rouge(["чёрная кошка", "two cats"], [["чёрная собака"], ["three dogs", "cat two"]])
    assert found["rouge1"] == pytest.approx(75.0)
    assert found["rouge_l"] == pytest.approx(50.0)
    assert "best of up to 2" in found["signature"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One.  Two.", "One."),
        ("No stop at all", "No stop at all"),
        ("  At 9.30 a.m. we meet! Then", "At 9.30 a.m."),
        ('He said "go." Then', 'He said "go."'),
        ("Hi\nthere. You", "Hi there."),
        ("", ""),
    ],
)
def test_the_first_sentence_ends_at_the_first_full_stop(text, first):
    assert first_sentence(text) == first
