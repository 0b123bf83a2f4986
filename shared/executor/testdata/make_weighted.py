#!/usr/bin/env python3
"""Makes weighted.json.gz: what PyTorch does with weights of classes and of rows, and with
the focal loss, from given weights of the network on given rows.

    python3 make_weighted.py [weighted.json.gz]

Debian's python3-torch 1.13.1 made the file kept here. Rows are taken in order, batch after
batch, for 50 steps. PyTorch has no focal loss and no weights of rows; they are written out
here. Vectors are packed as in make_fixtures.py.
"""

import gzip
import json
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from make_fixtures import Model, flat, make_optimizer, pack
from make_losses import BATCH, FEATURES, OPTIMIZERS, ROWS, STEPS

UNITS = {"softmax_cross_entropy": 3, "sigmoid_cross_entropy": 1, "mse": 2, "huber": 2, "half_squared_error": 2}


def rows_of(spec, z, y):
    """The loss of each row, without weights."""
    loss, gamma = spec["loss"], spec.get("focal_gamma", 0)
    if loss == "mse":
        return ((z - y) ** 2).mean(1)
    if loss == "half_squared_error":
        return 0.5 * ((z - y) ** 2).sum(1)
    if loss == "huber":
        return F.huber_loss(z, y, reduction="none").mean(1)
    if loss == "sigmoid_cross_entropy":
        each = F.binary_cross_entropy_with_logits(z[:, 0], y[:, 0], reduction="none")
    else:
        each = F.cross_entropy(z, y[:, 0].long(), reduction="none")
    return (1 - torch.exp(-each)) ** gamma * each if gamma else each


def loss_of(spec, classes, z, y, w):
    """The loss of a batch: sum(w * loss) / sum(w)."""
    if classes and w is None and spec["loss"] == "softmax_cross_entropy" and "focal_gamma" not in spec:
        return nn.CrossEntropyLoss(weight=torch.tensor(classes))(z, y[:, 0].long())
    weights = torch.ones(len(y)) if w is None else w
    if classes:
        weights = weights * torch.tensor(classes)[y[:, 0].long()]
    total = (weights * rows_of(spec, z, y)).sum()
    return total if spec["loss"] == "half_squared_error" else total / weights.sum()


# the fields of a spec, the labels, weights of classes, whether rows have weights
RUNS = [
    ({"loss": "softmax_cross_entropy"}, "classes", [0.5, 2.0, 7.3], False),
    ({"loss": "softmax_cross_entropy"}, "classes", [1.0, 0.0, 1e-3], False),
    ({"loss": "softmax_cross_entropy"}, "classes", None, True),
    ({"loss": "softmax_cross_entropy"}, "classes", [0.5, 2.0, 7.3], True),
    ({"loss": "softmax_cross_entropy", "focal_gamma": 2.0}, "classes", None, False),
    ({"loss": "softmax_cross_entropy", "focal_gamma": 0.5}, "classes", [0.5, 2.0, 7.3], True),
    ({"loss": "sigmoid_cross_entropy"}, "two", [0.3, 3.1], False),
    ({"loss": "sigmoid_cross_entropy"}, "two", [0.3, 3.1], True),
    ({"loss": "sigmoid_cross_entropy", "focal_gamma": 2.0}, "two", None, False),
    ({"loss": "sigmoid_cross_entropy", "focal_gamma": 5.0}, "two", [0.25, 0.75], False),
    ({"loss": "mse"}, "numbers", None, True),
    ({"loss": "huber", "loss_delta": 1.0}, "numbers", None, True),
    ({"loss": "half_squared_error"}, "numbers", None, True),
]


def train(model, spec, classes, optimizer, x, y, w):
    if spec["loss"] == "half_squared_error":  # a sum, not a mean
        kind, options = next(iter(optimizer.items()))
        optimizer = {kind: dict(options, learning_rate=options["learning_rate"] / 8)}
    made = make_optimizer(optimizer, model.parameters())
    losses, at = [], 0
    for _ in range(STEPS):
        part = slice(at, at + BATCH)
        at = (at + BATCH) % len(x)
        made.zero_grad()
        loss = loss_of(spec, classes, model(torch.from_numpy(x[part])), torch.from_numpy(y[part]),
                       None if w is None else torch.from_numpy(w[part]))
        loss.backward()
        made.step()
        losses.append(loss.item())
    return optimizer, losses


def main():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    clean = x @ rng.standard_normal((FEATURES, 3)) / 2
    noisy = clean + 0.5 * rng.standard_normal((ROWS, 3))
    labels = {"numbers": noisy[:, :2], "classes": noisy.argmax(1)[:, None], "two": noisy[:, :1] > 0.7}
    labels = {name: np.ascontiguousarray(y, dtype=np.float32) for name, y in labels.items()}
    weights = np.maximum(0, rng.exponential(2, ROWS) - 0.2).astype(np.float32)
    out = {
        "torch": torch.__version__, "batch": BATCH, "rows": ROWS, "features": FEATURES,
        "x": pack(x), "labels": {name: pack(y) for name, y in labels.items()}, "weights": pack(weights), "runs": [],
    }
    for spec, label, classes, weighted in RUNS:
        shape = [(8, "tanh", True), (UNITS[spec["loss"]], "none", True)]
        initial = Model(FEATURES, shape)
        for name, optimizer in OPTIMIZERS.items():
            model = Model(FEATURES, shape)
            model.load_state_dict(initial.state_dict())
            optimizer, losses = train(model, spec, classes, optimizer, x, labels[label], weights if weighted else None)
            print(f"{spec} {classes} {weighted} {name:12} {losses[0]:.4f} -> {losses[-1]:.4f}")
            out["runs"].append({
                "spec": dict(spec, optimizer=optimizer), "labels": label, "classes": classes, "weighted": weighted,
                "layers": [{"dense": {"units": u, "activation": a, "bias": b}} for u, a, b in shape],
                "initial": pack(flat(initial)), "losses": losses, "final": pack(flat(model)),
            })
    path = sys.argv[1] if len(sys.argv) > 1 else "weighted.json.gz"
    with open(path, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(json.dumps(out, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
