// Chapter 1: can a sparse autoencoder (SAE) unmix two sources, and what does each penalty do?
// Method: a sine and a step are mixed; an SAE 2 -> 20 -> 2 learns to rebuild the mixture; each
// latent is compared with each source. The same without penalties, and without training.
// You will see: how the loss falls, and how often both sources are found, trained or not.
// Run: build/01_sparse_autoencoder --preset notebook --seed 7

#include <cmath>
#include <numbers>

#include "figures.h"
#include "lens/decorrelation.h"
#include "math/vector_ops.h"
#include "model/layers.h"
#include "show/page.h"
#include "tables.h"

namespace vimach::ch01 {

struct Settings {
    Activation activation;
    double learning_rate, l1, decorrelation;  // the penalties' weights: see --sweep
    int64_t n_epoch = 600, n_latent = 20, n_sample = 3000, n_start = 20, n_untrained = 600;
};

// clang-format off
//                        activation         rate    l1    decorrelation
const Settings document = {Activation::relu, 0.007,  0.01, 0.01};
const Settings notebook = {Activation::gelu, 0.0007, 1.0,  0.0};
// clang-format on

const ChapterInfo info = {
    .name = "01_sparse_autoencoder",
    .purpose = "Chapter 1: can a sparse autoencoder unmix two sources?",
    .lecture =
        "An SAE learns to rebuild a mixed sine and step; one of its latents then follows "
        "the sine, another the step.",
    .options = {{"--sweep", "", "try penalty weights against each other, and nothing else"}},
    .has_model = false};

/// The sources [n, 2]: 1 + sin t and 1 + sign(sin 3t), t from 0 to 14 pi.
Matrix make_sources(int64_t n) {
    Matrix sources(n, 2);
    for (int64_t i = 0; i < n; ++i) {
        double t = 14 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n - 1);
        double wave = std::sin(3 * t);
        sources.at(i, sine) = std::sin(t) + 1;
        sources.at(i, step) = wave > 0 ? 2 : wave < 0 ? 0 : 1;
    }
    return sources;
}

/// What mixes them, x = sources M: each observed variable is a weighted sum of both sources.
const Matrix mixing(2, 2, {1, 0.4, 0.6, 1});

/// What a forward pass leaves for the backward pass.
struct Forward {
    Tensor pre_acts, latents;  // [n_sample, n_latent]
    Tensor error;              // recon - x, [n_sample, 2]
    Tensor Zc, C;              // centred latents; their covariance without its diagonal
    SaeLosses losses;          // each term without its weight
};

Forward forward(const Sae& sae, const Tensor& x) {
    // Encode: latents = act(x W_enc + b_enc), with ReLU or exact GELU, v Phi(v).
    Forward f;
    bool relu = sae.config.activation == Activation::relu;
    f.pre_acts = f.latents = linear(x, sae.W_enc, sae.b_enc);
    for (Real& v : f.latents.data) v = relu ? std::max(v, Real(0)) : v * vector_normal(v).cdf;

    // Decode: recon = latents W_dec + b_dec. What it misses is the error.
    f.error = linear(f.latents, sae.W_dec, sae.b_dec);
    for (size_t i = 0; i < x.data.size(); ++i) f.error.data[i] -= x.data[i];

    // MSE = mean error^2, L1 = mean |latents|, and decorrelation D = sum of C_jl^2 over j != l,
    // where C = Zc^T Zc / (n_sample - 1) is the covariance of the latents.
    f.losses.mse = sum_of_squares(f.error.data) / static_cast<double>(x.size());
    f.losses.l1 = sum_of_sizes(f.latents.data) / static_cast<double>(f.latents.size());
    if (sae.config.decorrelation == 0) return f;
    f.Zc = centred_columns(f.latents);
    f.C = product(f.Zc, f.Zc, {.transpose_a = true, .alpha = 1 / static_cast<Real>(x.rows() - 1)});
    for (int64_t j = 0; j < f.C.rows(); ++j) f.C.row(j)[j] = 0;
    for (Real value : f.C.data) f.losses.decorrelation += double{value} * value;
    return f;
}

/// Undoes the forward pass, last line first; grad_y is the derivative by y of the loss
/// MSE + l1 L1 + decorrelation D, with the weights of sae.config.
SaeGradients backward(const Sae& sae, const Tensor& x, const Forward& f) {
    SaeGradients grad = {.b_enc = Tensor(sae.b_enc.shape), .b_dec = Tensor(sae.b_dec.shape)};

    // MSE = mean error^2
    Tensor grad_recon = f.error;
    for (Real& g : grad_recon.data) g *= static_cast<Real>(2 / static_cast<double>(x.size()));

    // recon = latents W_dec + b_dec
    grad.W_dec = product(f.latents, grad_recon, {.transpose_a = true});
    add_column_sums(grad_recon.matrix(), grad.b_dec);
    Tensor grad_latents = product(grad_recon, sae.W_dec, {.transpose_b = true});

    // D = sum C_jl^2, C = Zc^T Zc / (n_sample - 1)
    if (auto weight = static_cast<Real>(sae.config.decorrelation); weight > 0) {
        Tensor grad_D = product(f.Zc, f.C, {.alpha = 4 * (1 / static_cast<Real>(x.rows() - 1))});
        std::span<Real> g = grad_latents.data;
        for (size_t i = 0; i < g.size(); ++i) g[i] += weight * grad_D.data[i];
    }

    // L1 = mean |latents|, latents = act(pre_acts); the slope of v Phi(v) is Phi(v) + v phi(v)
    bool relu = sae.config.activation == Activation::relu;
    auto l1 = static_cast<Real>(sae.config.l1 / static_cast<double>(f.latents.size()));
    Tensor grad_pre(f.pre_acts.shape);
    for (size_t i = 0; i < grad_pre.data.size(); ++i) {
        Real z = f.latents.data[i], v = f.pre_acts.data[i];
        Real g = grad_latents.data[i] + (z > 0 ? l1 : z < 0 ? -l1 : 0);
        Normal at = relu ? Normal{Real(v > 0), 0} : vector_normal(v);
        grad_pre.data[i] = g * (at.cdf + v * at.density);
    }

    // pre_acts = x W_enc + b_enc
    grad.W_enc = product(x, grad_pre, {.transpose_a = true});
    add_column_sums(grad_pre.matrix(), grad.b_enc);
    return grad;
}

