"""What is exported computes what the run computes; nothing here needs ONNX."""

import itertools
import unicodedata

import numpy as np
import polars as pl
import pytest
import torch

import elman
from elman.cells import CELLS
from elman.data import tables
from elman.export import scripts
from elman.export.base import beginning, difference, names_of
from elman.export.export import description, exporter_of
from elman.export.reading_on import _pieces
from elman.export.recurrence import Loop, Portable, Steps
from elman.layers import build
from elman.modalities.tags import Tags
from elman.modalities.words import TOKENS, WORDS

CLOSE, EXACT = 1e-5, 1e-10
OPTIONS = [{}, {"layer_norm": True}, {"zoneout": 0.2}, {"residual": True, "num_layers": 3}]


def eager(models):
    return {model.name: lambda *inputs, model=model: list(model.module(*inputs)) for model in models}


@torch.no_grad()
def test_every_model_answers_as_the_run_does(any_run):
    exporter = exporter_of(any_run)
    models = exporter.models()
    trials = list(exporter.trials(eager(models)))
    assert {trial.model for trial in trials} == {model.name for model in models}
    assert max(trial.difference for trial in trials) < CLOSE
    assert len({(trial.rows, trial.steps) for trial in trials}) > 2


ENDS = {"lengths": 1, "counts": 2, "widths": 2}
"""The inputs that say where a row ends, and along which axis of the others."""


def with_others_behind(ports, tensors):
    """The same rows, and behind their ends what stands there in other rows."""
    named = dict(zip((port.name for port in ports), tensors, strict=True))
    for name, tensor in named.items():
        for end, axis in ENDS.items():
            if end in named and tensor.dim() > axis:
                last = named[end].reshape(*named[end].shape, *[1] * (tensor.dim() - named[end].dim()))
                place = torch.arange(tensor.shape[axis]).reshape(-1, *[1] * (tensor.dim() - axis - 1))
                named[name] = torch.where(place < last, named[name], tensor.roll(1, 0))
    return tuple(named.values())


@torch.no_grad()
def test_what_lies_behind_a_row_is_not_read(any_run, monkeypatch):
    exporter = exporter_of(any_run)
    if not any(port.name in ("lengths", "widths") for model in exporter.models() for port in model.inputs):
        pytest.skip("all rows are of one length")
    tensors, changed = exporter.feed.tensors, []

    def other(batch):
        given = tensors(batch)
        found = with_others_behind(exporter.feed.ports, given)
        changed.append(any(not torch.equal(one, each) for one, each in zip(found, given, strict=True)))
        return found

    monkeypatch.setattr(exporter.feed, "tensors", other)
    assert max(trial.difference for trial in exporter.trials(eager(exporter.models()))) < CLOSE
    assert any(changed)


@torch.no_grad()
def test_a_model_that_is_wrong_at_the_last_step_of_its_rows_is_found(make_run):
    exporter = exporter_of(make_run("tagged series"))
    (model,) = exporter.models()

    def wrong(values, lengths):
        (found,) = model.module(values, lengths)
        found[torch.arange(len(lengths)), lengths - 1] += 1
        return [found]

    assert min(trial.difference for trial in exporter.trials({"model": wrong})) > CLOSE


@torch.no_grad()
def test_a_language_model_is_read_symbol_by_symbol_as_at_once(run):
    exporter = exporter_of(run)
    trials = list(exporter.trials(eager(exporter.models())))
    assert {trial.model for trial in trials} == {"model", "step"}
    assert max(trial.difference for trial in trials) < CLOSE


@torch.no_grad()
def test_the_task_scores_the_models_as_it_scores_the_network(run, make_run):
    from elman import tasks

    for one in (run, *map(make_run, ("words", "tags", "forecasts", "images of any width", "streamed speech", "calls"))):
        exporter, task = exporter_of(one), tasks.find(one.task)
        found = task.score(*exporter.stand_in(eager(exporter.models())), "valid")
        own = task.score(one.network, one.prepared, "valid")
        for name, figure in own.items():
            assert found[name] == (figure if isinstance(figure, str) else pytest.approx(figure, rel=1e-4)), name


def test_what_is_tried_stands_all_over_the_text_and_a_short_one_is_read_again():
    text = np.arange(100, dtype=np.uint8)
    assert _pieces(text, 3, 10).t().tolist() == [list(range(begin, begin + 10)) for begin in (0, 45, 90)]
    assert _pieces(text[:4], 2, 6).t().tolist() == [[0, 1, 2, 3, 0, 1]] * 2


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_steps_are_those_of_the_layer(cell, options):
    stack = build(cell, 5, 5, **({"num_layers": 2} | options)).double().eval()
    x, state = torch.randn(6, 3, 5, dtype=torch.float64), beginning(stack, 3)
    expected, final = stack.scan(x)
    steps, found = Steps(stack), []
    for now in x:
        output, state = steps(now, state)
        found.append(output)
    assert difference(torch.stack(found), expected) < EXACT
    assert max(difference(one, other) for one, other in zip(state, final, strict=True)) < EXACT


