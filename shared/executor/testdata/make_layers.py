#!/usr/bin/env python3
"""Makes layers.json: the losses of 50 steps of PyTorch models with norms and residuals.

    /usr/bin/python3 make_layers.py > layers.json

Debian's python3-torch 1.13.1 made the file kept here. RMSNorm is written out, because that
version has none. Each case has the layers as a spec writes them, the initial parameters in
the order of named_parameters(), and the loss before each step of AdamW over all rows.
"""

import json

import torch
from torch import nn

torch.manual_seed(1)
ROWS, FEATURES, CLASSES, STEPS = 40, 6, 3, 50


class RMSNorm(nn.Module):
    def __init__(self, units, epsilon):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(units)), epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


def build(layers, units):
    out = []
    for layer in layers:
        (kind, v), = layer.items()
        if kind == "dense":
            out.append(nn.Linear(units, v["units"]))
            units = v["units"]
            if "activation" in v:
                out.append(ACTIVATIONS[v["activation"]]())
        elif kind == "activation":
            out.append(ACTIVATIONS[v]())
        elif kind == "layer_norm":
            out.append(nn.LayerNorm(units, v.get("epsilon", 1e-5)))
        elif kind == "rms_norm":
            out.append(RMSNorm(units, v.get("epsilon", 1e-5)))
        elif kind == "dropout":
            out.append(nn.Dropout(v["rate"]))
        else:
            out.append(Residual(*build(v["layers"], units)))
    return out


def dense(units, activation=None):
    return {"dense": {"units": units, "activation": activation} if activation else {"units": units}}


CASES = {
    "layer_norm": [dense(16), {"layer_norm": {}}, {"activation": "relu"}, dense(CLASSES)],
    "rms_norm": [{"rms_norm": {"epsilon": 1e-3}}, dense(16, "gelu"), {"rms_norm": {}}, dense(CLASSES)],
    "residual": [dense(12), {"residual": {"layers": [dense(20, "tanh"), dense(12)]}}, {"activation": "gelu"}, dense(CLASSES)],
    "pre-norm": [
        dense(16, "relu"),
        {"residual": {"layers": [{"layer_norm": {}}, dense(32, "gelu"), {"dropout": {"rate": 0}}, dense(16)]}},
        {"residual": {"layers": [{"rms_norm": {}}, {"residual": {"layers": [dense(16, "sigmoid")]}}]}},
        {"layer_norm": {"epsilon": 0.01}},
        dense(CLASSES),
    ],
}

x, y = torch.randn(ROWS, FEATURES) * 2, torch.randint(CLASSES, (ROWS,))
out = {"x": x.flatten().tolist(), "y": y.tolist(), "features": FEATURES, "cases": {}}
for name, layers in CASES.items():
    model = nn.Sequential(*build(layers, FEATURES))
    with torch.no_grad():
        for parameter in model.parameters():  # norms too, so that every gradient is tested
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    initial = torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()
    optimizer, losses = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.01), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    out["cases"][name] = {"layers": layers, "names": [n for n, _ in model.named_parameters()], "initial": initial, "losses": losses}
print(json.dumps(out))
