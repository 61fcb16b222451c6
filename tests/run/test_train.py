"""From a text to a finished run, and back from the folder alone."""

import json
import math
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import elman
from elman.errors import NonFiniteError, RunError, UsageError
from elman.training.examples import Learning


def test_a_run_learns_beyond_single_symbols_and_says_so(run):
    score, baseline = run.scores["valid"], run.description["baselines"]["valid"][0]
    symbols = np.bincount(run.prepared.parts["valid"].symbols)
    shares = symbols[symbols > 0] / symbols.sum()
    assert score["loss"] < -(shares * np.log(shares)).sum() - 0.5
    assert score["symbols"] == baseline["symbols"] == len(run.prepared.parts["valid"].symbols) - 1
    assert score["perplexity"] == pytest.approx(math.exp(score["loss"]))


def test_a_network_begins_with_how_often_symbols_occur(text_file, tiny, tmp_path):
    run = elman.train(
        "language-modeling", text_file, out=tmp_path / "r", quiet=True, **tiny | {"steps": 1, "rate": 1e-9}
    )
    shares = np.bincount(run.prepared.parts["train"].symbols, minlength=run.prepared.text.unit.size) + 0.1
    bias = load_file(run.path / "model.safetensors")["head.linear.bias"]
    np.testing.assert_allclose(bias, np.log(shares / shares.sum()), atol=1e-5)


