"""Experiments: each is listed, small ones run, results are kept and made into a page."""

import json
from pathlib import Path

import pytest

from elman.errors import UsageError
from elman.experiments import EXPERIMENTS, find, suite
from elman.experiments.base import interval


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_entry_is_an_experiment_of_that_name_that_says_what_it_expects(name):
    experiment = find(name)
    assert experiment.name == name
    assert all(text.endswith(".") for text in (experiment.claim, experiment.expected, experiment.method))
    assert experiment.usual_seeds >= 2


@pytest.mark.parametrize(
    ("name", "verdict"), [("causality", "holds in part"), ("tied-weights", "holds"), ("convolution", "holds")]
)
def test_small_ones_run_and_judge(name, verdict):
    told = []
    result = suite.run(name, 2, told.append)
    assert result["verdict"] == verdict
    assert result["seeds"] == [0, 1]
    assert len(result["rows"]) >= 4
    assert told
    json.dumps(result, allow_nan=False)
    assert suite.run(name, 2, told.append)["rows"] == result["rows"]


def test_the_command_lists_measures_keeps_and_writes_the_page(command, tmp_path):
    status, out, _ = command("experiments")
    assert status == 0
    assert all(name in out for name in EXPERIMENTS)
    status, out, _ = command("experiments", "causality", "--seeds", 1, "--save", tmp_path)
    assert status == 0
    assert "Verdict: holds in part." in out
    status, out, _ = command("experiments", "tied-weights", "--seeds", 1, "--save", tmp_path, "--json")
    assert json.loads(out)["experiment"] == "tied-weights"
    status, _, _ = command("experiments", "--save", tmp_path, "--claims", tmp_path / "claims.md")
    assert status == 0
    page = (tmp_path / "claims.md").read_text()
    assert page.index("## causality") < page.index("## tied-weights")
    assert "| [Each output depends on all inputs before it, and on none after.](#causality) | holds in part |" in page


def test_the_page_of_claims_is_made_from_the_results_beside_it(tmp_path):
    root = Path(__file__).parent.parent.parent
    results = root / "benchmarks" / "results" / "claims"
    assert {path.stem for path in results.iterdir()} == set(EXPERIMENTS)
    made = suite.write_claims(results, tmp_path / "claims.md").read_text()
    assert made == (root / "docs" / "claims.md").read_text()


def test_wrong_use_gets_one_sentence(command, tmp_path):
    status, out, err = command("experiments", "casuality")
    assert (status, out) == (2, "")
    assert err == "elman: no experiment is called 'casuality'; did you mean 'causality'?\n"
    assert command("experiments", "causality", "--seeds", 0)[2] == "elman: --seeds 0 is out of range; give at least 1\n"
    assert command("experiments", "--claims", "x.md")[2].startswith("elman: --claims needs --save DIR")
    assert command("experiments", "--claims", "x.md", "--save", tmp_path)[2].startswith(f"elman: {tmp_path} holds no")
    with pytest.raises(UsageError, match="there are: internal-memory"):
        find("something")


def test_where_results_go_is_looked_at_before_anything_is_measured(command, tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "run", None)
    (tmp_path / "file").touch()
    for words, said in (
        (["--save", tmp_path / "file"], f"cannot make the folder {tmp_path}/file: "),
        (["--save", tmp_path, "--claims", tmp_path / "no" / "c.md"], f"cannot write {tmp_path}/no/c.md: "),
    ):
        status, out, err = command("experiments", "causality", *words)
        assert (status, out) == (1, "")
        assert err.startswith(f"elman: {said}")


def test_intervals_are_students():
    assert interval([1.0, 2.0, 3.0]) == "2 ± 2.5"
    assert interval([1.0]) == "1"
