"""The form of programs: as short as a person would write them, with the contract's numbers, and no memory wasted."""

import re
from pathlib import Path

import numpy as np
import pytest
from tests.engine.program.cells import ALL, HIDDEN, make_weights

from elman.cells import Cell
from elman.engine.program import compile_cell
from elman.engine.program.contract import HEADER, RECORD, VERSION, Header, Kind, Purpose, Width
from elman.engine.program.decode import decode
from elman.engine.program.encode import Program
from elman.engine.program.listing import listing
from elman.engine.program.operations import OPERATIONS

CONTRACT = (Path(__file__).parents[3] / "docs" / "engine.md").read_text()

# Operations forward and backward without accumulations, bytes kept for each of T*B*H, segments forward and backward.
FORM = {
    "rnn": (1, 2, 4, 1, 3),
    "rnn-relu": (1, 2, 4, 1, 3),
    "gru": (6, 10, 20, 1, 3),
    "lstm": (8, 14, 24, 1, 3),
    "gru-reset-before": (6, 10, 20, 2, 4),
    "mgu": (5, 9, 16, 2, 4),
    "peephole-lstm": (11, 17, 24, 1, 3),
    "LayerNormLSTM": (28, 36, 40 + 4 * 3 / HIDDEN, 5, 5),
    "Kept": (9, 16, 20, 1, 3),
}


def compile_named(name, projection=0, **options):
    extras = ("mask",) if name == "Kept" else ()
    return compile_cell(ALL[name], make_weights(name, projection), extras=extras, **options)


@pytest.mark.parametrize("name", FORM)
def test_programs_are_short_and_save_little(name):
    compiled = compile_named(name)
    assert (
        compiled.training.operations,
        compiled.backward.operations,
        compiled.saved_bytes(),
        len(compiled.training.passes),
        len(compiled.backward.passes),
    ) == FORM[name]


class Twice(Cell):
    """Its gradient needs twice and three times a sum, which itself it does not need."""

    gates = ("a",)
    states = ("h",)

    def step(self, projected, state, weights):
        total = projected + weights.recurrent(state[0])
        return ((2 * total).sin() * (3 * total).sin(),)


def test_of_values_that_follow_from_another_that_one_is_saved(monkeypatch):
    monkeypatch.setitem(ALL, "Twice", Twice())
    assert compile_named("Twice").saved_bytes() == 2 * 4  # the sum, and the state


@pytest.mark.parametrize("name", ALL)
def test_inference_keeps_nothing(name):
    inference = compile_named(name).inference
    operands = decode(inference.ints, inference.reals).segments
    kinds = {line.out.kind for segment in operands for line in segment.rows + segment.tiles}
    kinds |= {product.out.kind for segment in operands for product in segment.products}
    assert kinds <= {Kind.NEXT, Kind.SLOT, Kind.TEMP, Kind.FULL, Kind.ROW}


def test_a_state_is_updated_in_place_only_if_no_matmul_of_its_segment_reads_it():
    assert [state.in_place for state in compile_named("lstm").states] == [False, True]
    assert [state.in_place for state in compile_named("gru").states] == [False]
    assert [state.in_place for state in compile_named("mgu").states] == [True]


def test_the_gradients_of_a_matrix_are_one_matmul():
    """GRU: the gradients lie as n, r, z, n_hh, so that each matrix finds its three side by side."""
    weights = compile_named("gru").weights
    assert sorted((source.blocks, place.number) for source, place, _ in weights) == [((0, 1, 2), 1), ((2, 0, 1), 0)]


@pytest.mark.parametrize("name", ALL)
def test_no_matmul_reads_what_its_own_segment_writes(name):
    """Tiles of a segment may then run in any order, on any thread."""
    compiled = compile_named(name, adjoints=True, every_state=True)
    for program in (compiled.training, compiled.inference, compiled.backward):
        for segment in decode(program.ints, program.reals).segments:
            written = {line.out for line in segment.tiles} | {product.out for product in segment.products}
            for product in segment.products:
                pieces = product.sources
                read = {p.value._replace(number=p.value.number + k) for p in pieces for k in range(len(p.blocks))}
                assert not read & written
                assert product.init not in written - {product.out}