def test_the_folder_holds_all_and_no_pickle(run):
    assert {path.name for path in run.path.iterdir()} == {
        "run.json", "model.safetensors", "metrics.jsonl", "report.html", "state",
    }  # fmt: skip
    described = json.loads((run.path / "run.json").read_text())
    assert described["schema"] == 1
    assert described["status"] == "finished"
    steps = [json.loads(line)["step"] for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == 150


def test_what_was_learnt_from_is_counted(text_file, tiny, tmp_path):
    options = tiny | {"steps": 30, "accumulate": 2, "validations": 3, "average": 0.0}
    run = elman.train("language-modeling", text_file, out=tmp_path / "r", quiet=True, **options)
    told, steps = run.description["training"], (len(run.prepared.parts["train"].symbols) - 1) // 8  # of 8 lanes
    assert (told["steps"], told["symbols_seen"]) == (30, 30 * 2 * 8 * 16)
    assert told["epochs"] == pytest.approx(30 * 2 * 16 / steps, abs=1e-3)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    learnt, scored = ([line for line in lines if name in line] for name in ("loss", "valid_loss"))
    assert [line["step"] for line in learnt] == [line["step"] for line in scored] == [10, 20, 30]
    assert [line["epoch"] for line in learnt] == pytest.approx([k * 2 * 16 / steps for k in (10, 20, 30)], abs=1e-4)
    best = min(scored, key=lambda line: line["valid_loss"])
    assert told["best_step"] == best["step"]
    assert best["valid_loss"] == pytest.approx(run.scores["valid"]["loss"], abs=1e-3)  # of an excerpt, here of all


def test_a_moved_run_scores_as_before(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "elsewhere")
    again = elman.load(tmp_path / "elsewhere").evaluate()
    assert again["score"] == run.scores["valid"]


def test_evaluating_a_file_counts_what_is_unknown(run, tmp_path):
    path = tmp_path / "other.txt"
    path.write_text("the cat sat on a mät.\n" * 20)
    found = run.evaluate(path)
    assert found["score"]["unknown"] == 20
    assert math.isfinite(found["score"]["loss"])
    assert found["baselines"][0]["symbols"] == found["score"]["symbols"]


def test_of_symbols_that_are_scored_no_more_than_all_are_unknown(run, tmp_path):
    (tmp_path / "other.txt").write_text("äöü" * 10)
    score = run.evaluate(tmp_path / "other.txt")["score"]
    assert score["unknown"] == score["symbols"] == 29  # the first is read alone


def test_prediction_prefers_what_was_seen(run):
    likely, unlikely, empty = run.predict(["the cat sat on a mat.", "tac eht tas no a tam.", ""])
    assert likely["perplexity"] < unlikely["perplexity"] / 2
    assert likely["log_probability"] == pytest.approx(-likely["symbols"] * math.log(likely["perplexity"]))
    assert (empty["symbols"], empty["log_probability"], empty["perplexity"]) == (0, 0.0, None)


def test_generation_repeats_under_a_seed_and_differs_under_another(run):
    first, again, other = ("".join(run.generate("the ", 60, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 60


def test_a_long_prompt_is_read_in_pieces_and_as_a_whole(run):
    prompt = "the cat sat on a mat.\n" * 40
    pieces = list(run.generate(prompt, 20, temperature=0))
    assert pieces[:3] == ["", "", ""]
    assert len("".join(pieces)) == 20
    stream = run.stream()
    stream.feed(prompt)
    assert pieces[3] == stream.expected(1)[0][0]


def test_the_best_symbol_is_drawn_in_the_limit(run):
    greedy = "".join(run.generate("the ", 40, temperature=0))
    assert greedy == "".join(run.generate("the ", 40, top_k=1, seed=5))
    assert greedy == "".join(run.generate("the ", 40, top_p=1e-9, seed=6))
    assert greedy == "".join(run.generate("the ", 40, top_p=1e-300, seed=6))  # which is 0 as float32
    for temperature in (1e-6, 1e-40):
        assert greedy == "".join(run.generate("the ", 40, temperature=temperature, seed=7))


@pytest.mark.parametrize("block", [torch.no_grad, torch.inference_mode])
def test_it_trains_inside_of_a_block_without_gradients(text_file, tmp_path, tiny, block):
    with block():
        run = elman.train("language-modeling", text_file, out=tmp_path / "run", **tiny)
        score = run.evaluate()["score"]["loss"]
    assert (
        score == elman.train("language-modeling", text_file, out=tmp_path / "again", **tiny).evaluate()["score"]["loss"]
    )


def test_training_leaves_the_callers_random_numbers_alone(text_file, tmp_path, tiny):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    elman.train("language-modeling", text_file, out=tmp_path / "r", quiet=True, **(tiny | {"steps": 2}))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"unit": "byte"},
        {"unit": "word", "symbols": 300},
        {"unit": "subword", "symbols": 300},
        {"cell": "gru", "layers": 2, "dropout": 0.1},
        {"cell": "rnn", "optimizer": "rmsprop"},
        {"cell": "rnn-relu", "optimizer": "sgd", "rate": 0.1, "clip_value": 0.5},
        {"window": 16, "advance": 5, "accumulate": 2},
        {"average": 0.9, "precision": "bfloat16"},
        {"epochs": 0.5, "steps": None},
        {"minutes": 0.005, "steps": None},
        {"patience": 1, "rate": 1e-9},
    ],
    ids=str,
)
def test_every_option_trains_and_serves(text_file, tmp_path, tiny, options):
    run = elman.train(
        "language-modeling", text_file, out=tmp_path / "r", quiet=True, **(tiny | {"steps": 20} | options)
    )
    assert math.isfinite(run.scores["valid"]["loss"])
    assert len("".join(run.generate("", 10))) > 0
    assert run.evaluate()["score"] == run.scores["valid"]


def test_patience_stops_early(text_file, tmp_path, tiny):
    options = tiny | {"steps": 1000, "rate": 0.0, "patience": 2, "validations": 100}
    run = elman.train("language-modeling", text_file, out=tmp_path / "r", quiet=True, **options)
    assert run.description["status"] == "stopped"
    assert run.description["training"]["steps"] == 30
    again = elman.train("language-modeling", text_file, out=tmp_path / "r", quiet=True, resume=True)
    assert again.description["status"] == "stopped"
    assert again.description["training"]["steps"] == 40


def test_a_continued_run_ends_with_the_same_weights(text_file, tmp_path, tiny):
    options = tiny | {"dropout": 0.3, "average": 0.9, "steps": 50, "window": 12, "advance": 7, "validations": 4}
    whole = elman.train("language-modeling", text_file, out=tmp_path / "whole", quiet=True, **options)
    part = tmp_path / "part"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 23)
        begun = elman.train("language-modeling", text_file, out=part, quiet=True, **options)
    assert begun.description["status"] == "interrupted"
    assert begun.description["training"]["steps"] == 23
    elman.train("language-modeling", text_file, out=part, quiet=True, resume=True)
    for name in ("model.safetensors", "state/checkpoint.safetensors"):
        ours, theirs = load_file(part / name), load_file(whole.path / name)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def test_two_processes_do_not_train_in_one_folder(text_file, tmp_path, tiny):
    out = tmp_path / "r"
    elman.train("language-modeling", text_file, out=out, quiet=True, **(tiny | {"steps": 3}))
    holding = "import sys, pathlib\nfrom elman.run.folder import RunFolder\n"
    holding += (
        "with RunFolder(pathlib.Path(sys.argv[1])).held():\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", holding, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=r"another process trains in .*; wait for it, end it, or choose another --out"):
        elman.train("language-modeling", text_file, out=out, resume=True, quiet=True, steps=5)
    other.communicate()
    longer = elman.train("language-modeling", text_file, out=out, resume=True, quiet=True, steps=5)
    assert longer.description["training"]["steps"] == 5


