"""Loops over cells, and over layers step by step, with gradients: those of weights are made for all steps at once."""

import gc
import threading
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.utils.checkpoint import checkpoint

import elman
from elman.cells import CELLS as NAMES
from elman.engine.native import loops

LAYERS = {
    "rnn": partial(elman.RNN, 5, 6),
    "gru": partial(elman.GRU, 5, 6),
    "lstm": partial(elman.LSTM, 5, 6),
    "lstm, projection": partial(elman.LSTM, 5, 6, proj_size=3),
    "no bias": partial(elman.LSTM, 5, 6, bias=False),
    "two layers": partial(elman.GRU, 5, 6, 2),
    "residual, layer norm": partial(elman.LSTM, 6, 6, 2, residual=True, layer_norm=True),
    **{name: partial(elman.Recurrent, name, 5, 6) for name in NAMES if name not in {"rnn", "gru", "lstm"}},
}
CELLS = {"rnn": elman.RNNCell, "gru": elman.GRUCell, "lstm": elman.LSTMCell}

pytestmark = pytest.mark.native


@pytest.fixture(autouse=True)
def _engine():
    with elman.backend("native"):
        yield


def parts(hidden):
    """The tensors of a state."""
    return [hidden] if isinstance(hidden, torch.Tensor) else [t for each in hidden for t in parts(each)]


def cell_and_steps(name, steps=4, rows=3, seed=0):
    """A cell in float64, inputs of so many steps, and a state."""
    torch.manual_seed(seed)
    cell = CELLS[name](5, 6).double()
    inputs = [torch.randn(rows, 5, dtype=torch.float64, requires_grad=True) for _ in range(steps)]
    state = torch.randn(rows, 6, dtype=torch.float64, requires_grad=True)
    return cell, inputs, (state, state * 2) if name == "lstm" else state


def outputs(cell, inputs, state):
    """The first state after every step."""
    found = []
    for x in inputs:
        state = cell(x, state)
        found.append(parts(state)[0])
    return found


def close(some, others):
    return all(torch.allclose(a, b, atol=1e-10) for a, b in zip(some, others, strict=True))


def agrees(gradients):
    """Whether the engine and the reference give the same gradients."""
    found = gradients()
    with elman.backend("reference"):
        return close(found, gradients())


def by_reference(name, loss, wanted):
    """The gradients of a loss of the outputs by the reference: of all of `cell, inputs`."""
    cell, inputs, state = cell_and_steps(name)
    with elman.backend("reference"):
        return torch.autograd.grad(loss(outputs(cell, inputs, state)), wanted(cell, inputs), allow_unused=True)


def everything(cell, inputs):
    return [*cell.parameters(), *inputs]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_the_whole_sequence(name, dtype):
    torch.manual_seed(0)
    layer = LAYERS[name]().to(dtype)
    x = torch.randn(7, 3, layer.input_size, dtype=dtype, requires_grad=True)
    wanted, weigh = [x, *layer.parameters()], torch.randn(7, 1, 1, dtype=dtype)
    expected, last = layer(x)
    truth = torch.autograd.grad((weigh * expected).sum() + sum(t.square().sum() for t in parts(last)), wanted)
    hidden, found = None, []
    for step in x.split(1):
        output, hidden = layer(step, hidden)
        found.append(output)
    assert torch.allclose(torch.cat(found), expected, atol=1e-6)
    ours = torch.autograd.grad((weigh * torch.cat(found)).sum() + sum(t.square().sum() for t in parts(hidden)), wanted)
    limit = 1e-4 if dtype == torch.float32 else 1e-10
    assert all(torch.allclose(a, b, rtol=limit, atol=limit) for a, b in zip(ours, truth, strict=True))


@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize("most", [1, 50, 2048])
def test_products_are_made_of_any_number_of_rows(rows, most, monkeypatch):
    monkeypatch.setattr(loops, "MOST", most)
    cell, inputs, state = cell_and_steps("lstm", 9, rows)
    wanted = everything(cell, inputs)
    assert agrees(lambda: torch.autograd.grad(torch.stack(outputs(cell, inputs, state)).sum(), wanted))


