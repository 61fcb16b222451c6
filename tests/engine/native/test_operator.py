"""The native engine under everything that traces, transforms or repeats: compilers, export, torch.func, threads."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from tests.engine.calls import ALL, differentiate, leaves, make_call
from tests.tolerance import assert_close, assert_equal
from torch.func import functional_call
from torch.utils.data import DataLoader

import elman
from elman.engine.native import Native
from elman.engine.reference import Reference

LENGTHS = torch.tensor([3, 7, 0])
RESET = torch.rand(7, 3, generator=torch.Generator().manual_seed(0)) < 0.3
HEADERS = Path(torch.__file__).parent / "include/torch/csrc/inductor"  # Debian has them in a package of their own
OPTIONS = {"plain": {}, "lengths": {"lengths": LENGTHS}, "reset": {"reset": RESET}}


class Model(torch.nn.Module):
    """A recurrent layer between others."""

    def __init__(self, kind="LSTM", **options):
        super().__init__()
        self.layer = getattr(elman, kind)(4, 6, **options)
        self.head = torch.nn.Linear(self.layer.output_size, 2)

    def forward(self, x, **options):
        output, state = self.layer(x, **options)
        return self.head(output), state


def results(model, x, options, function=None):
    """Values and gradients."""
    model.zero_grad()
    x = x.detach().requires_grad_()
    output, state = (model if function is None else function)(x, **options)
    hidden = state if isinstance(state, tuple) else (state,)
    (output.square().sum() + sum(tensor.sum() for tensor in hidden)).backward()
    return [output, *hidden, x.grad, *(parameter.grad for parameter in model.parameters())]


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.one_graph
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_it_compiles_into_one_graph_with_its_gradient(kind, options):
    torch.manual_seed(0)
    model = Model(kind, num_layers=2, bidirectional=True)
    x = torch.randn(7, 3, 4)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_close(results(model, x, OPTIONS[options], compiled), results(model, x, OPTIONS[options]))


@pytest.mark.one_graph
def test_a_compiled_graph_serves_any_number_of_steps_and_rows():
    model = Model("GRU")
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager", dynamic=True)
    for shape in [(7, 3, 4), (5, 2, 4), (11, 8, 4)]:
        x = torch.randn(shape)
        assert_close(results(model, x, {}, compiled), results(model, x, {}))


@pytest.mark.one_graph
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "block", [elman.backend("reference"), elman.precision("bfloat16")], ids=["backend", "precision"]
)
def test_a_block_around_one_compiled_layer_is_none_around_others(block, monkeypatch):
    monkeypatch.setattr("elman.engine.products.multiplies_bfloat16", lambda: True)
    x = torch.randn(7, 3, 4)
    for inside in (True, False, True):
        layer = elman.LSTM(4, 6)
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        for within in (inside, not inside):
            with block if within else nullcontext():
                assert_equal(compiled(x)[0], layer(x)[0])


@pytest.mark.one_graph
@pytest.mark.skipif(not HEADERS.exists(), reason="this torch has no headers, from which its compiler makes code")
@pytest.mark.filterwarnings("ignore:.torch.jit")  # torch's own use of it
def test_inductor_compiles_it():
    model, x = Model(num_layers=2), torch.randn(7, 3, 4)
    compiled = torch.compile(model, fullgraph=True)
    assert_close(results(model, x, {}, compiled), results(model, x, {}))
    with torch.no_grad():
        assert_close(compiled(x), model(x))


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.one_graph)])
def test_an_exported_program_holds_the_operator_and_runs_after_saving(strict):
    model = Model("GRU", batch_first=True).eval()
    x = torch.randn(3, 7, 4)
    dims = {"x": {0: torch.export.Dim("rows", min=2, max=64), 1: torch.export.Dim("steps", min=2, max=512)}}
    program = torch.export.export(model, (x,), dynamic_shapes=dims, strict=strict)
    assert any("elman.layer" in str(node.target) for node in program.graph.nodes)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    for given in (x, torch.randn(5, 20, 4)):
        assert_equal(loaded(given), model(given))


def test_the_operators_keep_torchs_rules():
    call = make_call("lstm", directions=2, dtype=torch.float32)
    flat = [tensor for weights in call.weights for tensor in weights]
    for extras in ((None, None, None), (torch.tensor([3, 6, 0, 1]), None, None)):
        arguments = ("lstm", call.input, list(call.state), flat, *extras)
        # Not test_aot_dispatch: it compares the tape too, of which only a part is ever written.
        tests = ("test_schema", "test_faketensor", "test_autograd_registration")
        torch.library.opcheck(torch.ops.elman.layer.default, arguments, test_utils=tests)


def test_the_operator_refuses_lengths_beyond_the_input():
    call = make_call("gru")
    arguments = ("gru", call.input, list(call.state), list(call.weights[0]))
    with pytest.raises(ValueError, match="lengths must lie between 0 and T = 6, got"):
        torch.ops.elman.layer(*arguments, torch.tensor([3, 7, 1, 1]), None, None)


@pytest.mark.parametrize("name", ALL)
def test_it_differentiates_twice(name):
    call = make_call(name, steps=3, batch=2, directions=2, lengths=torch.tensor([3, 2]))

    def run(*tensors):
        size = len(call.state)
        flat = iter(tensors[1 + size :])
        weights = tuple(
            call.cell.bundle(t if t is None or not t.requires_grad else next(flat) for t in one) for one in call.weights
        )
        made = type(call)(call.cell, weights, tensors[0], tensors[1 : 1 + size], lengths=call.lengths)
        output, state = Native().run(made)
        return output, *state

    fast = name not in {"lstm", "gru"}
    assert torch.autograd.gradcheck(run, leaves(call), fast_mode=fast)
    assert torch.autograd.gradgradcheck(run, leaves(call), fast_mode=fast)


def test_functional_call_uses_the_tensors_that_it_is_given():
    model, x = Model(), torch.randn(5, 2, 4)
    twice = {name: tensor.detach() * 2 for name, tensor in model.named_parameters()}
    found, _ = functional_call(model, twice, (x,))
    model.load_state_dict(twice)
    assert_equal(found, model(x)[0])


def test_torch_func_grad_equals_backward():
    model, x = Model(), torch.randn(5, 2, 4)
    table = {name: tensor.detach() for name, tensor in model.named_parameters()}
    found = torch.func.grad(lambda table: functional_call(model, table, (x,))[0].sum())(table)
    model(x)[0].sum().backward()
    for name, parameter in model.named_parameters():
        assert_close(found[name], parameter.grad)


def test_python_threads_run_side_by_side():
    call = make_call("lstm", batch=8, steps=30, directions=2)
    expected = differentiate(call, Native().run)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: differentiate(call, Native().run), range(24)):
            assert_equal(found, expected)


class Sequences(torch.utils.data.Dataset):
    """What a layer makes of constant input, computed where the data is loaded."""

    def __init__(self, layer):
        self.layer = layer

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with torch.no_grad():
            return self.layer(torch.full((5, 1, 4), float(index)))[0]


def test_workers_of_a_data_loader_run_it_after_a_fork():
    layer = elman.GRU(4, 6)
    with torch.no_grad():
        expected = torch.stack([layer(torch.full((5, 1, 4), float(index)))[0] for index in range(4)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of forking a process that has threads
        loader = DataLoader(Sequences(layer), batch_size=4, num_workers=2, multiprocessing_context="fork")
        (found,) = list(loader)
    assert_close(found, expected)


@pytest.mark.parametrize("kind", ["LSTM", "GRUCell"])
def test_autocast_gives_what_the_engine_computes_in_float32_without_units_for_bfloat16(kind, monkeypatch):
    monkeypatch.setattr("elman.engine.products.multiplies_bfloat16", lambda: False)
    module, x = getattr(elman, kind)(4, 6), torch.randn(5, 4)
    with elman.backend("native"):
        with torch.autocast("cpu", torch.bfloat16):
            found = module(x.bfloat16())[0]
        assert_equal(found, module(x.bfloat16().float())[0])


@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=pytest.mark.one_graph)], ids=["eager", "compiled"]
)
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_autocast_rounds_both_sides_of_every_product_where_there_are_units(name, compiled, monkeypatch):
    monkeypatch.setattr("elman.engine.products.multiplies_bfloat16", lambda: True)
    layer, x = getattr(elman, name)(4, 6, bidirectional=True), torch.randn(1, 5, 4)  # one way alone stays in float32
    run = torch.compile(layer, fullgraph=True, backend="aot_eager") if compiled else layer
    with elman.backend("native"):
        with torch.autocast("cpu", torch.bfloat16):
            output, _ = run(x)
        output.sum().backward()
        found = [output.detach(), *[parameter.grad for parameter in layer.parameters()]]
        with torch.no_grad():
            for parameter in layer.parameters():
                if parameter.dim() == 2:
                    parameter.copy_(parameter.bfloat16())
        layer.zero_grad()
        expected, _ = layer(x.bfloat16().float())
        expected.sum().backward()
    # A single step from zeros: but for the gradients of gates, all is rounded beforehand.
    assert_close(found[0], expected.detach())
    for gradient, parameter in zip(found[1:], layer.parameters(), strict=True):
        assert (gradient - parameter.grad).abs().max() <= 2**-7 * parameter.grad.abs().max()
    assert not torch.equal(found[1], layer.weight_ih_l0.grad)


def test_autocast_in_float16_stays_in_float32(monkeypatch):
    monkeypatch.setattr("elman.engine.products.multiplies_bfloat16", lambda: True)
    layer, x = elman.LSTM(4, 6), torch.randn(5, 2, 4)
    with elman.backend("native"), torch.autocast("cpu", torch.float16):
        found = layer(x)[0]
    assert_equal(found, layer(x)[0])


def test_autocast_goes_to_torchs_kernels_where_there_are_matrix_units(monkeypatch):
    layer, x = elman.LSTM(4, 6), torch.randn(5, 2, 4)
    reset = torch.zeros(5, 2, dtype=torch.bool)
    for there in (False, True):
        monkeypatch.setattr("elman.engine.choice.has_matrix_units", lambda there=there: there)
        assert elman.explain(layer, x).backend == "native"
        with torch.autocast("cpu", torch.bfloat16):
            assert elman.explain(layer, x).backend == ("torch" if there else "native")
            assert elman.explain(layer, x, reset=reset).backend == "native"


def test_a_gradient_of_one_part_leaves_the_others_alone():
    layer = elman.LSTM(4, 6)
    layer.weight_hh_l0.requires_grad_(False)
    x = torch.randn(5, 2, 4)
    layer(x)[0].sum().backward()
    assert layer.weight_hh_l0.grad is None
    with elman.backend("reference"):
        expected = torch.autograd.grad(layer(x)[0].sum(), [layer.weight_ih_l0])[0]
    assert_close(layer.weight_ih_l0.grad, expected)


def test_only_the_final_state_may_be_differentiated():
    call = make_call("lstm", directions=2)
    found = torch.autograd.grad(Native().run(call)[1][1].sum(), leaves(call), materialize_grads=True)
    assert_close(found, torch.autograd.grad(Reference().run(call)[1][1].sum(), leaves(call), materialize_grads=True))