def test_a_network_that_does_not_fit_leaves_no_folder(text_file, tmp_path, tiny):
    out = tmp_path / "r"
    with pytest.raises(UsageError, match=r"a network of these sizes cannot be made .* smaller --hidden"):
        elman.train("language-modeling", text_file, out=out, quiet=True, **(tiny | {"hidden": 10**9}))
    assert not out.exists()


def test_a_folder_is_named_after_the_file_and_holds_the_precision_that_was_found(
    text_file, tmp_path, tiny, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(text_file, "words.v1.txt")
    begun = time.monotonic()
    run = elman.train("language-modeling", "words.v1.txt", quiet=True, **(tiny | {"steps": 1, "precision": "auto"}))
    assert run.path.parts == ("runs", "words-1")
    assert run.options.precision in {"float32", "bfloat16"}
    assert 0 <= run.description["training"]["seconds"] <= time.monotonic() - begun + 0.05


def test_a_gpu_that_is_not_there_leaves_no_folder_and_takes_no_run_away(run, text_file, tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = shutil.copytree(run.path, tmp_path / "r")
    for options in (tiny | {"out": tmp_path / "new"}, {"out": out, "resume": True}):
        with pytest.raises(UsageError, match="--device cuda needs a GPU"):
            elman.train("language-modeling", text_file, quiet=True, device="cuda", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    assert elman.load(out).evaluate()["score"] == run.scores["valid"]


def test_a_run_that_cannot_be_continued_for_lack_of_memory_is_kept(text_file, tmp_path, tiny, monkeypatch):
    out = tmp_path / "r"
    elman.train("language-modeling", text_file, out=out, quiet=True, **(tiny | {"steps": 3}))
    (out / "model.safetensors").unlink()  # as before the first validation

    def none(*_):
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr("elman.tasks.language_modeling.LanguageModeling.network", none)
    with pytest.raises(UsageError, match="cannot be made"):
        elman.train("language-modeling", text_file, out=out, resume=True, quiet=True, steps=5)
    assert (out / "state" / "checkpoint.safetensors").exists()


def interrupt_at(patch, step):
    """Send Ctrl-C when that step is done."""
    import os
    import signal

    from elman.training.loop import Trainer

    update = Trainer.update

    def interrupted(self, share):
        update(self, share)
        if self.progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr(Trainer, "update", interrupted)


def test_a_new_budget_may_be_given_and_nothing_else(text_file, tmp_path, tiny):
    out = tmp_path / "r"
    begun = elman.train("language-modeling", text_file, out=out, quiet=True, **(tiny | {"steps": 10}))
    longer = elman.train("language-modeling", text_file, out=out, resume=True, quiet=True, steps=15, device="cpu")
    assert longer.description["training"]["steps"] == 15
    other = elman.train("language-modeling", text_file, out=out, resume=True, quiet=True, epochs=0.01)
    assert (other.options.steps, other.options.epochs) == (None, 0.01)
    assert all(other.description[name] == begun.description[name] for name in ("created", "data", "machine"))
    with pytest.raises(RunError, match="--hidden cannot change in a run that is continued"):
        elman.train("language-modeling", text_file, out=out, resume=True, quiet=True, hidden=25)
    other = tmp_path / "other.txt"
    other.write_text("another text " * 500)
    with pytest.raises(RunError, match="is not the train text that the run was begun with"):
        elman.train("language-modeling", other, out=out, resume=True, quiet=True)
    with pytest.raises(RunError, match="--resume needs --out"):
        elman.train("language-modeling", text_file, resume=True)


def test_a_run_that_is_continued_with_a_larger_budget_is_validated_on_the_way(text_file, tmp_path, tiny):
    out, options = tmp_path / "r", tiny | {"steps": 12, "validations": 4}
    elman.train("language-modeling", text_file, out=out, quiet=True, **options)
    elman.train("language-modeling", text_file, out=out, resume=True, quiet=True, steps=40)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "valid_loss" in line] == [3, 6, 9, 12, 20, 30, 40]


def test_every_phase_that_takes_long_is_told(text_file, tmp_path, tiny, monkeypatch, capsys):
    class Timer(threading.Timer):
        def start(self):
            self.function()

    monkeypatch.setattr(threading, "Timer", Timer)
    elman.train("language-modeling", text_file, out=tmp_path / "r", **tiny | {"steps": 1, "validations": 1})
    said = [line for line in capsys.readouterr().err.splitlines() if line.endswith(" ...")]
    assert said == [
        f"Reading {text_file} ...",
        "Validating ...",
        "Scoring the network on the valid part ...",
        "Scoring the baselines on the valid part ...",
        "Gathering what the report shows ...",
        "Looking inside the network ...",
        "Writing the report ...",
    ]


def test_a_diverging_run_stops_with_advice_and_keeps_its_folder(text_file, tmp_path, tiny):
    out = tmp_path / "r"
    options = tiny | {"cell": "rnn-relu", "optimizer": "sgd", "rate": 1e30, "clip": 0.0, "warmup": 0}
    with pytest.raises(NonFiniteError, match=r"became (nan|inf) at step \d+ .*Try a lower rate .* or clipping"):
        elman.train("language-modeling", text_file, out=out, quiet=True, **options)
    assert json.loads((out / "run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("error", [MemoryError("std::bad_alloc"), RuntimeError("can't allocate memory: 131 GB")])
def test_a_batch_for_which_there_is_no_memory_is_told_in_a_sentence(tmp_path, monkeypatch, error):
    def no_room(*arguments):
        raise error

    monkeypatch.setattr("elman.tasks.classification.Classification.learning", Learning(no_room, no_room))
    rows = {"x": [[0.5, 1.5, 0.5]] * 30, "label": ["a", "b", "a"] * 10}
    with pytest.raises(UsageError, match="not enough memory for a batch of this data; give a smaller --batch or --hid"):
        elman.train("classification", rows, out=tmp_path / "r", quiet=True, steps=1)
    assert json.loads((tmp_path / "r" / "run.json").read_text())["status"] == "failed"


def test_a_network_that_says_nothing_any_more_is_not_the_best(text_file, tmp_path, tiny):
    options = tiny | {"rate": 1e38, "warmup": 0, "steps": 1}
    with pytest.raises(NonFiniteError, match=r"the validation loss became nan at step 1 .*; there were no weights to"):
        elman.train("language-modeling", text_file, out=tmp_path / "r", quiet=True, **options)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([{"text": "a", "label": "b"}], "language-modeling reads one text, and the training data is a table"),
        (None, "the training data must be a file"),
        (3, "the training data must be a file"),
    ],
)
def test_a_language_model_reads_a_text(data, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        elman.train("language-modeling", data, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_task_or_cell_that_does_not_exist_is_named(text_file, tmp_path):
    with pytest.raises(UsageError, match="unknown task 'language-modelling'; did you mean 'language-modeling'"):
        elman.train("language-modelling", text_file)
    with pytest.raises(UsageError, match="lst"):
        elman.train("language-modeling", text_file, cell="lst", out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_the_best_weights_of_a_continued_run_are_those_of_the_uninterrupted_one(text_file, tmp_path, tiny):
    """Interrupted where the network is best, between two validations, at a rate that later ruins it."""
    ruinous = {"optimizer": "sgd", "momentum": 0.0, "clip": 0.0, "rate": 3000.0, "warmup": 3000, "final_rate": 1.0}
    options = tiny | ruinous | {"average": 0.0, "validations": 1}
    whole = elman.train("language-modeling", text_file, out=tmp_path / "whole", quiet=True, **options)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 2)
        begun = elman.train("language-modeling", text_file, out=tmp_path / "part", quiet=True, **options)
    assert begun.scores["valid"]["loss"] < whole.scores["valid"]["loss"]
    continued = elman.train("language-modeling", text_file, out=tmp_path / "part", quiet=True, resume=True)
    assert continued.scores == whole.scores


def test_a_run_that_has_used_up_a_new_budget_keeps_its_best_weights(text_file, tmp_path, tiny):
    options, out = tiny | {"steps": 40, "validations": 2}, tmp_path / "r"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 30)
        begun = elman.train("language-modeling", text_file, out=out, quiet=True, **options)
    again = elman.train("language-modeling", text_file, out=out, quiet=True, resume=True, steps=30)
    assert begun.description["training"]["best_step"] == again.description["training"]["best_step"] == 30
    assert again.scores == begun.scores


def test_a_run_with_files_of_its_own_is_continued_without_naming_them_again(text_file, tmp_path, tiny):
    valid = tmp_path / "valid.txt"
    valid.write_text(text_file.read_text()[:3000])
    options = tiny | {"steps": 4}
    elman.train("language-modeling", text_file, valid=valid, out=tmp_path / "r", quiet=True, **options)
    longer = elman.train("language-modeling", text_file, out=tmp_path / "r", quiet=True, resume=True, steps=6)
    assert longer.description["training"]["steps"] == 6
    with pytest.raises(RunError, match="is not the test text that the run was begun with"):
        elman.train("language-modeling", text_file, test=valid, out=tmp_path / "r", quiet=True, resume=True)
