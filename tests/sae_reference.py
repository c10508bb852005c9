"""Records what tests/sae_test.cpp compares with: losses, gradients, and the weights after 1 and 20
steps of Adam, by PyTorch's autograd in float64. Needs python3-torch.
  /usr/bin/python3 tests/sae_reference.py > tests/fixtures/sae_torch.txt
"""
import torch

torch.set_default_dtype(torch.float64)

# d_in n_latent n_row tied bias gelu top_k keep_ties l1 decorrelation learning_rate
cases = [
    (5, 7, 12, 0, 1, 0, 0, 0, 0.1, 0.05, 0.007),  # both penalties
    (5, 7, 12, 0, 1, 1, 0, 0, 1.0, 0.0, 0.0007),  # exact gelu
    (5, 16, 9, 1, 0, 0, 4, 0, 0.0, 0.0, 0.001),   # tied, the k largest
    (5, 16, 9, 1, 0, 0, 4, 1, 1.0, 0.02, 0.001),  # all terms, fewer rows than latents
    (6, 9, 20, 1, 1, 1, 3, 0, 0.3, 0.01, 0.002),
]


def show(tensors):
    for t in tensors:
        print(" ".join(f"{x:.17g}" for x in t.detach().flatten()))


def losses(case, w, x):
    d_in, n_latent, n_row, tied, bias, gelu, k, ties, l1, decorrelation, lr = case
    pre = x @ (w["W_dec"].T if tied else w["W_enc"]) + (w["b_enc"] if bias else 0)
    z = torch.nn.functional.gelu(pre) if gelu else torch.relu(pre)
    if k > 0:
        kth = torch.topk(z, k, dim=1)
        keep = z >= kth.values[:, -1:] if ties else torch.zeros_like(z).scatter(1, kth.indices, 1)
        z = z * keep
    recon = z @ w["W_dec"] + (w["b_dec"] if bias else 0)
    cov = torch.cov(z.T)
    off = cov - torch.diag(torch.diag(cov))
    mse, size, together = ((recon - x) ** 2).mean(), z.abs().mean(), (off ** 2).sum()
    return torch.stack([mse, size, together]), mse + l1 * size + decorrelation * together


print(len(cases))
for number, case in enumerate(cases):
    d_in, n_latent, n_row, tied, bias = case[:5]
    torch.manual_seed(number)
    x = torch.randn(n_row, d_in)
    w = {}
    if not tied:
        w["W_enc"] = torch.rand(d_in, n_latent) - 0.5
    if bias:
        w["b_enc"] = torch.rand(n_latent) - 0.5
    w["W_dec"] = torch.rand(n_latent, d_in) - 0.5
    if bias:
        w["b_dec"] = torch.rand(d_in) - 0.5
    for t in w.values():
        t.requires_grad_()
    print(" ".join(str(v) for v in case))
    show([x] + list(w.values()))
    adam = torch.optim.Adam(w.values(), lr=case[-1])
    for step in range(1, 21):
        terms, total = losses(case, w, x)
        adam.zero_grad()
        total.backward()
        if step == 1:
            show([terms] + [t.grad for t in w.values()])
        adam.step()
        if step in (1, 20):
            show(w.values())
