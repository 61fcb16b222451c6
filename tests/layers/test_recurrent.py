"""Layers of any cell with any option: what they promise, for every cell and option, whichever backend runs them."""

import copy
import io

import pytest
import torch
from tests.tolerance import assert_close, assert_equal
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman
from elman.cells import CELLS

from .cases import BATCH, CASES, HIDDEN, INPUT, NEEDS_MATMUL, OPTIONS, STEPS, made

FEW = [(name, option) for name, option in CASES if name in {"lstm", "gru-reset-before", "lru"}]
LENGTHS = [6, 0, 4]
RESET = torch.rand(STEPS, BATCH, generator=torch.Generator().manual_seed(0)) < 0.3


def flat(hidden):
    return list(hidden) if isinstance(hidden, tuple) else [hidden]


def results(layer, x, backend, **extras):
    """Output, final state and gradients, under one seed."""
    torch.manual_seed(3)
    x = x.clone().requires_grad_()
    with elman.backend(backend):
        output, hidden = layer(x, **extras)
    weights = torch.linspace(-1, 1, output.numel(), dtype=x.dtype).view_as(output)
    loss = (output * weights).sum() + sum(tensor.sin().sum() for tensor in flat(hidden))
    gradients = torch.autograd.grad(loss, [x, *layer.parameters()], materialize_grads=True)
    return [output.detach(), *(tensor.detach() for tensor in flat(hidden)), *gradients]


@pytest.mark.native
@pytest.mark.parametrize(("name", "option"), CASES)
def test_the_native_engine_runs_it_and_equals_the_reference(name, option):
    layer, x = made(name, option, bidirectional=True)
    assert elman.explain(layer, x).refusals["native"] is None
    extents = [{}, {"lengths": LENGTHS, "reset": RESET}]
    for extras in extents:
        assert_close(results(layer, x, "native", **extras), results(layer, x, "reference", **extras))
    layer.eval()
    assert_close(results(layer, x, "native", **extents[1]), results(layer, x, "reference", **extents[1]))


@pytest.mark.parametrize(("name", "option"), CASES)
def test_evaluation_is_exact_and_split_anywhere_it_is_the_whole(name, option):
    layer, x = made(name, option, train=False)
    output, hidden = layer(x)
    assert_equal(layer(x)[0], output)
    first, carried = layer(x[:2])
    second, final = layer(x[2:], carried)
    assert_close([torch.cat([first, second]), *flat(final)], [output, *flat(hidden)])


@pytest.mark.parametrize(("name", "option"), CASES)
def test_a_row_does_not_depend_on_its_neighbours_nor_on_padding(name, option):
    layer, x = made(name, option, train=False, bidirectional=True)
    dirty = x.clone()
    dirty[4:, 2], dirty[:, 0] = torch.nan, torch.randn(STEPS, INPUT, dtype=x.dtype)
    output, _ = layer(x, lengths=LENGTHS)
    assert_equal(layer(dirty, lengths=LENGTHS)[0][:, 1:], output[:, 1:])
    assert_close(layer(x[:4, 2:])[0][:, 0], output[:4, 2])


@pytest.mark.parametrize(("name", "option"), CASES)
def test_a_stepper_takes_the_layers_steps_as_in_evaluation(name, option):
    layer, x = made(name, option)
    stepper = layer.stepper(BATCH)
    outputs = torch.stack([stepper(row).clone() for row in x])
    output, hidden = layer.eval()(x)
    assert_close([outputs, *flat(stepper.state)], [output, *flat(hidden)])
    stepper.state = hidden
    assert_close(flat(stepper.state), flat(hidden))
    stepper.reset()
    assert_close(stepper(x[0]), output[0])


@pytest.mark.parametrize(("name", "option"), FEW)
def test_what_is_random_comes_of_the_seed(name, option):
    layer, x = made(name, option)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(layer(x)[0])
    assert_equal(found[0], found[1])
    drawn = {"dropout", "locked_dropout", "zoneout", *NEEDS_MATMUL} & OPTIONS[option].keys()
    assert torch.equal(found[0], found[2]) == (not drawn)


