"""Which backend is taken, how one is forced, and what is said about it."""

import threading
import warnings
from dataclasses import dataclass

import pytest
import torch
from tests.engine.calls import BATCH, STEPS, make_call
from tests.tolerance import assert_close, assert_equal

from elman.cells import CELLS, Cell, Weights
from elman.engine import BACKENDS, backend, choice, explain, run, step, warning
from elman.errors import ElmanError, FallbackWarning, UsageError


@pytest.fixture(autouse=True)
def _unforced(monkeypatch):
    """Start without a forced backend, and with no reason given yet."""
    monkeypatch.delenv("ELMAN_BACKEND", raising=False)
    monkeypatch.setattr(warning, "_given", set())


@pytest.fixture
def taken(monkeypatch):
    """The names of the backends that run a call, in order."""
    names = []
    for one in BACKENDS.values():
        original = one.run

        def record(call, name=one.name, original=original):
            names.append(name)
            return original(call)

        monkeypatch.setattr(one, "run", record, raising=False)
    return names


class Leaky(Cell):
    """A user's own cell.

    h' = x + h / 2
    """

    gates = ("x",)
    states = ("h",)

    def step(self, projected, state, weights):
        return (projected + state[0] / 2 + 0 * weights.recurrent(state[0]),)


class Cumulative(Leaky):
    """A user's own cell with an operation that no program can contain."""

    def step(self, projected, state, weights):
        return super().step(torch.cumsum(projected, -1), state, weights)


def own_call(cell=None):
    call = make_call("rnn")
    return type(call)(cell or Leaky(), call.weights, call.input, call.state)


def with_reset():
    return make_call("gru", reset=torch.zeros(STEPS, BATCH, dtype=torch.bool))


@pytest.mark.native
def test_the_fastest_that_can_is_taken(taken):
    run(make_call())
    run(with_reset())
    run(own_call())
    assert taken == ["native"] * 3


@pytest.mark.native
def test_a_with_block_forces_and_nests(taken):
    with backend("reference"):
        run(make_call())
        with backend("torch"):
            run(make_call())
        run(make_call())
    run(make_call())
    assert taken == ["reference", "torch", "reference", "native"]


def test_the_environment_forces_and_a_with_block_precedes_it(taken, monkeypatch):
    monkeypatch.setenv("ELMAN_BACKEND", "reference")
    run(make_call())
    with backend("torch"):
        run(make_call())
    assert taken == ["reference", "torch"]


def test_forcing_ends_with_the_block_even_after_an_error():
    with pytest.raises(ZeroDivisionError), backend("reference"):
        raise ZeroDivisionError
    assert choice.forced() is None


