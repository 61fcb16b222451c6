"""What torch's users do with layers beside calling them: write over outputs, take any derivative, prune, trace."""

import copy
import io
import warnings

import pytest
import torch
from tests.layers.pairs import CELL_LAYERS, LAYERS, flat, pair
from tests.tolerance import assert_close, assert_equal
from torch import nn
from torch._dynamo.utils import counters
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.nn.utils import prune
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import elman
from elman.errors import ElmanError

pytestmark = [
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning"),
    pytest.mark.filterwarnings("ignore:.torch.jit"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),  # of torch.nn's own checks too
]

FORMS = {"padded": {}, "lengths": {"lengths": torch.tensor([7, 3, 5])}}
each = pytest.mark.parametrize("name", LAYERS)


def gradients(layer, x, loss):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(layer, x), [x, *layer.parameters()])


WRITES = {
    "relu": lambda output: nn.ReLU(inplace=True)(output).sum(),
    "dropout": lambda output: nn.Dropout(0.5, inplace=True)(output).sum(),
    "a step": lambda output: (output[2].mul_(3), output.square().sum())[1],
    "twice": lambda output: output.mul_(2).tanh_().sum(),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("form", FORMS)
@each
def test_an_output_may_be_written_over(name, form, write):
    layer, x = pair(name, 4, 6, bidirectional=True)[0].double(), torch.randn(7, 3, 4, dtype=torch.float64)

    def loss(layer, x):
        torch.manual_seed(0)
        return WRITES[write](layer(x, **FORMS[form])[0])

    found = gradients(layer, x, loss)
    with elman.backend("reference"):
        assert_close(found, gradients(layer, x, loss))


@pytest.mark.one_graph
@each
def test_a_compiled_module_may_write_over_an_output(name):
    layer, x = pair(name, 4, 6, bidirectional=True)[0].double(), torch.randn(7, 3, 4, dtype=torch.float64)

    def loss(layer, x):
        return torch.relu_(layer(x)[0]).sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    assert_close(gradients(layer, x, compiled), gradients(layer, x, loss))


@pytest.mark.parametrize("form", FORMS)
@each
def test_a_gradient_penalty_behind_an_output_that_is_written_over(name, form):
    layer, start = pair(name, 4, 6)[0].double(), torch.randn(7, 3, 4, dtype=torch.float64)

    def found():
        x = start.clone().requires_grad_()
        output = layer(x, **FORMS[form])[0].mul_(2).tanh_()
        (first,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), [x, *layer.parameters()])

    by_engine = found()
    with elman.backend("reference"):
        assert_close(by_engine, found())


def test_an_output_is_written_over_between_two_backward_passes():
    layer, x = elman.LSTM(4, 6).double(), torch.randn(7, 3, 4, dtype=torch.float64)
    output = layer(x)[0]
    first = torch.autograd.grad(output.sum(), list(layer.parameters()), retain_graph=True)
    total = output.sum()
    with torch.no_grad():
        output.zero_()
    assert_equal(torch.autograd.grad(total, list(layer.parameters())), first)


@each
def test_other_tensors_may_not_be_written_over(name):
    layer, x = pair(name, 4, 6)[0], torch.randn(7, 3, 4)
    total = layer(x)[0].sum()
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


@each
def test_memory_ends_with_the_graph(name):
    """The gradient needs the output, and gives it up when backward is through."""
    layer = pair(name, 4, 6)[0]
    output = layer(torch.randn(7, 3, 4))[0]
    total, node = output.sum(), output.grad_fn
    total.backward()
    assert node.output is None


