"""Attention: the weights are the equation's, add up to one, and none lies on padding."""

import pytest
import torch

from elman.layers.attention import SCORES, Attention


def setting(score):
    torch.manual_seed(0)
    return Attention(5, 3, score), torch.randn(2, 4, 5), torch.randn(6, 4, 3), torch.tensor([6, 1, 4, 5])


@pytest.mark.parametrize("score", SCORES)
def test_the_weights_are_those_of_the_equation(score):
    attention, queries, features, lengths = setting(score)
    contexts, weights = attention(queries, attention.remember(features, lengths))
    for row, length in enumerate(lengths):
        for s in range(2):
            key = attention.key(features[:length, row])
            if score == "dot":
                scores = key @ queries[s, row]
            else:
                scores = attention.weight(torch.tanh(attention.query(queries[s, row]) + key)).squeeze(-1)
            expected = scores.softmax(0)
            assert torch.allclose(weights[row, s, :length], expected, atol=1e-6)
            assert torch.equal(weights[row, s, length:], torch.zeros(6 - length))
            assert torch.allclose(contexts[s, row], expected @ features[:length, row], atol=1e-6)


@pytest.mark.parametrize("score", SCORES)
def test_padding_has_no_gradient(score):
    attention, queries, features, lengths = setting(score)
    features.requires_grad_()
    contexts, _ = attention(queries, attention.remember(features, lengths))
    (gradient,) = torch.autograd.grad(contexts.sum(), features)
    dead = torch.arange(6).unsqueeze(1) >= lengths
    assert torch.equal(gradient[dead], torch.zeros_like(gradient[dead]))
    assert gradient[~dead].abs().sum() > 0


def test_chosen_rows_of_a_memory_answer_as_they_did():
    attention, queries, features, lengths = setting("dot")
    memory, rows = attention.remember(features, lengths), torch.tensor([2, 0])
    whole, _ = attention(queries, memory)
    some, _ = attention(queries[:, rows], memory.rows(rows))
    assert torch.allclose(some, whole[:, rows], atol=1e-6)