def test_rows_may_leave_on_the_way():
    cell, inputs, state = cell_and_steps("lstm", 6)

    def gradients():
        total, hidden = 0, state
        for t, x in enumerate(inputs):
            hidden = cell(x[: 3 - t // 2], tuple(tensor[: 3 - t // 2] for tensor in hidden))
            total = total + hidden[0].square().sum()
        return torch.autograd.grad(total, everything(cell, inputs))

    assert agrees(gradients)


@pytest.mark.parametrize("name", CELLS)
def test_what_lies_otherwise_in_memory(name):
    cell, _, _ = cell_and_steps(name)
    x = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)  # columns first
    start = torch.zeros(1, 6, dtype=torch.float64).expand(3, 6)
    state = (start, start) if name == "lstm" else start
    steps, wanted = x.permute(2, 1, 0), [x, *cell.parameters()]
    assert agrees(lambda: torch.autograd.grad(outputs(cell, steps, state)[-1].sum(), wanted))


@pytest.mark.parametrize("name", CELLS)
def test_some_weights_or_inputs_want_no_gradients(name):
    def of_two(outputs):
        return outputs[1].sum() + outputs[3].square().sum()

    truth = by_reference(name, of_two, everything)
    cell, inputs, state = cell_and_steps(name)
    names = [key for key, _ in cell.named_parameters()]
    cell.weight_hh.requires_grad_(False)
    inputs[2].requires_grad_(False)
    of_two(outputs(cell, inputs, state)).backward()
    for key, expected in zip(names, truth, strict=False):
        gradient = getattr(cell, key).grad
        assert gradient is None if key == "weight_hh" else torch.allclose(gradient, expected)
    assert inputs[2].grad is None
    assert close([inputs[0].grad, inputs[3].grad], [truth[len(names)], truth[len(names) + 3]])
    cell.requires_grad_(False)
    again = torch.autograd.grad(of_two(outputs(cell, inputs, state)), inputs[1])
    assert close(again, [truth[len(names) + 1]])


def test_weights_that_are_frozen_on_the_way():
    cell, inputs, state = cell_and_steps("gru")
    first = cell(inputs[0], state)
    cell.weight_ih.requires_grad_(False)
    second = cell(inputs[1], first)
    found = torch.autograd.grad(second.sum(), [cell.weight_hh, state])
    cell.weight_ih.requires_grad_(True)
    with elman.backend("reference"):
        truth = torch.autograd.grad(cell(inputs[1], cell(inputs[0], state)).sum(), [cell.weight_hh, state])
    assert close(found, truth)


@pytest.mark.parametrize("name", CELLS)
def test_backward_again_and_in_parts(name):
    truth = by_reference(name, lambda found: found[1].sum(), everything)
    both = by_reference(name, lambda found: found[1].sum() + found[3].sum(), everything)
    cell, inputs, state = cell_and_steps(name)
    found, wanted = outputs(cell, inputs, state), everything(cell, inputs)
    for _ in range(2):
        once = torch.autograd.grad(found[1].sum(), wanted, retain_graph=True, allow_unused=True)
        assert all((a is None and b is None) or torch.allclose(a, b) for a, b in zip(once, truth, strict=True))
    only = torch.autograd.grad(found[1].sum(), inputs[:1], retain_graph=True)
    assert close(only, truth[-4:-3])
    found[1].sum().backward(retain_graph=True)
    found[3].sum().backward()
    assert close([tensor.grad for tensor in wanted], both)


def test_a_loop_inside_of_another_ones_backward_pass():
    cell, inputs, state = cell_and_steps("lstm")
    alone = torch.autograd.grad(outputs(cell, inputs, state)[-1].sum(), list(cell.parameters()))
    inner = []

    def hook(_):
        with torch.enable_grad():
            other = outputs(cell, [x.detach() for x in inputs], tuple(t.detach() for t in state))[-1].sum()
        inner.append(torch.autograd.grad(other, list(cell.parameters())))

    found = outputs(cell, inputs, state)
    found[1].register_hook(hook)
    outer = torch.autograd.grad(found[-1].sum(), list(cell.parameters()))
    assert close(outer, alone)
    assert close(inner[0], alone)


def test_after_a_backward_pass_that_failed():
    cell, inputs, state = cell_and_steps("lstm")
    truth = by_reference("lstm", lambda found: found[-1].sum(), everything)
    found = outputs(cell, inputs, state)

    handle = found[1].register_hook(lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        found[-1].sum().backward(retain_graph=True)
    handle.remove()
    cell.zero_grad()
    assert close(torch.autograd.grad(found[-1].sum(), everything(cell, inputs)), truth)


@pytest.mark.parametrize("name", CELLS)
def test_what_is_returned_may_be_written_over(name):
    cell, inputs, state = cell_and_steps(name)
    truth = by_reference(name, lambda found: (2 * found[-1]).sum(), everything)
    last = outputs(cell, inputs, state)[-1]
    last.mul_(2)
    assert close(torch.autograd.grad(last.sum(), everything(cell, inputs)), truth)


def test_what_was_read_may_not_be_written_over():
    cell, inputs, state = cell_and_steps("gru")
    last = outputs(cell, inputs, state)[-1]
    with torch.no_grad():
        cell.weight_hh.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        last.sum().backward()


@pytest.mark.parametrize(
    "change", [lambda w: w.mul_(2), lambda w: w.data.mul_(2), lambda w: w.detach().numpy().__imul__(2)]
)
def test_weights_that_change_are_seen(change):
    cell, inputs, state = cell_and_steps("gru")
    before = outputs(cell, inputs, state)[-1]  # which keeps the loop alive
    with torch.no_grad():
        change(cell.weight_hh)
    after = outputs(cell, inputs, state)[-1]
    with elman.backend("reference"):
        expected = outputs(cell, inputs, state)[-1]
    assert not torch.allclose(before, expected)
    assert torch.allclose(after, expected)
    found, truth = [torch.autograd.grad(value.sum(), list(cell.parameters())) for value in (after, expected)]
    assert close(found, truth)


def test_two_cells_in_one_loop():
    cell, inputs, state = cell_and_steps("lstm")
    other = elman.LSTMCell(5, 6).double()
    wanted = [*cell.parameters(), *other.parameters(), *inputs]

    def gradients():
        hidden, found = state, 0
        for x in inputs:
            hidden = other(x, cell(x, hidden))
            found = found + hidden[0].square()
        return torch.autograd.grad(found.sum(), wanted)

    assert agrees(gradients)


@pytest.mark.parametrize("kept", [False, True])
def test_weights_that_are_computed(kept):
    def gradients():
        torch.manual_seed(0)
        cell = parametrizations.weight_norm(elman.LSTMCell(5, 6).double(), "weight_hh")
        _, inputs, state = cell_and_steps("lstm")
        if kept:
            with parametrize.cached():
                last = outputs(cell, inputs, state)[-1]
        else:
            last = outputs(cell, inputs, state)[-1]
        return torch.autograd.grad(last.sum(), everything(cell, inputs))

    assert agrees(gradients)


@pytest.mark.parametrize("name", CELLS)
def test_second_derivatives_and_many_at_once(name):
    def penalty(cell, inputs, state):
        (slope,) = torch.autograd.grad(outputs(cell, inputs, state)[-1].sum(), inputs[0], create_graph=True)
        return torch.autograd.grad(slope.square().sum(), [*cell.parameters(), *inputs])

    def jacobian(cell, inputs, state):
        last, many = outputs(cell, inputs, state)[-1], torch.eye(18, dtype=torch.float64).view(18, 3, 6)
        return torch.autograd.grad(last, everything(cell, inputs), many, is_grads_batched=True)

    given = cell_and_steps(name)
    assert all(agrees(partial(function, *given)) for function in (penalty, jacobian))


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_checkpoints(name, reentrant):
    cell, inputs, state = cell_and_steps(name)
    truth = by_reference(name, lambda found: found[-1].sum(), everything)
    hidden = cell(inputs[0], state)
    hidden = checkpoint(
        lambda *h: cell(inputs[2], cell(inputs[1], h if len(h) > 1 else h[0])), *parts(hidden), use_reentrant=reentrant
    )
    last = parts(cell(inputs[3], hidden))[0]
    last.sum().backward()
    assert close([tensor.grad for tensor in everything(cell, inputs)], truth)


def test_what_is_saved_may_lie_elsewhere_meanwhile():
    cell, inputs, state = cell_and_steps("lstm")
    truth = by_reference("lstm", lambda found: found[-1].sum(), everything)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        last = outputs(cell, inputs, state)[-1]
    for _ in range(2):
        assert close(torch.autograd.grad(last.sum(), everything(cell, inputs), retain_graph=True), truth)


def test_hooks_of_weights_see_the_whole_gradient_once():
    cell, inputs, state = cell_and_steps("gru")
    truth = by_reference("gru", lambda found: found[-1].sum(), lambda cell, _: [cell.weight_ih])
    seen = []
    cell.weight_ih.register_hook(seen.append)
    outputs(cell, inputs, state)[-1].sum().backward()
    assert len(seen) == 1
    assert close(seen, truth)


def test_a_loop_that_never_ends_takes_constant_memory():
    cell = elman.LSTMCell(5, 6)
    state = (torch.zeros(2, 6), torch.zeros(2, 6))
    for _ in range(20):
        state = cell(torch.randn(2, 5), state)
        loop = loops._loops[id(cell.weight_ih)]
        state[0].sum().backward(retain_graph=True)
        state = tuple(tensor.detach() if k else tensor for k, tensor in enumerate(state))
        state = (state[0].detach().requires_grad_(), state[1])
        assert not loop._waiting
        assert len(loop.rows) == 1


def test_memory_ends_with_the_graph():
    gc.collect()
    gc.disable()  # nothing may wait for it
    try:
        cell, inputs, state = cell_and_steps("lstm")
        found = outputs(cell, inputs, state)
        assert id(cell.weight_ih) in loops._loops
        found[-1].sum().backward()
        del found
        assert id(cell.weight_ih) not in loops._loops
    finally:
        gc.enable()


def test_several_threads_share_a_cell():
    cell, inputs, state = cell_and_steps("lstm", 30)
    truth = torch.autograd.grad(outputs(cell, inputs, state)[-1].sum(), everything(cell, inputs))
    found = {}

    def work(number):
        with elman.backend("native"):
            for _ in range(5):
                last = outputs(cell, inputs, state)[-1]
                found[number] = torch.autograd.grad(last.sum(), everything(cell, inputs))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(close(each, truth) for each in found.values())


def test_a_decoder_with_attention_learns_as_torchs():
    class Decoder(nn.Module):
        def __init__(self, cell):
            super().__init__()
            self.cell, self.query, self.out = cell(9, 6), nn.Linear(6, 4), nn.Linear(6, 3)

        def forward(self, memory, targets):
            state, context, found = None, memory.mean(1), []
            for target in targets:
                state = self.cell(torch.cat([target, context], -1), state)
                weights = (memory @ self.query(state[0]).unsqueeze(-1)).softmax(1)
                context = (weights * memory).sum(1)
                found.append(self.out(state[0]))
            return torch.stack(found)

    torch.manual_seed(0)
    theirs = Decoder(nn.LSTMCell)
    ours = Decoder(elman.LSTMCell)
    ours.load_state_dict(theirs.state_dict())
    memory, targets = torch.randn(2, 7, 4), torch.randn(5, 2, 5)
    for model in (theirs, ours):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(memory, targets).square().sum().backward()
            optimizer.step()
    for name, tensor in theirs.state_dict().items():
        assert torch.allclose(tensor, ours.state_dict()[name], atol=1e-5)
