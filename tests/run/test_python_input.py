"""What Python has is taken as it is, or one sentence says what is wrong with it."""

import numpy as np
import pytest
import torch

import elman
from elman.errors import DataError, ElmanError, UsageError

TINY = {"hidden": 8, "steps": 2, "quiet": True}
TEXT = "To be, or not to be: that is the question.\n" * 60
WAVE = {"y": np.sin(np.arange(300) / 5)}


def table(count=40):
    draw = np.random.default_rng(0)
    return {"x": draw.standard_normal((count, 6, 3)), "label": np.arange(count) % 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    return {
        "series": elman.train("classification", table(), out=place / "series", **TINY),
        "text": elman.train("language-modeling", [TEXT], out=place / "text", **TINY),
        "tags": elman.train(
            "tagging",
            {"x": table()["x"], "tag": table()["x"][:, :, 0] > 0},
            output="tag",
            out=place / "tags",
            bidirectional=False,
            **TINY,
        ),
    }


def test_rows_may_be_arrays_or_tensors(runs):
    rows = table(4)["x"]
    wanted = runs["series"].predict([row.tolist() for row in rows])
    for given in (rows, list(rows), torch.tensor(rows), list(torch.tensor(rows)), torch.tensor(rows).requires_grad_()):
        assert runs["series"].predict(given) == wanted


def test_names_in_a_list_may_have_commas(tmp_path):
    columns = {"x, y": table()["x"], "up, down": table()["label"]}
    run = elman.train("classification", columns, input=["x, y"], output=["up, down"], out=tmp_path / "r", **TINY)
    assert "up, down" in elman.load(run.path).predict(columns["x, y"][:1])[0]


def test_options_may_be_scalars_of_numpy_and_torch(tmp_path):
    given = {
        "hidden": np.int64(8),
        "rate": np.float32(0.01),
        "clip": torch.tensor(2.0),
        "bidirectional": np.bool_(True),
    }
    run = elman.train("classification", table(), out=tmp_path / "run", **TINY | given)
    assert [run.options.to_dict()[name] for name in given] == [8, pytest.approx(0.01), 2.0, True]
    assert [type(run.options.to_dict()[name]) for name in given] == [int, float, float, bool]


def test_a_split_may_be_three_numbers(tmp_path):
    run = elman.train("forecasting", WAVE, split=(0.6, 0.2, 0.2), horizon=3, out=tmp_path / "run", **TINY)
    assert run.options.split == "0.6,0.2,0.2"


def test_a_text_in_memory_is_that_text_in_a_file(runs, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    from_file = elman.train("language-modeling", tmp_path / "text.txt", out=tmp_path / "run", **TINY)
    weights, other = (run.network.state_dict() for run in (runs["text"], from_file))
    assert all(torch.equal(weights[name], other[name]) for name in weights)
    assert runs["text"].scores == from_file.scores
    assert runs["text"].evaluate([TEXT])["score"] == from_file.evaluate(tmp_path / "text.txt")["score"]
    assert runs["text"].description["data"]["train"]["path"] == "the training data"


def test_several_texts_are_lines_and_the_run_goes_on_with_them(tmp_path):
    lines = TEXT.splitlines()
    run = elman.train("language-modeling", lines, out=tmp_path / "run", **TINY)
    again = elman.train("language-modeling", TEXT.splitlines(keepends=True), out=run.path, resume=True, steps=3)
    assert again.description["training"]["steps"] == 3
    with pytest.raises(ElmanError, match="the training data is not the train text"):
        elman.train("language-modeling", ["other" + TEXT], out=run.path, resume=True, steps=4)


def test_the_network_is_a_module_to_use(runs):
    network = runs["series"].network
    assert isinstance(network, torch.nn.Module)
    assert not network.training
    (scores,) = network(torch.zeros(5, 2, 3), torch.tensor([5, 3])).values()
    assert scores.shape == (2, 2)
    scores, _ = runs["text"].network(torch.zeros(5, 2, dtype=torch.int64), None)
    assert scores.shape[:2] == (5, 2)


def train(task="classification", data=None, **options):
    return elman.train(task, table() if data is None else data, **TINY | options)


WRONG = {
    "split": (lambda _: train("forecasting", WAVE, split=(0.7, "a")), "--split (0.7, 'a') is not a text such as '0.7"),
    "a cell": (lambda _: train(cell=elman.Recurrent("gru", 2, 3)), "is not a text such as 'lstm'"),
    "an array": (lambda _: train(hidden=np.array([8, 8])), "--hidden [8, 8] is not a whole number"),
    "a choice": (lambda _: train(optimizer=np.array(["sgd", "sgd"])), "--optimizer ['sgd', 'sgd'] is not known"),
    "out": (lambda _: train(out=3), "out must be the path of a folder, got 3"),
    "out of any length": (lambda _: train(out="z" * 5000), "out cannot be the folder 'zzz"),
    "no task": (lambda _: train(None), "a task is given by its name, got None"),
    "no run": (lambda _: elman.load(None), "a run must be the path of a folder, got None"),
    "four dimensions": (lambda _: train(data=table() | {"x": np.zeros((40, 4, 3, 2))}), "has more than two dimensions"),
    "four asked": (lambda r: r["series"].predict(np.zeros((2, 4, 3, 2))), "row 1, column 'x' has more than two dim"),
    "empty": (
        lambda r: r["series"].predict([np.zeros((0, 3))]),
        "row 1, column 'x' is an empty series; remove the row",
    ),
    "nothing": (lambda r: r["series"].predict(None), "or a data frame, got NoneType"),
    "a text": (
        lambda r: r["text"].predict("To be"),
        "To be cannot be read: no such file or directory; rows in memory, also",
    ),
    "a whole text": (lambda _: train("language-modeling", TEXT), "a text in memory stands in a list: [text]"),
    "one line": (lambda _: train("language-modeling", TEXT.replace("\n", " ")), "a text in memory stands in a list"),
    "a text to score": (lambda r: r["text"].evaluate(TEXT), "the data given is no file but a text, 'To be, or"),
    "a text as rows": (lambda r: r["text"].predict(TEXT), "'To be, or not to be: that is the questio'... cannot be"),
    "texts": (lambda _: train(data=["a", "b"]), "the training data is a list of texts, and this task reads a table"),
    "half a pair": (lambda _: train("language-modeling", [TEXT + chr(0xD800)]), "holds half of a surrogate pair"),
    "a table": (lambda _: train("language-modeling"), "the training data is a table; give its texts in a list"),
    "kinds": (
        lambda _: train(data={"x": np.arange(40), "label": np.arange(40) % 2}),
        "recordings, lists of numbers, lists of texts or texts; it has 'x' (numbers), 'label' (numbers)",
    ),
    "topk": (lambda r: r["text"].generate(topk=2), "unknown option 'topk'; did you mean 'top_k'?"),
    "other": (lambda r: r["text"].generate(q=2), "unknown option 'q'; there are temperature, top_k, top_p, seed"),
    "length": (lambda r: r["text"].generate(length=1.5), "--length 1.5 is not a whole number"),
    "prompt": (lambda r: r["text"].generate(prompt=3), "the prompt must be a text, got int"),
    "temperature": (lambda r: r["text"].generate(temperature="hot"), "--temperature 'hot' is not a number"),
    "too hot": (lambda r: "".join(r["text"].generate(temperature=1e300)), "--temperature 1e+300 is out of range"),
    "top_k": (lambda r: r["text"].generate(top_k=1.5), "--top-k 1.5 is not a whole number"),
    "bytes": (lambda r: r["text"].stream().feed(b"x"), "a stream of this run reads text, got bytes"),
    "no state": (lambda r: setattr(r["text"].stream(), "state", None), "is tensors by name, as `stream.state` gives"),
    "no state of a series": (lambda r: setattr(r["tags"].stream(), "state", None), "got NoneType; to begin anew"),
    "no tensors": (lambda r: setattr(r["tags"].stream(), "state", {"h": 3}), "got dict of other values"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(what, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    do, said = WRONG[what]
    with pytest.raises((UsageError, DataError)) as told:
        do(runs)
    assert said in str(told.value)
    assert len(str(told.value)) < 300
    assert not any((tmp_path / "runs").glob("*"))
