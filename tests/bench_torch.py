"""The forward pass's peer: GPT-2 in PyTorch, float32, 2 threads, on the same model and shape.
Prints its median time in seconds.  Needs python3-torch.
  python3 tests/bench_torch.py forward weights/gpt2-shape [--head]
"""
import json
import math
import statistics
import struct
import sys
import time

import torch
import torch.nn.functional as F


def read_weights(folder):
    raw = open(folder + "/model.safetensors", "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__")
    data = memoryview(bytearray(raw[8 + n:]))
    return {name: torch.frombuffer(data[slice(*e["data_offsets"])], dtype=torch.float32)
            .reshape(e["shape"]) for name, e in header.items()}


def forward(w, ids, head, n_head=12, n_layer=12):
    n_window, n_token = ids.shape
    x = F.embedding(ids, w["wte.weight"]) + w["wpe.weight"][:n_token]
    d = x.shape[-1]
    hidden = torch.triu(torch.ones(n_token, n_token, dtype=torch.bool), 1)
    norm = lambda x, p: F.layer_norm(x, (d,), w[p + ".weight"], w[p + ".bias"])
    dense = lambda x, p: torch.addmm(w[p + ".bias"], x.reshape(-1, x.shape[-1]),
                                     w[p + ".weight"]).reshape(n_window, n_token, -1)
    heads = lambda t: t.reshape(n_window, n_token, n_head, -1).transpose(1, 2)
    for i in range(n_layer):
        h = f"h.{i}."
        q, k, v = map(heads, dense(norm(x, h + "ln_1"), h + "attn.c_attn").split(d, dim=-1))
        scores = (q @ k.transpose(-1, -2) / math.sqrt(d // n_head)).masked_fill(hidden, -math.inf)
        z = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(n_window, n_token, d)
        x = x + dense(z, h + "attn.c_proj")
        pre = dense(norm(x, h + "ln_2"), h + "mlp.c_fc")
        x = x + dense(F.gelu(pre, approximate="tanh"), h + "mlp.c_proj")
    return norm(x, "ln_f") @ w["wte.weight"].T if head else x


torch.set_num_threads(2)
weights = read_weights(sys.argv[2])
ids = torch.randint(50257, (2, 1024), generator=torch.Generator().manual_seed(1))
seconds = []
with torch.inference_mode():
    for _ in range(6):
        begin = time.perf_counter()
        forward(weights, ids, "--head" in sys.argv)
        seconds.append(time.perf_counter() - begin)
print(statistics.median(seconds[1:]))  # the first one warms up
