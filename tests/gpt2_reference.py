"""Records what tests/gpt2_test.cpp compares with: GPT-2's forward pass in PyTorch float64,
written from the model's definition (Radford et al. 2019), on two tiny random models and on
weights/nano. Needs python3-torch. Run from the project's root:  python3 tests/gpt2_reference.py
"""
import json
import math
import struct

import numpy as np
import torch

torch.set_grad_enabled(False)
DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


def read_safetensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, e in header.items():
        begin, end = (8 + n + o for o in e["data_offsets"])
        array = np.frombuffer(raw[begin:end], DTYPES[e["dtype"]]).reshape(e["shape"])
        tensors[name] = torch.tensor(array.astype(np.float64))
    return tensors, metadata


def write_safetensors(path, tensors, dtype, metadata=None):
    header, blob = {"__metadata__": metadata or {}}, b""
    for name, t in tensors.items():
        data = np.ascontiguousarray(t.numpy().astype(DTYPES[dtype])).tobytes()
        header[name] = {"dtype": dtype, "shape": list(t.shape),
                        "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + blob)


def random_model(seed, n_layer, n_head, d_head, d_mlp, n_ctx, d_vocab):
    """Weights larger than at a usual start, so that every part of the layer matters."""
    g = torch.Generator().manual_seed(seed)
    d = n_head * d_head
    normal = lambda *shape: 0.3 * torch.randn(*shape, generator=g, dtype=torch.float64)
    w = {"wte.weight": normal(d_vocab, d), "wpe.weight": normal(n_ctx, d)}
    for i in range(n_layer):
        h = f"h.{i}."
        for ln in ("ln_1", "ln_2"):
            w[h + ln + ".weight"] = 1 + normal(d)
            w[h + ln + ".bias"] = normal(d)
        for name, rows, cols in (("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d),
                                 ("mlp.c_fc", d, d_mlp), ("mlp.c_proj", d_mlp, d)):
            w[h + name + ".weight"] = normal(rows, cols)
            w[h + name + ".bias"] = normal(cols)
    w["ln_f.weight"] = 1 + normal(d)
    w["ln_f.bias"] = normal(d)
    return {name: t.float().double() for name, t in w.items()}  # exactly what float32 stores


def layer_norm(x, gain, bias):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return gain * (x - mean) / torch.sqrt(variance + 1e-5) + bias


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def forward(w, n_head, ids, positions=True, embeddings=None):
    """Every activation by its name in src/model/gpt2.h, and the loss of every prediction."""
    taps = {}
    n_window, n_token = ids.shape
    d_model = w["wte.weight"].shape[1]
    d_head = d_model // n_head
    flat = lambda t: t.reshape(n_window * n_token, -1)
    resid = w["wte.weight"][ids] if embeddings is None else embeddings
    if positions:
        resid = resid + w["wpe.weight"][:n_token]
    n_layer = len({name.split(".")[1] for name in w if name.startswith("h.")})
    hidden = torch.triu(torch.ones(n_token, n_token, dtype=torch.bool), 1)
    for i in range(n_layer):
        p = lambda name: w[f"h.{i}.{name}"]
        keep = lambda name, t: taps.__setitem__(f"blocks.{i}.{name}", t)
        keep("resid_pre", flat(resid))
        normed = layer_norm(resid, p("ln_1.weight"), p("ln_1.bias"))
        keep("ln_1", flat(normed))
        qkv = normed @ p("attn.c_attn.weight") + p("attn.c_attn.bias")
        q, k, v = qkv.split(d_model, dim=-1)
        for name, t in (("q", q), ("k", k), ("v", v)):
            keep(name, flat(t))
        heads = lambda t: t.reshape(n_window, n_token, n_head, d_head).transpose(1, 2)
        scores = heads(q) @ heads(k).transpose(-1, -2) / math.sqrt(d_head)
        pattern = torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1)
        keep("attn_scores", scores.masked_fill(hidden, 0))
        keep("attn_pattern", pattern)
        z = (pattern @ heads(v)).transpose(1, 2).reshape(n_window, n_token, d_model)
        keep("z", flat(z))
        attn_out = z @ p("attn.c_proj.weight") + p("attn.c_proj.bias")
        keep("attn_out", flat(attn_out))
        resid = resid + attn_out
        keep("resid_mid", flat(resid))
        normed = layer_norm(resid, p("ln_2.weight"), p("ln_2.bias"))
        keep("ln_2", flat(normed))
        pre = normed @ p("mlp.c_fc.weight") + p("mlp.c_fc.bias")
        keep("mlp_pre", flat(pre))
        keep("mlp_post", flat(gelu(pre)))
        out = gelu(pre) @ p("mlp.c_proj.weight") + p("mlp.c_proj.bias")
        keep("mlp_out", flat(out))
        resid = resid + out
        keep("resid_post", flat(resid))
    final = layer_norm(resid, w["ln_f.weight"], w["ln_f.bias"])
    logits = final @ w["wte.weight"].T
    losses = -torch.log_softmax(logits[:, :-1], -1).gather(-1, ids[:, 1:, None])
    taps |= {"final_norm": flat(final), "logits": flat(logits), "losses": losses.reshape(-1)}
    return taps


def record(path, w, n_head, ids, logit_rows=None, long_ids=None):
    taps = forward(w, n_head, ids)
    if logit_rows:
        taps["logits"] = taps["logits"][-logit_rows:]
    taps["ids"] = ids.double()
    if long_ids is not None:
        taps["long_ids"] = long_ids.double()
        taps["long_losses"] = forward(w, n_head, long_ids)["losses"]
    taps["logits_without_positions"] = forward(w, n_head, ids, positions=False)["logits"][-1:]
    write_safetensors(path, taps, "F64")
    print(path, "mean loss", float(taps["losses"].mean()))


if __name__ == "__main__":
    g = torch.Generator().manual_seed(7)
    shapes = {"tiny_a": dict(n_layer=2, n_head=3, d_head=4, d_mlp=20, n_ctx=16, d_vocab=61),
              "tiny_b": dict(n_layer=1, n_head=2, d_head=64, d_mlp=40, n_ctx=8, d_vocab=33)}
    for seed, (name, shape) in enumerate(shapes.items()):
        w = random_model(seed, **shape)
        folder = f"tests/fixtures/{name}"
        n_token = shape["n_ctx"] - 1
        ids = torch.randint(shape["d_vocab"], (3, n_token), generator=g)
        write_safetensors(f"{folder}/model.safetensors", w, "F32",
                          {"n_head": str(shape["n_head"])})
        record(f"{folder}/expected.safetensors", w, shape["n_head"], ids)
    w, metadata = read_safetensors("weights/nano/model.safetensors")
    ids = torch.tensor([[464, 6457, 286, 3517, 5550, 262]])
    long_ids = torch.randint(50257, (2, 256), generator=g)
    record("tests/fixtures/nano_expected.safetensors", w, int(metadata["n_head"]), ids, 1, long_ids)
