// Sparse autoencoders: gradients against central differences for every tensor and combination of
// terms, one and twenty steps against PyTorch (tests/sae_reference.py records them), the paths
// against each other, and Adam against its formula.
#include "lens/sae.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "lens/decorrelation.h"
#include "support.h"

using namespace vimach;

namespace {

Tensor random_rows(int64_t n_row, int64_t cols, uint64_t seed) {
    Tensor x({n_row, cols});
    Rng rng(seed);
    for (Real& value : x.data) value = static_cast<Real>(rng.normal());
    return x;
}

double loss_of(const Sae& sae, const Tensor& x) {
    return total_loss(sae.config, sae_forward_backward(sae, x.matrix()).losses);
}

/// Which latents are live: central differences only hold where a step does not change that.
std::vector<bool> live_set(const Sae& sae, const Tensor& x) {
    std::vector<bool> live;
    for (Real value : encode(sae, x.matrix()).data) live.push_back(value != 0);
    return live;
}

/// The largest gap between a gradient and central differences, over the tensor's numbers whose
/// steps leave the live set as it is, relative to the largest of them.
double gradient_gap(Sae sae, Tensor Sae::*member, const Tensor& grad, const Tensor& x) {
    constexpr double h = 1e-5;
    Tensor& tensor = sae.*member;
    std::vector<bool> live = live_set(sae, x);
    double worst = 0, scale = 0;
    int64_t n_checked = 0;
    REQUIRE(grad.shape == tensor.shape);
    for (size_t i = 0; i < tensor.data.size(); ++i) {
        Real kept = tensor.data[i];
        tensor.data[i] = kept + static_cast<Real>(h);
        bool same = live_set(sae, x) == live;
        double above = loss_of(sae, x);
        tensor.data[i] = kept - static_cast<Real>(h);
        same = same && live_set(sae, x) == live;
        double below = loss_of(sae, x);
        tensor.data[i] = kept;
        if (!same) continue;
        ++n_checked;
        worst = std::max(worst, std::abs((above - below) / (2 * h) - grad.data[i]));
        scale = std::max(scale, std::abs(double{grad.data[i]}));
    }
    CHECK(n_checked * 2 > static_cast<int64_t>(tensor.data.size()));
    return scale > 0 ? worst / scale : worst;
}

}  // namespace

#ifdef VIMACH_DOUBLE
TEST_CASE("sae: every gradient agrees with central differences, in every combination of terms") {
    // The error of a central difference is h^2 f''' / 6 + 1e-16 / h: about 1e-10 here; weights of
    // the encoder see the decorrelation's fourth powers and lose another digit or two.
    constexpr double tolerance = 1e-7;
    int n_combination = 0;
    for (int bits = 0; bits < 192; ++bits) {
        int rule = bits / 64;  // all, top-k, top-k with ties
        SaeConfig config = {.d_in = 5,
                            .n_latent = (bits & 1) != 0 ? 7 : 19,  // below and above the 11 rows
                            .tied = (bits & 2) != 0,
                            .bias = (bits & 4) != 0,
                            .activation = (bits & 8) != 0 ? Activation::gelu : Activation::relu,
                            .top_k = rule == 0 ? 0 : 3,
                            .keep_ties = rule == 2,
                            .l1 = (bits & 16) != 0 ? 0.7 : 0,
                            .decorrelation = (bits & 32) != 0 ? 0.3 : 0};
        CAPTURE(bits);
        Rng rng(static_cast<uint64_t>(bits) + 1);
        Sae sae = random_sae(config, rng);
        Tensor x = random_rows(11, 5, 2);
        SaeStep step = sae_forward_backward(sae, x.matrix());
        if (!config.tied) {
            CHECK(gradient_gap(sae, &Sae::W_enc, step.grad.W_enc, x) < tolerance);
        }
        CHECK(gradient_gap(sae, &Sae::W_dec, step.grad.W_dec, x) < tolerance);
        if (config.bias) {
            CHECK(gradient_gap(sae, &Sae::b_enc, step.grad.b_enc, x) < tolerance);
            CHECK(gradient_gap(sae, &Sae::b_dec, step.grad.b_dec, x) < tolerance);
        }
        ++n_combination;
    }
    CHECK(n_combination == 192);
}
#endif
