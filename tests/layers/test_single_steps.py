"""A call of a layer with one time step and no gradient takes a short way: it must be seen in nothing but the time."""

import pytest
import torch

import elman
from elman.engine.native import steps

LAYERS = {
    "rnn": lambda **o: elman.RNN(5, 6, **o),
    "gru": lambda **o: elman.GRU(5, 6, **o),
    "lstm": lambda **o: elman.LSTM(5, 6, **o),
    "lstm, projection": lambda **o: elman.LSTM(5, 6, proj_size=3, **o),
    "two layers": lambda **o: elman.GRU(5, 6, 2, **o),
    "residual, layer norm": lambda **o: elman.LSTM(6, 6, 2, residual=True, layer_norm=True, **o),
    "zoneout": lambda **o: elman.LSTM(5, 6, 2, zoneout=0.2, **o),
    "recurrent": lambda **o: elman.Recurrent("mgu", 5, (6, 6), **o),
    "lru": lambda **o: elman.Recurrent("lru", 5, 6, **o),
    "sizes": lambda **o: elman.Recurrent("gru", 5, (6, 4), **o),
}


def parts(hidden):
    """The tensors of a state."""
    return [hidden] if isinstance(hidden, torch.Tensor) else [t for each in hidden for t in parts(each)]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_steps_are_those_of_the_whole_sequence(name, batch_first):
    torch.manual_seed(0)
    layer = LAYERS[name](batch_first=batch_first).double().eval()
    x = torch.randn(7, 3, layer.input_size, dtype=torch.float64)
    x = x.transpose(0, 1) if batch_first else x
    time = int(batch_first)
    with torch.no_grad():
        expected, last = layer(x)
        hidden, outputs = None, []
        for step in x.split(1, time):
            output, hidden = layer(step, hidden)
            outputs.append(output)
    assert torch.allclose(torch.cat(outputs, time), expected, atol=1e-12)
    for ours, theirs in zip(parts(hidden), parts(last), strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("name", ["gru", "lstm", "two layers"])
def test_what_it_returns_belongs_to_the_caller(name):
    layer = LAYERS[name]()
    x = torch.randn(1, 2, 5)
    with torch.no_grad():
        _, hidden = layer(x)
        before = [t.clone() for t in parts(hidden)]
        output, after = layer(x, hidden)
        output, after = layer(x, hidden)
        kept = [t.clone() for t in parts(after)]
        output.zero_()
        layer(x, after)
    for tensors, copies in ((parts(hidden), before), (parts(after), kept)):
        assert all(map(torch.equal, tensors, copies))


def seen(layer, x, change):
    """Whether a step after a change is another one, and that of the new weights."""
    with torch.no_grad():
        _, hidden = layer(x)
        for _ in range(3):
            old, _ = layer(x, hidden)
        change()
        new, _ = layer(x, hidden)
        whole, _ = layer(torch.cat([x, x]), hidden)
    return not torch.equal(new, old) and torch.allclose(new[0], whole[0], atol=1e-6)


CHANGES = {
    "in place": lambda layer: layer.weight_hh_l0.add_(0.1),
    "a row": lambda layer: layer.weight_hh_l0.data[17].zero_(),
    "a column": lambda layer: layer.weight_ih_l0.data[:, 11].zero_(),
    "a number": lambda layer: layer.weight_hh_l0.detach().numpy()[3, 3:4].fill(0.5),
    "a bias": lambda layer: layer.bias_ih_l0.data[7].fill_(1.0),
    "a parameter": lambda layer: setattr(layer, "weight_hh_l0", torch.nn.Parameter(torch.zeros(80, 20))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_few_weights_that_change_are_seen_wherever_it_is(name):
    layer = elman.LSTM(12, 20)
    assert seen(layer, torch.randn(1, 1, 12), lambda: CHANGES[name](layer))


@pytest.mark.parametrize(
    "change", [lambda layer: layer.weight_hh_l0[77, 3].add_(1.0), lambda layer: layer.weight_ih_l0.data.mul_(0.9)]
)
def test_many_weights_that_change_are_seen_by_their_version_or_their_places(change):
    layer = elman.GRU(100, 120)
    assert seen(layer, torch.randn(1, 2, 100), lambda: change(layer))


def test_nothing_is_kept_of_a_copy_of_weights():
    cell = elman.LSTMCell(300, 300)
    cell.weight_hh = torch.nn.Parameter(torch.randn(300, 1200).t())
    with torch.no_grad(), elman.backend("native"):
        cell(torch.randn(1, 300), (torch.ones(1, 300), torch.ones(1, 300)))
    assert id(cell.weight_ih) not in steps._kept


def test_mistakes_are_told_as_ever():
    layer, x = elman.LSTM(5, 6), torch.randn(1, 2, 5)
    with torch.no_grad():
        _, (h, c) = layer(x)
        layer(x, (h, c))
        for wrong in (
            (h,),
            h,
            (h, c, c),
            (h[:, :1], c[:, :1]),
            (h[0], c[0]),
            (h.double(), c.double()),
            (h[..., :4], c),
        ):
            told = []
            for way in (torch.no_grad, torch.enable_grad):
                with way(), pytest.raises((RuntimeError, ValueError, IndexError, TypeError)) as found:
                    layer(x, wrong)
                told.append((found.type, str(found.value)))
            assert told[0] == told[1]


def test_dropout_between_layers_is_not_left_out():
    torch.manual_seed(0)
    layer = elman.GRU(5, 60, 2, dropout=0.5)
    x = torch.randn(1, 2, 5)
    with torch.no_grad():
        _, hidden = layer(x)
        outputs = [layer(x, hidden)[0] for _ in range(3)]
        layer.eval()
        still = [layer(x, hidden)[0] for _ in range(3)]
    assert not torch.equal(outputs[1], outputs[2])
    assert torch.equal(still[1], still[2])
