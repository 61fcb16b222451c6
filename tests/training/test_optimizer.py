"""Optimizers: each follows its own equations, decay stands apart from the gradient, clipping limits the step."""

import pytest
import torch

from elman.training import optimizer
from elman.training.options import TrainingOptions


def module_with_gradients(scale=1.0):
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 4)
    for parameter in module.parameters():
        parameter.grad = scale * torch.randn_like(parameter)
    return module


def test_adam_with_decay_is_adamw():
    options = TrainingOptions.make({"rate": 0.01, "weight_decay": 0.3, "smoothing": 0.9})
    ours, theirs = module_with_gradients(), module_with_gradients()
    mine = optimizer.build(ours, options)
    groups = [{"params": [theirs.weight], "weight_decay": 0.3}, {"params": [theirs.bias], "weight_decay": 0.0}]
    peer = torch.optim.AdamW(groups, 0.01, betas=(0.9, 0.9))
    for _ in range(3):
        optimizer.step(mine, 0.01)
        peer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


@pytest.mark.parametrize("name", ["rmsprop", "sgd"])
def test_rmsprop_and_sgd_are_torchs_with_the_options_of_the_user(name):
    options = TrainingOptions.make({"optimizer": name, "momentum": 0.8, "smoothing": 0.7, "weight_decay": 0.0})
    ours, theirs = module_with_gradients(), module_with_gradients()
    mine = optimizer.build(ours, options)
    kinds = {
        "rmsprop": lambda groups: torch.optim.RMSprop(groups, 0.01, alpha=0.7, momentum=0.8),
        "sgd": lambda groups: torch.optim.SGD(groups, 0.01, momentum=0.8),
    }
    peer = kinds[name](theirs.parameters())
    for number in range(1, 4):
        for module in (ours, theirs):
            for parameter, drawn in zip(module.parameters(), module_with_gradients(number).parameters(), strict=True):
                parameter.grad = drawn.grad
        optimizer.step(mine, 0.01)
        peer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


@pytest.mark.parametrize("name", ["adamw", "rmsprop", "sgd"])
def test_what_is_frozen_stays(name):
    module = module_with_gradients()
    module.bias.requires_grad_(requires_grad=False)
    options = TrainingOptions.make({"optimizer": name})
    optimizer.step(optimizer.build(module, options), 0.1)
    assert torch.equal(module.bias, module_with_gradients().bias)
    assert not torch.equal(module.weight, module_with_gradients().weight)


@pytest.mark.parametrize("name", ["adamw", "rmsprop", "sgd"])
def test_whole_numbers_are_numbers(name):
    given = {"rate": 1, "momentum": 0, "smoothing": 0, "weight_decay": 0, "clip": 1, "clip_value": 1}
    module, options = module_with_gradients(), TrainingOptions.make({"optimizer": name, **given})
    _, scale = optimizer.clip(list(module.parameters()), options)
    optimizer.step(optimizer.build(module, options), 1, scale)
    assert not torch.equal(module.weight, module_with_gradients().weight)


@pytest.mark.parametrize("name", ["adamw", "rmsprop", "sgd"])
def test_decay_shrinks_matrices_alone_and_in_proportion_to_the_rate(name):
    moved = {}
    for decay in (0.0, 0.5):
        module = module_with_gradients()
        options = TrainingOptions.make({"optimizer": name, "weight_decay": decay})
        optimizer.step(optimizer.build(module, options), 0.1)
        moved[decay] = module
    torch.testing.assert_close(moved[0.0].weight - moved[0.5].weight, 0.05 * module_with_gradients().weight)
    assert torch.equal(moved[0.0].bias, moved[0.5].bias)


@pytest.mark.parametrize("name", ["adamw", "rmsprop", "sgd"])
def test_clipping_by_norm_keeps_the_direction_and_limits_the_length(name):
    """Of two updates, the first one's gradient is too long: with a limit of 2, or cut to that by hand without one."""
    moved = []
    for clip in (2.0, 0.0):
        module, options = module_with_gradients(), TrainingOptions.make({"optimizer": name, "clip": clip})
        built, parameters = optimizer.build(module, options), list(module.parameters())
        whole = torch.cat([p.grad.flatten() for p in parameters]).norm().item()
        for length in (100.0, 1.0):
            by_hand = min(length, 2.0) if not clip else length
            for parameter, own in zip(parameters, module_with_gradients().parameters(), strict=True):
                parameter.grad = own.grad * by_hand / whole
            norm, scale = optimizer.clip(parameters, options)
            assert norm == pytest.approx(by_hand)
            optimizer.step(built, 0.1, scale)
        moved.append(module)
    torch.testing.assert_close(moved[0].weight, moved[1].weight)
    torch.testing.assert_close(moved[0].bias, moved[1].bias)


def test_a_gradient_that_is_short_enough_is_not_clipped():
    parameters = list(module_with_gradients(0.01).parameters())
    assert optimizer.clip(parameters, TrainingOptions.make({"clip": 2.0}))[1] == 1.0


def test_clipping_by_value_limits_every_entry_and_zero_limits_nothing():
    module = module_with_gradients(100.0)
    parameters = list(module.parameters())
    before = module.weight.grad.clone()
    optimizer.clip(parameters, TrainingOptions.make({"clip": 0.0}))
    assert torch.equal(module.weight.grad, before)
    optimizer.clip(parameters, TrainingOptions.make({"clip": 0.0, "clip_value": 1.5}))
    assert torch.equal(module.weight.grad, before.clamp(-1.5, 1.5))


def test_the_norm_that_is_limited_is_that_of_the_gradient_clipped_by_value():
    module = module_with_gradients(100.0)
    parameters = list(module.parameters())
    before = torch.cat([p.grad.flatten() for p in parameters])
    limited = before.clamp(-1.5, 1.5).norm().item()
    for clip, expected in ((2.0, 2.0 / limited), (2 * limited, 1.0)):
        found = optimizer.clip(parameters, TrainingOptions.make({"clip": clip, "clip_value": 1.5}))
        assert found == pytest.approx((before.norm().item(), expected))
        before = before.clamp(-1.5, 1.5)
