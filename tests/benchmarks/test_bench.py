"""`elman bench` end to end: the form of what it prints, wrong answers, missing peers, bad usage."""

import json
import re

import pytest
import torch

from elman.benchmarks import BENCHMARKS, layers, suite
from elman.benchmarks.peers import PEERS
from elman.engine import multiplies_bfloat16

SHAPE = "3,6,4,5"


def test_layers_tell_times_ratios_and_the_matmul(measured):
    result = measured("layers", "--shape", SHAPE, "--shape", "2,4,3,7")
    assert result["benchmark"] == "layers"
    assert {"cpu", "threads", "torch"} <= result["machine"].keys()
    kinds = [(row["cell"], row["shape"]["H"], row["pass"]) for row in result["rows"]]
    cells = ("lstm", "gru", "rnn", "rnn-relu")
    assert kinds == [(cell, H, way) for cell in cells for H in (5, 7) for way in ("training", "forward")]
    for row in result["rows"]:
        able = ("torch", "jax") if row["pass"] == "training" else ("torch", "jax", "onnxruntime")
        peers = {name for name in able if PEERS[name].installed()}
        assert row["times"].keys() == row["matmul_shares"].keys() == peers | {"elman"}
        assert row["ratios"]["elman"].keys() == peers
        assert row["deviations"].keys() == peers - {"torch"} | {"elman"}
        assert all(found["rounds"] == 2 and found["median_ms"] > 0 for found in row["times"].values())
        assert row["matmul_gflops"] > 0
        assert max(row["deviations"].values()) < 1e-5
    mean = next(mean for mean in result["means"] if (mean["cell"], mean["pass"]) == ("gru", "training"))
    found = [
        row["ratios"]["elman"]["torch"] for row in result["rows"] if (row["cell"], row["pass"]) == ("gru", "training")
    ]
    assert mean["ratios"]["elman"]["torch"] == {"mean": pytest.approx((found[0] * found[1]) ** 0.5), "min": min(found)}


def test_lengths_run_in_one_and_two_directions(measured):
    rows = measured("lengths", "--shape", "5,20,4,6")["rows"]
    assert [(row["cell"], row["directions"]) for row in rows] == [
        (cell, directions) for cell in ("lstm", "gru", "rnn", "rnn-relu") for directions in (1, 2)
    ]
    assert all(0 < row["real_steps"] < 1 and row["deviations"]["elman"] < 1e-5 for row in rows)


def test_bfloat16_is_set_against_float32(measured):
    rows = measured("bfloat16", "--cell", "gru", "--shape", SHAPE)["rows"]
    assert [row["pass"] for row in rows] == ["training", "forward"]
    for row in rows:
        assert row["products"] == ("bfloat16" if multiplies_bfloat16() else "float32")
        assert row["ratios"]["elman"].keys() == {"elman float32", "torch", "torch bfloat16"}
        assert (row["deviations"]["elman"] > 1e-4) == multiplies_bfloat16()
        assert row["deviations"]["torch bfloat16"] > 1e-4


def test_step_measures_cell_and_stepper_with_one_thread_and_two(measured):
    before = torch.get_num_threads()
    rows = measured("step", "--cell", "gru", "--shape", "1,1,4,5")["rows"]
    assert [row["threads"] for row in rows] == [1, 2]
    assert all(
        row["ratios"].keys() == {"elman cell", "elman stepper", "elman bf16 stepper", "elman int8 stepper"}
        for row in rows
    )
    assert torch.get_num_threads() == before


def test_memory_is_that_of_fresh_processes(measured):
    (row,) = measured("memory", "--cell", "rnn", "--shape", "16,100,32,512")["rows"]
    written = 16 * 100 * 512 * 4 / 2**20  # the output alone, MiB
    for figures in row["memory"].values():
        assert figures["peak_mib"] == pytest.approx(figures["before_mib"] + figures["above_mib"], abs=1)
        assert figures["above_mib"] > written
        assert 50 < figures["peak_mib"] < 2000
    assert row["deviations"]["elman"] < 1e-5


def test_people_get_a_table_that_ends_in_the_means(bench):
    status, out, err = bench("layers", "--cell", "lstm", "--shape", SHAPE, "--rounds", "1", "--peer", "torch")
    assert status == 0
    table, means = out.split("Geometric means")
    assert re.search(r"lstm +training +3,6,4,5 .*x ", table)
    assert re.fullmatch(r"lstm +forward +given +1 +[\d.]+x \([\d.]+\)", means.splitlines()[-1])
    assert len(err.splitlines()) == 2