@pytest.mark.filterwarnings("ignore:.*derivatives in forward mode:elman.FallbackWarning")
@each
def test_derivatives_in_forward_mode_and_of_higher_order(name):
    layer, x = pair(name, 2, 3, 2, bidirectional=True)[0].double(), torch.randn(4, 2, 2, dtype=torch.float64)

    def run(x):
        return layer(x)[0]

    def loss(x):
        return run(x).square().sum()

    jacobian = jacrev(run)(x)
    direction = torch.randn_like(x)
    along = torch.einsum("tbhuvi,uvi->tbh", jacobian, direction)
    assert_close(jacfwd(run)(x), jacobian)
    assert_close(jvp(run, (x,), (direction,))[1], along)
    with forward_ad.dual_level():
        assert_close(forward_ad.unpack_dual(run(forward_ad.make_dual(x, direction))).tangent, along)
    with torch.no_grad():
        assert_close(jacrev(run)(x), jacobian)
        assert_close(jacfwd(run)(x), jacobian)
    second = torch.autograd.functional.hessian(loss, x)
    assert_close(hessian(loss)(x), second)
    assert_close(jacrev(jacrev(loss))(x), second)


@pytest.mark.filterwarnings("ignore:.*derivatives in forward mode:elman.FallbackWarning")
@pytest.mark.parametrize(("table", "shape"), [(LAYERS, (5, 2, 3)), (CELL_LAYERS, (2, 3))], ids=["layer", "cell"])
def test_forward_mode_in_float32(table, shape):
    """Where torch's kernel for the LSTM has none; and without gradients, where a cell takes its short way."""
    layer, x = pair("lstm", 3, 4, table=table)[0], torch.randn(shape)
    exact, wide = copy.deepcopy(layer).double(), x.double()
    expected = jvp(lambda x: exact(x)[0], (wide,), (wide,))[1]
    with torch.no_grad():
        for _ in range(3):
            layer(x)
        found = jvp(lambda x: layer(x)[0], (x,), (x,))[1]
    assert_close(found, expected.float())


@pytest.mark.parametrize("watch", ["forward_mode", "exported"])
def test_a_forced_engine_says_what_it_cannot(watch, monkeypatch):
    monkeypatch.setattr(f"elman.engine.watching.{watch}", lambda: True)
    with elman.backend("native"), pytest.raises(ElmanError, match="the backend 'native' is forced, but"):
        elman.GRU(3, 4)(torch.randn(5, 2, 3))


@each
def test_third_derivatives(name):
    layer, x = pair(name, 2, 3)[0].double(), torch.randn(3, 2, 2, dtype=torch.float64)

    def third(x):
        x = x.clone().requires_grad_()
        value = layer(x)[0].square().sum()
        for _ in range(3):
            (found,) = torch.autograd.grad(value, x, create_graph=True)
            value = found.square().sum()
        return found

    found = third(x)
    with elman.backend("reference"):
        assert_close(found, third(x))


@pytest.mark.parametrize("reentrant", [False, True])
@each
def test_checkpoints(name, reentrant):
    layer, x = pair(name, 4, 6, 2)[0], torch.randn(7, 3, 4)

    def loss(layer, x):
        return checkpoint(lambda x: layer(x)[0], x, use_reentrant=reentrant).square().sum()

    found = []
    for each_loss in (loss, lambda layer, x: layer(x)[0].square().sum()):
        given = x.clone().requires_grad_()
        layer.zero_grad()
        each_loss(layer, given).backward()
        found.append([given.grad, *[p.grad for p in layer.parameters()]])
    assert_equal(*found)


@each
def test_pruned_weights(name):
    found = []
    for layer in pair(name, 4, 6):
        prune.l1_unstructured(layer, "weight_hh_l0", amount=0.5)
        layer(torch.ones(7, 3, 4))[0].sum().backward()
        found.append(layer.weight_hh_l0_orig.grad)
    assert_close(*found)


@pytest.mark.parametrize("name", CELL_LAYERS)
def test_pruned_weights_of_a_cell(name):
    found = []
    for cell in pair(name, 4, 6, table=CELL_LAYERS):
        prune.l1_unstructured(cell, "weight_hh", amount=0.5)
        value = cell(torch.ones(3, 4))
        (value[0] if name == "lstm" else value).sum().backward()
        found.append(cell.weight_hh_orig.grad)
    assert_close(*found)


def test_a_state_may_be_a_list():
    ours, theirs = pair("lstm", 4, 6, table=CELL_LAYERS)
    x, state = torch.randn(3, 4), [torch.randn(3, 6), torch.randn(3, 6)]
    with torch.no_grad():
        for _ in range(3):
            assert_close(ours(x, state), theirs(x, state))


