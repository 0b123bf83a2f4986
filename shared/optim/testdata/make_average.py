"""Writes average.json: the exponential moving averages that
torch.optim.swa_utils.AveragedModel keeps over 50 steps of Adam, with the average function
of torch 2's get_ema_avg_fn.

    python3 make_average.py > average.json
"""
import json

import torch

torch.manual_seed(3)
momentum = 0.9
model = torch.nn.Linear(3, 1, bias=False)
averaged = torch.optim.swa_utils.AveragedModel(model, avg_fn=lambda a, p, n: momentum * a + (1 - momentum) * p)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
first = model.weight[0].tolist()
grads, averages = [], []
for _ in range(50):
    g = torch.randn(1, 3)
    model.weight.grad = g.clone()
    optimizer.step()
    averaged.update_parameters(model)
    grads.append(g[0].tolist())
    averages.append(averaged.module.weight[0].tolist())
print(json.dumps({"momentum": momentum, "params": first, "grads": grads, "averages": averages}))
