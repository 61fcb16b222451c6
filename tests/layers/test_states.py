"""`states=True`: the states of all steps, and after backward the whole gradient at each of them."""

import gc
import weakref

import pytest
import torch
from tests.tolerance import assert_close
from torch.nn.utils.rnn import pack_sequence

import elman

LENGTHS = [6, 2, 0]
RESET = torch.rand(6, 3, generator=torch.Generator().manual_seed(2)) < 0.3
EXTRAS = {"plain": {}, "lengths": {"lengths": LENGTHS}, "reset": {"reset": RESET}}
KINDS = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}


@pytest.fixture(params=["native", "reference"])
def backend(request):
    with elman.backend(request.param):
        yield request.param


def made(kind, **options):
    torch.manual_seed(0)
    return getattr(elman, kind)(4, 5, dtype=torch.float64, **options), torch.randn(6, 3, 4, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_the_outputs_and_final_states_of_every_step(kind, backend):
    layer, x = made(kind, num_layers=2)
    output, hidden, states = layer(x, states=True)
    assert tuple(states) == KINDS[kind]
    assert_close(states["h"][1], output)
    hidden = hidden if isinstance(hidden, tuple) else (hidden,)
    assert_close([tensor[:, -1] for tensor in states.values()], list(hidden))
    for t in range(6):
        _, before = layer(x[: t + 1])
        before = before if isinstance(before, tuple) else (before,)
        assert_close([tensor[:, t] for tensor in states.values()], list(before))


@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.native
def test_both_backends_tell_the_same_states_and_whole_gradients(kind, directions, extras):
    layer, x = made(kind, num_layers=2, bidirectional=directions == 2)
    found = []
    for name in ("native", "reference"):
        with elman.backend(name):
            output, _, states = layer(x, states=True, **EXTRAS[extras])
            assert states.gradient("h") is None
            layer.zero_grad()
            loss = output[:, 1:].square().sum() + sum(tensor.sin().sum() for tensor in states.values())
            loss.backward()
            gradients = [states.gradient(state) for state in states]
            found.append((list(states.values()), gradients, [p.grad.clone() for p in layer.parameters()]))
    assert_close(found[0], found[1])


def test_the_whole_gradient_comes_by_way_of_later_steps(backend):
    layer, x = made("LSTM")
    output, _, states = layer(x, states=True)
    output[-1].sum().backward()
    for t in range(6):
        _, (h, c) = layer(x[: t + 1])
        h, c = h.detach().requires_grad_(), c.detach().requires_grad_()
        last = layer(x[t + 1 :], (h, c))[0][-1] if t < 5 else h[0]
        (expected,) = torch.autograd.grad(last.sum(), [h])
        assert_close(states.gradient("h")[:, t], expected)


def test_they_take_the_inputs_form(backend):
    layer, x = made("LSTM", batch_first=True, bidirectional=True)
    _, _, states = layer(x.transpose(0, 1), states=True)
    assert states["c"].shape == (2, 3, 6, 5)
    layer, x = made("GRU", num_layers=3)
    _, _, states = layer(x[:, 0], states=True)
    assert states["h"].shape == (3, 6, 5)


def test_they_stay_what_they_are_where_the_output_is_written_over(backend):
    layer, x = made("LSTM")
    output, _, states = layer(x, states=True)
    expected = output.clone()
    torch.relu_(output)
    assert_close(states["h"][0], expected)


def test_torchs_kernels_cannot_and_packed_input_does_not():
    layer, x = made("GRU")
    with elman.backend("torch"), pytest.raises(elman.ElmanError, match="do not show the states of every step"):
        layer(x, states=True)
    with pytest.raises(ValueError, match="lengths, reset and states go with padded input"):
        layer(pack_sequence([x[:, 0]]), states=True)
    with pytest.raises(KeyError, match="gru has no state 'c'; it has: h"):
        layer(x, states=True)[2].gradient("c")


@pytest.mark.one_graph
def test_they_compile(backend):
    layer, x = made("LSTM")
    torch.compiler.reset()
    compiled = torch.compile(lambda x: layer(x, states=True)[2]["c"], fullgraph=True, backend="aot_eager")
    assert_close(compiled(x), layer(x, states=True)[2]["c"])


def test_what_is_no_longer_wanted_is_freed_at_once(backend):
    """No circle holds the graph: a call's memory would then stay until the garbage collector comes by."""
    layer, x = made("LSTM")
    gc.collect()
    gc.disable()
    try:
        output, hidden, states = layer(x, states=True)
        values, record = weakref.ref(states["c"]), weakref.ref(states._records[0])
        del output, hidden, states
        assert values() is None
        assert record() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("directions", [1, 2])
def test_layers_of_different_sizes_have_a_tensor_each(directions, backend):
    torch.manual_seed(0)
    options = {"bidirectional": directions == 2, "dtype": torch.float64, "batch_first": True}
    layer, x = elman.Recurrent("lstm", 4, (5, 3), **options), torch.randn(3, 6, 4, dtype=torch.float64)
    output, hidden, states = layer(x, states=True)
    assert [tensor.shape for tensor in states["c"]] == [(directions, 3, 6, 5), (directions, 3, 6, 3)]
    for k, name in enumerate(states):
        assert_close([tensor[0][:, -1] for tensor in states[name]], [each[k][0] for each in hidden])
    output.sum().backward()
    gradients = states.gradient("h")
    assert [tensor.shape for tensor in gradients] == [tensor.shape for tensor in states["h"]]
    assert_close(gradients[1][0][:, -1], torch.ones(3, 3, dtype=torch.float64))
    assert gradients[0].abs().min() > 0


def test_layers_of_one_projection_and_different_sizes_have_a_tensor_each(backend):
    torch.manual_seed(0)
    layer = elman.Recurrent("lstm", 4, (5, 3), proj_size=2, dtype=torch.float64)
    states = layer(torch.randn(6, 3, 4, dtype=torch.float64), states=True)[2]
    assert [tensor.shape for tensor in states["h"]] == [(1, 6, 3, 2)] * 2
    assert [tensor.shape for tensor in states["c"]] == [(1, 6, 3, 5), (1, 6, 3, 3)]


@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("directions", [1, 2])
def test_many_gradients_at_once_come_by_way_of_all_states(directions, extras, backend):
    layer, x = made("LSTM", bidirectional=directions == 2)
    _, _, states = layer(x.requires_grad_(), states=True, **EXTRAS[extras])
    leaves, arriving = [x, *layer.parameters()], torch.randn(2, *states["c"].shape, dtype=x.dtype)
    found = torch.autograd.grad(states["c"], leaves, arriving, retain_graph=True, is_grads_batched=True)
    for k, one in enumerate(arriving):
        assert_close([each[k] for each in found], torch.autograd.grad(states["c"], leaves, one, retain_graph=True))
