"""torch's exporter to ONNX by tracing takes layers by themselves, as it does torch.nn's, and options."""

import io

import pytest
import torch
from tests.tolerance import assert_close

import elman

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:what is exported has to run without:elman.FallbackWarning"),
    pytest.mark.filterwarnings("ignore:Exporting a model to ONNX with a batch_size other than 1:UserWarning"),
]

LAYERS = {
    "rnn": lambda: elman.RNN(4, 6),
    "gru": lambda: elman.GRU(4, 6),
    "lstm": lambda: elman.LSTM(4, 6, 2, bidirectional=True),
    "mgu": lambda: elman.Recurrent("mgu", 4, 6),
    "normed lstm": lambda: elman.LSTM(4, 6, layer_norm=True),
    "normed gru": lambda: elman.GRU(4, 6, layer_norm=True),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_by_itself_goes_to_onnx_with_any_number_of_rows(layer):
    layer, file, x = LAYERS[layer](), io.BytesIO(), torch.randn(7, 5, 4)
    rows = {"x": {1: "rows"}, "y": {1: "rows"}}
    names = {"input_names": ["x"], "output_names": ["y"]}
    torch.onnx.export(layer, (torch.randn(7, 3, 4),), file, dynamo=False, dynamic_axes=rows, **names)
    session = onnxruntime.InferenceSession(file.getvalue())
    assert [each.name for each in session.get_inputs()] == ["x"]
    assert_close(torch.from_numpy(session.run(["y"], {"x": x.numpy()})[0]), layer(x)[0])
