"""What is found is shown in words at a prompt, as the page in a notebook, and as JSON."""

import json

import pytest
import torch
from tests.diagnosis.networks import last, linear

import elman


def test_a_diagnosis_reads_well_where_it_is_the_last_word():
    torch.manual_seed(0)
    layer = elman.LSTM(3, 4)
    found = elman.diagnose(layer, torch.randn(12, 2, 3), lambda output: output[0].square().mean())
    assert repr(found) == str(found)
    assert (
        "\nat limits: shares of f (forget gate), i (input gate), g (candidate), o (output gate), c (cell state)\n"
        in repr(found)
    )
    assert "decay_per_step=0." in repr(found.layers[0])
    assert len(repr(found.layers)) < 300
    page = found._repr_html_()
    assert page.startswith("<iframe srcdoc=")
    assert "<html" not in page  # escaped, so that no style of it reaches the notebook


def test_an_explanation_too():
    explained = elman.explain(elman.GRU(3, 4), torch.randn(5, 2, 3))
    assert repr(explained) == str(explained)
    assert "B=2" in repr(explained)


def test_it_says_all_of_it_in_text_json_and_html():
    layer, x = linear(0.6, 60)
    found = elman.diagnose(layer, x, last)
    text, plain, page = str(found), found.to_dict(), found.to_html()
    assert text.startswith("1. vanishing (rnn): The gradient falls by the factor 0.600 with every step back")
    assert "   Remedy: take a GRU in place of the tanh layer" in text
    assert max(map(len, text.splitlines())) <= 120
    assert plain["findings"][0]["problem"] == "vanishing"
    assert plain["layers"][0]["decay_per_step"] == pytest.approx(0.6, rel=1e-3)
    json.dumps(plain, allow_nan=False)
    for word in ("Vanishing", "Remedy:", "Gradient at the states", "Singular values", "horizon"):
        assert word in page
    assert "://" not in page
    healthy = elman.diagnose(*linear(1.0, 60), last)
    assert healthy.findings == []
    assert str(healthy).startswith("No fault found")
    assert healthy.to_dict()["layers"][0]["half_life"] == "infinite"
