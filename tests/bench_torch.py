"""The bench's peer: GPT-2's forward pass, chapter 4's step, and the training steps of an SAE and of
the embedded model in PyTorch, float32, 2 threads, on the same model, rows and weights. Prints the median time in seconds. Needs
python3-torch.
  python3 tests/bench_torch.py forward weights/gpt2-shape [--head]
  python3 tests/bench_torch.py generate weights/gpt2-shape n_given n_more
                                                     (seconds a token, keys and values kept)
  python3 tests/bench_torch.py actmax weights/gpt2-shape n_start
  python3 tests/bench_torch.py sae FILE d_in n_latent n_row k l1 [batch]
                                                     (k > 0: tied, no biases; batch: an epoch)
  python3 tests/bench_torch.py train n_window          (random weights of nano's shape)
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


def forward(w, ids, head):
    x = blocks(w, F.embedding(ids, w["wte.weight"]) + w["wpe.weight"][:ids.shape[1]])
    d = x.shape[-1]
    norm = F.layer_norm(x, (d,), w["ln_f.weight"], w["ln_f.bias"])
    return norm @ w["wte.weight"].T if head else x


def blocks(w, x, n_head=12, n_layer=12):
    n_window, n_token = x.shape[:2]
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
    return x


def generate_seconds(w, n_given, n_more, n_head=12, n_layer=12, n_ctx=1024):
    """Seconds a token: the best one each time, with keys and values of all before it kept."""
    d = w["wpe.weight"].shape[1]
    past = [torch.zeros(2, n_head, n_ctx, d // n_head) for _ in range(n_layer)]
    norm = lambda x, p: F.layer_norm(x, (d,), w[p + ".weight"], w[p + ".bias"])
    dense = lambda x, p: torch.addmm(w[p + ".bias"], x, w[p + ".weight"])

    def read(ids, n_past):
        n, end = len(ids), n_past + len(ids)
        x = w["wte.weight"][ids] + w["wpe.weight"][n_past:end]
        hidden = torch.triu(torch.ones(n, end, dtype=torch.bool), n_past + 1)
        for i in range(n_layer):
            h = f"h.{i}."
            qkv = dense(norm(x, h + "ln_1"), h + "attn.c_attn")
            q, k, v = (t.reshape(n, n_head, -1).transpose(0, 1) for t in qkv.split(d, dim=-1))
            past[i][0, :, n_past:end], past[i][1, :, n_past:end] = k, v
            scores = q @ past[i][0, :, :end].transpose(-1, -2) / math.sqrt(d // n_head)
            z = torch.softmax(scores.masked_fill(hidden, -math.inf), -1) @ past[i][1, :, :end]
            x = x + dense(z.transpose(0, 1).reshape(n, d), h + "attn.c_proj")
            pre = dense(norm(x, h + "ln_2"), h + "mlp.c_fc")
            x = x + dense(F.gelu(pre, approximate="tanh"), h + "mlp.c_proj")
        return int((norm(x[-1:], "ln_f") @ w["wte.weight"].T).argmax())

    token = read(list(range(1, n_given + 1)), 0)
    begin = time.perf_counter()
    for i in range(n_more):
        token = read([token], n_given + i)
    return (time.perf_counter() - begin) / n_more


def actmax_step(w, n_start):
    """Chapter 4's step: forward to the stream before block 4, and back to the embeddings."""
    x = (0.14 * torch.randn(n_start, 5, 768)).requires_grad_()

    def step():
        x.grad = None
        (-blocks(w, x, n_layer=4)[..., 90].mean(1).sum()).backward()
    return step


