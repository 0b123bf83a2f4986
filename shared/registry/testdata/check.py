"""Compares the safetensors files here with PyTorch (run by hand:
python3 check.py; needs torch and numpy). It loads mlp.safetensors, which Go
wrote, into an nn.Sequential, checks every element and a forward pass, and writes
torch.safetensors, which the Go test reads: same tensors, in PyTorch's names,
with other spacing and another order of the data."""

import json
import pathlib
import struct

import numpy as np
import torch

here = pathlib.Path(__file__).parent


def load(path):
    raw = path.read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    header, body = json.loads(raw[8 : 8 + n]), raw[8 + n :]
    assert header.pop("__metadata__") == {"format": "pt"}
    tensors = {}
    for name, e in header.items():
        assert e["dtype"] == "F32"
        lo, hi = e["data_offsets"]
        tensors[name] = torch.from_numpy(np.frombuffer(body[lo:hi], "<f4").reshape(e["shape"]).copy())
    return tensors


def save(path, tensors):
    header, body = {"__metadata__": {"format": "pt", "by": "check.py"}}, b""
    for name in sorted(tensors):
        data = tensors[name].detach().numpy().astype("<f4").tobytes()
        header[name] = {"shape": list(tensors[name].shape), "dtype": "F32", "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, indent=1).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))

    def forward(self, x):
        return self.layers(x)


net = Net()
net.load_state_dict(load(here / "mlp.safetensors"))  # strict: names and shapes must agree
want = np.arange(11, dtype="<f4") * np.float32(0.25) - 1
want[10] = np.float32(1e-45)
got = np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])
assert (got == want).all(), got
# relu([[-1 -.75 -.5] [-.25 0 .25]] [1 2 4] + [.5 .75]) = [0 1.5]; 1.25 × 1.5 = 1.875
assert net(torch.tensor([[1.0, 2.0, 4.0]])).item() == 1.875
save(here / "torch.safetensors", net.state_dict())
print("ok")
