"""The yardstick for language modelling: a plain torch.nn.LSTM script, nothing of Elman.

    python benchmarks/plain_lstm.py FOLDER SECONDS

FOLDER holds train.txt and valid.txt. Prints nats per character on valid.txt after SECONDS of training.
"""

import math
import pathlib
import sys
import time

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(2)
folder, budget = pathlib.Path(sys.argv[1]), float(sys.argv[2])
hidden, lanes, window, rate = 384, 32, 64, 4e-3
train_text, valid_text = (folder / "train.txt").read_text(), (folder / "valid.txt").read_text()
symbols = {c: i for i, c in enumerate(sorted(set(train_text + valid_text)))}
train, valid = (torch.tensor([symbols[c] for c in text]) for text in (train_text, valid_text))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.out = (
            nn.Embedding(len(symbols), hidden),
            nn.LSTM(hidden, hidden),
            nn.Linear(hidden, len(symbols)),
        )

    def forward(self, x, state=None):
        y, state = self.lstm(self.embed(x), state)
        return self.out(y), state


def score(model):
    with torch.no_grad():
        length = (len(valid) - 1) // 8
        x, y = (valid[k : length * 8 + k].view(8, length).t() for k in (0, 1))
        return nn.functional.cross_entropy(model(x)[0].flatten(0, 1), y.flatten()).item()


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.99), weight_decay=0.01)
length = len(train) // lanes
stream = train[: length * lanes].view(lanes, length).t().contiguous()
start, state, position, step = time.time(), None, 0, 0
while (spent := (time.time() - start) / budget) < 1:
    for group in optimizer.param_groups:
        group["lr"] = rate * min(1, step / 50) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * spent)))
    if position + window + 1 > length:
        position, state = 0, None
    x, y = stream[position : position + window], stream[position + 1 : position + window + 1]
    logits, state = model(x, state and tuple(s.detach() for s in state))
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    position, step = position + window, step + 1
speed = step * window * lanes / budget
print(f"{score(model):.4f} nats per character after {step} steps, {speed:.0f} characters a second")
