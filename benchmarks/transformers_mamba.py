"""A training step and the forward pass of transformers' Mamba by `elman.selective_scan`, mambapy, or its own loop.

    python benchmarks/transformers_mamba.py elman|mambapy|transformers [ROWS TOKENS LAYERS]

Needs transformers 5.24, whose model takes the scan by its name in the module; mambapy, if that is asked for. Each way
in a process of its own, for the peak of its memory. Prints one JSON line: medians of three, in seconds.
"""

import json
import resource
import statistics
import sys
import time

import torch
from transformers import MambaConfig, MambaForCausalLM
from transformers.models.mamba import modeling_mamba

import elman

FEATURES, SYMBOLS, ROUNDS = 768, 5000, 3


def scan(*args, use_mambapy=False, use_associative_scan=False, **options):
    del use_mambapy, use_associative_scan
    return elman.selective_scan(*args, **options)


def median(run):
    run()
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main(way, rows=2, tokens=256, layers=4):
    if way == "elman":
        modeling_mamba.mamba_selective_scan = scan
    torch.manual_seed(0)
    sizes = {"hidden_size": FEATURES, "num_hidden_layers": layers, "state_size": 16, "vocab_size": SYMBOLS}
    model = MambaForCausalLM(MambaConfig(**sizes, use_mambapy=way == "mambapy"))
    ids = torch.randint(0, SYMBOLS, (rows, tokens))

    def train():
        model.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        return loss.item()

    def forward():
        with torch.no_grad():
            model(ids)

    found = {"way": way, "loss": train(), "training": median(train)}
    model.eval()
    found |= {"forward": median(forward), "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    print(json.dumps(found | {"rows": rows, "tokens": tokens, "layers": layers}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
