"""The runtime equals the reference for every cell: values and gradients, however the work is cut."""

import pytest
import torch
from tests.engine.native.runtime import Cut, Runtime
from tests.engine.program.cells import ALL
from tests.engine.program.runs import LENGTHS, Run
from tests.engine.program.test_programs import CASES
from tests.tolerance import assert_close, assert_equal

from elman.engine.native.packed import Storage
from elman.engine.native.programs import Programs

CUTS = {
    "planned": Cut(),
    "one thread": Cut(columns=False, threads=1, vectors=1),
    "rows": Cut(columns=False, threads=3, vectors=4),
    "columns": Cut(columns=True, threads=2, vectors=1),
}


def made(run, compiled=None, **options):
    return Runtime(compiled or run.compile(), run.weights, extras=run.extras, **options)


def skip_if_rows_are_reduced(compiled, cut):
    if CUTS[cut].columns and compiled.backward.ints[19] + compiled.training.ints[19]:
        pytest.skip("rows are reduced: such programs are never cut by columns")


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("irregular", [False, True], ids=["full", "lengths and resets"])
@pytest.mark.parametrize(("name", "projection"), CASES)
def test_equals_the_reference(name, projection, irregular, reverse, instruction_set):
    run = Run(name, projection, lengths=LENGTHS if irregular else None, reset=irregular, reverse=reverse)
    runtime = made(run)
    assert_close(run.forward(runtime), (run.output, run.final))
    assert_close(run.backward(runtime), run.expected())
    assert_close(run.forward(runtime, keep=False), (run.output, run.final))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("name", ALL)
def test_the_cut_does_not_matter(name, reverse, cut):
    run = Run(name, lengths=LENGTHS, reset=True, reverse=reverse)
    compiled = run.compile()
    skip_if_rows_are_reduced(compiled, cut)
    runtime = made(run, compiled, cut=CUTS[cut])
    assert_close(run.forward(runtime), (run.output, run.final))
    assert_close(run.backward(runtime), run.expected())
    assert_close(run.forward(runtime, keep=False), (run.output, run.final))


@pytest.mark.parametrize("name", ALL)
def test_backward_works_twice_if_gradients_get_memory_of_their_own(name):
    run = Run(name)
    runtime = made(run)
    run.forward(runtime)
    first = run.backward(runtime, overlay=False)
    assert_equal(run.backward(runtime, overlay=False), first)
    assert_equal(run.backward(runtime, overlay=True), first)


@pytest.mark.parametrize("name", ["lstm", "gru", "slstm"])
def test_gradients_may_arrive_at_every_state_and_be_told_for_every_state(name):
    run = Run(name)
    compiled = run.compile(every_state=True, adjoints=True)
    emulator, runtime = run.emulator(compiled), made(run, compiled)
    run.forward(emulator)
    run.forward(runtime)
    arriving = {k: torch.randn(5, 4, run.state[k].shape[1], dtype=torch.float64) for k in range(1, len(run.state))}
    expected = emulator.backward(run.d_output, run.d_final, d_states=arriving)
    found = runtime.backward(run.d_output, run.d_final, d_states=arriving)
    assert_close(found.input, expected.input)
    assert_close([found.adjoints[k] for k in range(len(run.state))], list(expected.adjoints.values()))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", ALL)
def test_products_of_pairs_are_those_of_bfloat16(name, cut, instruction_set):
    """Whatever is not rounded, or otherwise, is off by a few thousandths."""
    run = Run(name, lengths=LENGTHS, reset=True)
    compiled = run.compile()
    skip_if_rows_are_reduced(compiled, cut)
    emulator = run.emulator(compiled, rounded=lambda value: value.bfloat16().double())
    runtime = made(run, compiled, cut=CUTS[cut], dtype=torch.float32, storage=Storage.PAIRS)
    output, final = run.forward(emulator)
    assert_close(run.forward(runtime), (output.float(), tuple(tensor.float() for tensor in final)))
    assert_close(run.backward(runtime), [tensor.float() for tensor in run.backward(emulator)])
    output, final = run.forward(emulator, keep=False)
    assert_close(run.forward(runtime, keep=False), (output.float(), tuple(tensor.float() for tensor in final)))


@pytest.mark.parametrize(
    ("name", "joined"), [("lstm", [4, 0, 0, 0]), ("gru", [1, 1, 2, 0]), ("peephole-lstm", [4, 0, 0, 0])]
)
def test_gates_of_the_same_sources_are_multiplied_side_by_side(name, joined):
    made = Programs.of(Run(name).compile())
    assert made.training.joined == made.inference.joined == joined
