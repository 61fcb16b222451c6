"""Every cell of docs/gallery.md runs as it stands, on the native engine, and is what its paper says."""

import inspect
import re
from pathlib import Path

import pytest
import torch
from tests.gallery import papers
from tests.tolerance import assert_close, assert_equal

import elman

PAGE = (Path(__file__).parents[2] / "docs" / "gallery.md").read_text()
INPUT, HIDDEN, STEPS, BATCH = 4, 6, 7, 3


@pytest.fixture(scope="session")
def gallery():
    """What the page's code defines."""
    found = {"__name__": "gallery"}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), found)
    return found


@pytest.fixture(params=re.findall(r"^class (\w+)\(elman\.Cell\):", PAGE, re.MULTILINE))
def cell(request, gallery):
    return gallery[request.param]


def made(cell, *, layers=1, hidden=HIDDEN, **options):
    torch.manual_seed(0)
    return elman.Recurrent(cell, INPUT, hidden, layers, dtype=torch.float64, **options)


def drawn(steps=STEPS, batch=BATCH):
    """Input whose first column is positive, as a time is."""
    torch.manual_seed(1)
    x = torch.randn(steps, batch, INPUT, dtype=torch.float64)
    x[..., 0] = 0.1 + torch.rand(steps, batch, dtype=torch.float64)
    return x


def learnt(layer):
    return [parameter for parameter in layer.parameters() if parameter.requires_grad]


def differentiated(layer, run):
    """Output, final state, and the gradients of both by input and weights."""
    x = drawn().requires_grad_()
    output, state = run(x)
    state = (state,) if isinstance(state, torch.Tensor) else state
    loss = output.sin().sum() + sum(tensor.cos().sum() for tensor in state)
    gradients = torch.autograd.grad(loss, [x, *learnt(layer)], materialize_grads=True)
    return output.detach(), [tensor.detach() for tensor in state], gradients


def by_the_paper(layer, x):
    step, p = getattr(papers, layer.plain_cell.name.replace("-", "_")), papers.Parameters(layer)
    state = tuple(x.new_zeros(x.shape[1], layer.hidden_size) for _ in layer.plain_cell.states)
    outputs = []
    for x_t in x:
        state = step(p, x_t, *state)
        outputs.append(state[0])
    return torch.stack(outputs), tuple(tensor[None] for tensor in state)


@pytest.mark.native
def test_the_native_engine_runs_it_as_its_paper_says(cell):
    layer = made(cell)
    assert elman.explain(layer, drawn()).backend == "native"
    assert_close(differentiated(layer, layer), differentiated(layer, lambda x: by_the_paper(layer, x)))


@pytest.mark.native
@pytest.mark.parametrize("options", [{"bias": False}, {"layer_norm": True, "zoneout": 0.1}], ids=["plain", "options"])
def test_lengths_resets_and_options_are_those_of_the_reference(cell, options):
    layer = made(cell, layers=2, bidirectional=True, **options)
    reset = torch.rand(STEPS, BATCH) < 0.3
    found = []
    for name in ("native", "reference"):
        with elman.backend(name):
            torch.manual_seed(2)  # masks
            found.append(differentiated(layer, lambda x: layer(x, lengths=[STEPS, 0, 4], reset=reset)))
    assert_close(*found)


@pytest.mark.native
def test_its_gradient_is_that_of_differences(cell):
    layer, x = made(cell, hidden=4), drawn(3, 2).requires_grad_()
    names = [name for name, parameter in layer.named_parameters() if parameter.requires_grad]

    def run(x, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x,))

    def flat(x, *weights):
        output, state = run(x, *weights)
        return (output, state) if isinstance(state, torch.Tensor) else (output, *state)

    assert torch.autograd.gradcheck(flat, (x, *(parameter.detach().requires_grad_() for parameter in learnt(layer))))


