"""What other packages do with torch.nn's recurrent layers holds for Elman's, too."""

import copy
from unittest.mock import patch

import pytest
import torch
from tests.layers.pairs import LAYERS, pair
from tests.tolerance import assert_close, assert_equal
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

import elman

TORCHS = {"RNN": elman.RNN, "GRU": elman.GRU, "LSTM": elman.LSTM}
each = pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])


@pytest.mark.parametrize("name", LAYERS)
def test_drawing_anew_spares_what_a_loader_has_guarded(name, monkeypatch):
    """As transformers' from_pretrained does it, where a file lacks some of a module's weights."""
    draw = nn.init.uniform_
    monkeypatch.setattr(
        nn.init, "uniform_", lambda tensor, a=0.0, b=1.0: tensor if hasattr(tensor, "loaded") else draw(tensor, a, b)
    )
    for layer in pair(name, 4, 6):
        layer.weight_ih_l0.loaded = True
        before = copy.deepcopy(layer.state_dict())
        layer.reset_parameters()
        same = {key for key, value in layer.state_dict().items() if torch.equal(value, before[key])}
        assert same == {"weight_ih_l0"}


@each
def test_a_package_that_is_imported_with_elmans_layers_in_the_place_of_torchs(name):
    kind = name.upper()

    def defined():
        class Own(getattr(nn, kind)):  # read where the package is imported
            def forward(self, x, hx=None):
                output, final = super().forward(x, hx=hx)
                return output * 2, final

        return Own

    torch.manual_seed(0)
    theirs = defined()(4, 6, 2)
    with patch.multiple(nn, **TORCHS):
        own = defined()
    torch.manual_seed(0)
    ours, x = own(4, 6, 2), torch.randn(7, 3, 4)
    assert isinstance(ours, TORCHS[kind])
    assert isinstance(ours, nn.RNNBase)
    found = [torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters())) for layer in (ours, theirs)]
    assert_close(*found)


@each
def test_gradients_by_sample_of_a_module_that_gives_one_tensor(name):
    """As Opacus takes them, of a copy without numbers."""
    made = pair(name, 4, 6, batch_first=True)[0]

    class Outputs(type(made)):
        def forward(self, x):
            return super().forward(x)[0]

    layer, x = Outputs(4, 6, batch_first=True), torch.randn(3, 7, 4)
    bare, arriving = copy.deepcopy(layer).to("meta"), torch.randn(3, 7, 6)
    weights = {key: value.detach() for key, value in layer.named_parameters()}

    def loss(weights, row, gradient):
        return (functional_call(bare, weights, row.unsqueeze(0)) * gradient.unsqueeze(0)).sum()

    found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, arriving)
    for row in range(3):
        output = layer(x[row : row + 1])
        alone = torch.autograd.grad(output, list(layer.parameters()), arriving[row : row + 1])
        assert_close([found[key][row] for key in weights], alone)


class DroppedWeights(nn.Module):
    """fastai's WeightDropout: the recurrent weights are no parameter of the layer, but set before every call."""

    def __init__(self, module):
        super().__init__()
        self.module = module
        self.raw = nn.Parameter(module.weight_hh_l0.data)
        del module.weight_hh_l0
        module.weight_hh_l0 = self.raw.clone()
        module.flatten_parameters = lambda: None

    def forward(self, x):
        self.module.weight_hh_l0 = F.dropout(self.raw, 0.5)
        return self.module(x)[0]


@pytest.mark.parametrize("converted", [False, True])
@each
def test_weights_that_are_set_as_plain_tensors_before_every_call(name, converted):
    x, found = torch.randn(7, 3, 4), []
    for layer in pair(name, 4, 6):
        model = DroppedWeights(layer)
        if converted and isinstance(layer, nn.RNN | nn.GRU | nn.LSTM):
            elman.convert(model)
            assert type(model.module) in TORCHS.values()
        torch.manual_seed(1)
        found.append(torch.autograd.grad(model(x).sum(), list(model.parameters())))
    assert_close(*found)


@each
def test_an_export_under_torchs_kernels_needs_no_elman(name):
    layer, x = pair(name, 4, 6, bidirectional=True)[0].eval(), torch.randn(7, 3, 4)
    with elman.backend("torch"):
        exported = torch.export.export(layer, (x,), strict=False)
        expected = layer(x)[0]
    used = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert not [each for each in used if "elman" in each]
    assert_equal(exported.module()(x)[0], expected)
