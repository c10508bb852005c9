// One step of the embedded model's training: 8 windows of 256 tokens through the loss, all
// gradients, clipping and the optimisers; with the full softmax, and among candidates as nano was
// trained. Peers: PyTorch with the full softmax and AdamW, and the time that the products of a full
// step would take at the rate of the 2048 x 2048 product.
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

/// The median time of a step under these settings.
double step_seconds(const nano::Settings& s) {
    nano::State state = nano::start(s);
    Gpt2 grad = zeros_like(state.model);
    std::vector<int> ids(static_cast<size_t>(2 * s.n_window * s.config.n_ctx));
    Rng rng(1);
    for (int& id : ids) id = static_cast<int>(rng.below(s.config.d_vocab));
    nano::Text text = nano::rank_tokens(ids, s.config.d_vocab);
    return median_seconds([&] { nano::train_step(state, s, text, grad); });
}

}  // namespace

void bench_train() {
    // The whole vocabulary in the softmax, as PyTorch has it; then the step as nano was trained.
    nano::keep_memory();
    nano::Settings s = {.n_step = 1000}, full = s;
    full.n_frequent = 0;
    double n_token = static_cast<double>(s.n_window * s.config.n_ctx);
    double bound = flop_per_token(s.config) * n_token / sgemm_rate() / 1e9;
    double ours = step_seconds(full), sampled = step_seconds(s);
    std::string script = format(" tests/bench_torch.py train %ld", s.n_window);
    double peer = peer_seconds(python() + script);
    add_comparison("train_nano_full", ours, "sgemm bound", bound, "s");
    add_comparison("train_nano_full", ours, "PyTorch", peer, "s");
    add_comparison("train_nano", sampled, "PyTorch", peer, "s");
}

}  // namespace vimach