@pytest.mark.native
def test_steps_are_those_of_the_layer_and_a_state_goes_on_where_it_is_set(cell):
    layer, x = made(cell, layers=2), drawn()
    output, state = layer(x)
    stepper, other = layer.stepper(BATCH), layer.stepper(BATCH)
    for t in range(STEPS):
        assert_close(stepper(x[t]), output[t].detach())
        if t == 2:
            other.state = stepper.state
    for t in range(3, STEPS):
        assert_close(other(x[t]), output[t].detach())
    first, between = layer(x[:3])
    second, after = layer(x[3:], between)
    assert_close((torch.cat([first, second]), after), (output, state))


def test_weights_come_back_and_those_that_are_fixed_do_not_move(cell):
    layer = made(cell)
    other = made(cell)
    for parameter in other.parameters():
        parameter.data.fill_(0.5)
    other.load_state_dict(layer.state_dict())
    assert_equal(other(drawn())[0], layer(drawn())[0])
    fixed = {{"ih": "weight_ih", "hh": "weight_hh"}.get(name, name) + "_l0" for name in layer.plain_cell.fixed}
    assert {name for name, each in layer.named_parameters() if not each.requires_grad} == fixed


def test_it_begins_with_what_can_be_learnt_from(cell):
    """Over 200 steps outputs neither vanish nor explode, and every weight that is learnt gets a gradient."""
    layer, x = made(cell, hidden=32), drawn(200, 2).requires_grad_()
    output, _ = layer(x)
    assert 1e-3 < output[-1].abs().max() < 1e2
    for gradient in torch.autograd.grad(output.sum(), [x, *learnt(layer)]):
        assert gradient.isfinite().all()
        assert gradient.any()


def test_the_page_names_paper_and_equations_of_each(cell):
    (section,) = (part for part in re.split(r"^### ", PAGE, flags=re.MULTILINE) if f"class {cell.__name__}(" in part)
    assert re.search(r'"\s*\(\d{4}\)', section.split("```")[0])
    assert re.search(r"^[hy]' += ", inspect.getdoc(cell), re.MULTILINE)
    assert section.split("```")[2].strip()
    assert f"\n| {cell.__name__} | " in PAGE, "run python benchmarks/gallery.py"


def initial(gallery, name, hidden):
    torch.manual_seed(0)
    return elman.Recurrent(gallery[name], 1, hidden, dtype=torch.float64)


def test_a_legendre_memory_holds_what_was_written_a_hundred_steps_ago(gallery):
    """All polynomials are 1 at the end of the window, so that the sum of the coefficients is the input there."""
    layer = initial(gallery, "LMU", 12)
    layer.e_x_l0.data.fill_(1)
    layer.e_h_l0.data.fill_(0)
    x = (torch.arange(400, dtype=torch.float64) / 30).sin().view(400, 1, 1)
    held = torch.stack([layer(x[: t + 1])[1][1].sum() for t in range(200, 400, 20)])
    assert (held - x[100:300:20].flatten()).abs().max() < 0.05


def test_fixed_and_initial_matrices_are_those_of_the_papers(gallery):
    echo = initial(gallery, "EchoState", 50).weight_hh_l0
    assert_close(torch.linalg.eigvals(echo).abs().max(), torch.tensor(0.9, dtype=torch.float64))
    exp = initial(gallery, "ExpRNN", 8)
    turn = exp.plain_cell.derive(exp.weights[0][0]).hh
    assert_close(turn @ turn.T, torch.eye(8, dtype=torch.float64))
    assert exp.weight_hh_l0.count_nonzero() == 4
    assert initial(gallery, "Clockwork", 8).T_l0.tolist() == [1, 1, 2, 2, 4, 4, 8, 8]
    delta = initial(gallery, "GatedDelta", 50)
    assert ((delta.A_l0.exp() > 0) & (delta.A_l0.exp() < 16)).all()
    steps = torch.nn.functional.softplus(delta.d_l0)
    assert ((steps > 0.001) & (steps < 0.1)).all()
    highway = initial(gallery, "RecurrentHighway", 2)
    assert highway.bias_ih_l0[2:].tolist() == [-2, -2]
    assert highway.b_l0[[2, 3, 6, 7]].tolist() == [-2] * 4
