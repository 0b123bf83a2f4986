#!/usr/bin/env python3
"""Makes torch.json.gz: what PyTorch does from given weights on given rows.

    python3 make_fixtures.py DIGITS_CSV_GZ [torch.json.gz]

DIGITS_CSV_GZ is the digits data set: a header line, 64 pixels of 0…16, the
digit. Debian's python3-torch 1.13.1 made the file kept here. Rows are taken in
file order, batch after batch, the last of an epoch short, for 100 steps.

The file is JSON; vectors are base64 of little-endian float32, matrices
row-major, parameters flat in the order of named_parameters().
"""

import base64
import csv
import gzip
import json
import sys

import numpy as np
import torch
from torch import nn

STEPS, BATCH = 100, 32

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}

OPTIMIZERS = {
    "momentum": {"sgd": {"learning_rate": 0.05, "momentum": 0.9}},
    "nesterov": {"sgd": {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.001}},
    "adam": {"adam": {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.001}},
    "adamw": {"adamw": {"learning_rate": 0.005, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.05}},
    "clipped": {"sgd": {"learning_rate": 0.05, "momentum": 0.9, "clip_norm": 0.2}},
    "clipped adam": {"adam": {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clip_norm": 0.2}},
}

# name: loss, layers of (units, activation, bias)
MODELS = {
    "linear": ("mse", [(2, "none", True)]),
    "softmax": ("softmax_cross_entropy", [(10, "none", True)]),
    "mlp": ("softmax_cross_entropy", [(32, "relu", True), (10, "none", True)]),
    "mixed": ("softmax_cross_entropy", [(16, "tanh", True), (16, "sigmoid", False), (16, "gelu", True), (10, "none", True)]),
    "binary": ("sigmoid_cross_entropy", [(8, "gelu", True), (1, "none", True)]),
}


class Model(nn.Module):
    def __init__(self, features, layers):
        super().__init__()
        modules = []
        for units, activation, bias in layers:
            modules.append(nn.Linear(features, units, bias=bias))
            if activation != "none":
                modules.append(ACTIVATIONS[activation]())
            features = units
        self.layers = nn.Sequential(*modules)

    def forward(self, x):
        return self.layers(x)


def pack(values):
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def flat(model):
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def digits(path):
    with gzip.open(path, "rt") as f:
        rows = np.array(list(csv.reader(f))[1:201], dtype=np.float32)
    return rows[:, :-1] / 16, rows[:, -1:]


def regression():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 6)).astype(np.float32)
    w = rng.standard_normal((6, 2))
    return x, (x @ w + 0.5 + 0.3 * rng.standard_normal((200, 2))).astype(np.float32)


def make_loss(name):
    if name == "mse":
        return nn.MSELoss()
    if name == "sigmoid_cross_entropy":
        return nn.BCEWithLogitsLoss()
    cross_entropy = nn.CrossEntropyLoss()
    return lambda z, y: cross_entropy(z, y[:, 0].long())


def make_optimizer(spec, parameters):
    (kind, s), = spec.items()
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=s["learning_rate"], momentum=s["momentum"],
                               nesterov=s.get("nesterov", False), weight_decay=s.get("weight_decay", 0))
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    return make(parameters, lr=s["learning_rate"], betas=(s["beta1"], s["beta2"]), eps=s["epsilon"],
                weight_decay=s.get("weight_decay", 0))


def train(model, loss_name, spec, x, y):
    loss_of, optimizer = make_loss(loss_name), make_optimizer(spec, model.parameters())
    losses, at = [], 0
    (limit,) = (s.get("clip_norm") for s in spec.values())
    for _ in range(STEPS):
        xb, yb = torch.from_numpy(x[at:at + BATCH]), torch.from_numpy(y[at:at + BATCH])
        at = at + BATCH if at + BATCH < len(x) else 0
        optimizer.zero_grad()
        loss = loss_of(model(xb), yb)
        loss.backward()
        if limit:
            nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    sets = {"digits": digits(sys.argv[1]), "regression": regression()}
    sets["binary"] = (sets["digits"][0], (sets["digits"][1] >= 5).astype(np.float32))
    out = {"torch": torch.__version__, "batch": BATCH, "sets": {}, "models": []}
    for name, (x, y) in sets.items():
        out["sets"][name] = {"rows": len(x), "features": x.shape[1], "y": pack(y)}
        if name != "binary":
            out["sets"][name]["x"] = pack(x)
    out["sets"]["binary"]["x"] = out["sets"]["digits"]["x"]
    for name, (loss, layers) in MODELS.items():
        data = {"mse": "regression", "sigmoid_cross_entropy": "binary"}.get(loss, "digits")
        x, y = sets[data]
        initial = Model(x.shape[1], layers)
        runs = []
        for optimizer, spec in OPTIMIZERS.items():
            model = Model(x.shape[1], layers)
            model.load_state_dict(initial.state_dict())
            losses = train(model, loss, spec, x, y)
            print(f"{name:8} {optimizer:12} {losses[0]:.4f} -> {losses[-1]:.4f}")
            runs.append({"name": optimizer, "optimizer": spec, "losses": losses, "final": pack(flat(model))})
        out["models"].append({
            "name": name, "set": data, "loss": loss,
            "layers": [{"dense": {"units": u, "activation": a, "bias": b}} for u, a, b in layers],
            "tensors": [{"name": k, "shape": list(v.shape)} for k, v in initial.state_dict().items()],
            "initial": pack(flat(initial)), "runs": runs,
        })
    path = sys.argv[2] if len(sys.argv) > 2 else "torch.json.gz"
    with open(path, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(json.dumps(out, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