/// Trains an SAE with the penalties of an arm from a random start; or leaves it as it starts.
Run train(const Settings& s, const Arm& arm, const Tensor& x, const Matrix& sources,
          uint64_t start) {
    Rng rng(start);
    SaeConfig config = {.d_in = 2, .n_latent = s.n_latent, .activation = s.activation};
    config.l1 = arm.l1, config.decorrelation = arm.decorrelation;
    Sae sae = random_sae(config, rng);
    for (Real& w : sae.W_enc.data) w += static_cast<Real>(arm.nudge * rng.normal());  // for 1e
    SaeAdam adam = {.settings = {.learning_rate = s.learning_rate}};
    std::vector<SaeLosses> losses;
    for (int64_t epoch = 0;; ++epoch) {
        Forward f = forward(sae, x);
        losses.push_back(f.losses);
        if (epoch == s.n_epoch || !arm.trained) return examine(sae, x, sources, losses);
        adam_step(sae, backward(sae, x, f), adam);
    }
}

void chapter(const Options& options, Page& page) {
    Settings s = options.preset() == "document" ? document : notebook;
    if (options.has("--quick")) s.n_start = 6, s.n_untrained = 200;
    uint64_t seed = options.seed();
    page.about("%ld samples, 2 -> %ld -> 2, %s, Adam %g, %ld epochs", s.n_sample, s.n_latent,
               s.activation == Activation::relu ? "ReLU" : "GELU", s.learning_rate, s.n_epoch);
    page.about("weights: L1 %g, decorrelation %g", s.l1, s.decorrelation);

    page.step("Make two sources that do not correlate, and mix them.");
    Matrix sources = make_sources(s.n_sample), mixed = product(sources, mixing);
    Tensor x = to_tensor(mixed);
    Trainer trainer = [&](const Arm& arm, auto start) { return train(s, arm, x, sources, start); };
    if (options.has("--sweep")) return page.only(sweep_table(trainer, 2 * s.n_start, seed));
    page.table("What the SAE is to find, and what it sees", data_table(sources, mixed));
    page.figure(data_figure(sources, mixed));
    page.claim("1a", mixtures_correlate(sources, mixed, mixing));

    page.step("See what a linear method can do: PCA finds the plane, not the sources in it.");
    page.table("Directions in the plane, by |r|", linear_methods(sources, mixed, seed));

    page.step("Train from many starts with both penalties, without one, without both.");
    Arms arms = train_arms(trainer, s.l1, s.decorrelation, s.n_start, seed);
    const Arm &both = arms.both, &none = arms.none;
    page.table("Terms of the loss in the first training, without weights", loss_table(both));
    page.figure(loss_figure(both));
    page.claim("1c", mse_falls_first(both, none));
    page.claim("1c rise", l1_rises(both, none));

    page.step("Compare every latent with every source, and with untrained SAEs.");
    Arm chance = untrained_arm(trainer, s.n_untrained, seed + 1);
    page.say(followers(both));
    page.figure(found_figure(both, sources, mixed));
    page.claim("1b", recovery(both, chance));
    page.claim("1g", size_tells(both));

    page.step("Leave penalties out: what does each of them do?");
    page.table("Trainings from the same starts", ablation_table(arms));
    page.figure(together_figure(arms));
    page.figure(redundancy_figure(arms));
    page.claim("1d L1", redundancy_without(arms.no_l1, both, seed));
    page.claim("1d decorrelation", redundancy_without(arms.no_decorrelation, both, seed));
    page.claim("1d recovery", recovery_lost(arms, seed));

    page.step("Look at the edges of the step, start by start.");
    page.say(sharpness_text(both, sources));
    page.claim("1e", edges_blunted(both, arms.nudged, sources));

    page.step("Ask whether an SAE without penalties is the identity.");
    page.claim("1f error", error_vanishes(none, arms.untrained));
    page.claim("1f identity", is_identity(none, arms.untrained));

    page.answer(answer(arms, chance), recovery_figure(arms, chance));
}

}  // namespace vimach::ch01

int main(int argc, char** argv) {
    return vimach::run_chapter(argc, argv, vimach::ch01::info, vimach::ch01::chapter);
}