@pytest.mark.parametrize("name", ALL)
def test_no_gradient_lies_over_a_value_that_is_needed_later(name):
    compiled = compile_named(name)
    kept = {value for _, _, value in compiled.weights if value.kind is Kind.TAPE}
    assert all(value.number >= compiled.tables.counts[Kind.GRAD] for value in kept)
    gone = set()
    for segment in decode(compiled.backward.ints, compiled.backward.reals).segments:
        for line in segment.tiles:
            assert not {place.number for place in line.args if place.kind is Kind.TAPE} & gone
            gone |= {line.out.number} if line.out.kind is Kind.GRAD else set()


@pytest.mark.parametrize("name", ALL)
def test_the_numbers_say_what_the_program_is(name):
    compiled = compile_named(name)
    for purpose, program in zip(Purpose, (compiled.training, compiled.inference, compiled.backward), strict=True):
        assert program.ints.dtype == np.int32
        assert program.reals.dtype == np.float64
        assert program.ints[:4].tolist() == [VERSION, purpose, HIDDEN, compiled.tables.sizes[Width.P]]
        decoded = decode(program.ints, program.reals)
        assert [segment.width for segment in decoded.segments] == [each.width for each in program.passes]
        for read, made in zip(decoded.segments, program.passes, strict=True):
            for lines, instructions in ((read.rows, made.rows), (read.tiles, made.tiles)):
                assert [(x.op, x.out, tuple(x.args), tuple(x.immediates)) for x in lines] == [
                    (x.op, x.out, x.args, x.data) for x in instructions
                ]
            assert [product.out for product in read.products] == [product.out for product in made.products]


def test_a_program_of_another_version_is_refused():
    program = compile_named("rnn").inference
    with pytest.raises(ValueError, match="version 99"):
        decode(np.array([99, *program.ints[1:]], dtype=np.int32), program.reals)


def test_every_code_and_kind_stands_in_the_contract():
    told = {name: int(code) for code, name in re.findall(r"\| (\d+) \| `(\w+)` \|", CONTRACT)}
    kinds = {kind.name: kind.value for kind in Kind}
    codes = {name: operation.code for name, operation in OPERATIONS.items()}
    assert {name: code for name, code in told.items() if name.isupper()} == kinds
    assert {name: code for name, code in told.items() if name.islower()} == codes
    assert f"header of {HEADER}" in CONTRACT
    assert f"version, {VERSION}" in CONTRACT


def test_the_document_has_the_header_and_the_records_of_the_program():
    begin, _, records = CONTRACT.partition("### The encoding")[2].partition("Records:")
    told = dict(re.findall(r"\| (\d+) \| (?:offset of (?:the )?)?([\w ]+)", begin))
    names = {place.value: place.name.lower().replace("_", " ") for place in Header}
    assert {int(at) for at in told} == set(names)
    for table in RECORD:
        assert told[str(table.value)] == names[table]
        assert f"| {names[table]} | {RECORD[table]} |" in records


def test_the_listing_of_an_lstm_reads_like_its_equations():
    text = listing(compile_named("lstm"))
    for line in (
        "slot0  = bias_ih[i] + bias_hh[i] + W_ih[i] x + W_hh[i] h",
        "i      = σ(slot0)",
        "c'     = i * g + t0",
        "dh  = W_hh[i f g o]ᵀ [δi δf δg δo]",
        "dW_hh[i f g o] += Σ steps [δi δf δg δo] hᵀ",
        "saved: i, f, g, o, h', c': 24 bytes of float32 for each of T*B*H",
    ):
        assert line in text
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize("name", ALL)
def test_every_program_can_be_listed(name):
    assert isinstance(compile_named(name).training, Program)
    assert "{" not in listing(compile_named(name, adjoints=True, every_state=True))


def test_what_is_kept_has_no_name_of_a_state():
    compiled = compile_named("s6")
    assert not set(compiled.names.values()) & set(compiled.cell.states)
    assert len(set(compiled.names.values())) == len(compiled.names)
