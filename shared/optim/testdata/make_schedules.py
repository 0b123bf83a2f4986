#!/usr/bin/env python3
"""Makes schedules.json: the learning rates of PyTorch's schedulers.

    /usr/bin/python3 make_schedules.py > schedules.json

Debian's python3-torch 1.13.1 made the file kept here. Each case has the schedule as a spec
writes it, the number of steps of the job, and the learning rate of each step. The base rate
is 0.5. A warm-up is LambdaLR with the factor (t + 1) / warmup_steps, then the scheduler.
"""

import json
import warnings

import torch
from torch.optim import lr_scheduler as s

warnings.simplefilter("ignore")
BASE, STEPS = 0.5, 60

CASES = [
    ({"step": {"steps": 7, "gamma": 0.3}}, lambda o: s.StepLR(o, 7, 0.3)),
    ({"exponential": {"gamma": 0.97}}, lambda o: s.ExponentialLR(o, 0.97)),
    ({"piecewise": {"boundaries": [10, 25], "factors": [1, 0.1, 0.01]}}, lambda o: s.MultiStepLR(o, [10, 25], 0.1)),
    ({"linear": {"end": 0.2}}, lambda o: s.LinearLR(o, 1, 0.2, STEPS)),
    ({"linear": {"steps": 20, "end": 0.1}}, lambda o: s.LinearLR(o, 1, 0.1, 20)),
    ({"cosine": {}}, lambda o: s.CosineAnnealingLR(o, STEPS)),
    ({"cosine": {"end": 0.1}}, lambda o: s.CosineAnnealingLR(o, STEPS, BASE * 0.1)),
    ({"cosine": {"steps": 8, "restart_factor": 1}}, lambda o: s.CosineAnnealingWarmRestarts(o, 8)),
    ({"cosine": {"steps": 5, "end": 0.02, "restart_factor": 2}}, lambda o: s.CosineAnnealingWarmRestarts(o, 5, 2, BASE * 0.02)),
    ({"one_cycle": {}}, lambda o: s.OneCycleLR(o, BASE, STEPS, cycle_momentum=False)),
    ({"one_cycle": {"pct_start": 0.1, "div_factor": 4, "final_div_factor": 10}},
     lambda o: s.OneCycleLR(o, BASE, STEPS, pct_start=0.1, div_factor=4, final_div_factor=10, cycle_momentum=False)),
    ({"warmup_steps": 10}, lambda o: s.LambdaLR(o, lambda t: min(1, (t + 1) / 10))),
    ({"warmup_steps": 12, "cosine": {}}, lambda o: s.SequentialLR(
        o, [s.LambdaLR(o, lambda t: (t + 1) / 12), s.CosineAnnealingLR(o, STEPS - 12)], [12])),
]

out = []
for spec, make in CASES:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], BASE)
    scheduler, rates = make(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    out.append({"schedule": spec, "steps": STEPS, "rates": rates})
print(json.dumps(out, indent=None).replace('{"schedule"', '\n{"schedule"').replace("}]", "}\n]"))
