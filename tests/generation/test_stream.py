"""A stream reads on and on: whatever it is fed in whatever pieces, and wherever its state goes in between."""

import copy
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from elman.errors import UsageError
from elman.generation.sample import Sampling, draw

TEXT = "the cat sat on the mat.\nthe dog sat on the log.\n" * 8


def test_pieces_do_not_matter(run):
    whole = run.stream().feed(TEXT)
    assert len(whole) == len(TEXT)
    for pieces in (list(TEXT), TEXT.splitlines(keepends=True), [TEXT[:3], "", TEXT[3:300], TEXT[300:]]):
        stream = run.stream()
        found = [value for piece in pieces for value in stream.feed(piece)]
        assert found == pytest.approx(whole, abs=1e-4)


def test_a_line_is_as_probable_as_predicted(run):
    line = TEXT.splitlines()[0]
    assert sum(run.stream().feed(line)) == pytest.approx(run.predict([line])[0]["log_probability"], abs=1e-3)


def test_its_state_can_be_saved_and_moved(run, tmp_path):
    first = run.stream()
    first.feed(TEXT[:200])
    save_file(first.state, tmp_path / "state.safetensors")
    expected = first.feed(TEXT[200:])
    second = run.stream()
    second.feed("something else")
    second.state = load_file(tmp_path / "state.safetensors")
    assert second.feed(TEXT[200:]) == expected
    second.reset()
    assert second.feed(TEXT[:50]) == run.stream().feed(TEXT[:50])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_stream_goes_on_by_itself(run, copied):
    first = run.stream()
    first.feed(TEXT[:200])
    second = copied(first)
    assert first.feed("x!") != second.feed("th")
    third = run.stream()
    third.feed(TEXT[:200] + "th")
    assert second.feed(TEXT[:30]) == pytest.approx(third.feed(TEXT[:30]), abs=1e-4)


def test_a_copy_of_the_state_stays_what_it_was(run):
    stream = run.stream()
    before = stream.state
    kept = {name: tensor.clone() for name, tensor in before.items()}
    stream.feed(TEXT)
    assert all(torch.equal(before[name], kept[name]) for name in kept)


@pytest.mark.parametrize("weights", [torch.bfloat16, torch.int8])
def test_narrow_weights_say_nearly_the_same(run, weights):
    found, expected = run.stream(weights=weights).feed(TEXT), run.stream().feed(TEXT)
    assert found != expected
    assert sum(found) / len(TEXT) == pytest.approx(sum(expected) / len(TEXT), abs=0.02)


def test_what_is_expected(run):
    stream = run.stream()
    stream.feed("the cat sat on the ma")
    best = stream.expected(3)
    probabilities = [probability for _, probability in best]
    assert probabilities == sorted(probabilities, reverse=True)
    text, probability = best[0]
    assert stream.feed(text) == [pytest.approx(math.log(probability), abs=1e-4)]
    everything = stream.expected(10_000)
    assert len(everything) == run.prepared.text.unit.size - 1
    assert sum(probability for _, probability in everything) == pytest.approx(1, abs=0.01)


def test_lines_are_told_as_they_come(run):
    stream, rows = run.stream(), []
    for row in stream.follow(TEXT.splitlines(keepends=True)[:3]):
        rows.append(row)
    assert [row["line"] for row in rows] == [1, 2, 3]
    assert rows[0]["text"] == "the cat sat on the mat."
    assert rows[0]["symbols"] == len(rows[0]["text"]) + 1
    assert rows[0]["log_probability"] == pytest.approx(sum(run.stream().feed(rows[0]["text"] + "\n")))
    assert rows[2]["perplexity"] == pytest.approx(math.exp(-rows[2]["log_probability"] / rows[2]["symbols"]))


def test_what_it_refuses(run):
    stream = run.stream()
    with pytest.raises(UsageError, match="asks for no symbol"):
        stream.expected(0)
    with pytest.raises(UsageError, match="the state of a stream of this run has the tensors"):
        stream.state = {"h": torch.zeros(1, 1, 3)}
    with pytest.raises(UsageError, match="'scores' holds values that are not finite"):
        stream.state = stream.state | {"scores": stream.state["scores"] * torch.nan}
    with pytest.raises(UsageError, match="got weights="):
        run.stream(weights=torch.float16)


def test_as_many_symbols_as_asked_for_are_drawn_from_where_several_are_as_probable():
    generator, sampling = torch.Generator().manual_seed(0), Sampling(top_k=2)
    drawn = {draw(torch.tensor([0.0, 1.0, 1.0, 1.0]), None, sampling, generator) for _ in range(50)}
    assert len(drawn) == 2
