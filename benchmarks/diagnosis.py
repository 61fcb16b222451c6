"""What a diagnosis costs beside a training step on the same batch: `python benchmarks/diagnosis.py`.

Medians over interleaved rounds: forward, backward and Adam against `elman.diagnose`, alone and with
the next update on trial. Ends in one line of JSON.
"""

import json
import statistics
import time

import torch
from torch import nn

import elman

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


def measured(kind, hidden, steps, batch, where):
    torch.manual_seed(0)
    network, x = Network(kind, hidden), torch.randn(steps, batch, 64)
    optimizer = torch.optim.Adam(network.parameters())

    def loss(output):
        return (output if where == "every step" else output[-1]).square().mean()

    def train():
        optimizer.zero_grad()
        loss(network(x)).backward()
        optimizer.step()

    contenders = {
        "step": train,
        "diagnosis": lambda: elman.diagnose(network, x, loss),
        "with trial": lambda: elman.diagnose(network, x, loss, optimizer=optimizer, clip=1.0),
    }
    times = {name: [] for name in contenders}
    for number in range(ROUNDS + 2):
        for name, run in contenders.items():
            begun = time.perf_counter()
            run()
            if number >= 2:
                times[name].append(1000 * (time.perf_counter() - begun))
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    rows = []
    for shape in SHAPES:
        found = measured(*shape)
        ratios = [found[name] / found["step"] for name in ("diagnosis", "with trial")]
        rows.append([*shape, round(found["step"], 1), *(round(ratio, 2) for ratio in ratios)])
        print("{:5} H={} T={} B={}, loss on {}: step {} ms, diagnosis {}x, with trial {}x".format(*rows[-1]))
    print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