@pytest.mark.skipif(not hasattr(torch.onnx, "ops"), reason="this torch cannot export, nor has it the loop's operator")
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_loop_over_time_is_the_layer_for_rows_of_any_length(cell, bidirectional):
    stack = build(cell, 5, 4, bidirectional=bidirectional, learn_state=True).double().eval()
    for name, parameter in stack.named_parameters():
        if name.startswith("initial_"):
            parameter.uniform_(0.5, 1)
    known, weights = stack.evaluated()
    loop = Loop(known, weights[0], stack.by_layer(None, 1)[0])
    x, lengths = torch.randn(7, 3, 5, dtype=torch.float64), torch.tensor([7, 1, 4])
    for extent in (None, lengths):
        expected, final = stack.scan(x, None, extent)
        output, state = loop(x, None, extent)
        assert difference(output, expected) < EXACT
        assert max(difference(one, other) for one, other in zip(state, final, strict=True)) < EXACT


def test_which_layers_become_operators_of_onnx():
    kinds = {cell: type(Portable(build(cell, 3, 4)).layers[0]).__name__ for cell in CELLS}
    operators = {"rnn", "rnn-relu", "gru", "gru-reset-before", "lstm", "peephole-lstm"}
    assert {cell for cell, kind in kinds.items() if kind == "Native"} == operators
    assert type(Portable(elman.LSTM(3, 4, proj_size=2)).layers[0]) is Loop
    assert type(Portable(elman.GRU(3, 4, layer_norm=True)).layers[0]) is Loop


def test_an_example_asks_for_what_it_reads():
    from elman.export.scripts.answer import usage

    assert usage({"modality": "words"}) == 'give a text: python example.py "a text"'
    given = usage({"modality": "series", "mean": [0.0, 1.0]})
    assert given == (
        'give a series as JSON, 2 numbers for each time step: python example.py "[[0.5, 1.0], [0.5, 1.0]]"'
    )


def test_the_description_has_what_the_run_knows(any_run):
    exporter = exporter_of(any_run)
    found = description(exporter, exporter.models())
    assert found["modalities"] == any_run.description["modalities"]
    assert found["scores"] == any_run.scores
    for name, model in zip(found["models"], exporter.models(), strict=True):
        inputs = [port.example() + (port.name == "lengths") for port in model.inputs]
        sizes = {}
        with torch.no_grad():
            outputs = model.module(*inputs)
        names = [port["name"] for port in (*found["models"][name]["inputs"], *found["models"][name]["outputs"])]
        assert len(set(names)) == len(names)
        for ports, tensors in (("inputs", inputs), ("outputs", outputs)):
            for port, tensor in zip(found["models"][name][ports], tensors, strict=True):
                axes = zip(port["shape"], tensor.shape, strict=True)
                assert all(
                    size == (sizes.setdefault(axis, size) if isinstance(axis, str) else axis) for axis, size in axes
                )
                assert str(tensor.dtype) == f"torch.{port['type']}"


def test_the_example_encodes_rows_as_the_run_does(any_run):
    exporter = exporter_of(any_run)
    found = list(exporter.encodings(scripts.find(exporter.script), description(exporter, [])))
    assert found
    assert all(found)


@pytest.mark.parametrize("unit", ["char", "byte", "word", "subword"])
def test_the_example_cuts_texts_as_the_run_does(unit, text_file, tmp_path, tiny):
    options = tiny | {"steps": 2, "unit": unit, "symbols": 300}
    run = elman.train("language-modeling", text_file, out=tmp_path / "r", quiet=True, **options)
    exporter = exporter_of(run)
    found = list(exporter.encodings(scripts.find(exporter.script), description(exporter, [])))
    assert len(found) > 10
    assert all(found)


