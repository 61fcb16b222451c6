"""`selective_scan` equals its definition, a loop over time written down anew here, with all its gradients."""

import pytest
import torch
import torch.nn.functional as F
from tests.tolerance import assert_close
from torch.func import functional_call, grad, vmap

import elman
from elman.engine import warning
from elman.engine.native import selective
from elman.engine.program.compile import compile_cell
from elman.engine.program.emulate import Emulator

SIZES = [(2, 6, 3, 9), (1, 1, 1, 4), (3, 130, 4, 20), (1, 64, 16, 33), (2, 300, 2, 5)]
"""Rows, features, states for each, steps: also such as are cut into slices of features."""


@pytest.fixture(autouse=True)
def _however_short(monkeypatch):
    """The engine runs what a loop would be faster with."""
    monkeypatch.setattr("elman.engine.selective.SHORT", 0)


def by_the_book(u, delta, A, B, C, D, z, delta_bias, delta_softplus, initial=None, reset=None):
    """Rows of (batch, D, L) step by step, every state for itself."""
    delta = delta + delta_bias[:, None]
    delta = F.softplus(delta) if delta_softplus else delta
    groups = B.shape[1] if B.dim() == 4 else 1
    B, C = (each.reshape(len(u), groups, 1, *each.shape[-2:]) for each in (B, C))
    state = u.new_zeros(*u.shape[:2], A.shape[1]) if initial is None else initial
    shown = []
    for t in range(u.shape[2]):
        if reset is not None:
            state = state * ~reset[:, t, None, None]
        b, c = (
            each[..., t].expand(-1, -1, u.shape[1] // groups, -1).reshape(len(u), u.shape[1], -1) for each in (B, C)
        )
        state = torch.exp(delta[:, :, t, None] * A) * state + (delta * u)[:, :, t, None] * b
        shown.append((state * c).sum(-1) + D * u[:, :, t])
    return torch.stack(shown, -1) * F.silu(z), state


def drawn(batch, features, states, steps, groups=0, dtype=torch.float64):
    """Everything, in the order of the arguments."""
    torch.manual_seed(0)
    own = (batch, groups, states, steps) if groups else (batch, states, steps)
    shapes = [(batch, features, steps), (batch, features, steps), (features, states), own, own]
    shapes += [(features,), (batch, features, steps), (features,)]
    found = [torch.randn(shape, dtype=dtype) for shape in shapes]
    found[2] = -found[2].abs() * 2
    return [tensor.requires_grad_() for tensor in found]


def with_gradients(outputs, leaves):
    torch.manual_seed(1)
    arriving = [torch.randn(output.shape, dtype=output.dtype) for output in outputs]
    return *outputs, *torch.autograd.grad(outputs, leaves, arriving)


@pytest.mark.parametrize("softplus", [False, True], ids=["plain", "softplus"])
@pytest.mark.parametrize("piece", [3, 1000], ids=["three steps", "whole"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_it_equals_the_loop(sizes, piece, softplus, monkeypatch, instruction_set):
    batch, features, states, steps = sizes
    monkeypatch.setattr(selective, "KEPT", piece * batch * features * states // torch.get_num_threads())
    monkeypatch.setattr(selective, "LEAST", piece)
    given, initial = drawn(*sizes), torch.randn(batch, features, states, dtype=torch.float64, requires_grad=True)
    reset = torch.rand(batch, steps) < 0.2
    found = elman.selective_scan(*given, softplus, True, initial=initial, reset=reset)
    expected = by_the_book(*given, softplus, initial, reset)
    leaves = [*given, initial]
    assert_close(with_gradients(found, leaves), with_gradients(expected, leaves))
    with torch.no_grad():
        assert_close(elman.selective_scan(*given, softplus, True, initial=initial, reset=reset), expected)


def test_a_step_of_more_states_than_are_kept_is_in_a_piece_with_others(monkeypatch):
    monkeypatch.setattr(selective, "KEPT", 5)
    given = drawn(2, 6, 3, 40)
    expected = with_gradients(by_the_book(*given, True), given)
    assert_close(with_gradients(elman.selective_scan(*given, True, True), given), expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_share_the_features(threads):
    before = torch.get_num_threads()
    given = drawn(2, 400, 3, 6)
    expected = with_gradients(by_the_book(*given, True), given)
    try:
        torch.set_num_threads(threads)
        found = with_gradients(elman.selective_scan(*given, True, True), given)
    finally:
        torch.set_num_threads(before)
    assert_close(found, expected)


def test_groups_of_features_have_columns_of_their_own():
    given = drawn(2, 12, 3, 7, groups=4)
    found, expected = elman.selective_scan(*given, True, True), by_the_book(*given, True)
    assert_close(with_gradients(found, given), with_gradients(expected, given))


def test_one_group_may_be_written_either_way():
    u, delta, A, B, C, *_ = drawn(2, 12, 3, 7)
    expected = elman.selective_scan(u, delta, A, B, C)
    assert_close(elman.selective_scan(u, delta, A, B[:, None], C), expected)
    assert_close(elman.selective_scan(u, delta, A, B, C[:, None]), expected)


def test_a_sequence_may_be_cut_anywhere():
    given = drawn(2, 70, 4, 12)
    whole = elman.selective_scan(*given, True, True)
    parts = [[each[..., :5] if each.dim() == 3 else each for each in given]]
    parts += [[each[..., 5:] if each.dim() == 3 else each for each in given]]
    first, state = elman.selective_scan(*parts[0], True, True)
    rest, last = elman.selective_scan(*parts[1], True, True, initial=state)
    assert_close((torch.cat([first, rest], -1), last), whole)


def test_what_may_be_left_out_is_zero_or_no_gate():
    u, delta, A, B, C, *_ = drawn(2, 5, 3, 6)
    zeros = torch.zeros(5, dtype=torch.float64)
    never = torch.full_like(u, 1e9)  # silu is the identity there
    expected = by_the_book(u, delta, A, B, C, zeros, never, zeros, False)[0] / 1e9
    assert_close(elman.selective_scan(u, delta, A, B, C), expected)


def test_it_computes_in_float32_and_answers_in_the_dtype_of_u():
    given = drawn(2, 5, 3, 6, dtype=torch.float32)
    exact = by_the_book(*(each.double() for each in given), True)[0]
    found, last = elman.selective_scan(*given, True, True)
    assert found.dtype == last.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-5)
    half = elman.selective_scan(given[0].bfloat16(), *given[1:], True)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), exact, rtol=0.05, atol=0.05)


def test_states_are_not_kept_for_the_gradient():
    """Only what is given, and the states between pieces of time."""
    given = drawn(1, 64, 16, 400, dtype=torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        elman.selective_scan(*given, True)
    assert sum(kept) < 64 * 16 * 400 / 2


def test_it_differentiates_twice():
    given, initial = drawn(2, 3, 2, 5), torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    reset = torch.tensor([[False, False, True, False, False]]).expand(2, -1)

    def scan(*tensors):
        return elman.selective_scan(*tensors[:8], True, True, initial=tensors[8], reset=reset)

    assert torch.autograd.gradcheck(scan, (*given, initial))
    assert torch.autograd.gradgradcheck(scan, (*given, initial))


@pytest.mark.parametrize("operator", ["selective_scan", "selective_scan_backward"])
def test_its_operators_are_what_they_say_to_the_compiler(operator, monkeypatch):
    monkeypatch.setattr(selective, "LEAST", 3)
    monkeypatch.setattr(selective, "KEPT", 1)  # so that 7 steps are taken in three pieces
    u, delta, A, B, C, D, _, bias = (each.detach() for each in drawn(2, 4, 3, 7))
    own = [u.permute(2, 0, 1), delta.permute(2, 0, 1), A.T, bias, D, torch.cat([B, C], 1).permute(1, 2, 0)]
    given = [each.contiguous() for each in own] + [torch.randn(3, 2, 4, dtype=torch.float64)]
    options = [torch.rand(7, 2) < 0.2, True]
    arguments = [*given, *options, 2]  # threads
    shown, last, states = torch.ops.elman.selective_scan(*arguments)
    assert states.shape == (4, 3, 2, 4)
    if operator == "selective_scan_backward":
        arguments = [*given, *options, states, torch.randn_like(shown), torch.randn_like(last)]
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(getattr(torch.ops.elman, operator), tuple(arguments), test_utils=checks)


def test_it_compiles_and_maps():
    given = drawn(2, 6, 3, 5)
    compiled = torch.compile(
        lambda *tensors: elman.selective_scan(*tensors, True, True), fullgraph=True, backend="aot_eager"
    )
    found, expected = compiled(*given), elman.selective_scan(*given, True, True)
    assert_close(with_gradients(found, given), with_gradients(expected, given))
    many = torch.stack([given[0], 2 * given[0]])
    assert_close(vmap(lambda u: elman.selective_scan(u, *given[1:], True))(many)[0], expected[0])
    each = grad(lambda u: elman.selective_scan(u, *given[1:], True).square().sum())
    assert_close(vmap(each)(many), torch.stack([each(u) for u in many]))


def test_a_module_around_it_is_called_with_other_weights():
    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.A = torch.nn.Parameter(-torch.ones(6, 3, dtype=torch.float64))

        def forward(self, u):
            return elman.selective_scan(u, given[1], self.A, *given[3:], True)

    given = drawn(2, 6, 3, 5)
    found = functional_call(Module(), {"A": given[2]}, given[0])
    assert_close(found, elman.selective_scan(*given, True))


def test_a_forced_engine_takes_a_single_step(monkeypatch):
    given = [each.detach() for each in drawn(2, 6, 3, 1)]
    expected = by_the_book(*given, True)
    monkeypatch.setattr("elman.engine.selective._by_steps", None)
    with elman.backend("native"):
        assert_close(elman.selective_scan(*given, True, True), expected)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_few_steps_are_the_same_and_leave_the_engine_alone(steps, monkeypatch):
    monkeypatch.undo()
    given = drawn(2, 6, 3, steps)
    expected = with_gradients(by_the_book(*given, True), given)
    with elman.backend("native"):
        assert_close(with_gradients(elman.selective_scan(*given, True, True), given), expected)
    monkeypatch.delattr("elman.engine.selective.Scan")
    assert_close(with_gradients(elman.selective_scan(*given, True, True), given), expected)


def test_features_are_shared_out_evenly_in_as_few_slices_as_there_may_be():
    def widths(*sizes):
        return [each.stop - each.start for each in selective._cut(*sizes)[0]]

    assert widths(1536, 1, 16, 1) == [1536]
    assert widths(1536, 1, 16, 2) == [768, 768]
    assert widths(130, 1, 16, 2) == [64, 66]
    assert widths(63, 1, 16, 8) == [63]
    assert widths(1, 1, 1, 1) == [1]
    assert widths(512, 1000, 16, 1) == [256, 256]
    assert widths(768, 1000, 16, 2) == [192, 192, 192, 192]  # two for each thread
    assert max(widths(1536, 1, 16, 5)) == 320
    assert sum(widths(5000, 3, 128, 3)) == 5000


@pytest.mark.parametrize("features", [1, 60, 256, 300, 1536])
@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize("threads", [1, 2, 16])
def test_threads_have_work_where_there_are_rows_or_features_for_them(features, rows, threads):
    slices, along = selective._cut(features, rows, 16, threads)
    assert 1 <= along <= rows
    assert len(slices) * along <= threads
    assert 2 * len(slices) * along > min(threads, rows * max(1, features // 64))


def test_no_steps_and_no_rows_are_no_trouble():
    for sizes in ((2, 6, 3, 0), (0, 6, 3, 4)):
        given = drawn(*sizes)
        assert elman.selective_scan(*given, True).shape == given[0].shape


def test_where_the_engine_is_not_a_loop_runs_it_with_a_word_about_it(monkeypatch):
    given = drawn(2, 6, 3, 5)
    expected = elman.selective_scan(*given, True)
    with elman.backend("reference"):
        assert_close(elman.selective_scan(*given, True), expected)
    monkeypatch.setattr("elman.engine.native.backend.library", lambda: None)
    monkeypatch.setattr(warning, "_given", set())
    with pytest.warns(elman.FallbackWarning, match="so a Python loop runs this scan"):
        assert_close(elman.selective_scan(*given, True), expected)
    with elman.backend("native"), pytest.raises(elman.ElmanError, match="native"):
        elman.selective_scan(*given, True)


def test_what_does_not_fit_is_refused_in_a_sentence():
    u, delta, A, B, C, D, z, bias = drawn(2, 6, 3, 5)
    for arguments, extras, message in (
        ((u[0], delta, A, B, C), {}, r"u must be \(batch, D, L\), got \(6, 5\)"),
        ((u, delta, A[:4], B, C), {}, r"A must be \(D, N\) with D = 6 as in u, got \(4, 3\)"),
        ((u, delta, A.to(torch.complex128), B, C), {}, "A must be of real .* got torch.complex128"),
        ((u.to(torch.complex128), delta, A, B, C), {}, "u must be of real .* or take elman.linear_scan"),
        ((u.long(), delta, A, B, C), {}, "u must be of real floating-point numbers, got torch.int64; convert it"),
        ((u, delta, A, B.to(torch.complex128), C), {}, "B must be of real"),
        ((u, delta[:1], A, B, C), {}, r"delta must be \(2, 6, 5\) beside u \(2, 6, 5\), got \(1, 6, 5\)"),
        ((u, delta, A, B[:, :2], C), {}, r"B must be \(batch, N, L\) = \(2, 3, 5\), or .* got \(2, 2, 5\)"),
        ((u, delta, A, B, C[..., :4]), {}, "C must be .* and B and C alike; got"),
        ((u, delta, A, *(torch.zeros(2, 4, 3, 5),) * 2), {}, r"with G groups that divide D = 6"),
        ((u, delta, A, B, C, D[:2]), {}, r"D must be \(6,\)"),
        ((u, delta, A, B, C, D, z[..., :2]), {}, r"z must be \(2, 6, 5\)"),
        ((u, delta, A, B, C, D, z, bias[:1]), {}, r"delta_bias must be \(6,\)"),
        ((u, delta, A, B, C), {"initial": torch.zeros(2, 3, 6)}, r"initial must be \(2, 6, 3\)"),
        ((u, delta, A, B, C), {"reset": torch.zeros(5, 2, dtype=torch.bool)}, r"reset must be \(2, 5\)"),
        ((u, delta, A, B, C), {"reset": torch.zeros(2, 5)}, "reset must be bool, got torch.float32"),
    ):
        with pytest.raises(ValueError, match=message):
            elman.selective_scan(*arguments, **extras)


def test_the_emulator_agrees_on_single_numbers_of_each_row():
    """Columns that are given, and their gradients, which are sums over a row."""
    cell, (steps, batch, hidden) = selective.Selective(2, softplus=True), (4, 3, 8)
    torch.manual_seed(0)
    own = [torch.randn(n * hidden, dtype=torch.float64, requires_grad=True) for n in (2, 1, 1)]
    weights = cell.bundle([*[None] * 5, *own])
    parts = [torch.randn(steps, batch, n, dtype=torch.float64) for n in (hidden, hidden, 1, 1, 1, 1)]
    projected = torch.cat(parts, -1).requires_grad_()
    state = tuple(torch.randn(batch, hidden, dtype=torch.float64, requires_grad=True) for _ in cell.states)
    compiled = compile_cell(cell, weights, given=hidden, numbers=cell.columns)
    emulator = Emulator(
        compiled,
        cell.bundle([*[None] * 5, *(each.detach() for each in own)]),
        tile=3,
        extras=dict(zip(compiled.extras, parts, strict=True)),
    )
    output, final = emulator.forward(torch.zeros(steps, batch, 0), tuple(each.detach() for each in state))
    now, shown = state, []
    for step in projected:
        now = cell.step(step, now, weights)
        shown.append(now[0])
    assert_close((output, final), (torch.stack(shown), now))
    d_output, d_final = torch.randn_like(output), tuple(map(torch.randn_like, final))
    found = emulator.backward(d_output, d_final)
    expected = torch.autograd.grad((torch.stack(shown), *now), (projected, *own), (d_output, *d_final))
    assert_close(torch.cat([found.gates[name] for name in compiled.extras], -1), expected[0])
    assert_close(list(found.weights.values()), list(expected[1:]))
