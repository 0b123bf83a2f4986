"""Writes plateau.json: how often torch.optim.lr_scheduler.ReduceLROnPlateau has reduced the
learning rate after each evaluation.

    python3 make_plateau.py > plateau.json

PyTorch counts patience from 0 and this project, like Keras, from 1.
"""
import json
import random

import torch

cases = []
random.seed(7)
for i in range(8):
    mode = "max" if i % 3 == 2 else "min"
    plateau = {"monitor": "accuracy" if mode == "max" else "loss", "mode": mode, "factor": 0.5,
               "patience": 1 + i % 4, "min_delta": [0, 0.05, 0.0001][i % 3], "cooldown": [0, 1, 3][i % 3]}
    figures = [round(random.random() * (0.9 ** k) if mode == "min" else random.random() * (1 - 0.9 ** k), 3) for k in range(40)]
    p = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([p], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode=mode, factor=0.5, patience=plateau["patience"] - 1, threshold=plateau["min_delta"],
        threshold_mode="abs", cooldown=plateau["cooldown"], eps=0)
    reduced, count, before = [], 0, 1.0
    for figure in figures:
        scheduler.step(figure)
        now = optimizer.param_groups[0]["lr"]
        count += now != before
        before = now
        reduced.append(count)
    cases.append({"plateau": plateau, "figures": figures, "reduced": reduced})
print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")
