#!/usr/bin/env python3
"""Makes batchnorm.json.gz: 50 steps of PyTorch with batch normalisation, from given weights on
given rows, and what the model then answers.

    python3 make_batchnorm.py [batchnorm.json.gz]

Debian's python3-torch 1.13.1 made the file kept here. Rows are taken in order, batch after
batch. Vectors are packed as in make_fixtures.py.
"""

import gzip
import json
import sys

import numpy as np
import torch
from torch import nn

from make_fixtures import make_optimizer, pack
from make_losses import BATCH, FEATURES, ROWS, STEPS


class Residual(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        return x + self.layers(x)


class Frozen(nn.BatchNorm1d):
    """As in Keras: a layer that is not trained uses its running statistics."""

    def train(self, mode=True):
        return super().train(False)


def modules(layers, units):
    out = []
    for layer in layers:
        (kind, v), = layer.items()
        if kind == "dense":
            out.append(nn.Linear(units, v["units"], bias=v.get("bias", True)))
            units = v["units"]
        elif kind == "activation":
            out.append({"relu": nn.ReLU, "tanh": nn.Tanh}[v]())
        elif kind == "residual":
            out.append(Residual(modules(v["layers"], units)))
        else:
            norm = nn.BatchNorm1d if v.get("trainable", True) else Frozen
            out.append(norm(units, eps=v.get("epsilon", 1e-5), momentum=v.get("momentum", 0.1)))
            if norm is Frozen:
                out[-1].running_mean.uniform_(-1, 1)
                out[-1].running_var.uniform_(0.5, 2)
                for p in out[-1].parameters():
                    p.requires_grad = False
                    p.uniform_(0.5, 1.5)
    return nn.Sequential(*out)


class Model(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = modules(layers, FEATURES)

    def forward(self, x):
        return self.layers(x)


def dense(units, bias=True):
    return {"dense": {"units": units}} if bias else {"dense": {"units": units, "bias": False}}


# A bias before a batch normalisation has a gradient of rounding errors, which Adam makes as
# large as any other.
RELU, NORM = {"activation": "relu"}, {"batch_norm": {}}
CASES = {
    "one": [dense(8, False), NORM, RELU, dense(2)],
    "momentum and epsilon": [dense(20, False), {"batch_norm": {"momentum": 0.3, "epsilon": 0.01}}, {"activation": "tanh"}, dense(2)],
    "inputs": [NORM, {"activation": "tanh"}, dense(7, False), NORM, RELU, dense(2)],
    "residual": [dense(6), {"residual": {"layers": [NORM, RELU, dense(6, False), NORM]}}, RELU, dense(2)],
    "frozen": [dense(8), {"batch_norm": {"trainable": False}}, RELU, dense(2)],
}
OPTIMIZERS = {
    "momentum": {"sgd": {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 0.01}},
    "clipped adam": {"adam": {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clip_norm": 0.2}},
}


def tensors(model):
    return {n: pack(v.detach().numpy().ravel()) for n, v in model.state_dict().items() if not n.endswith("num_batches_tracked")}


def train(model, spec, x, y):
    optimizer, mse = make_optimizer(spec, [p for p in model.parameters() if p.requires_grad]), nn.MSELoss()
    losses, at = [], 0
    limit = next(iter(spec.values())).get("clip_norm")
    for _ in range(STEPS):
        part = slice(at, at + BATCH)
        at = (at + BATCH) % len(x)
        optimizer.zero_grad()
        loss = mse(model(torch.from_numpy(x[part])), torch.from_numpy(y[part]))
        loss.backward()
        if limit:
            nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        losses.append(loss.item())
    return losses


def runs(make, cases, optimizers, x, y):
    """Trains each case with each optimizer, from the same weights."""
    out = []
    for name, layers in cases.items():
        initial = make(layers)
        for kind, optimizer in optimizers.items():
            model = make(layers)
            model.load_state_dict(initial.state_dict())
            before = tensors(model)
            model.train()
            losses = train(model, optimizer, x, y)
            print(f"{name:24} {kind:12} {losses[0]:.4f} -> {losses[-1]:.4f}")
            model.eval()
            answers = model(torch.from_numpy(x)).detach().numpy()
            out.append({
                "name": f"{name}, {kind}", "layers": layers, "optimizer": optimizer, "initial": before,
                "losses": losses, "final": tensors(model), "answers": pack(answers),
            })
    return out


def write(path, x, y, runs):
    out = {"torch": torch.__version__, "batch": BATCH, "rows": ROWS, "features": x.shape[1], "x": pack(x), "y": pack(y), "runs": runs}
    with open(path, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(json.dumps(out, separators=(",", ":")).encode())


def main():
    torch.set_num_threads(1)
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    x = (1 + 2 * rng.standard_normal((ROWS, FEATURES))).astype(np.float32)
    y = (np.tanh(x @ rng.standard_normal((FEATURES, 2))) + 0.3 * rng.standard_normal((ROWS, 2))).astype(np.float32)
    write(sys.argv[1] if len(sys.argv) > 1 else "batchnorm.json.gz", x, y, runs(Model, CASES, OPTIMIZERS, x, y))


if __name__ == "__main__":
    main()
