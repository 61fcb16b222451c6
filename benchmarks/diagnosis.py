"""What a diagnosis costs beside a training step on the same batch: `python benchmarks/diagnosis.py [RUN ...]`.

Medians over interleaved rounds: forward, backward and Adam against `elman.diagnose`, alone and with
the next update on trial; of run folders a step as in training against what `elman diagnose RUN`
measures, the next update included. Ends in one line of JSON.
"""

import copy
import json
import statistics
import sys
import time

import torch
from torch import nn

import elman
from elman.diagnosis.examine import examine
from elman.run.inspection import training_step

ROUNDS = 9
SHAPES = (
    ("LSTM", 512, 64, 32, "every step"),
    ("LSTM", 256, 100, 32, "every step"),
    ("LSTM", 128, 200, 32, "last step"),
    ("GRU", 256, 100, 64, "every step"),
    ("GRU", 128, 100, 32, "every step"),
    ("LSTM", 64, 200, 32, "last step"),
    ("RNN", 64, 200, 32, "last step"),
)


class Network(nn.Module):
    def __init__(self, kind, hidden):
        super().__init__()
        self.layer = getattr(elman, kind)(64, hidden)
        self.head = nn.Linear(hidden, 64)

    def forward(self, x):
        return self.head(self.layer(x)[0])


def timed(contenders):
    """Milliseconds by name."""
    times = {name: [] for name in contenders}
    for number in range(ROUNDS + 2):
        for name, run in contenders.items():
            begun = time.perf_counter()
            run()
            if number >= 2:
                times[name].append(1000 * (time.perf_counter() - begun))
    return {name: statistics.median(values) for name, values in times.items()}


def of_shape(kind, hidden, steps, batch, where):
    torch.manual_seed(0)
    network, x = Network(kind, hidden), torch.randn(steps, batch, 64)
    optimizer = torch.optim.Adam(network.parameters())

    def loss(output):
        return (output if where == "every step" else output[-1]).square().mean()

    def train():
        optimizer.zero_grad()
        loss(network(x)).backward()
        optimizer.step()

    return timed(
        {
            "step": train,
            "diagnosis": lambda: elman.diagnose(network, x, loss),
            "with trial": lambda: elman.diagnose(network, x, loss, optimizer=optimizer, clip=1.0),
        }
    )


def of_run(path):
    run = elman.load(path)
    network = copy.deepcopy(run.network)
    with training_step(run._task, network, run.prepared, run.options, run._folder) as (loss, training):  # noqa: SLF001

        def train():
            network.train()
            training.optimizer.zero_grad()
            loss().backward()
            if training.clip:
                nn.utils.clip_grad_norm_(network.parameters(), training.clip)
            training.optimizer.step()
            network.eval()

        return timed({"step": train, "with trial": lambda: examine(network, loss, training)})


def main():
    rows = []
    for shape in () if sys.argv[1:] else SHAPES:
        found = of_shape(*shape)
        ratios = [found[name] / found["step"] for name in ("diagnosis", "with trial")]
        rows.append([*shape, round(found["step"], 1), *(round(ratio, 2) for ratio in ratios)])
        print("{:5} H={} T={} B={}, loss on {}: step {} ms, diagnosis {}x, with trial {}x".format(*rows[-1]))
    for path in sys.argv[1:]:
        found = of_run(path)
        rows.append([path, round(found["step"], 1), round(found["with trial"], 1)])
        print(f"{path}: step {rows[-1][1]} ms, with trial {rows[-1][2]} ms, {found['with trial'] / found['step']:.2f}x")
    print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
