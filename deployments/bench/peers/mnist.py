"""MNIST as arrays, a rank's share of a batch, and a process's memory: plain NumPy."""
import gzip
import os

import numpy as np


def _idx(name):
    """The array in a file of the folder TRIBUTARY_MNIST."""
    with gzip.open(os.path.join(os.environ["TRIBUTARY_MNIST"], name)) as f:
        data = f.read()
    dims = data[3]
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)


def train():
    """x [60000, 784] in [0, 1] as float32, and labels [60000] as int64."""
    x = _idx("train-images-idx3-ubyte.gz").reshape(-1, 784) / np.float32(255)
    return x.astype(np.float32), _idx("train-labels-idx1-ubyte.gz").astype(np.int64)


def share(n, rank, world):
    """The half-open range of n items that a rank has: the first n % world ranks get one more."""
    q, r = divmod(n, world)
    lo = rank * q + min(rank, r)
    return lo, lo + q + (rank < r)


def peak_mib():
    """The most memory this process has held. (ru_maxrss would count its parent's.)"""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0
