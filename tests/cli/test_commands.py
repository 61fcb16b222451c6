"""The commands end to end, as a user runs them: processes of their own, killed where it hurts."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

OPTIONS = ["--hidden", "24", "--lanes", "8", "--window", "16", "--dropout", "0.2", "--average", "0.9"]
EAGER = "import elman.training.loop as loop; loop.CHECKPOINT_SECONDS = 0; from elman.cli import main; main()"


def command(*arguments, code=None, **options):
    program = ["-m", "elman"] if code is None else ["-c", code]
    line = [sys.executable, *program, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


def test_train_kill_resume_evaluate_predict_generate(text_file, tmp_path):
    train = ["train", "language-modeling", text_file, *OPTIONS, "--steps", "200"]
    whole = command(*train, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert "nats per character" in whole.stdout
    assert "step 200" in whole.stderr

    killed = subprocess.Popen(
        [sys.executable, "-c", EAGER, *map(str, train), "--out", str(tmp_path / "part")], stderr=subprocess.DEVNULL
    )
    kill_after_step(killed, tmp_path / "part" / "metrics.jsonl", 50)
    resumed = command("train", "language-modeling", text_file, "--out", tmp_path / "part", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for name in ("model.safetensors", "state/checkpoint.safetensors"):
        ours, theirs = load_file(tmp_path / "part" / name), load_file(tmp_path / "whole" / name)
        assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []
    steps = [json.loads(line)["step"] for line in (tmp_path / "part" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)

    score = json.loads(command("evaluate", tmp_path / "part", "--json").stdout)
    assert score["score"] == json.loads((tmp_path / "whole" / "run.json").read_text())["scores"]["valid"]
    lines = command("predict", tmp_path / "part", "-", "--json", input="the cat sat\nthe dog ran\n")
    assert [row["text"] for row in json.loads(lines.stdout)["rows"]] == ["the cat sat", "the dog ran"]
    written = command("generate", tmp_path / "part", "--prompt", "the ", "--length", "30")
    assert written.stdout.startswith("the ")
    assert len(written.stdout) == len("the ") + 30 + 1


def kill_after_step(process, metrics, step):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if metrics.exists() and metrics.read_text().count('"loss"') * 10 >= step:
            break
        assert process.poll() is None, "training ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_ctrl_c_ends_with_a_complete_run(text_file, tmp_path):
    out = tmp_path / "r"
    arguments = ["train", "language-modeling", text_file, *OPTIONS, "--minutes", "5", "--out", out]
    process = subprocess.Popen([sys.executable, "-m", "elman", *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    while not ((out / "metrics.jsonl").exists() and (out / "metrics.jsonl").read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Interrupted after" in stdout
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert (out / "report.html").exists()


@pytest.mark.parametrize("name", ["tasks", "cells", "doctor"])
def test_lists_are_json_or_text(name):
    assert json.loads(command(name, "--json").stdout)
    assert command(name).stdout


def test_training_prints_one_json_object(text_file, tmp_path):
    done = command("train", "language-modeling", text_file, *OPTIONS, "--steps", "5", "--out", tmp_path / "r", "--json")
    described = json.loads(done.stdout)
    assert described["status"] == "finished"
    assert described["run"] == str(tmp_path / "r")


def test_predictions_go_to_a_table(run, text_file, tmp_path):
    out = tmp_path / "a.csv"
    assert command("predict", run.path, text_file, "--output", out).returncode == 0
    assert out.read_text().splitlines()[0] == "line,log_probability,perplexity,symbols,unknown,text"
    assert len(out.read_text().splitlines()) == len(text_file.read_text().splitlines()) + 1


def test_lines_are_answered_as_they_come(run):
    words = [sys.executable, "-m", "elman", "predict", run.path, "-", "--follow", "--json"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        for number, line in enumerate(("the cat sat on a mat.", "the dog"), 1):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            row = json.loads(process.stdout.readline())  # before the next line is there
            assert (row["line"], row["text"], row["symbols"]) == (number, line, len(line) + 1)
        process.stdin.buffer.write(b"a \xff b\n")
        process.stdin.close()
        assert json.loads(process.stdout.readline())["text"] == "a \ufffd b"
        assert process.wait(20) == 0
    refused = command("predict", run.path, "lines.txt", "--follow")
    assert refused.returncode == 2
    assert "--follow reads standard input" in refused.stderr


def test_what_a_terminal_has_no_sign_for_is_a_question_mark(run):
    encoding = "cp1252"

    def said(*options):
        line = [sys.executable, "-m", "elman", "predict", run.path, "-", *options]
        names = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run(line, input="the naïve 👍\n".encode(), capture_output=True, env=names, check=True)
        return done.stdout.decode(encoding)

    assert "the naïve 👍".encode(encoding, "replace").decode(encoding) in said()
    assert json.loads(said("--json"))["rows"][0]["text"] == "the naïve 👍"


@pytest.fixture(params=["", "1"])
def unbuffered(request):
    """An environment in which what is printed is kept till the end, and one in which it is written at once."""
    return os.environ | {"PYTHONUNBUFFERED": request.param}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [["cells"], ["cells", "--json"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_told(command, unbuffered):
    line = [sys.executable, "-m", "elman", *command]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, check=False, env=unbuffered)
    assert (done.returncode, done.stderr) == (1, b"elman: standard output: no space left on device\n")


def test_a_pipe_that_was_closed_before_is_no_error(unbuffered):
    closed, pipe = os.pipe()
    os.close(closed)
    line = [sys.executable, "-m", "elman", "cells"]
    done = subprocess.run(line, stdout=pipe, stderr=subprocess.PIPE, check=False, env=unbuffered)
    os.close(pipe)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_closed_pipe_is_no_error(run):
    line = f"{sys.executable} -m elman generate {run.path} --length 3000 | head -c 10"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, env=os.environ)
    assert done.stderr == ""


def test_answers_are_printed_before_all_are_there(run, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("the cat sat on a mat.\n" * 200_000)
    line = [sys.executable, "-m", "elman", "predict", run.path, lines]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
        assert b"log_probability" in process.stdout.read(100)
        assert process.poll() is None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 1


def test_ctrl_c_leaves_no_part_of_a_table(run, tmp_path):
    (tmp_path / "lines.txt").write_text("the cat sat on a mat.\n" * 200_000)
    code = (
        "import os, signal; from elman.run.predictions import Gathered as G; from elman.cli import main\n"
        "add = G.add; G.add = lambda *a: (add(*a), len(a[0]) > 2000 and os.kill(os.getpid(), signal.SIGINT)); main()"
    )
    done = command("predict", run.path, tmp_path / "lines.txt", "--output", tmp_path / "o.csv", code=code)
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lines.txt"]


def test_help_names_only_the_options_of_its_task():
    for task, own in (("language-modeling", "--window"), ("forecasting", "--horizon"), ("classification", "--unit")):
        text = command("train", task, "--help").stdout
        assert own in text
        assert ("--horizon" in text) == (task == "forecasting")


def test_help_names_every_command_in_full_and_training_first():
    text = command("--help", env=os.environ | {"COLUMNS": "60"}).stdout
    names = re.findall(r"^  ([a-z]+) {2,}\w", text, re.MULTILINE)
    assert names[0] == "train"
    assert {"evaluate", "predict", "generate", "serve", "doctor", "bench"} < set(names)
    assert "..." not in text.partition("Commands:")[2]


def test_help_fills_a_wide_terminal_as_far_as_lines_are_easy_to_read():
    for line in (["--help"], ["train", "forecasting", "--help"], ["predict", "--help"]):
        text = command(*line, env=os.environ | {"COLUMNS": "200"}).stdout
        assert 90 < max(map(len, text.splitlines())) <= 110, line


def test_help_of_a_task_has_what_is_needed_first_before_the_fine_points_of_training():
    text = command("train", "classification", "--help").stdout
    places = [text.index(f"  {each}") for each in ("--out ", "--minutes", "--input ", "--cell", "--rate", "--clip ")]
    assert places == sorted(places)
    assert "Usage: elman train TASK DATA" in command("train", "--help").stdout.replace("[OPTIONS] ", "")


def test_a_table_is_classified_scored_and_predicted_from_the_command_line(tmp_path):
    from tests.tasks.conftest import texts

    table = tmp_path / "t.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in texts(120)))
    out, small = tmp_path / "r", ["--hidden", "8", "--embedding", "8", "--epochs", "3"]
    done = command("train", "classification", table, "--input", "text", "--output", "label", *small, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "found by" not in done.stderr
    for words in ("valid: 12 rows", "accuracy", "TF-IDF and logistic regression", f"elman predict {out} FILE"):
        assert words in done.stdout
    assert json.loads(command("evaluate", out, table, "--json").stdout)["score"]["symbols"] == 120
    said = json.loads(command("predict", out, "-", "--json", input="lovely film\nsad day\n").stdout)["rows"]
    assert [row["text"] for row in said] == ["lovely film", "sad day"]
    assert command("predict", out, table, "--output", tmp_path / "p.csv").returncode == 0
    assert (tmp_path / "p.csv").read_text().startswith("text,label,predicted_label,predicted_label_probability\n")
    refused = command("generate", out)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "elman: a classification run does not generate; let it predict rows\n"
    assert command("train", "classification", table, *small, "--out", tmp_path / "s").stderr.startswith(
        "Reading 'text', answering 'label': found by their content; --input and --output say otherwise.\n"
    )
