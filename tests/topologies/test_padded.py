"""Networks over padded batches: padding changes nothing, whatever lies in it; targets of a forecast stand alone."""

import pytest
import torch
from torch import nn

from elman import layers
from elman.modalities.base import CategoricalHead
from elman.modalities.forecast import QuantileHead
from elman.topologies.forecaster import SegmentForecaster
from elman.topologies.many_to_one import SUMMARIES, ManyToOne
from elman.topologies.shared import SharedEncoder, Synced

CELLS = ["lstm", "gru", "rnn"]


def shared(cell, bidirectional, skip):
    torch.manual_seed(0)
    recurrence = layers.build(cell, 3, 5, 2, bidirectional=bidirectional)
    size = recurrence.output_size
    tags = Synced(CategoricalHead(size + 3 * skip, 2))
    wired = {"label": ManyToOne(CategoricalHead(SUMMARIES * size, 4), size), "tags": tags}
    return SharedEncoder(nn.Identity(), recurrence, wired, skip=skip).eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("skip", [False, True])
def test_padding_changes_neither_answers_nor_gradients(cell, bidirectional, skip):
    network = shared(cell, bidirectional, skip)
    lengths = torch.tensor([7, 2, 4])
    values = torch.randn(7, 3, 3)
    for row, length in enumerate(lengths):
        values[length:, row] = 1e6
    values.requires_grad_()
    together = network(values, lengths)
    for row, length in enumerate(lengths):
        alone = network(values[:length, row : row + 1], lengths[row : row + 1])
        assert torch.allclose(together["label"][row], alone["label"][0], atol=1e-6)
        assert torch.allclose(together["tags"][:length, row], alone["tags"][:, 0], atol=1e-6)
    (gradient,) = torch.autograd.grad(together["label"].sum(), values)
    assert torch.isfinite(gradient).all()
    assert not gradient[2:, 1].any()


def forecaster(targets, covariates, horizon):
    torch.manual_seed(0)
    sizes = targets, covariates, 4, horizon
    return SegmentForecaster(layers.build("gru", 6, 6), QuantileHead(6, 4), sizes).eval()


@pytest.mark.parametrize("horizon", [1, 4, 10])
def test_a_forecast_has_the_steps_asked_for_and_follows_the_level(horizon):
    network, past = forecaster(2, 1, horizon), torch.randn(12, 3, 3)
    found = network(past)
    assert found.shape == (horizon, 3, 2, 6)
    assert torch.allclose(network(past + 5), found + 5, atol=1e-5)


def test_a_target_is_forecast_from_itself_and_the_covariates_alone():
    network, past = forecaster(2, 1, 4), torch.randn(12, 3, 3)
    others, weather = past.clone(), past.clone()
    others[:, :, 1] += torch.randn(12, 3)
    weather[:, :, 2] += torch.randn(12, 3)
    assert torch.allclose(network(others)[:, :, 0], network(past)[:, :, 0])
    assert not torch.allclose(network(weather)[:, :, 0], network(past)[:, :, 0], atol=1e-3)


def test_a_row_of_a_batch_is_forecast_as_if_alone():
    network, past = forecaster(2, 1, 10), torch.randn(12, 3, 3)
    assert torch.allclose(network(past)[:, 1], network(past[:, 1:2])[:, 0], atol=1e-6)


def test_the_quantile_loss_is_least_at_the_quantiles():
    head, values = QuantileHead(3, 1), torch.randn(20_000)
    truth = torch.tensor([*values.quantile(head.levels), values.mean()])
    least = head.loss(truth.expand(len(values), -1), values)
    for k in range(len(truth)):
        for change in (-0.2, 0.2):
            moved = truth.clone()
            moved[k] += change
            assert head.loss(moved.expand(len(values), -1), values) > least
