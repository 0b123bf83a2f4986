#!/usr/bin/env python3
"""Makes images.json.gz: 50 steps of PyTorch with convolutions and pooling, from given weights
on given images, and what the model then answers.

    python3 make_images.py [images.json.gz]

Debian's python3-torch 1.13.1 made the file kept here. Images are taken in order, batch after
batch; a row has the numbers of an image [HEIGHT, WIDTH, CHANNELS]. Vectors are packed as in
make_fixtures.py.
"""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from make_batchnorm import Residual, runs, write
from make_losses import ROWS

HEIGHT, WIDTH, CHANNELS = 6, 7, 2


class Images(nn.Module):
    def forward(self, x):
        return x.view(-1, HEIGHT, WIDTH, CHANNELS).permute(0, 3, 1, 2)


class Same(nn.Conv2d):
    """TensorFlow's padding: the greater half of an odd padding is at the end."""

    def forward(self, x):
        pads = []
        for n, k, s, d in reversed(list(zip(x.shape[2:], self.kernel_size, self.stride, self.dilation))):
            total = max(0, (n - 1) // s * s + (k - 1) * d + 1 - n)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class Greatest(nn.Module):
    def forward(self, x):
        return x.amax((2, 3))


def convolution(v, channels):
    same = v.get("padding") == "same"
    padding = 0 if v.get("padding", "valid") in ("same", "valid") else v["padding"]
    return (Same if same else nn.Conv2d)(
        channels, v["filters"], v["kernel_size"], v.get("strides", 1), padding, v.get("dilation_rate", 1), bias=v.get("bias", True))


def modules(layers, units):
    out = []
    for layer in layers:
        (kind, v), = layer.items()
        if kind == "reshape":
            out.append(Images())
            units = v[2]
        elif kind == "conv2d":
            out.append(convolution(v, units))
            units = v["filters"]
            if "activation" in v:
                out.append(nn.ReLU())
        elif kind == "max_pooling2d":
            out.append(nn.MaxPool2d(v.get("pool_size", 2), v.get("strides"), v.get("padding", 0)))
        elif kind == "average_pooling2d":
            out.append(nn.AvgPool2d(v.get("pool_size", 2), v.get("strides"), v.get("padding", 0)))
        elif kind == "global_average_pooling2d":
            out.append(Mean())
        elif kind == "global_max_pooling2d":
            out.append(Greatest())
        elif kind == "flatten":
            out.append(nn.Flatten())
            units = None
        elif kind == "dense":
            out.append(nn.LazyLinear(v["units"]) if units is None else nn.Linear(units, v["units"]))
            units = v["units"]
        elif kind == "activation":
            out.append({"relu": nn.ReLU, "tanh": nn.Tanh}[v]())
        elif kind == "residual":
            out.append(Residual(modules(v["layers"], units)))
        else:
            out.append(nn.BatchNorm2d(units))
    return nn.Sequential(*out)


class Model(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = modules(layers, None)
        self(torch.zeros(2, HEIGHT * WIDTH * CHANNELS))  # for the lazy layers
        for m in self.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()

    def forward(self, x):
        return self.layers(x)


def conv(filters, kernel, **more):
    return {"conv2d": {"filters": filters, "kernel_size": kernel, **more}}


IMAGES, RELU, NORM, DENSE = {"reshape": [HEIGHT, WIDTH, CHANNELS]}, {"activation": "relu"}, {"batch_norm": {}}, {"dense": {"units": 2}}


def block(filters):
    return {"residual": {"layers": [conv(filters, 3, padding=1, bias=False), NORM, RELU, conv(filters, 3, padding=1, bias=False), NORM]}}


CASES = {
    "cnn": [IMAGES, conv(5, 3, padding=1, activation="relu"), {"max_pooling2d": {}}, conv(6, [2, 3], activation="relu"), {"flatten": {}}, DENSE],
    "strides": [IMAGES, conv(5, 3, strides=2, padding=[1, 2], activation="relu"), {"average_pooling2d": {"pool_size": 2, "strides": 1, "padding": 1}},
                conv(4, [1, 2], dilation_rate=2), RELU, {"flatten": {}}, DENSE],
    "same": [IMAGES, conv(4, [4, 3], strides=2, padding="same", activation="relu"), conv(4, 2, padding="same"), {"global_max_pooling2d": {}}, DENSE],
    "overlapping": [IMAGES, conv(4, 1, activation="relu"), {"max_pooling2d": {"pool_size": 3, "strides": 1, "padding": 1}}, conv(3, 3), {"global_average_pooling2d": {}}, DENSE],
    "resnet": [IMAGES, conv(4, 3, padding=1, bias=False), NORM, RELU, block(4), RELU, conv(8, 3, strides=2, padding=1, bias=False), NORM, RELU, block(8), RELU,
               {"global_average_pooling2d": {}}, DENSE],
}
OPTIMIZERS = {
    "momentum": {"sgd": {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 0.01}},
    "adam": {"adam": {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}},
}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(6)
    rng = np.random.default_rng(6)
    features = HEIGHT * WIDTH * CHANNELS
    x = rng.standard_normal((ROWS, features)).astype(np.float32)
    y = (np.tanh(x @ rng.standard_normal((features, 2)) / 4) + 0.3 * rng.standard_normal((ROWS, 2))).astype(np.float32)
    write(sys.argv[1] if len(sys.argv) > 1 else "images.json.gz", x, y, runs(Model, CASES, OPTIMIZERS, x, y))


if __name__ == "__main__":
    main()
