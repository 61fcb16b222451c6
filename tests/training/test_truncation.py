"""Truncated BPTT: with k1 = k2 = everything it is full BPTT; with k1 < k2 the error reaches further back."""

import numpy as np
import pytest
import torch

from elman import layers
from elman.data.stream import Lanes
from elman.modalities.base import CategoricalHead
from elman.topologies.synced import SyncedManyToMany
from elman.training import truncation
from elman.training.truncation import Windows


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = SyncedManyToMany(torch.nn.Embedding(5, 3), layers.build("rnn", 3, 4), CategoricalHead(4, 5))
    return net.double()


@pytest.fixture
def symbols():
    return np.random.default_rng(0).integers(0, 5, 61)


def targets_seen(windows, epochs=1):
    seen = []
    while windows.epoch < epochs:
        window = windows.next()
        scored = torch.ones_like(window.targets, dtype=torch.bool) if window.scored is None else window.scored
        seen.append([window.targets[:, lane][scored[:, lane]].tolist() for lane in range(window.targets.shape[1])])
    return [[symbol for part in seen for symbol in part[lane]] for lane in range(len(seen[0]))]


@pytest.mark.parametrize(("window", "advance"), [(7, 7), (7, 3), (7, 1), (8, 6), (100, 100), (100, 6), (30, 30)])
def test_every_target_of_a_lane_is_scored_once_in_order(window, advance):
    lanes = targets_seen(Windows(Lanes(np.arange(61), 2), window, advance))
    assert lanes == [list(range(1, 31)), list(range(31, 61))]


@pytest.mark.parametrize(("window", "advance"), [(7, 7), (7, 3), (30, 30)])
def test_every_pass_over_the_stream_is_one_epoch(window, advance):
    windows = Windows(Lanes(np.arange(61), 2), window, advance)
    passes = [targets_seen(windows, epoch) for epoch in (1, 2, 3)]
    assert passes[0] == passes[1] == passes[2]
    assert windows.epochs == 3
    windows.next()
    assert windows.epochs == pytest.approx(3 + min(advance, 30) / 30 if advance < 30 else 4)


def test_the_position_is_restored(symbols):
    first, second = (Windows(Lanes(symbols, 2), 7, 3) for _ in range(2))
    for _ in range(5):
        first.next()
    second.restore(first.state())
    assert torch.equal(first.next().inputs, second.next().inputs)


def gradient(network, symbols, window, advance):
    network.zero_grad()
    windows, carry = Windows(Lanes(symbols, 2), window, advance), None
    while windows.epoch < 1:
        batch = windows.next()
        loss, carry = truncation.loss(network, batch, carry, advance)
        count = batch.targets.numel() if batch.scored is None else int(batch.scored.sum())
        (loss * count).backward()
    return torch.cat([p.grad.flatten() for p in network.parameters()])


def test_one_window_is_full_bptt(network, symbols):
    inputs, targets = Lanes(symbols, 2).window(0, 30)
    scores, _ = network(inputs)
    torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="sum").backward()
    full = torch.cat([p.grad.flatten() for p in network.parameters()])
    torch.testing.assert_close(gradient(network, symbols, 30, 30), full)


def test_the_longer_the_window_the_closer_to_the_full_gradient(network, symbols):
    full = gradient(network, symbols, 30, 30)
    angles = [
        torch.nn.functional.cosine_similarity(gradient(network, symbols, window, 1), full, dim=0).item()
        for window in (1, 2, 4, 8, 16)
    ]
    assert angles == sorted(angles)
    assert angles[0] < 0.999 < angles[-1]


def test_the_forward_pass_does_not_depend_on_the_windows(network, symbols):
    def losses(window, advance):
        windows, carry, total = Windows(Lanes(symbols, 2), window, advance), None, 0.0
        while windows.epoch < 1:
            batch = windows.next()
            loss, carry = truncation.loss(network, batch, carry, advance)
            total += loss.item() * (batch.targets.numel() if batch.scored is None else int(batch.scored.sum()))
        return total

    assert losses(30, 30) == pytest.approx(losses(7, 7), rel=1e-6)
    assert losses(30, 30) == pytest.approx(losses(7, 3), rel=1e-6)


def test_the_carried_state_is_cut_from_the_graph(network, symbols):
    windows = Windows(Lanes(symbols, 2), 7, 7)
    _, carry = truncation.loss(network, windows.next(), None, 7)
    assert not any(tensor.requires_grad for tensor in carry)