def test_a_wrong_answer_is_an_error_and_not_a_row(bench, monkeypatch, tmp_path):
    convert = layers.convert

    def wrong(layer):
        with torch.no_grad():
            layer.bias_hh_l0[0] += 0.01
        return convert(layer)

    monkeypatch.setattr(layers, "convert", wrong)
    line = ["layers", "--cell", "gru", "--shape", SHAPE, "--peer", "torch", "--rounds", "1", "--save", "kept", "--json"]
    status, out, err = bench(*line)
    assert (status, out) == (1, "")
    assert re.fullmatch(r"elman: gru 3,6,4,5 training: .* of elman differs from that of torch by .*\n", err)
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_is_what_is_printed(measured, tmp_path):
    result = measured("lengths", "--cell", "rnn", "--shape", SHAPE, "--save", "kept")
    assert json.loads((tmp_path / "kept" / "lengths.json").read_text()) == result


def test_a_folder_that_cannot_be_is_told_before_anything_is_measured(bench, tmp_path):
    (tmp_path / "file").write_text("")
    status, out, err = bench("layers", "--cell", "rnn", "--shape", SHAPE, "--peer", "torch", "--save", "file/results")
    assert (status, out) == (1, "")
    assert re.fullmatch(r"elman: cannot make the folder file/results: .*file is a file; choose another one\n", err)


def test_a_missing_peer_is_named_once_and_left_out(bench, monkeypatch):
    for name in ("jax", "onnxruntime"):
        monkeypatch.setattr(type(PEERS[name]), "installed", lambda _: False)
    status, out, err = bench("layers", "--cell", "rnn", "--shape", SHAPE, "--rounds", "1")
    assert status == 0
    assert (
        err.splitlines()[0]
        == "not installed, so not compared with: jax, onnxruntime; pip install 'elman[bench]' brings them"
    )
    assert len(err.splitlines()) == 3
    assert "jax" not in out


def test_without_a_name_the_benchmarks_are_listed(bench):
    assert json.loads(bench("--json")[1])["benchmarks"].keys() == BENCHMARKS.keys()
    assert all(name in bench()[1] for name in BENCHMARKS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "no benchmark is called 'speed'; there are: layers, lengths, bfloat16, step, loop, cells, scan,"),
        (["layers", "--shape", "1,2,3"], "--shape '1,2,3' is not B,T,I,H"),
        (["layers", "--shape", "1,2,3,0"], "--shape '1,2,3,0' is not B,T,I,H"),
        (["layers", "--cell", "lstmm"], "this benchmark has no cell 'lstmm'; did you mean 'lstm'?"),
        (["lengths", "--peer", "jax"], "`elman bench lengths` has no peer 'jax'; there is: torch"),
        (["step", "--shape", "1,2,3,4"], "--shape 1,2,3,4 has 2 time steps"),
        (["layers", "--rounds", "0"], "--rounds 0 is out of range"),
        (["layers", "--seconds", "nan"], "--seconds nan is out of range"),
        (["layers", "--rounds", "3", "--seconds", "1"], "the budget is given twice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_status_2(bench, arguments, message):
    status, out, err = bench(*arguments)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"elman: {message}")


@pytest.mark.native
def test_loops_over_cells_are_set_against_torchs_and_the_whole_sequence():
    result = suite.run("loop", cells=["lstm", "rnn"], shapes=["3,6,4,8"], rounds=1)
    for row, cell in zip(result["rows"], ("lstm", "rnn"), strict=True):
        assert (row["cell"], row["backend"]) == (cell, "native")
        assert set(row["times"]) == {"elman", "torch", "whole sequence"}
    assert [mean["ratios"]["elman"].keys() for mean in result["means"]] == [{"torch"}, {"torch"}]


@pytest.mark.native
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
def test_cells_are_set_against_a_loop_and_the_plain_lstm():
    arguments = {"cells": ["lstm", "lru", "docs/extending.md"], "shapes": ["3,6,4,8"], "rounds": 1}
    result = suite.run("cells", **arguments)
    names = [row["cell"] for row in result["rows"]]
    assert names[0] == "lstm"
    assert "lstm, layer norm" in names
    assert names[-2:] == ["lru", "docs/extending.md"]
    for row in result["rows"]:
        assert row["backend"] == "native"
        assert {"elman", "loop", "hoisted loop", "lengths", "plain lstm"} <= row["times"].keys()
        assert ("torch" in row["times"]) == (row["cell"] in {"lstm", "lstm, projection to half"})
    assert suite.tables(result)[0].rows[1][0] == "lstm"


def test_scans_are_set_against_the_closed_form():
    (row,) = suite.run("scan", shapes=["2,50,8,8"], rounds=1)["rows"]
    assert row["peer"] == "closed form"
    assert row["bandwidth_shares"].keys() == {"forward", "backward"}
