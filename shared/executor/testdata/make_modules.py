#!/usr/bin/env python3
"""Makes modules.json.gz: 50 steps of PyTorch with each activation, with group norms, and with
penalties on weights, from given weights on given rows.

    python3 make_modules.py [modules.json.gz]

Debian's python3-torch 1.13.1 made the file kept here. Rows are taken in order, batch after
batch. The recorded loss is without the penalties. Vectors are packed as in make_fixtures.py.
"""

import gzip
import json
import sys

import numpy as np
import torch
from torch import nn

from make_fixtures import flat, make_optimizer, pack
from make_losses import BATCH, FEATURES, OPTIMIZERS, ROWS, STEPS


class GELUTanh(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x ** 3)))


ACTIVATIONS = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "gelu_tanh": GELUTanh, "silu": nn.SiLU,
    "mish": nn.Mish, "softplus": nn.Softplus, "leaky_relu": nn.LeakyReLU, "relu6": nn.ReLU6, "elu": nn.ELU, "selu": nn.SELU,
    "softsign": nn.Softsign, "hard_sigmoid": nn.Hardsigmoid, "hard_swish": nn.Hardswish,
}


class Model(nn.Module):
    def __init__(self, layers):
        super().__init__()
        units, modules, self.penalties = FEATURES, [], []
        for layer in layers:
            (kind, v), = layer.items()
            if kind == "dense":
                modules.append(nn.Linear(units, v["units"]))
                self.penalties.append((modules[-1], v.get("kernel_regularizer", {})))
                units = v["units"]
                if "activation" in v:
                    modules.append(ACTIVATIONS[v["activation"]]())
            elif kind == "activation":
                modules.append(ACTIVATIONS[v]())
            else:
                modules.append(nn.GroupNorm(v["groups"], units, eps=v.get("epsilon", 1e-5)))
        self.layers = nn.Sequential(*modules)

    def forward(self, x):
        return self.layers(x)

    def penalty(self):
        return sum(p.get("l1", 0) * m.weight.abs().sum() + p.get("l2", 0) * (m.weight ** 2).sum() for m, p in self.penalties)


def dense(units, activation=None, **more):
    v = dict({"units": units}, **more)
    return {"dense": dict(v, activation=activation) if activation else v}


CASES = {name: [dense(8, name), dense(7), {"activation": name}, dense(2)] for name in ACTIVATIONS if name not in ("relu", "tanh", "sigmoid", "gelu")}
CASES.update({
    "group_norm": [dense(12), {"group_norm": {"groups": 3}}, {"activation": "relu"}, dense(2)],
    "one group": [dense(8, "tanh"), {"group_norm": {"groups": 1, "epsilon": 0.01}}, dense(2)],
    "l1": [dense(8, "tanh", kernel_regularizer={"l1": 0.01}), dense(2)],
    "l2": [dense(8, "tanh", kernel_regularizer={"l2": 0.05}), dense(2, kernel_regularizer={"l2": 0.01})],
    "l1 and l2": [dense(8, "relu", kernel_regularizer={"l1": 0.002, "l2": 0.03}), dense(6, "tanh"), dense(2, kernel_regularizer={"l1": 0.01})],
})


def train(model, spec, x, y):
    optimizer, mse = make_optimizer(spec, model.parameters()), nn.MSELoss()
    losses, at = [], 0
    for _ in range(STEPS):
        part = slice(at, at + BATCH)
        at = (at + BATCH) % len(x)
        optimizer.zero_grad()
        loss = mse(model(torch.from_numpy(x[part])), torch.from_numpy(y[part]))
        (loss + model.penalty()).backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    torch.set_num_threads(1)
    torch.manual_seed(4)
    rng = np.random.default_rng(4)
    x = (2 * rng.standard_normal((ROWS, FEATURES))).astype(np.float32)
    y = (np.tanh(x @ rng.standard_normal((FEATURES, 2))) + 0.3 * rng.standard_normal((ROWS, 2))).astype(np.float32)
    out = {"torch": torch.__version__, "batch": BATCH, "rows": ROWS, "features": FEATURES, "x": pack(x), "y": pack(y), "runs": []}
    for name, layers in CASES.items():
        initial = Model(layers)
        for kind, optimizer in OPTIMIZERS.items():
            model = Model(layers)
            model.load_state_dict(initial.state_dict())
            losses = train(model, optimizer, x, y)
            print(f"{name:12} {kind:12} {losses[0]:.4f} -> {losses[-1]:.4f}")
            out["runs"].append({
                "name": f"{name}, {kind}", "layers": layers, "optimizer": optimizer, "tensors": [n for n, _ in model.named_parameters()],
                "initial": pack(flat(initial)), "losses": losses, "final": pack(flat(model)),
            })
    path = sys.argv[1] if len(sys.argv) > 1 else "modules.json.gz"
    with open(path, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(json.dumps(out, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