def test_forcing_holds_in_its_own_thread_only():
    seen = []
    with backend("reference"):
        thread = threading.Thread(target=lambda: seen.append(choice.forced()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_one_block_serves_threads_at_the_same_time():
    inside, meet, seen = backend("reference"), threading.Barrier(2), []

    @inside
    def look():
        meet.wait(5)
        seen.append(choice.forced())
        meet.wait(5)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
        seen.append(choice.forced())
    assert seen == ["reference", "reference", None, None]


def test_an_unknown_backend_is_named_with_the_known_ones(monkeypatch):
    message = "unknown backend 'cuda'; choose one of native, torch, reference"
    with pytest.raises(UsageError, match=message), backend("cuda"):
        pass
    monkeypatch.setenv("ELMAN_BACKEND", "cuda")
    with pytest.raises(UsageError, match=message):
        run(make_call())


def test_a_forced_backend_that_cannot_says_so():
    with backend("torch"):
        with pytest.raises(ElmanError, match=r"'torch' is forced, but torch's kernels cannot reset a state within"):
            run(with_reset())
        with pytest.raises(ElmanError, match="'torch' is forced, but torch has no kernel for the cell 'leaky'"):
            run(own_call())


@pytest.mark.native
def test_leaving_the_fast_backends_warns_once_for_each_reason_at_the_users_line(taken):
    with pytest.warns(FallbackWarning, match=r"torch.cumsum \(test_choice.py, line \d+\).* so a Python loop") as caught:
        run(own_call(Cumulative()))
    assert caught[0].filename == __file__
    run(own_call(Cumulative()))  # warnings are errors here: a second one would fail the test
    half = make_call("gru", dtype=torch.bfloat16, reset=torch.zeros(STEPS, BATCH, dtype=torch.bool))
    with pytest.warns(FallbackWarning, match="computes in float32 or float64.*cannot reset a state within a sequence"):
        run(half)
    assert taken == ["reference"] * 3


def test_torchs_kernels_take_over_without_a_warning(taken):
    run(make_call("gru", dtype=torch.bfloat16))
    assert taken == ["torch"]


def test_a_forced_backend_does_not_warn():
    with warnings.catch_warnings(), backend("reference"):
        warnings.simplefilter("error")
        run(with_reset())


def test_a_users_cell_runs():
    call = own_call()
    with backend("reference"):
        output, _ = run(call)
    h = call.state[0][0]
    for t in range(STEPS):
        h = call.weights[0].project(call.input[t]) + h / 2
        assert_close(output[t], h)


def refusal(cell):
    return BACKENDS["torch"].refuses_step(cell, make_call("gru").weights[0], [])


def test_a_variant_of_a_known_cell_does_not_get_the_known_kernel():
    class Doubled(type(CELLS["gru"])):
        """Not the GRU that torch has a kernel for."""

    assert refusal(Doubled()) is not None
    assert refusal(type(CELLS["gru"])()) is None


@pytest.mark.native
def test_a_users_cell_need_not_be_hashable(taken):
    @dataclass
    class Leak(Leaky):
        rate: float = 0.5

    assert refusal(Leak()) is not None
    run(own_call(Leak()))
    assert taken == ["native"]


@pytest.mark.parametrize("name", ["rnn", "rnn-relu", "gru", "lstm"])
@pytest.mark.native
def test_one_step_is_the_same_by_every_backend(name):
    call = make_call(name, steps=1)
    arguments = (call.cell, call.weights[0], call.input[0], tuple(tensor[0] for tensor in call.state))
    results = {}
    for one in BACKENDS:
        with backend(one):
            results[one] = step(*arguments)
    for result in results.values():
        assert_close(result, results["reference"])
    assert_equal(step(*arguments), results["native"])
    with torch.no_grad():
        assert_equal(step(*arguments), results["native"])


def test_one_step_of_a_users_cell():
    weights = Weights(torch.eye(2), torch.zeros(2, 2))
    (h,) = step(Leaky(), weights, torch.ones(1, 2), (torch.full((1, 2), 2.0),))
    assert_equal(h, torch.full((1, 2), 2.0))
    with backend("torch"), pytest.raises(ElmanError, match="torch has no kernel for the cell 'leaky'"):
        step(Leaky(), weights, torch.ones(1, 2), (h,))


@pytest.mark.native
def test_an_explanation_names_backend_reason_refusals_and_sizes():
    explanation = explain(make_call("gru", 2))
    assert explanation.backend == "native"
    assert explanation.refusals == {"native": None, "torch": None, "reference": None}
    assert explanation.sizes == {"T": 6, "B": 4, "I": 3, "H": 5, "D": 2}
    assert str(explanation) == (
        "native: Elman's own engine, the fastest way that can run this call\n"
        "    native     can run it\n"
        "    torch      can run it\n"
        "    reference  can run it\n"
        "    T=6, B=4, I=3, H=5, D=2"
    )


@pytest.mark.native
def test_an_explanation_tells_why_the_fast_backends_are_left():
    explanation = explain(own_call(Cumulative()))
    assert explanation.backend == "reference"
    assert "torch.cumsum (test_choice.py, line" in explanation.refusals["native"]
    assert explanation.refusals["torch"] == "torch has no kernel for the cell 'cumulative'"
    assert explain(with_reset()).refusals["torch"] == "torch's kernels cannot reset a state within a sequence"


def test_an_explanation_of_a_forced_backend_neither_warns_nor_raises():
    with backend("reference"):
        assert "forced" in explain(make_call()).reason
    with backend("torch"):
        explanation = explain(with_reset())
    assert explanation.backend == "torch"
    assert "the call will fail: torch's kernels cannot reset" in explanation.reason


@pytest.mark.native
@pytest.mark.parametrize(
    ("name", "steps", "batch", "learns", "expected"),
    [
        ("rnn", 4, 3, True, "torch"),
        ("rnn", 5, 3, True, "native"),
        ("rnn-relu", 2, 3, True, "torch"),
        ("rnn-relu", 2, 3, False, "native"),
        ("rnn", 2, 30000, True, "native"),
        ("rnn", 1, 3, True, "native"),
        ("gru", 2, 3, True, "native"),
        ("lstm", 2, 3, True, "native"),
    ],
)
def test_few_steps_with_their_gradient_go_to_torchs_kernels(name, steps, batch, learns, expected, taken):
    """Their beginning costs less than the engine's, which LSTM's kernel and large products outweigh."""
    call = make_call(name, steps=steps, batch=batch)
    with torch.set_grad_enabled(learns):
        run(call)
        found = explain(call)
    assert taken == [found.backend] == [expected]
    assert ("so few steps" in found.reason) == (expected == "torch")
