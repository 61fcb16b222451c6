"""Bad input gets one clear sentence, the right exit status, and leaves nothing half-written."""

import json
import resource
import shutil
import subprocess
import sys

import pytest

TINY = ["--hidden", "8", "--lanes", "2", "--window", "8", "--steps", "3", "--quiet"]


@pytest.fixture
def elman(command, monkeypatch, tmp_path):
    """Run a command line in an empty folder; return exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the finished run that a test may damage."""
    shutil.copytree(run.path, tmp_path / "copy")
    return tmp_path / "copy"


def test_that_there_is_not_enough_memory_is_a_sentence(elman, run, monkeypatch):
    def no_room(self, data):
        raise MemoryError("std::bad_alloc")

    monkeypatch.setattr("elman.run.run.Run.evaluate", no_room)
    told = "elman: there is not enough memory for this; give less data at once\n"
    assert elman("evaluate", run.path) == (1, "", told)


TEXTS = [
    (b"", "a.txt is empty; give a text of at least a few thousand characters"),
    (b"a", "a.txt has only 1 byte; give a text"),
    (b"\x7fELF\0\0\0" + bytes(range(90, 120)), "a.txt is a binary file (zero byte in line 1)"),
    (b"%PDF-1.4\n" + b"\xe2" * 100, "a.txt is a PDF, not plain text"),
    (b"PK\x03\x04" + b"\xe2" * 100, "a.txt is a zip archive or an office document, not plain text"),
    ("grün ".encode("latin-1") * 50, "a.txt is not UTF-8 text (byte 0xfc at offset 2, line 1)"),
]


@pytest.mark.parametrize(("content", "message"), TEXTS, ids=["empty", "one", "binary", "PDF", "office", "latin-1"])
def test_bad_texts(elman, tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    status, out, err = elman("train", "language-modeling", "a.txt", "--out", "r", *TINY)
    assert (status, out) == (1, "")
    assert err.startswith(f"elman: {message}")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_missing_and_unreadable_places(elman, tmp_path, text_file):
    assert (
        elman("train", "language-modeling", "no.txt", *TINY)[2]
        == "elman: cannot read no.txt: no such file or directory\n"
    )
    assert elman("train", "language-modeling", ".", *TINY)[2] == "elman: cannot read .: is a directory\n"
    (tmp_path / "file").write_text("x")
    arguments = ["train", "language-modeling", text_file, *TINY, "--out"]
    assert elman(*arguments, "file")[2] == "elman: file is a file; choose another --out\n"
    assert elman(*arguments, "file/below")[2].startswith("elman: cannot make the folder file/below: ")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    assert elman(*arguments, "full")[2] == "elman: full is not empty; choose another --out\n"


def test_a_file_in_the_place_of_a_run_or_of_two_columns_is_told(elman, tmp_path):
    (tmp_path / "t.csv").write_text("text|label\na|b\n" * 30)
    assert elman("predict", "t.csv", "r") == (
        1,
        "",
        "elman: t.csv is a file, and a run is a folder, which `elman train` makes; name that\n",
    )
    status, _, err = elman("train", "classification", "t.csv")
    assert status == 1
    assert err.startswith("elman: t.csv has only the column 'text|label', and this task reads one and answers another")


def test_an_existing_run_is_not_overwritten(elman, copy, text_file):
    before = (copy / "run.json").read_bytes()
    status, _, err = elman("train", "language-modeling", text_file, *TINY, "--out", copy)
    assert status == 1
    assert err == f"elman: {copy} already holds a run; continue it with --resume, or choose another --out\n"
    assert (copy / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "translate", "x"], "unknown task 'translate'"),
        (["train", "{text}"], "stands where the task should; write: elman train TASK {text}"),
        (["train", "language-modeling", "{run}"], "the training data cannot be the run {run}; --out {run} --resume"),
        (["train", "language-modeling", "{text}", "--cell", "lstmm"], "'lstmm'; did you mean 'lstm'"),
        (["train", "language-modeling", "{text}", "--unit", "syllable"], "--unit 'syllable' is not known"),
        (["train", "language-modeling", "{text}", "--steps", "3", "--minutes", "1"], "the budget is given twice"),
        (["train", "language-modeling", "{text}", "--advance", "65"], "--advance 65 (k1) exceeds --window 64 (k2)"),
        (["train", "language-modeling", "{text}", "--hidden", "many"], "'--hidden'"),
        (["generate", "{run}", "--prompt", "the Ünï"], "characters that the network has never seen: 'Ü', 'ï'"),
        (["generate", "{run}", "--top-p", "1.5"], "--top-p 1.5 is out of range"),
        (["generate", "{run}", "--length", "-1"], "--length -1 is out of range"),
        (["predict", "{run}", "{text}", "--output", "a.xls"], "end it in .csv, .tsv, .jsonl, .parquet"),
        (["explain", "bye"], "no explanation is called 'bye'"),
        (["evaluate"], "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_status_2(elman, tmp_path, run, text_file, arguments, message):
    status, out, err = elman(*(a.format(run=run.path, text=text_file) for a in arguments))
    assert (status, out) == (2, "")
    assert message.format(run=run.path, text=text_file) in err
    assert list(tmp_path.iterdir()) == []


def test_answers_do_not_take_the_place_of_what_is_asked(elman, run, tmp_path):
    (tmp_path / "t.csv").write_text("text\nthe cat\n")
    (tmp_path / "link.csv").symlink_to("t.csv")
    status, out, err = elman("predict", run.path, "t.csv", "--output", "link.csv")
    assert (status, out) == (2, "")
    assert err == "elman: --output link.csv is the file that is asked, which it would replace; give it another name\n"
    assert (tmp_path / "t.csv").read_text() == "text\nthe cat\n"


def newer(folder):
    described = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(described | {"schema": 7, "elman": "9.0"}))


