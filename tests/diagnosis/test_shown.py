"""What is found is shown in words at a prompt, and as the page in a notebook."""

import torch

import elman


def test_a_diagnosis_reads_well_where_it_is_the_last_word():
    torch.manual_seed(0)
    layer = elman.LSTM(3, 4)
    found = elman.diagnose(layer, torch.randn(12, 2, 3), lambda output: output[0].square().mean())
    assert repr(found) == str(found)
    assert "decay_per_step=0." in repr(found.layers[0])
    assert len(repr(found.layers)) < 300
    page = found._repr_html_()
    assert page.startswith("<iframe srcdoc=")
    assert "<html" not in page  # escaped, so that no style of it reaches the notebook


def test_an_explanation_too():
    explained = elman.explain(elman.GRU(3, 4), torch.randn(5, 2, 3))
    assert repr(explained) == str(explained)
    assert "B=2" in repr(explained)
