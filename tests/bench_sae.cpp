// Steps of sparse autoencoders as chapters 2 and 3 train them, at GPT-2 small's width, Adam
// included. What decides the time is the share of active latents. Top-k sets it whatever the rows,
// so those are random; so does a bias that lets one normal number in fifteen through.
// sae_laminar_seed has rows with the structure of real ones (the outputs of six of nano's MLPs side
// by side) and an SAE that has been trained as the chapter trains it; its time is that of an epoch
// in batches of 1024.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bench.h"
#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "lens/sae.h"
#include "model/gpt2_file.h"
#include "text/html_text.h"
#include "text/tokenizer.h"

namespace vimach {

namespace {

constexpr const char* exchange = "out/bench_sae.f32";

/// A bench's SAE and its rows.
struct Case {
    Sae sae;
    Tensor x;
    int64_t n_batch_row;
    SaeAdam adam;
};

/// Every batch once; the share of active latents, of the last batch.
double run_epoch(Case& c) {
    double active = 0;
    for (int64_t first = 0; first < c.x.rows(); first += c.n_batch_row) {
        int64_t n = std::min(c.n_batch_row, c.x.rows() - first);
        active = sae_train_step(c.sae, row_range(c.x.matrix(), first, n), c.adam).active_share;
    }
    return active;
}

/// The outputs of nano's MLPs 3 to 8 for the chapter's page, [10230, 768], in random order.
Tensor real_rows() {
    constexpr int64_t n_row = 10'230, n_window = 40, n_ctx = 256, first = 3, n_layer = 6;
    Gpt2 model = load_gpt2("weights/nano");
    std::string path = "chapters/03_laminar_profile/data/led.html";
    std::vector<int> ids =
        load_tokenizer().encode(read_article(read_text(path), PageForm::text, path));
    ids.resize(n_window * n_ctx);
    RunOptions options = {.stop = first + n_layer};
    for (int64_t i = 0; i < n_layer; ++i) {
        options.taps.push_back(format("blocks.%ld.mlp_out", first + i));
    }
    Tensor resid = embed_ids(model, ids, n_window);
    Taps taps = run_blocks(model, resid, n_window, options);

    int64_t d = model.config.d_model;
    Tensor x({n_row, n_layer * d});
    std::vector<int64_t> order = Rng(1).permutation(n_window * n_ctx);
    for (int64_t i = 0; i < n_row; ++i) {
        for (int64_t layer = 0; layer < n_layer; ++layer) {
            std::ranges::copy(taps.at(options.taps[layer]).row(order[i]),
                              x.row(i).begin() + layer * d);
        }
    }
    return x;
}

/// Hands rows and weights to the peer, and measures it.
double torch_seconds(const Case& c) {
    const SaeConfig& config = c.sae.config;
    OutputFile file(exchange);
    for (const Tensor* t : {&c.x, &c.sae.W_dec, &c.sae.W_enc, &c.sae.b_enc, &c.sae.b_dec}) {
        file.write(t->data.data(), t->size() * static_cast<int64_t>(sizeof(Real)));
    }
    file.commit();
    return peer_seconds(python() + format(" tests/bench_torch.py sae %s %ld %ld %ld %ld %g %ld",
                                          exchange, config.d_in, config.n_latent, c.x.rows(),
                                          config.top_k, config.l1, c.n_batch_row));
}

/// Five products at the rate of a large one, and what Adam reads and writes: weights and two
/// moments both ways, and the gradient.
double dense_bound(const Case& c) {
    const SaeConfig& config = c.sae.config;
    auto n_weight = static_cast<double>(config.n_parameter());
    double products = 10.0 * static_cast<double>(c.x.rows() * config.d_in * config.n_latent);
    double n_step = std::ceil(static_cast<double>(c.x.rows()) / static_cast<double>(c.n_batch_row));
    return products / sgemm_rate() / 1e9 + n_step * 7 * sizeof(Real) * n_weight / read_rate() / 1e9;
}

void compare(const char* name, Case& c) {
    double active = run_epoch(c);
    double ours = median_seconds([&] { run_epoch(c); });
    add_comparison(name, ours, format("PyTorch, %.1f %% active", 100 * active).c_str(),
                   torch_seconds(c), "s");
    add_comparison(name, ours, "dense bound", dense_bound(c), "s");
}

/// An SAE as it begins on `n_row` rows of standard normal numbers, all in one batch. Where nothing
/// but relu keeps latents at 0, its bias lies 1.5 standard deviations of pre_acts below 0.
void compare_on_noise(const char* name, const SaeConfig& config, int64_t n_row) {
    Rng rng(1);
    Case c = {random_sae(config, rng), Tensor({n_row, config.d_in}), n_row, {}};
    c.adam.settings.learning_rate = 1e-6;
    for (Real& value : c.x.data) value = static_cast<Real>(rng.normal());
    Real pre_deviation = std::sqrt(Real(1) / 3);
    if (config.top_k == 0) std::ranges::fill(c.sae.b_enc.data, Real(-1.5) * pre_deviation);
    compare(name, c);
}

}  // namespace

void bench_sae_laminar_seed() {
    constexpr int n_epoch = 75;
    Rng rng(1);
    Case c = {random_sae({.d_in = 768, .n_latent = 3072, .l1 = 1}, rng), real_rows(), 1024, {}};
    c.adam.settings.learning_rate = 1e-4;
    for (int epoch = 0; epoch < n_epoch; ++epoch) run_epoch(c);
    c.adam.settings.learning_rate = 1e-6;  // stay where the training ended
    compare("sae_laminar_seed", c);
}

void bench_sae_laminar_course() {
    compare_on_noise(
        "sae_laminar_course",
        {.d_in = 3072, .n_latent = 6144, .tied = true, .bias = false, .top_k = 2048, .l1 = 1},
        10'240);
}

void bench_sae_palinka() {
    compare_on_noise("sae_palinka",
                     {.d_in = 768, .n_latent = 6144, .tied = true, .bias = false, .top_k = 384},
                     220);
}

void bench_sae_batch() {
    compare_on_noise("sae_batch", {.d_in = 768, .n_latent = 3072, .l1 = 1}, 1024);
}

/// Chapter 3 in a process of its own, on GPT-2 small's shape: its peak beside what it allows
/// itself.
void bench_laminar_memory() {
    std::string command = format(
        "build/03_laminar_profile --model %s --quick --epochs 1 --layers 0-1 --fresh "
        "--out out/bench_laminar 2>&1 >/dev/null | sed -n 's/^memory: at most \\(.*\\) MB, allowed "
        "are \\(.*\\) MB$/",
        shape_model);
    double ours = peer_seconds(command + "\\1/p'"), allowed = peer_seconds(command + "\\2/p'");
    add_comparison("laminar_memory", ours, "allowed", allowed, "MB");
}

}  // namespace vimach