MAPPED = {"lengths": (torch.tensor([7, 0, 3]), 0), "reset": (torch.rand(7, 3) < 0.4, 1)}


@pytest.mark.parametrize("extent", MAPPED)
@each
def test_vmap_maps_lengths_and_resets_too(name, extent):
    layer, x = pair(name, 4, 6, 2, bidirectional=True)[0].double(), torch.randn(7, 3, 4, dtype=torch.float64)
    given, dim = MAPPED[extent]

    def loss(weights, x, given):
        row = given.view(1) if dim == 0 else given.unsqueeze(1)
        return functional_call(layer, weights, (x.unsqueeze(1),), {extent: row})[0].square().sum()

    def twice(weights, x, given):
        return grad(loss)(weights, x, given)["weight_ih_l0"].square().sum()

    weights = dict(layer.named_parameters())
    for function in (loss, twice):
        found = vmap(grad(function), in_dims=(None, 1, dim))(weights, x, given)
        for row in range(3):
            alone = grad(function)(weights, x[:, row], given.select(dim, row))
            assert_close([found[key][row] for key in weights], [alone[key] for key in weights])


@pytest.mark.one_graph
@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_compiled_transformation(name):
    layer, x = pair(name, 2, 3)[0].double(), torch.randn(2, 3, 1, 2, dtype=torch.float64)
    parameters = {name: tensor.detach() for name, tensor in layer.named_parameters()}

    def loss(parameters, x):
        return functional_call(layer, parameters, (x,))[0].square().sum()

    def run(x):
        return [*vmap(grad(loss), (None, 0))(parameters, x).values(), vmap(loss, (None, 0))(parameters, x)]

    assert_close(torch.compile(run, fullgraph=True, backend="aot_eager")(x), run(x))


@pytest.mark.parametrize("extent", MAPPED)
@each
def test_vjp_is_pulled_when_its_function_has_ended(name, extent):
    layer, x = pair(name, 4, 6, 2, bidirectional=True)[0].double(), torch.randn(7, 3, 4, dtype=torch.float64)
    given = {extent: MAPPED[extent][0]}
    output, pull = vjp(lambda x: layer(x, **given)[0], x)
    x.requires_grad_()
    assert_close(pull(output), torch.autograd.grad(layer(x, **given)[0].square().sum() / 2, [x]))


@pytest.mark.parametrize("name", CELL_LAYERS)
def test_vmap_of_a_cell(name):
    cell, x = pair(name, 4, 6, table=CELL_LAYERS)[0], torch.randn(5, 3, 4)
    assert_close(
        vmap(cell)(x),
        cell(x.flatten(0, 1)).view(5, 3, 6)
        if name != "lstm"
        else tuple(state.view(5, 3, 6) for state in cell(x.flatten(0, 1))),
    )


@pytest.mark.parametrize("form", FORMS)
@each
def test_many_gradients_at_once(name, form):
    """`is_grads_batched`, which torch.autograd.functional's vectorize=True takes too."""
    layer, x = pair(name, 4, 6, 2)[0].double(), torch.randn(7, 3, 4, dtype=torch.float64, requires_grad=True)
    output, _ = layer(x, **FORMS[form])
    arriving, leaves = torch.randn(3, *output.shape, dtype=x.dtype), [x, *layer.parameters()]
    found = torch.autograd.grad(output, leaves, arriving, retain_graph=True, is_grads_batched=True)
    for k, one in enumerate(arriving):
        assert_close([each[k] for each in found], torch.autograd.grad(output, leaves, one, retain_graph=True))


