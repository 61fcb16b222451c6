"""What Elman's layers cost beside torch.nn's own: whole training steps, interleaved in one process, answers compared.

    python benchmarks/layers.py [ROUNDS]

Prints a table, the rate of a large matmul of the same minute, and one JSON line.
"""

import json
import statistics
import sys
import time

import torch

import elman

SIZES = [(16, 100, 64, 128), (32, 100, 128, 256), (64, 50, 256, 512)]
KINDS = [("LSTM", torch.nn.LSTM), ("GRU", torch.nn.GRU), ("RNN", torch.nn.RNN)]


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def training_step(layer, x):
    def work():
        layer.zero_grad()
        output, _ = layer(x)
        output.sum().backward()
        return output

    return work


def compare(kind, peer_type, size, rounds):
    batch, steps, features, hidden = size
    peer = peer_type(features, hidden)
    ours = elman.convert(peer_type(features, hidden))
    ours.load_state_dict(peer.state_dict())
    x = torch.randn(steps, batch, features, requires_grad=True)
    works = [training_step(ours, x), training_step(peer, x)]
    assert torch.equal(works[0](), works[1]())
    pairs = [[seconds(work) for work in works] for _ in range(rounds)]
    mine, theirs = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{kind:5} {batch:4} {steps:4} {features:4} {hidden:4}   {mine:8.2f} {theirs:8.2f}   {ratio:.3f}", flush=True)
    return {"layer": kind, "size": size, "elman_ms": mine, "torch_ms": theirs, "ratio": ratio}


def matmul_rate():
    a = torch.randn(2048, 2048)
    return 2 * 2048**3 / min(seconds(lambda: a @ a) for _ in range(5)) / 1e9


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    torch.manual_seed(0)
    print("layer    B    T    I    H   elman ms torch ms   ratio (median of pairs)")
    rows = [compare(kind, peer, size, rounds) for kind, peer in KINDS for size in SIZES]
    rate = matmul_rate()
    print(f"matmul 2048^3: {rate:.0f} GFLOP/s, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(json.dumps({"rows": rows, "matmul_gflops": rate, "threads": torch.get_num_threads()}))


main()
