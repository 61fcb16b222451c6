"""Recurrent models of transformers, by Elman and by their own code: `python benchmarks/transformers_models.py MODEL`.

Random ones of four layers of 768 features, of which one is attention where that belongs to the model, in float32; rows
and their length as `--rows` and `--steps` say. Elman's functions are those of docs/transformers.md, as they stand.
Losses, gradients and generated symbols are compared, a training step and a forward pass are timed in turn, and each way
takes one step in a process of its own for the peak of its memory. Prints one JSON line: seconds, medians, and MiB.

Needs transformers 5.24; with `--mambapy` its Mamba takes that package, which it needs then, in place of its own loop.
"""

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

PAGE = Path(__file__).parent.parent / "docs" / "transformers.md"
SYMBOLS, LAYERS = 5000, 4
ENDLESS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
MODELS = {
    "mamba": ("mamba_selective_scan", "mamba_scan", {}),
    "recurrent_gemma": (
        "RecurrentGemmaRglru._rnn_scan",
        "rglru_scan",
        {"num_attention_heads": 6, "intermediate_size": 4608},
    ),
    "rwkv": ("rwkv_linear_attention", "wkv", {}),
    "kimi_linear": (
        "chunk_kimi_delta_attention",
        "delta_rule",
        {
            "layer_types": ["linear_attention"] * (LAYERS - 1) + ["full_attention"],
            "mlp_layer_types": ["dense"] * LAYERS,
            "intermediate_size": 2304,
            "linear_num_heads": 6,
        },
    ),
}
"""What each model calls, the function of the page that takes its place, and how the model is configured."""


class Ways:
    """The two functions that a model may call."""

    def __init__(self, model):
        place, name, _ = MODELS[model]
        self.owner = import_module(f"transformers.models.{model}.modeling_{model}")
        *inside, self.name = place.split(".")
        for each in inside:
            self.owner = getattr(self.owner, each)
        page = {"__name__": "page"}
        exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)), page)
        self.functions = {"elman": page[name], "transformers": getattr(self.owner, self.name)}

    def take(self, way):
        setattr(self.owner, self.name, self.functions[way])


def made(model, mambapy):
    torch.manual_seed(0)
    sizes = {"vocab_size": SYMBOLS, "hidden_size": 768, "num_hidden_layers": LAYERS, **ENDLESS, **MODELS[model][2]}
    config = AutoConfig.for_model(model, **sizes, **({"use_mambapy": True} if mambapy else {}))
    return AutoModelForCausalLM.from_config(config)


def train(model, ids):
    model.train().zero_grad()
    loss = model(ids, labels=ids, use_cache=False).loss
    loss.backward()
    return loss.item()


@torch.no_grad()
def forward(model, ids):
    model.eval()(ids)


def answers(model, ids):
    """The loss, all gradients as a vector, and what greedy search goes on with."""
    loss = train(model, ids)
    gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return loss, gradients, model.eval().generate(ids[:, :32], max_new_tokens=24, do_sample=False)[:, 32:]


def in_turn(ways, rounds, run):
    times = {way: [] for way in ways.functions}
    for _ in range(rounds):
        for way, each in times.items():
            ways.take(way)
            begun = time.perf_counter()
            run()
            each.append(time.perf_counter() - begun)
    return {way: round(statistics.median(each), 3) for way, each in times.items()}


def compared(model, ids, ways):
    found = []
    for way in ways.functions:
        ways.take(way)
        found.append(answers(model, ids))
    (loss, gradients, symbols), (other, expected, known) = found
    off = ((gradients - expected).norm() / expected.norm()).item()
    same = (symbols == known).float().mean().item()
    return {"loss": loss, "loss_off": abs(loss - other), "gradients_off": off, "same_symbols": same}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", choices=MODELS)
    for name, number in (("rows", 2), ("steps", 256), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--mambapy", action="store_true")
    parser.add_argument("--peak-of", choices=("elman", "transformers"), help="only take one step, and print the peak")
    given = parser.parse_args()
    if not given.peak_of:  # before there is a model here: a process begins with the peak of the one that it comes from
        command = [sys.executable, *sys.argv, "--peak-of"]
        peaks = {way: int(subprocess.check_output([*command, way])) for way in ("elman", "transformers")}
    ways, model = Ways(given.model), made(given.model, given.mambapy)
    ids = torch.randint(3, SYMBOLS, (given.rows, given.steps))
    if given.peak_of:
        ways.take(given.peak_of)
        train(model, ids)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    found = {**vars(given), **compared(model, ids, ways)}
    found["training"] = in_turn(ways, given.rounds, lambda: train(model, ids))
    found["forward"] = in_turn(ways, given.rounds, lambda: forward(model, ids))
    print(json.dumps(found | {"peak_mib": peaks}))


if __name__ == "__main__":
    main()