@pytest.mark.filterwarnings("ignore:what is exported has to run without:elman.FallbackWarning")
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"layer_norm": True}], ids=str)
@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_a_traced_module_runs_without_elman(name, options):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = LAYERS[name][0](4, 6, **options)

        def forward(self, x):
            return self.layer(x)[0]

    model, file = Model(), io.BytesIO()
    traced = torch.jit.trace(model, torch.randn(7, 3, 4))
    assert "elman::" not in str(traced.inlined_graph)
    assert "PythonOp" not in str(traced.inlined_graph)
    torch.jit.save(traced, file)
    file.seek(0)
    other = torch.randn(7, 5, 4)  # of another batch size
    assert_close(torch.jit.load(file)(other), model(other))


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("name", CELL_LAYERS)
def test_a_traced_cell_depends_on_its_input(name, gradients):
    """Steps without gradients take a short way that no tracer sees."""
    cell, x = pair(name, 4, 6, table=CELL_LAYERS)[0], torch.randn(2, 2, 4)
    with torch.set_grad_enabled(gradients):
        state = torch.randn(2, 6)
        state = (state, state) if isinstance(cell, elman.LSTMCell) else state
        for _ in range(3):
            cell(x[0], state)
        with warnings.catch_warnings():
            warnings.simplefilter("error", torch.jit.TracerWarning)
            traced = torch.jit.trace(cell, (x[0], state))
        assert_close(traced(x[1], state), cell(x[1], state))


@pytest.mark.filterwarnings("ignore:what is exported has to run without:elman.FallbackWarning")
def test_a_traced_scan_depends_on_its_input():
    a, b = torch.rand(2, 5, 3), torch.randn(2, 5, 3)
    with torch.no_grad():
        traced = torch.jit.trace(elman.linear_scan, (a[0], b[0]))
        assert_close(traced(a[1], b[1]), elman.linear_scan(a[1], b[1]))


def test_an_export_to_onnx_gets_operators_that_onnx_knows(monkeypatch):
    layer = elman.GRU(4, 6)
    assert elman.explain(layer, torch.randn(7, 3, 4)).backend == "native"
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    assert elman.explain(layer, torch.randn(7, 3, 4)).backend == "torch"
    assert elman.explain(elman.Recurrent("mingru", 4, 6), torch.randn(7, 3, 4)).backend == "reference"


def test_a_layer_on_the_meta_device():
    output, (h, c) = elman.LSTM(4, 6, bidirectional=True, device="meta")(torch.randn(7, 3, 4, device="meta"))
    assert (output.shape, h.shape, c.shape) == ((7, 3, 12), (2, 3, 6), (2, 3, 6))


@pytest.mark.parametrize("backend", ["native", "torch", "reference"])
def test_a_layer_stays_on_its_own_device(backend):
    layer, x = elman.GRU(4, 6), torch.randn(7, 3, 4)
    packed, row = pack_padded_sequence(x, [7, 5, 2]), x[0, :1]

    def run():
        found = layer(x, lengths=[7, 3, 0]), layer(packed)
        return [tensor.detach().clone() for tensor in flat([*found, layer.stepper()(row)])]

    with elman.backend(backend):
        expected = run()
        with torch.device("meta"):  # where other layers may be wanted
            found = run()
            assert elman.Dropout(0.5)(x).is_cpu
            assert elman.LSTM(4, 6, init="chrono:9", device="cpu").bias_ih_l0.is_cpu
    assert_equal(found, expected)


@pytest.mark.one_graph
@pytest.mark.parametrize(
    "kind", [lambda: elman.LSTM(4, 6, 2, bidirectional=True), lambda: elman.Recurrent("mgu", 4, 6)]
)
def test_a_packed_sequence_that_was_sorted_by_torch_breaks_no_graph(kind):
    layer, found = kind(), []
    torch._dynamo.reset()
    counters.clear()
    compiled = torch.compile(lambda packed, hx: layer(packed, hx)[0].data, backend="aot_eager")
    for lengths in ([3, 7, 5], [7, 7, 1], [2, 4, 4]):
        x = torch.randn(7, 3, 4)
        with torch.no_grad():
            state = layer(x)[1]
        for hx in (None, state):
            for run in (compiled, lambda packed, hx: layer(packed, hx)[0].data):
                packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
                found.append(torch.autograd.grad(run(packed, hx).square().sum(), list(layer.parameters())))
            assert_close(*found[-2:])
    assert not counters["graph_break"]