def sae_step(path, d_in, n_latent, n_row, k, l1, batch):
    """A training step of a sparse autoencoder for every batch of the bench's own rows."""
    numbers = torch.frombuffer(bytearray(open(path, "rb").read()), dtype=torch.float32)
    tied = k > 0
    shapes = [(n_row, d_in), (n_latent, d_in)]
    if not tied:
        shapes += [(d_in, n_latent), (n_latent,), (d_in,)]
    parts = [p.reshape(s).clone() for p, s in zip(
        numbers.split([math.prod(s) for s in shapes]), shapes)]
    all_rows, weights = parts[0], [p.requires_grad_() for p in parts[1:]]
    adam = torch.optim.Adam(weights, lr=1e-6)

    def step(x):
        if tied:
            z = torch.relu(x @ weights[0].T)
            kept = torch.topk(z, k, dim=1)
            z = torch.zeros_like(z).scatter(1, kept.indices, kept.values)
            recon = z @ weights[0]
        else:
            z = torch.relu(torch.addmm(weights[2], x, weights[1]))
            recon = torch.addmm(weights[3], z, weights[0])
        loss = torch.nn.functional.mse_loss(recon, x)
        if l1 > 0:
            loss = loss + l1 * z.abs().mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return z
    return lambda: [step(rows) for rows in all_rows.split(batch)][-1]


def train_step(n_window, d=128, n_ctx=256, n_vocab=50257, n_layer=12, n_head=4):
    """One step of the embedded model's training: loss, gradients, clipping, AdamW."""
    shapes = {"wte.weight": (n_vocab, d), "wpe.weight": (n_ctx, d), "ln_f.weight": (d,),
              "ln_f.bias": (d,)}
    for i in range(n_layer):
        h = f"h.{i}."
        for name, n_in, n_out in [("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d),
                                  ("mlp.c_fc", d, 4 * d), ("mlp.c_proj", 4 * d, d)]:
            shapes[h + name + ".weight"], shapes[h + name + ".bias"] = (n_in, n_out), (n_out,)
        for name in ["ln_1", "ln_2"]:
            shapes[h + name + ".weight"] = shapes[h + name + ".bias"] = (d,)
    w = {name: (0.02 * torch.randn(shape)).requires_grad_() for name, shape in shapes.items()}
    adam = torch.optim.AdamW(w.values(), lr=1e-6, betas=(0.9, 0.99), weight_decay=0.1)
    ids = torch.randint(n_vocab, (n_window, n_ctx + 1))

    def step():
        x = F.embedding(ids[:, :-1], w["wte.weight"]) + w["wpe.weight"]
        x = blocks(w, x, n_head, n_layer)
        logits = F.layer_norm(x, (d,), w["ln_f.weight"], w["ln_f.bias"]) @ w["wte.weight"].T
        adam.zero_grad(set_to_none=True)
        F.cross_entropy(logits.reshape(-1, n_vocab), ids[:, 1:].reshape(-1)).backward()
        torch.nn.utils.clip_grad_norm_(w.values(), 1.0)
        adam.step()
    return step


def median_seconds(work):
    seconds = []
    for _ in range(7):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[2:])  # the first ones warm up


torch.set_num_threads(2)
if sys.argv[1] == "forward":
    weights = read_weights(sys.argv[2])
    ids = torch.randint(50257, (2, 1024), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        print(median_seconds(lambda: forward(weights, ids, "--head" in sys.argv)))
elif sys.argv[1] == "generate":
    weights = read_weights(sys.argv[2])
    with torch.no_grad():
        print(min(generate_seconds(weights, *map(int, sys.argv[3:5])) for _ in range(3)))
elif sys.argv[1] == "actmax":
    print(median_seconds(actmax_step(read_weights(sys.argv[2]), int(sys.argv[3]))))
elif sys.argv[1] == "train":
    print(median_seconds(train_step(int(sys.argv[2]))))
else:
    n_row = int(sys.argv[5])
    batch = int(sys.argv[8]) if len(sys.argv) > 8 else n_row
    step = sae_step(sys.argv[2], *map(int, sys.argv[3:7]), float(sys.argv[7]), batch)
    print(median_seconds(step))
    print("active share", (step() != 0).float().mean().item(), file=sys.stderr)
