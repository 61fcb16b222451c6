"""Reading and writing: probabilities are ones, padding and neighbours change nothing, all at once is step by step."""

import pytest
import torch
from torch import nn

from elman import layers
from elman.layers.attention import Attention
from elman.modalities.base import IGNORED
from elman.topologies.encoder_decoder import EncoderDecoder, Writer

SYMBOLS, E, H = 7, 6, 8
FORMS = {
    "plain": {},
    "feeding": {"feeding": True},
    "copying": {"copying": True},
    "both": {"feeding": True, "copying": True},
}


def network(form="plain", cell="lstm", depth=1, score="dot", both=True):
    torch.manual_seed(0)
    options = FORMS[form]
    encoder = layers.build(cell, E, H // 2 if both else H, depth, bidirectional=both)
    recurrence = layers.build(cell, E * (1 + options.get("feeding", False)), H, depth)
    embedding = nn.Embedding(SYMBOLS + 1, E)
    return EncoderDecoder(None, encoder, Writer(embedding, recurrence, Attention(H, H, score), H, **options)).eval()


def batch():
    inputs = torch.tensor([[1, 4, 2], [3, 5, 6], [6, 2, 2], [2, 0, 0]])
    targets = torch.tensor([[2, 4, 7], [5, 7, IGNORED], [7, IGNORED, IGNORED]])
    return inputs, torch.tensor([4, 3, 3]), targets


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("score", ["dot", "additive"])
def test_probabilities_add_up_to_one_and_are_those_of_the_losses(form, score):
    net, (inputs, lengths, targets) = network(form, score=score), batch()
    written, read = net(inputs, lengths, targets)
    told = net.writer.log_probabilities(written, read)
    assert torch.allclose(told.exp().sum(-1), torch.ones(3, 3), atol=1e-5)
    scored = targets != IGNORED
    chosen = told[scored].gather(-1, targets[scored].unsqueeze(-1)).squeeze(-1)
    assert torch.allclose(net.losses(inputs, lengths, targets), -chosen, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("cell", "depth"), [("lstm", 1), ("gru", 2), ("rnn", 2), ("slstm", 1)])
def test_writing_step_by_step_is_writing_all_at_once(form, cell, depth):
    net, (inputs, lengths, targets) = network(form, cell, depth), batch()
    whole = net(inputs, lengths, targets)[0]
    read, carried = net.read(inputs, lengths)
    last = torch.full((1, 3), SYMBOLS)
    for step in range(3):
        written, carried = net.writer(last, carried, read)
        assert torch.allclose(written.features[0], whole.features[step], atol=1e-6)
        assert torch.allclose(written.weights[:, 0], whole.weights[:, step], atol=1e-6)
        last = targets[step : step + 1].clamp_min(0).where(targets[step] != IGNORED, torch.tensor(SYMBOLS))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("both", [False, True])
def test_padding_and_neighbours_change_nothing(form, both):
    net, (inputs, lengths, targets) = network(form, both=both), batch()
    together, ends = net.losses(inputs, lengths, targets), []
    for row in range(3):
        own = targets[targets[:, row] != IGNORED, row : row + 1]
        ends.append(net.losses(inputs[: lengths[row], row : row + 1], lengths[row : row + 1], own))
    assert torch.allclose(together.sum(), torch.cat(ends).sum(), atol=1e-5)
    other = inputs.clone()
    other[3, 1:] = 5  # beyond the ends of these rows
    assert torch.equal(net.losses(other, lengths, targets), together)


@pytest.mark.parametrize("form", FORMS)
def test_several_texts_of_a_row_share_what_was_read(form):
    net, (inputs, lengths, _) = network(form), batch()
    read, carried = net.read(inputs, lengths)
    first, second = torch.tensor([[1, 2, 3]]), torch.tensor([[4, 5, 6]])
    apart = [net.writer(symbols, carried, read)[0].features for symbols in (first, second)]
    rows = torch.arange(3).repeat(2)
    both = net.writer(torch.cat([first, second], 1), carried.rows(rows), read)[0]
    assert torch.allclose(both.features, torch.cat(apart), atol=1e-6)


def test_a_symbol_that_is_looked_at_can_be_copied_and_no_other():
    net, (inputs, lengths, targets) = network("copying"), batch()
    with torch.no_grad():
        net.writer.gate.weight.zero_()
        net.writer.gate.bias.fill_(50.0)  # copies always
    told = net.writer.log_probabilities(*net(inputs, lengths, targets)).exp()
    for row, length in enumerate(lengths):
        there = set(inputs[:length, row].tolist())
        for symbol in range(SYMBOLS + 1):
            assert (told[:, row, symbol].max() > 1e-3) == (symbol in there)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_reach_every_weight_and_are_those_of_finite_differences(form):
    net, (inputs, lengths, targets) = network(form).double(), batch()
    net.losses(inputs, lengths, targets).mean().backward()
    for name, parameter in net.named_parameters():
        gradient = parameter.grad
        assert gradient is not None, name
        place = int(gradient.abs().argmax())
        changed = []
        for change in (1e-6, -1e-6):
            with torch.no_grad():
                parameter.flatten()[place] += change
                changed.append(net.losses(inputs, lengths, targets).mean().item())
                parameter.flatten()[place] -= change
        assert gradient.flatten()[place].item() == pytest.approx((changed[0] - changed[1]) / 2e-6, rel=2e-3, abs=1e-8)


def test_smoothing_is_part_of_training_alone():
    net, (inputs, lengths, targets) = network(), batch()
    plain = net.losses(inputs, lengths, targets)
    net.label_smoothing = 0.1
    assert torch.equal(net.losses(inputs, lengths, targets), plain)
    smooth = net.train().losses(inputs, lengths, targets)
    written, _ = net(inputs, lengths, targets)
    told = net.writer.scores(written.features)[targets != IGNORED].log_softmax(-1)
    assert torch.allclose(smooth, 0.9 * plain - 0.1 * told.mean(-1), atol=1e-6)


def test_smoothing_is_exact_under_autocast():
    net, (inputs, lengths, targets) = network().train(), batch()
    net.label_smoothing = 1.0
    with torch.autocast("cpu", torch.bfloat16):
        told = net.losses(inputs, lengths, targets)
        written, _ = net(inputs, lengths, targets)
        expected = -net.writer.scores(written.features)[targets != IGNORED].float().log_softmax(-1).mean(-1)
    assert told.dtype == torch.float32
    assert torch.allclose(told, expected, atol=1e-6)


def test_it_begins_with_how_often_symbols_occur_and_smooths_among_those_alone():
    net, (inputs, lengths, targets) = network().train(), batch()
    net.label_smoothing = 0.1
    counts = torch.bincount(targets[targets != IGNORED], minlength=SYMBOLS + 1)
    unseen = counts == 0
    for told, pushed_up in ((False, True), (True, False)):
        if told:
            net.writer.expect(1000 * counts)
            assert torch.allclose(net.writer.bias.softmax(0), counts / counts.sum(), atol=1e-3)
        else:
            net.writer.bias.data[unseen] = -20.0
        net.zero_grad()
        net.losses(inputs, lengths, targets).sum().backward()
        assert ((net.writer.bias.grad[unseen] < 0) == pushed_up).all()
