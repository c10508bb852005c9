"""Records what tests/backward_test.cpp compares with: gradients by PyTorch's autograd in float64
through the forward pass of tests/gpt2_reference.py. Needs python3-torch. Run from the project's
root:  python3 tests/backward_reference.py
Names: MODEL/blocks.N.NAME/ROW/DIMENSION/P is the gradient of one number of an activation with
respect to the embeddings, with (P = 1) or without (P = 0) position embeddings; MODEL/embeddings
are those; MODEL/loss and MODEL/grad/NAME belong to the mean loss over MODEL/ids.
"""
import torch

from gpt2_reference import forward, read_safetensors, write_safetensors

torch.set_grad_enabled(True)


def tap_gradients(out, name, w, n_head, targets):
    g = torch.Generator().manual_seed(11)
    d_model = w["wte.weight"].shape[1]
    start = torch.randn(2, 5, d_model, generator=g, dtype=torch.float64) * w["wte.weight"].std()
    start = start.float().double()
    out[f"{name}/embeddings"] = start.reshape(10, d_model)
    for tap, row, dimension, positions in targets:
        x = start.clone().requires_grad_(True)
        taps = forward(w, n_head, torch.zeros(2, 5, dtype=torch.int64), positions, x)
        taps[tap][row, dimension].backward()
        out[f"{name}/{tap}/{row}/{dimension}/{int(positions)}"] = x.grad.reshape(10, d_model)


def loss_gradients(out, name, w, n_head, ids):
    w = {key: t.clone().requires_grad_(True) for key, t in w.items()}
    loss = forward(w, n_head, ids)["losses"].mean()
    loss.backward()
    out[f"{name}/ids"] = ids.double()
    out[f"{name}/loss"] = loss.detach().reshape(1)
    for key, t in w.items():
        grad = t.grad.clone()
        if key == "wpe.weight":
            grad = grad[:ids.shape[1]]  # the rest is zero
        out[f"{name}/grad/{key}"] = grad


if __name__ == "__main__":
    out = {}
    for name, n_layer in (("tiny_a", 2), ("tiny_b", 1)):
        w, metadata = read_safetensors(f"tests/fixtures/{name}/model.safetensors")
        n_head = int(metadata["n_head"])
        last = n_layer - 1
        targets = [(f"blocks.0.{tap}", 9, 3, True) for tap in
                   ("resid_pre", "resid_mid", "mlp_pre", "mlp_post", "mlp_out", "resid_post")]
        targets += [(f"blocks.{last}.resid_post", 4, 7, True),
                    (f"blocks.{last}.resid_post", 6, 1, False),
                    (f"blocks.{last}.mlp_post", 8, 5, False),
                    (f"blocks.{last}.resid_pre", 2, 0, True)]
        tap_gradients(out, name, w, n_head, dict.fromkeys(targets))
        if name == "tiny_a":
            g = torch.Generator().manual_seed(13)
            ids = torch.randint(w["wte.weight"].shape[0], (3, 7), generator=g)
            loss_gradients(out, name, w, n_head, ids)
    w, metadata = read_safetensors("weights/nano/model.safetensors")
    tap_gradients(out, "nano", w, int(metadata["n_head"]), [
        ("blocks.3.resid_post", 4, 90, True), ("blocks.3.resid_post", 4, 90, False),
        ("blocks.11.resid_post", 7, 3, True), ("blocks.7.resid_post", 2, 127, True),
        ("blocks.4.mlp_post", 9, 300, False)])
    write_safetensors("tests/fixtures/backward.safetensors", out, "F64")