@pytest.mark.parametrize(("name", "option"), FEW)
def test_copies_files_and_state_dicts_hold_all_of_it(name, option):
    layer, x = made(name, option, train=False)
    output, _ = layer(x)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    other = elman.Recurrent(name, INPUT, HIDDEN, 2, dtype=torch.float64, **OPTIONS[option]).eval()
    other.load_state_dict(layer.state_dict())
    for copied in (copy.deepcopy(layer), torch.load(file, weights_only=False), other):
        assert_equal(copied(x)[0], output)


@pytest.mark.one_graph
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("name", "option"), [(name, "all") for name in ("lstm", "gru-reset-before")] + [("lru", "zoneout")]
)
def test_it_compiles_into_one_graph(name, option, training):
    layer, x = made(name, option, train=training)
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    output, _ = compiled(x)
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    if not training:
        assert_close(output, layer(x)[0])


@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_single_rows_come_of_vmap(name):
    layer, x = made(name, "plain")
    table = {key: tensor.detach() for key, tensor in layer.named_parameters()}

    def loss(table, row):
        return functional_call(layer, table, (row,))[0].square().sum()

    rows = x.transpose(0, 1)
    found = vmap(grad(loss), (None, 0))(table, rows)
    for key in table:
        assert_close(found[key], torch.stack([grad(loss)(table, row)[key] for row in rows]))


@pytest.mark.parametrize("name", CELLS)
def test_parametrizations_and_weight_norm_are_seen(name):
    layer, x = made(name, "layer norm", train=False)
    before = layer(x)[0]
    parametrizations.weight_norm(layer, "weight_ih_l0")
    assert_close(layer(x)[0], before)
    layer.parametrizations.weight_ih_l0.original0.data.mul_(3)
    nn.init.uniform_(layer.parametrizations.weight_ih_l0.original1)
    assert (layer(x)[0] - before).abs().max() > 1e-6
    layer(x)[0].sum().backward()
    assert layer.parametrizations.weight_ih_l0.original1.grad is not None


@pytest.mark.parametrize("option", ["plain", "all"])
@pytest.mark.parametrize("name", ["lstm", "slstm", "sru"])
def test_packed_sequences_go_in_and_come_out(name, option):
    if option == "all" and name == "sru":
        option = "zoneout"
    layer, x = made(name, option, train=False, bidirectional=True)
    packed = pack_padded_sequence(x, [4, 6, 1], enforce_sorted=False)
    output, hidden = layer(packed)
    expected, final = layer(x, lengths=[4, 6, 1])
    assert_close([pad_packed_sequence(output)[0], *flat(hidden)], [expected, *flat(final)])
    layer.train()(packed)[0].data.sum().backward()


@pytest.mark.parametrize("name", CELLS)
def test_all_states_of_all_steps_are_shown(name):
    layer, x = made(name, "plain", bidirectional=True)
    _, hidden, states = layer(x, states=True)
    assert tuple(states) == CELLS[name].states
    for tensor, final in zip(states.values(), flat(hidden), strict=True):
        assert tensor.shape == (4, STEPS, BATCH, HIDDEN)
        assert_equal(tensor[0::2, -1], final[0::2])
        assert_equal(tensor[1::2, 0], final[1::2])


@pytest.mark.parametrize("name", ["lstm", "lru"])
def test_what_modules_ask_of_torchs_layers_it_has_too(name):
    layer = elman.Recurrent(name, INPUT, HIDDEN, 2, bidirectional=True)
    layer.flatten_parameters()
    assert [id(w) for each in layer.all_weights for w in each] == list(map(id, layer.parameters()))
    assert len(layer.all_weights) == 4
    if name == "lstm":
        theirs = elman.LSTM(INPUT, HIDDEN, 2, bidirectional=True).all_weights
        assert [[w.shape for w in each] for each in layer.all_weights] == [[w.shape for w in each] for each in theirs]
