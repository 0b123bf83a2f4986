"""The same trainings in PyTorch: one process, or data-parallel over gloo when started by torchrun.py.

One JSON object on standard output, from rank 0. Timed is the training loop alone, between two barriers:
imports, reading data, initialisation and evaluation are outside. Each rank's loss is the sum over its rows
× world / global batch, so that DDP's mean over ranks is the exact mean of the global batch.
"""
import argparse
import json
import os
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

import mnist

CASES = {  # hidden layers, optimizer, rate
    "a": ([], "sgd", 0.1),
    "b": ([256, 128], "adam", 1e-3),
    "c": ([2048, 2048], "sgd", 0.1),
    "tiny": (None, "sgd", 0.01),
}
EVALUATED = 4096  # rows at a time

parser = argparse.ArgumentParser()
parser.add_argument("--case", required=True, choices=CASES)
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--steps", type=int, default=3000, help="of the case tiny")
parser.add_argument("--batch", type=int, default=512)
parser.add_argument("--sync", default="ddp", choices=["ddp", "flat"], help="the DDP wrapper, or one all-reduce of one flat buffer")
args = parser.parse_args()

hidden, optimizer, rate = CASES[args.case]
distributed = "RANK" in os.environ
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
batch = 2 * world if args.case == "tiny" else args.batch
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
torch.manual_seed(0)
if distributed:
    dist.init_process_group("gloo")
lo, hi = mnist.share(batch, rank, world)

if args.case == "tiny":
    x, y = torch.randn(2, 9), torch.randn(2, 1)
    model, epochs, per_epoch = nn.Linear(9, 1), 1, args.steps

    def rows(_epoch, _step):
        return x, y

    def loss_of(outputs, labels):
        return (outputs - labels).square().mean()
else:
    x, y = map(torch.from_numpy, mnist.train())
    widths = [784, *hidden, 10]
    layers = [layer for i, o in zip(widths, widths[1:]) for layer in (nn.Linear(i, o), nn.ReLU())]
    model, epochs, per_epoch = nn.Sequential(*layers[:-1]), args.epochs, len(x) // batch
    order = {}

    def rows(epoch, step):
        """This rank's rows; the order is the same whatever the world's size."""
        if epoch not in order:
            order.clear()
            order[epoch] = torch.from_numpy(np.random.default_rng([0, epoch]).permutation(len(x)))
        chosen = order[epoch][step * batch + lo : step * batch + hi]
        return x.index_select(0, chosen), y.index_select(0, chosen)

    def loss_of(outputs, labels):
        return F.cross_entropy(outputs, labels, reduction="sum") * (world / batch)

net, flat = model, None
if distributed and args.sync == "ddp":
    net = nn.parallel.DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)
elif distributed:  # gradients are views of one buffer: one all-reduce per step
    for p in model.parameters():
        dist.broadcast(p.data, 0)
    flat = torch.zeros(sum(p.numel() for p in model.parameters()))
    at = 0
    for p in model.parameters():
        p.grad = flat[at : at + p.numel()].view_as(p)
        at += p.numel()
optim = torch.optim.SGD(model.parameters(), rate) if optimizer == "sgd" else torch.optim.Adam(model.parameters(), rate)

net.train()
if distributed:
    dist.barrier()
began = time.perf_counter()
stamps = [began]
for epoch in range(epochs):
    for step in range(per_epoch):
        inputs, labels = rows(epoch, step)
        if flat is not None:
            flat.zero_()
            loss_of(net(inputs), labels).backward()
            dist.all_reduce(flat)
            flat.div_(world)
        else:
            optim.zero_grad(set_to_none=not distributed)
            loss_of(net(inputs), labels).backward()
        optim.step()
        stamps.append(time.perf_counter())
if distributed:
    dist.barrier()
wall = time.perf_counter() - began

peaks = torch.zeros(world)
peaks[rank] = mnist.peak_mib()  # before the evaluation
train_loss = None
if args.case != "tiny" and rank == 0:
    model.eval()
    with torch.no_grad():
        parts = [F.cross_entropy(model(x[k : k + EVALUATED]), y[k : k + EVALUATED], reduction="sum") for k in range(0, len(x), EVALUATED)]
        train_loss = sum(p.item() for p in parts) / len(x)
if distributed:
    dist.all_reduce(peaks)
if rank == 0:
    took = np.diff(stamps) * 1e3
    steps = len(took)
    print(json.dumps({
        "steps": steps, "samples_per_second": steps * batch / wall, "ms": wall / steps * 1e3,
        "ms_p50": float(np.median(took)), "ms_p99": float(np.quantile(took, 0.99)),
        "train_loss": train_loss, "peak_mib": peaks.max().item(),
    }), flush=True)
if distributed:
    dist.destroy_process_group()
