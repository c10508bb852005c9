"""Records what tests/chapter_01_test.cpp compares with: chapter 1's training (preset document) in PyTorch,
30 random starts of two arms. Its starts are other than ours, so distributions are compared. Lines:
arm, weaker |r| of the two sources, redundancy, final MSE. Needs python3-torch. Run from the
project's root:  python3 tests/unmixing_reference.py > tests/fixtures/unmixing_torch.txt
"""
import math

import torch

torch.set_num_threads(1)
t = torch.linspace(0, 14 * math.pi, 3000, dtype=torch.float64)
sources = torch.stack([torch.sin(t) + 1, torch.sign(torch.sin(3 * t)) + 1], 1)
x = (sources @ torch.tensor([[1, 0.4], [0.6, 1]], dtype=torch.float64)).float()


def standardised(m):
    m = m.double() - m.double().mean(0)
    size = m.norm(dim=0)
    return torch.where(size > 1e-6, m / size, torch.zeros_like(m))


def train(l1, decorrelation, seed):
    torch.manual_seed(seed)
    encoder, decoder = torch.nn.Linear(2, 20), torch.nn.Linear(20, 2)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.007)
    for epoch in range(601):
        z = torch.relu(encoder(x))
        mse = ((decoder(z) - x) ** 2).mean()
        centred = z - z.mean(0)
        cov = centred.T @ centred / (len(x) - 1)
        off = (cov ** 2).sum() - (cov.diagonal() ** 2).sum()
        if epoch == 600:
            return z.detach(), mse.item()
        adam.zero_grad()
        (mse + l1 * z.abs().mean() + decorrelation * off).backward()
        adam.step()


def score(z):
    latents, s = standardised(z), standardised(sources)
    r = (latents.T @ s).abs()
    pairs = r[:, None, 0] + r[None, :, 1]
    pairs.fill_diagonal_(-1)
    a, b = divmod(int(pairs.argmax()), len(r))
    live = (z > 0).any(0) & (latents.norm(dim=0) > 0.5)
    together = (latents.T @ latents).abs()[live][:, live]
    n = len(together)
    redundancy = (together.sum() - together.diagonal().sum()) / (n * (n - 1))
    return min(r[a, 0], r[b, 1]).item(), redundancy.item()


for name, l1, decorrelation in (("both", 0.01, 0.01), ("none", 0.0, 0.0)):
    for seed in range(30):
        z, mse = train(l1, decorrelation, seed)
        print(name, *(f"{value:.6g}" for value in (*score(z), mse)))
