// Sparse autoencoders: gradients against central differences for every tensor and combination of
// terms, one and twenty steps against PyTorch (tests/sae_reference.py records them), the paths
// against each other, and Adam against its formula.
#include "lens/sae.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/files.h"
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

#ifdef VIMACH_DOUBLE
double loss_of(const Sae& sae, const Tensor& x) {
    return total_loss(sae.config, sae_forward_backward(sae, x.matrix()).losses);
}

/// Which latents are active: central differences only hold where a step does not change that.
std::vector<bool> active_set(const Sae& sae, const Tensor& x) {
    std::vector<bool> active;
    for (Real value : encode(sae, x.matrix()).data) active.push_back(value != 0);
    return active;
}

/// The largest gap between a gradient and central differences, over the tensor's numbers whose
/// steps leave the active set as it is, relative to the largest of them.
double gradient_gap(Sae sae, Tensor Sae::*member, const Tensor& grad, const Tensor& x) {
    constexpr double h = 1e-5;
    Tensor& tensor = sae.*member;
    std::vector<bool> active = active_set(sae, x);
    double worst = 0, scale = 0;
    int64_t n_checked = 0;
    REQUIRE(grad.shape == tensor.shape);
    for (size_t i = 0; i < tensor.data.size(); ++i) {
        Real kept = tensor.data[i];
        tensor.data[i] = kept + static_cast<Real>(h);
        bool same = active_set(sae, x) == active;
        double above = loss_of(sae, x);
        tensor.data[i] = kept - static_cast<Real>(h);
        same = same && active_set(sae, x) == active;
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
#endif

void read_numbers(std::istream& in, Tensor& to) {
    for (Real& value : to.data) in >> value;
    REQUIRE(in.good());
}

/// The weights that a config has, in the order of the fixture.
std::vector<Tensor*> weights_of(const SaeConfig& c, Tensor& W_enc, Tensor& b_enc, Tensor& W_dec,
                                Tensor& b_dec) {
    std::vector<Tensor*> list;
    if (!c.tied) list.push_back(&W_enc);
    if (c.bias) list.push_back(&b_enc);
    list.push_back(&W_dec);
    if (c.bias) list.push_back(&b_dec);
    return list;
}

std::vector<Tensor*> weights_of(Sae& sae) {
    return weights_of(sae.config, sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec);
}

/// Reads tensors in the shape of some others and checks that they agree.
void check_next(std::istream& in, const std::vector<Tensor*>& ours, double tolerance) {
    for (Tensor* tensor : ours) {
        Tensor theirs(tensor->shape);
        read_numbers(in, theirs);
        CHECK(test::largest_gap(*tensor, theirs) < tolerance);
    }
}

}  // namespace

#ifdef VIMACH_DOUBLE
TEST_CASE("sae: every gradient agrees with central differences, in every combination of terms") {
    // The error of a central difference is h^2 f''' / 6 + 1e-16 / h: about 1e-10 here; weights of
    // the encoder see the decorrelation's fourth powers and lose another digit or two.
    constexpr double tolerance = 1e-7;
    int n_combination = 0;
    for (int bits = 0; bits < 384; ++bits) {
        int rule = bits / 64 % 3;  // all, top-k, top-k with ties
        SaeConfig config = {.d_in = 5,
                            .n_latent = (bits & 1) != 0 ? 7 : 19,  // below and above the 11 rows
                            .tied = (bits & 2) != 0,
                            .bias = (bits & 4) != 0,
                            .activation = (bits & 8) != 0 ? Activation::gelu : Activation::relu,
                            .top_k = rule == 0 ? 0 : 3,
                            .keep_ties = rule == 2,
                            .l1 = (bits & 16) != 0 ? 0.7 : 0,
                            .decorrelation = (bits & 32) != 0 ? 0.3 : 0,
                            .sparse_below = bits < 192 ? 0.0 : 1.0};  // products, lists
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
    CHECK(n_combination == 384);
}
#endif

TEST_CASE("sae: losses, gradients, one and twenty steps of Adam agree with PyTorch") {
    // Adam divides by the gradient's size, so float errors of tiny gradients grow to the size of
    // the step; in float the weights are compared to a tenth of one step after 1, two after 20.
    const bool is_double = sizeof(Real) == 8;
    std::istringstream in(read_text(find_in_project("tests/fixtures/sae_torch.txt")));
    int n_case = 0;
    in >> n_case;
    REQUIRE(n_case == 5);
    for (int i = 0; i < n_case; ++i) {
        CAPTURE(i);
        SaeConfig c;
        int64_t n_row = 0;
        int gelu = 0;
        SaeAdam adam;
        in >> c.d_in >> c.n_latent >> n_row >> c.tied >> c.bias >> gelu >> c.top_k >> c.keep_ties;
        in >> c.l1 >> c.decorrelation >> adam.settings.learning_rate;
        c.activation = gelu != 0 ? Activation::gelu : Activation::relu;
        Rng rng(1);
        Sae sae = random_sae(c, rng);
        Tensor x({n_row, c.d_in});
        read_numbers(in, x);
        for (Tensor* weight : weights_of(sae)) read_numbers(in, *weight);

        SaeStep step = sae_forward_backward(sae, x.matrix());
        double mse = 0, l1 = 0, together = 0;
        in >> mse >> l1 >> together;
        double close = is_double ? 1e-13 : 2e-6;
        CHECK(std::abs(step.losses.mse - mse) < close);
        CHECK(std::abs(step.losses.l1 - l1) < close);
        if (c.decorrelation > 0) CHECK(std::abs(step.losses.decorrelation - together) < close);
        SaeGradients& g = step.grad;
        check_next(in, weights_of(c, g.W_enc, g.b_enc, g.W_dec, g.b_dec), close);

        double rate = adam.settings.learning_rate;
        adam_step(sae, step.grad, adam);
        check_next(in, weights_of(sae), is_double ? 1e-12 : 0.1 * rate);
        for (int n = 2; n <= 20; ++n) sae_train_step(sae, x.matrix(), adam);
        check_next(in, weights_of(sae), is_double ? 1e-11 : 2 * rate);
    }
}

TEST_CASE("sae: the two forms of the decorrelation are one") {
    for (int64_t n_latent : {3, 12, 40}) {
        Tensor z = random_rows(12, n_latent, 7);
        Decorrelation a = decorrelation_by_covariance(z), b = decorrelation_by_gram(z);
        double close = sizeof(Real) == 8 ? 1e-12 : 2e-4;
        CHECK(std::abs(a.value - b.value) < close * a.value);
        CHECK(test::largest_gap(a.grad_latents, b.grad_latents) < close * 10);
        CHECK(a.value > 0);
    }
    Tensor one_row({1, 4});
    test::check_contains(test::error_of([&] { decorrelation(one_row); }), "two rows or more");
}

TEST_CASE("sae: lists of active latents and dense products take the same step") {
    // Widths beyond one strip of registers, with and without a rest; more rows and latents than one
    // tile, large tiles (few are active) and small; one row; 6.8 million latents, so two blocks.
    struct Shape {
        int64_t n_row, d_in, n_latent, top_k;
    };
    for (Shape shape :
         {Shape{9, 5, 7, 0}, Shape{1, 40, 70, 0}, Shape{40, 130, 300, 20}, Shape{300, 280, 520, 0},
          Shape{300, 130, 600, 40}, Shape{1700, 20, 4000, 40}}) {
        for (int bits = 0; bits < 4; ++bits) {
            SaeConfig config = {.d_in = shape.d_in,
                                .n_latent = shape.n_latent,
                                .tied = (bits & 1) != 0,
                                .bias = (bits & 2) != 0,
                                .top_k = shape.top_k,
                                .l1 = 0.3,
                                .sparse_below = 0};
            CAPTURE(shape.d_in);
            CAPTURE(bits);
            Rng rng(3);
            Sae dense = random_sae(config, rng), lists = dense;
            lists.config.sparse_below = 1;
            Tensor x = random_rows(shape.n_row, shape.d_in, 4);
            SaeStep a = sae_forward_backward(dense, x.matrix());
            SaeStep b = sae_forward_backward(lists, x.matrix());
            double close = sizeof(Real) == 8 ? 1e-14 : 2e-6;
            CHECK(std::abs(a.losses.mse - b.losses.mse) < close * a.losses.mse);
            CHECK(std::abs(a.losses.l1 - b.losses.l1) < close * a.losses.l1);
            CHECK(a.active_share == b.active_share);
            CHECK(test::largest_gap(a.grad.W_enc, b.grad.W_enc) < close);
            CHECK(test::largest_gap(a.grad.W_dec, b.grad.W_dec) < close);
            CHECK(test::largest_gap(a.grad.b_enc, b.grad.b_enc) < close);
            CHECK(test::largest_gap(a.grad.b_dec, b.grad.b_dec) < close);

            // The fused step is the gradient's and the optimiser's in one.
            SaeAdam apart, fused;
            Sae stepped = lists;
            adam_step(stepped, b.grad, apart);
            SaeTrained trained = sae_train_step(lists, x.matrix(), fused);
            CHECK(trained.losses.mse == b.losses.mse);
            CHECK(fused.n_step == 1);
            CHECK(test::largest_gap(stepped.W_enc, lists.W_enc) < 1e-9);
            CHECK(test::largest_gap(stepped.W_dec, lists.W_dec) < 1e-9);
            CHECK(test::largest_gap(stepped.b_enc, lists.b_enc) < 1e-9);
            CHECK(test::largest_gap(stepped.b_dec, lists.b_dec) < 1e-9);
        }
    }
}

TEST_CASE("sae: weights and biases begin as wide as their inputs say") {
    for (bool tied : {false, true}) {
        Rng rng(5);
        Sae sae = random_sae({.d_in = 400, .n_latent = 900, .tied = tied}, rng);
        auto check_range = [](const Tensor& t, double limit) {
            auto [low, high] = std::ranges::minmax(t.data);
            CHECK(high <= limit);
            CHECK(low >= -limit);
            CHECK(high > 0.95 * limit);
            CHECK(low < -0.95 * limit);
        };
        if (!tied) check_range(sae.W_enc, 1.0 / 20);
        check_range(sae.b_enc, 1.0 / 20);
        check_range(sae.W_dec, tied ? 1.0 / 20 : 1.0 / 30);
        check_range(sae.b_dec, 1.0 / 30);
    }
}

TEST_CASE("sae: a batch of several blocks of rows has the penalties' gradients of one batch") {
    // Of a single positive input latent j is w_j x, and the decoder is 0, so that L1 is the mean of
    // w times that of x, and a covariance w_j w_l var(x). The 6.4 million latents fill two blocks.
    constexpr int64_t n_row = 100'000, n_latent = 64;
    constexpr double l1 = 1, decorrelation = 0.5;
    Rng rng(1);
    Sae sae = random_sae(
        {.d_in = 1, .n_latent = n_latent, .bias = false, .l1 = l1, .decorrelation = decorrelation},
        rng);
    std::ranges::fill(sae.W_dec.data, Real(0));
    double squares = 0;
    for (int64_t j = 0; j < n_latent; ++j) {
        sae.W_enc.data[j] = Real(0.125) * static_cast<Real>(1 + j % 3);
        squares += double{sae.W_enc.data[j]} * sae.W_enc.data[j];
    }
    Tensor x({n_row, 1});
    for (int64_t i = 0; i < n_row; ++i) x.data[i] = i < n_row / 2 ? 1 : 2;
    double mean = 1.5, variance = 0.25 * n_row / (n_row - 1);
    SaeStep step = sae_forward_backward(sae, x.matrix());
    for (int64_t j = 0; j < n_latent; ++j) {
        double w = sae.W_enc.data[j];
        double expected =
            l1 * mean / n_latent + decorrelation * 4 * variance * variance * w * (squares - w * w);
        CHECK(step.grad.W_enc.data[j] == doctest::Approx(expected).epsilon(1e-3));
    }
}
