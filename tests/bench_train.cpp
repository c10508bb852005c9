// One step of the embedded model's training: 4 windows of 256 tokens through the loss, all
// gradients, clipping and AdamW. Peers: PyTorch, and the time that the products of a step would
// take at the rate of the 2048 x 2048 product.
#include "bench.h"
#include "core/ensure.h"
#include "core/rng.h"
#include "model/gpt2_file.h"
#include "weights/nano/training.h"

namespace vimach {

namespace {

/// Multiplications and additions of a token: every matrix thrice (forward, grad_x, grad_W), and
/// per layer the triangle of attention, two products forward and four back.
double flop_per_token(const Gpt2Config& c) {
    auto d = static_cast<double>(c.d_model), n_layer = static_cast<double>(c.n_layer);
    double weights = static_cast<double>(c.d_vocab) * d +
                     n_layer * (4 * d * d + 2 * d * static_cast<double>(c.d_mlp));
    return 6 * weights + n_layer * 6 * 2 * d * static_cast<double>(c.n_ctx) / 2;
}

}  // namespace

void bench_train() {
    nano::keep_memory();
    nano::Settings s = {.n_step = 1000};
    nano::State state = nano::start(s);
    Gpt2 grad = zeros_like(state.model);
    int64_t n_token = s.n_window * s.config.n_ctx;
    std::vector<int> ids(static_cast<size_t>(2 * n_token));
    Rng rng(1);
    for (int& id : ids) id = static_cast<int>(rng.below(s.config.d_vocab));
    double ours = median_seconds([&] { nano::train_step(state, s, ids, grad); });
    double bound = flop_per_token(s.config) * static_cast<double>(n_token) / sgemm_rate() / 1e9;
    add_comparison("train_nano", ours, "sgemm bound", bound, "s");
    std::string script = format(" tests/bench_torch.py train %ld", s.n_window);
    add_comparison("train_nano", ours, "PyTorch", peer_seconds(python() + script), "s");
}

}  // namespace vimach
