#!/usr/bin/env python3
"""Makes embeddings.json: the losses of 50 steps of a PyTorch model over a table with
embedded categories.

    /usr/bin/python3 make_embeddings.py > embeddings.json

Debian's python3-torch 1.13.1 made the file kept here. The model embeds the categories of
all columns in one table, puts their vectors after the numbers, and goes on with linear
layers. A step is one of AdamW over a batch of rows, in order.
"""

import json

import torch
from torch import nn

torch.manual_seed(5)
ROWS, NUMBERS, COLUMNS, UNITS, CLASSES, STEPS, BATCH = 90, 3, 4, 5, 3, 50, 24
SIZES = [3, 7, 2, 11]


class Tabular(nn.Module):
    def __init__(self, numbers):
        super().__init__()
        self.embedding = nn.Embedding(sum(SIZES), UNITS)
        self.layers = nn.Sequential(nn.Linear(numbers + COLUMNS * UNITS, 16), nn.ReLU(), nn.Linear(16, CLASSES))

    def forward(self, x, k):
        v = self.embedding(k).flatten(1)
        return self.layers(torch.cat([x, v], 1) if x.shape[1] else v)


first = torch.cumsum(torch.tensor([0] + SIZES[:-1]), 0)
k = torch.stack([torch.randint(n, (ROWS,)) for n in SIZES], 1) + first
y = (k.sum(1) + torch.randint(2, (ROWS,))) % CLASSES
out = {"numbers": NUMBERS, "columns": COLUMNS, "categories": sum(SIZES), "units": UNITS, "batch": BATCH,
       "k": k.tolist(), "y": y.tolist(), "cases": []}
for numbers in (NUMBERS, 0):
    x = torch.randn(ROWS, numbers)
    model = Tabular(numbers)
    initial = torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()
    optimizer, losses, at = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.01), [], 0
    for _ in range(STEPS):
        end = min(at + BATCH, ROWS)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[at:end], k[at:end]), y[at:end])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        at = end % ROWS
    out["cases"].append({"x": x.tolist(), "names": [n for n, _ in model.named_parameters()], "initial": initial, "losses": losses})
print(json.dumps(out))
