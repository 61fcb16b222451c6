"""What docs/transformers.md has of transformers' models is what their papers say; transformers itself is not asked."""

import re
from pathlib import Path

import pytest
import torch
from tests.tolerance import assert_close

PAGE = (Path(__file__).parents[2] / "docs" / "transformers.md").read_text()
ROWS, STEPS, HIDDEN, HEADS, KEYS = 2, 9, 4, 2, 3


@pytest.fixture(scope="module")
def page():
    found = {"__name__": "page"}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), found)
    return found


def drawn(*shapes):
    torch.manual_seed(0)
    return [torch.randn(shape, requires_grad=True) for shape in shapes]


def with_gradients(outputs, leaves):
    loss = sum((output * torch.linspace(-1, 1, output.numel()).view(output.shape)).sum() for output in outputs)
    return *outputs, *torch.autograd.grad(loss, leaves)


def weighted_means(time_decay, time_first, key, value):
    """Equation 16 of the paper, with every sum written out."""
    found, decay = [], time_decay.exp()
    for t in range(key.shape[1]):
        ages = torch.arange(t - 1, -1, -1).view(-1, 1)
        weights = [torch.exp(key[:, :t] - ages * decay), torch.exp(time_first + key[:, t : t + 1])]
        weights = torch.cat(weights, 1)
        found.append((weights * value[:, : t + 1]).sum(1) / weights.sum(1))
    return torch.stack(found, 1)


def test_rwkvs_values_are_weighted_means(page):
    leaves = drawn((HIDDEN,), (HIDDEN,), (ROWS, STEPS, HIDDEN), (ROWS, STEPS, HIDDEN))
    found, state = page["wkv"](*leaves)
    assert state is None
    assert_close(with_gradients([found], leaves), with_gradients([weighted_means(*leaves)], leaves))


def test_rwkv_goes_on_from_a_state_and_keys_may_be_large(page):
    decay, first, key, value = drawn((HIDDEN,), (HIDDEN,), (ROWS, STEPS, HIDDEN), (ROWS, STEPS, HIDDEN))
    key = key + 200  # whose exponential is no number of float32
    begun, state = page["wkv"](decay, first, key[:, :5], value[:, :5], return_state=True)
    rest, after = page["wkv"](decay, first, key[:, 5:], value[:, 5:], state)
    assert len(after) == 3
    expected = weighted_means(*(each.double() for each in (decay, first, key, value)))
    assert_close(torch.cat([begun, rest], 1), expected.float())


def test_the_memory_of_kimi_linear_follows_the_delta_rule(page):
    shapes = [(ROWS, STEPS, HEADS, KEYS)] * 2 + [(ROWS, STEPS, HEADS, HIDDEN), (ROWS, STEPS, HEADS, KEYS)]
    query, key, value, g = drawn(*shapes)
    beta, memory = torch.rand(ROWS, STEPS, HEADS), torch.randn(ROWS, HEADS, KEYS, HIDDEN)

    def by_the_paper(query, key, value, g, S):
        """Equation 1 of the paper, as products of matrices."""
        q, k = (torch.nn.functional.normalize(each, dim=-1) for each in (query, key))
        found = []
        for t in range(STEPS):
            k_t, b = k[:, t].unsqueeze(-1), beta[:, t, :, None, None]
            forget = (torch.eye(KEYS) - b * k_t @ k_t.mT) @ torch.diag_embed(g[:, t].exp())
            S = forget @ S + b * k_t @ value[:, t].unsqueeze(-2)
            found.append((S.mT @ q[:, t].unsqueeze(-1)).squeeze(-1) / KEYS**0.5)
        return torch.stack(found, 1), S

    leaves = [query, key, value, (-torch.rand_like(g)).requires_grad_(), memory.requires_grad_()]
    options = {"output_final_state": True, "use_qk_l2norm_in_kernel": True, "chunk_size": 64}
    found = page["delta_rule"](*leaves[:4], beta, leaves[4], **options)
    assert_close(with_gradients(found, leaves), with_gradients(by_the_paper(*leaves), leaves))
    plain, none = page["delta_rule"](*leaves[:4], beta)
    assert none is None
    assert plain.shape == value.shape


@pytest.mark.parametrize("before", [None, torch.rand(ROWS, HIDDEN)], ids=["zeros", "state"])
def test_recurrent_gemma_begins_anew_where_positions_do(page, before):
    a, b = torch.rand(ROWS, STEPS, HIDDEN), torch.randn(ROWS, STEPS, HIDDEN)
    reset = torch.zeros(1, STEPS, 1, dtype=torch.bool)
    reset[:, 4] = True
    h, expected = torch.zeros(ROWS, HIDDEN) if before is None else before, []
    for t in range(STEPS):
        h = a[:, t] * ~reset[:, t] * h + b[:, t]
        expected.append(h)
    assert_close(page["rglru_scan"](None, b, a, reset, before), (torch.stack(expected, 1), h))