@pytest.mark.parametrize("pattern", [WORDS, TOKENS])
def test_the_example_finds_the_words_that_the_run_finds(pattern):
    from elman.export.scripts.wording import cut

    every = [chr(c) for c in range(1, 0x30000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    texts = [f"a{c}b don't {c}" for c in every]
    assert [cut(pattern, text) for text in texts] == pl.Series(texts).str.extract_all(pattern).to_list()


def test_a_row_in_brackets_is_a_list_or_a_text():
    from elman.export.scripts.answer import taken

    words = {"modality": "words"}
    assert taken(words, '["a", "b"]') == ["a", "b"]
    for text in ("[laughs] a", "[1]", "[]", "7"):
        assert taken(words, text) == text
    assert taken({"modality": "symbols"}, '["a", "b"]') == '["a", "b"]'


@pytest.mark.parametrize("given", ["[1, 2", "[1, 2]", "[[1, 2], [3]]", "7", "null", "[]", "[[1, NaN]]", '[["a", "b"]]'])
def test_what_is_no_row_is_not_answered(given):
    from elman.export.scripts.answer import taken

    with pytest.raises(SystemExit, match="give a series as JSON, 2 numbers"):
        taken({"modality": "series", "mean": [0.0, 1.0]}, given)
    with pytest.raises(SystemExit, match="give a text"):
        taken({"modality": "words"}, " ")


def test_an_example_takes_texts_as_long_as_the_run_does():
    from elman.export.scripts.cutting import symbols

    read = {"unit": "byte", "longest": 3, "shorten": True}
    assert symbols(read, "abcde") == [97, 98, 99]
    with pytest.raises(SystemExit, match="5 symbols, more than 3"):
        symbols(read | {"shorten": False}, "abcde")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "load,at,heat\n1.5,a,2\n3,b,-4e-1\n"),
        ("t.csv", '\ufeffload;heat;at;"x, y";z, u\r\n1,5;2;a;;\r\n3;-4e-1;b;;\r\n'),
        ("t.tsv", "load\theat\tat\n1.5\t2\ta\n3\t-4e-1\tb\n"),
    ],
)
def test_an_example_reads_the_tables_that_training_reads(name, text, tmp_path):
    from elman.export.scripts.forecast import read

    roles = {"forecast": {"targets": ["load"], "covariates": ["heat"]}, "layout": {"group": "at"}}
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = read(str(tmp_path / name), {"modalities": roles})
    assert {at: [(float(row["load"]), float(row["heat"])) for row in rows] for at, rows in found.items()} == {
        "a": [(1.5, 2.0)], "b": [(3.0, -0.4)],
    }  # fmt: skip
    assert [float(value) for value in tables.read(tmp_path / name).frame["load"]] == [1.5, 3.0]
    with pytest.raises(SystemExit, match=r"has no column 'wind'; give a csv or tsv with the columns that"):
        read(str(tmp_path / name), {"modalities": roles | {"layout": {"group": "wind"}}})


def test_an_example_wants_a_call_with_turns():
    from elman.export.scripts.follow import encode

    with pytest.raises(SystemExit, match="none"):
        encode({}, "\n \n")


def test_the_example_finds_the_tags_that_the_run_finds():
    from elman.export.scripts.answers import best

    for seed, strict in itertools.product(range(20), (True, False)):
        tags = Tags(["B-a", "B-b", "I-a", "I-b", "O"], strict=strict)
        log_probabilities = torch.randn(9, 1, 5, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)
        expected = tags.decode(log_probabilities, torch.tensor([9]).numpy())[:, 0].tolist()
        assert best(tags.to_dict(), log_probabilities[:, 0].numpy()) == expected


def test_names_are_plain_and_each_there_once():
    assert names_of(["label", "Größe in m²", "a b", "a-b", "?"]) == ["label", "Größe_in_m²", "a_b", "a_b_3", "answer"]
    assert names_of(["a", "a_2", "a?"]) == ["a", "a_2", "a_3"]


def test_numbers_that_are_none_count_as_different():
    one = torch.tensor([1.0, torch.nan, torch.inf])
    assert difference(one, torch.tensor([1.0, 0.0, torch.inf])) == torch.inf
    assert difference(torch.tensor([-torch.inf, 2.0]), torch.tensor([-torch.inf, 1.0])) == 1.0
    assert difference(torch.zeros(2), torch.zeros(3)) == torch.inf


class Session:
    """A model in the place of ONNX Runtime's session."""

    def __init__(self, model):
        self.model = model

    def run(self, names, feed):
        assert set(feed) == {port.name for port in self.model.inputs}
        found = self.model.module(*(torch.from_numpy(feed[port.name]) for port in self.model.inputs))
        return [tensor.numpy() for tensor in found]


def greedy(network, batch, unknown, longest):
    """The most probable symbol each time, until the end is."""
    read, carried = network.read(batch.inputs, batch.lengths)
    last, found = torch.full((1, 1), network.writer.end), []
    while len(found) < longest:
        written, carried = network.writer(last, carried, read)
        said = network.writer.log_probabilities(written, read)
        if unknown is not None:
            said[..., unknown] = -torch.inf
        last = said.argmax(-1)
        if last.item() == network.writer.end:
            break
        found.append(last.item())
    return found


@pytest.mark.parametrize("kind", ["translations", "copies"])
@torch.no_grad()
def test_the_example_writes_the_most_probable_symbols(kind, make_run):
    from elman.export.scripts.sequence import write

    exporter = exporter_of(make_run(kind))
    described, (encoder, decoder) = description(exporter, exporter.models()), map(Session, exporter.models())
    examples, texts = exporter.prepared.examples("valid"), set()
    for row in range(8):
        batch = examples.batch(torch.tensor([row]).numpy())
        expected = greedy(exporter.network, batch, described["unknown"], 12)
        given = {"symbols": batch.inputs.t().numpy(), "lengths": batch.lengths.numpy()}
        assert write(encoder, decoder, described, given, 12) == expected
        texts.add(tuple(expected))
    assert texts != {()}
