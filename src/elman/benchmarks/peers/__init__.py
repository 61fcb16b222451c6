"""Whom Elman is compared with: one file each, and one entry here. The extra `elman[bench]` installs them."""

from elman.benchmarks.peers.base import Peer
from elman.benchmarks.peers.jax_scan import JaxScan
from elman.benchmarks.peers.onnx_runtime import OnnxRuntime
from elman.benchmarks.peers.torch_nn import TorchNN

__all__ = ["PEERS", "Peer"]

PEERS: dict[str, Peer] = {peer.name: peer for peer in (TorchNN(), JaxScan(), OnnxRuntime())}
"""torch.nn first: it is always there and says what is right."""