def folder_in_its_place(folder):
    (folder / "run.json").unlink()
    (folder / "run.json").mkdir()


def without(key):
    def damage(folder):
        described = json.loads((folder / "run.json").read_text())
        described[key] = {}
        (folder / "run.json").write_text(json.dumps(described))

    return damage


DAMAGES = {
    "no run.json": (lambda f: (f / "run.json").unlink(), "is not a run: it has no run.json"),
    "a folder for run.json": (folder_in_its_place, "run.json: is a directory"),
    "cut run.json": (lambda f: (f / "run.json").write_text('{"sch'), "run.json is damaged"),
    "newer": (newer, "was written by Elman 9.0 (schema 7), newer than this one"),
    "no modalities": (without("modalities"), "run.json is damaged"),
    "no options": (without("options"), "does not fit run.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no trained weights yet"),
    "cut weights": (lambda f: (f / "model.safetensors").write_bytes(b"abc"), "model.safetensors is damaged"),
    "no data": (lambda f: (f / "state" / "valid.symbols").unlink(), "cannot read"),
    "cut data": (lambda f: (f / "state" / "valid.symbols").write_bytes(b"abc"), "valid.symbols is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_says_what_is_wrong(elman, copy, damage):
    do, message = DAMAGES[damage]
    do(copy)
    status, out, err = elman("evaluate", copy)
    assert (status, out) == (1, "")
    assert err.startswith("elman: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_damaged_checkpoint_is_named(elman, copy, text_file):
    (copy / "state" / "checkpoint.safetensors").write_bytes(b"abc")
    _, _, err = elman("train", "language-modeling", text_file, "--out", copy, "--resume", "--steps", "200")
    assert "checkpoint.safetensors is damaged" in err


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # of JAX, where another test has imported it
def test_a_full_disk_leaves_no_part_of_a_file(text_file, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    command = [
        sys.executable,
        "-m",
        "elman",
        "train",
        "language-modeling",
        text_file,
        "--out",
        tmp_path / "r",
        *TINY[2:],
    ]
    done = subprocess.run([*command, "--hidden", "64"], capture_output=True, text=True, preexec_fn=limit, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("elman: cannot write ")
    assert done.stderr.splitlines()[-1].endswith("model.safetensors: file too large")
    assert not [path for path in (tmp_path / "r").rglob("*") if path.name.endswith(".tmp")]
    assert not (tmp_path / "r" / "model.safetensors").exists()
