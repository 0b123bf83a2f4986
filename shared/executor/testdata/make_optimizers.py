#!/usr/bin/env python3
"""Makes optimizers.json.gz: what PyTorch's optimizers do, as make_fixtures.py
does for others, with the same rows for 50 steps.

    python3 make_optimizers.py DIGITS_CSV_GZ [optimizers.json.gz]

Debian's python3-torch 1.13.1 made the file kept here. It has the same form as
torch.json.gz, without the rows, which are those of torch.json.gz. Lion is not
in torch.optim: it is algorithm 2 of Chen et al., "Symbolic discovery of
optimization algorithms" (2023), written here.
"""

import gzip
import json
import sys

import torch
from torch import nn

import make_fixtures as fixtures

STEPS = 50

OPTIMIZERS = {
    "rmsprop": {"rmsprop": {"learning_rate": 0.001, "alpha": 0.99, "epsilon": 1e-8}},
    "rmsprop momentum": {"rmsprop": {"learning_rate": 0.0005, "alpha": 0.9, "epsilon": 1e-6, "momentum": 0.8, "weight_decay": 0.01}},
    "rmsprop centered": {"rmsprop": {"learning_rate": 0.001, "alpha": 0.95, "epsilon": 1e-3, "centered": True}},
    "rmsprop both": {"rmsprop": {"learning_rate": 0.0005, "alpha": 0.95, "epsilon": 1e-3, "momentum": 0.8, "centered": True, "weight_decay": 0.01}},
    "adagrad": {"adagrad": {"learning_rate": 0.01, "epsilon": 1e-10}},
    "adagrad decays": {"adagrad": {"learning_rate": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.1, "epsilon": 1e-8, "weight_decay": 0.01}},
    "lion": {"lion": {"learning_rate": 0.003, "beta1": 0.9, "beta2": 0.99}},
    "lion decays": {"lion": {"learning_rate": 0.005, "beta1": 0.95, "beta2": 0.98, "weight_decay": 0.1}},
    "clip_value": {"sgd": {"learning_rate": 0.5, "momentum": 0.9, "clip_value": 0.01}},
    "adam clip_value": {"adam": {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clip_value": 0.005}},
    "decay_bias": {"sgd": {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.1, "decay_bias": False}},
    "adamw decay_bias": {"adamw": {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.5, "decay_bias": False}},
}

MODELS = {name: fixtures.MODELS[name] for name in ("linear", "mixed")}


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = (beta1 * m + (1 - beta1) * p.grad).sign()
                p -= group["lr"] * (update + group["weight_decay"] * p)
                m.copy_(beta2 * m + (1 - beta2) * p.grad)


def make_optimizer(spec, model):
    (kind, s), = spec.items()
    decay, rate = s.get("weight_decay", 0), s["learning_rate"]
    groups = model.parameters()
    if not s.get("decay_bias", True):
        named = list(model.named_parameters())
        groups = [{"params": [p for n, p in named if not n.endswith("bias")]},
                  {"params": [p for n, p in named if n.endswith("bias")], "weight_decay": 0}]
    if kind == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, alpha=s["alpha"], eps=s["epsilon"], weight_decay=decay,
                                   momentum=s.get("momentum", 0), centered=s.get("centered", False))
    if kind == "adagrad":
        return torch.optim.Adagrad(groups, lr=rate, lr_decay=s.get("lr_decay", 0), eps=s["epsilon"], weight_decay=decay,
                                   initial_accumulator_value=s.get("initial_accumulator_value", 0))
    if kind == "lion":
        return Lion(groups, rate, (s["beta1"], s["beta2"]), decay)
    return fixtures.make_optimizer(spec, groups)


def train(model, loss_name, spec, x, y):
    loss_of, optimizer = fixtures.make_loss(loss_name), make_optimizer(spec, model)
    (limit,) = (s.get("clip_value") for s in spec.values())
    losses, at, batch = [], 0, fixtures.BATCH
    for _ in range(STEPS):
        xb, yb = torch.from_numpy(x[at:at + batch]), torch.from_numpy(y[at:at + batch])
        at = at + batch if at + batch < len(x) else 0
        optimizer.zero_grad()
        loss = loss_of(model(xb), yb)
        loss.backward()
        if limit:
            nn.utils.clip_grad_value_(model.parameters(), limit)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    torch.set_num_threads(1)
    torch.manual_seed(2)
    digits, out = fixtures.digits(sys.argv[1]), {"torch": torch.__version__, "batch": fixtures.BATCH, "models": []}
    for name, (loss, layers) in MODELS.items():
        data = {"mse": "regression"}.get(loss, "digits")
        x, y = fixtures.regression() if data == "regression" else digits
        initial, runs = fixtures.Model(x.shape[1], layers), []
        for optimizer, spec in OPTIMIZERS.items():
            model = fixtures.Model(x.shape[1], layers)
            model.load_state_dict(initial.state_dict())
            losses = train(model, loss, spec, x, y)
            print(f"{name:8} {optimizer:18} {losses[0]:.4f} -> {losses[-1]:.4f}")
            runs.append({"name": optimizer, "optimizer": spec, "losses": losses, "final": fixtures.pack(fixtures.flat(model))})
        out["models"].append({
            "name": name, "set": data, "loss": loss,
            "layers": [{"dense": {"units": u, "activation": a, "bias": b}} for u, a, b in layers],
            "initial": fixtures.pack(fixtures.flat(initial)), "runs": runs,
        })
    path = sys.argv[2] if len(sys.argv) > 2 else "optimizers.json.gz"
    with open(path, "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as z:
        z.write(json.dumps(out, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
