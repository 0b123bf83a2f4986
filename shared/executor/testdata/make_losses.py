#!/usr/bin/env python3
"""Makes losses.json.gz: what PyTorch's losses do from given weights on given rows.

    python3 make_losses.py [losses.json.gz]

Debian's python3-torch 1.13.1 made the file kept here. Rows are taken in order,
batch after batch, for 50 steps. PyTorch has no quantile loss; it is written out
here. Vectors are packed as in make_fixtures.py.
"""

import gzip
import json
import sys

import numpy as np
import torch
from torch import nn

from make_fixtures import Model, flat, make_optimizer, pack

STEPS, BATCH, ROWS, FEATURES = 50, 32, 192, 6

LAYERS = [(8, "tanh", True), (2, "none", True)]

OPTIMIZERS = {
    "momentum": {"sgd": {"learning_rate": 0.02, "momentum": 0.9}},
    "adam": {"adam": {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}},
}


def quantile(q):
    return lambda z, y: torch.maximum(q * (y - z), (q - 1) * (y - z)).mean()


def smoothed(smoothing):
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
    return lambda z, y: loss(z, y[:, 0].long())


# the fields of a spec, the labels, PyTorch's loss
LOSSES = [
    ({"loss": "mae"}, "numbers", nn.L1Loss()),
    ({"loss": "huber", "loss_delta": 1.0}, "numbers", nn.HuberLoss()),
    ({"loss": "huber", "loss_delta": 0.3}, "numbers", nn.HuberLoss(delta=0.3)),
    ({"loss": "quantile", "loss_quantile": 0.5}, "numbers", quantile(0.5)),
    ({"loss": "quantile", "loss_quantile": 0.9}, "numbers", quantile(0.9)),
    ({"loss": "poisson"}, "counts", nn.PoissonNLLLoss()),
    ({"loss": "softmax_cross_entropy", "label_smoothing": 0.1}, "classes", smoothed(0.1)),
    ({"loss": "softmax_cross_entropy", "label_smoothing": 1.0}, "classes", smoothed(1.0)),
]


def train(model, loss_of, spec, x, y):
    optimizer = make_optimizer(spec, model.parameters())
    losses, at = [], 0
    for _ in range(STEPS):
        xb, yb = torch.from_numpy(x[at:at + BATCH]), torch.from_numpy(y[at:at + BATCH])
        at = (at + BATCH) % len(x)
        optimizer.zero_grad()
        loss = loss_of(model(xb), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    torch.set_num_threads(1)
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    clean = x @ rng.standard_normal((FEATURES, 2)) / 2
    labels = {
        "numbers": clean + 0.3 * rng.standard_normal((ROWS, 2)),
        "counts": rng.poisson(np.exp(clean)),
        "classes": (clean[:, :1] > 0),
    }
    labels = {name: np.ascontiguousarray(y, dtype=np.float32) for name, y in labels.items()}
    initial = Model(FEATURES, LAYERS)
    out = {
        "torch": torch.__version__, "batch": BATCH, "rows": ROWS, "features": FEATURES,
        "x": pack(x), "labels": {name: pack(y) for name, y in labels.items()},
        "layers": [{"dense": {"units": u, "activation": a, "bias": b}} for u, a, b in LAYERS],
        "initial": pack(flat(initial)), "runs": [],
    }
    for spec, label, loss in LOSSES:
        for name, optimizer in OPTIMIZERS.items():
            model = Model(FEATURES, LAYERS)
            model.load_state_dict(initial.state_dict())
            losses = train(model, loss, optimizer, x, labels[label])
            print(f"{spec} {name:12} {losses[0]:.4f} -> {losses[-1]:.4f}")
            out["runs"].append({"spec": dict(spec, optimizer=optimizer), "labels": label, "losses": losses, "final": pack(flat(model))})
    path = sys.argv[1] if len(sys.argv) > 1 else "losses.json.gz"
    with open(path, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(json.dumps(out, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
