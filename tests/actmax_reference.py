"""Climbs as chapter 4's quick run does, with PyTorch's autograd and Adam in float64, from the same
starts (src/core/rng written once more), and prints how far tests/expected/04.txt is from it: the
table of the climb, and the ends of lambda 0 and 0.1. Needs python3-torch. Run from the project's
root:  python3 tests/actmax_reference.py
"""
import math

import torch

from gpt2_reference import forward, read_safetensors

MASK = 2**64 - 1
N_START, N_TOKEN, N_STEP, SEED = 6, 5, 300, 1


def normals(seed, count):
    """xoshiro256++ seeded by splitmix64, and the polar method."""
    state = []
    for _ in range(4):
        seed = (seed + 0x9e3779b97f4a7c15) & MASK
        z = ((seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9) & MASK
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
        state.append(z ^ (z >> 31))
    rotl = lambda x, k: ((x << k) | (x >> (64 - k))) & MASK

    def uniform():
        result = (rotl((state[0] + state[3]) & MASK, 23) + state[0]) & MASK
        shifted = (state[1] << 17) & MASK
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= shifted
        state[3] = rotl(state[3], 45)
        return (result >> 11) * 2.0**-53

    out = []
    while len(out) < count:
        u, v = 2 * uniform() - 1, 2 * uniform() - 1
        square = u * u + v * v
        if 0 < square < 1:
            scale = math.sqrt(-2 * math.log(square) / square)
            out += [u * scale, v * scale]
    return torch.tensor(out[:count], dtype=torch.float64)


def climb(w, n_head, start, weight):
    """Rows of the chapter's table: step, mean, lowest, highest, |gradient|, |theta|^2."""
    theta = start.clone().requires_grad_(True)
    adam = torch.optim.Adam([theta], lr=1e-3)
    rows = []
    for step in range(N_STEP + 1):
        taps = forward(w, n_head, torch.zeros(N_START, N_TOKEN, dtype=torch.int64), False, theta)
        a = taps["blocks.3.resid_post"].reshape(N_START, N_TOKEN, -1)[:, :, 90].mean(1)
        adam.zero_grad()
        (-a.sum() + weight * (theta**2).sum()).backward()
        if step % (N_STEP // 5) == 0:
            rows.append([step, a.mean().item(), a.min().item(), a.max().item(),
                         theta.grad.reshape(N_START, -1).norm(dim=1).mean().item(),
                         (theta**2).sum().item() / N_START])
        adam.step()
    return rows


if __name__ == "__main__":
    torch.set_grad_enabled(True)
    w, metadata = read_safetensors("weights/nano/model.safetensors")
    d_model = w["wte.weight"].shape[1]
    start = normals(SEED, N_START * N_TOKEN * d_model) * w["wte.weight"].std(unbiased=False)
    start = start.float().double().reshape(N_START, N_TOKEN, d_model)
    w = {name: t for name, t in w.items()
         if not name.startswith("h.") or int(name.split(".")[1]) < 4}
    w["wte.weight"] = w["wte.weight"][:2]  # the climb reads no token, and needs no logits

    lines = [line.split("\t", 1)[1].split() for line in open("tests/expected/04.txt")]
    first = lines.index(["step", "activation", "lowest", "highest", "|gradient|", "|theta|^2"]) + 1
    worst = 0
    for row, line in zip(climb(w, int(metadata["n_head"]), start, 0.01), lines[first:]):
        print(" ".join(f"{value:.4f}" for value in row))
        worst = max(worst, max(abs(a - float(b)) for a, b in zip(row, line)))
    for name, weight in (("0", 0.0), ("0.1", 0.1)):
        end = climb(w, int(metadata["n_head"]), start, weight)[-1][1]
        shown = next(line for line in lines if line[:2] == ["lambda", name])
        print(f"lambda {name}: {end:.4f}")
        worst = max(worst, abs(end - float(shown[3])))
    print(f"largest difference from tests/expected/04.txt: {worst:.6f}")
