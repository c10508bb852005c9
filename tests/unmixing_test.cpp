// Chapter 1: its data against known numbers, its scores against definitions, its trainings against
// PyTorch's as distributions over random starts (tests/unmixing_reference.py records them).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "chapters/01_sparse_autoencoder/controls.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "lens/sae.h"
#include "math/stats.h"

using namespace vimach;
using namespace vimach::unmixing;

namespace {

/// Latents [n, columns] from columns.
Matrix from_columns(const std::vector<std::vector<double>>& columns) {
    Matrix m(static_cast<int64_t>(columns[0].size()), static_cast<int64_t>(columns.size()));
    for (int64_t j = 0; j < m.cols; ++j) {
        for (int64_t i = 0; i < m.rows; ++i) m.at(i, j) = columns[j][i];
    }
    return m;
}

/// Weaker |r|, redundancy and final MSE of 30 trainings: what PyTorch's script records.
struct Outcomes {
    std::vector<double> weaker, redundancy, mse;
};

Outcomes train_thirty(double weight) {
    Matrix sources = make_sources(3000);
    Tensor x = to_tensor(mix(sources));
    constexpr int64_t n = 30;
    Outcomes out = {std::vector<double>(n), std::vector<double>(n), std::vector<double>(n)};
    parallel_for(n, [&](int64_t i) {
        Rng rng(500 + static_cast<uint64_t>(i));
        Sae sae =
            random_sae({.d_in = 2, .n_latent = 20, .l1 = weight, .decorrelation = weight}, rng);
        SaeAdam adam = {.settings = {.learning_rate = 0.007}};
        for (int epoch = 0; epoch < 600; ++epoch) {
            adam_step(sae, sae_forward_backward(sae, x.matrix()).grad, adam);
        }
        Score score = score_latents(to_matrix(encode(sae, x.matrix())), sources);
        out.weaker[i] = std::min(std::abs(score.r[sine]), std::abs(score.r[step]));
        out.redundancy[i] = score.redundancy;
        out.mse[i] = sae_forward_backward(sae, x.matrix()).losses.mse;
    });
    return out;
}

Outcomes recorded(const std::string& wanted) {
    std::istringstream in(read_text(find_in_project("tests/fixtures/unmixing_torch.txt")));
    Outcomes out;
    std::string arm;
    double weaker, redundancy, mse;
    while (in >> arm >> weaker >> redundancy >> mse) {
        if (arm != wanted) continue;
        out.weaker.push_back(weaker);
        out.redundancy.push_back(redundancy);
        out.mse.push_back(mse);
    }
    return out;
}

/// Mann and Whitney's rank test: U's standard deviation is sqrt((n + m + 1) / (12 n m)) around 1/2;
/// 3.3 of them leave one test in a thousand to chance.
void check_same(const char* name, const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == 30);
    REQUIRE(b.size() == 30);
    double deviation = std::sqrt(61.0 / (12 * 30 * 30));
    CHECK_MESSAGE(std::abs(auc(a, b) - 0.5) < 3.3 * deviation, name);
}

}  // namespace

TEST_CASE("chapter 1: the data have the published moments") {
    Matrix sources = make_sources(3000), mixed = mix(sources);
    std::vector<double> z1 = column(sources, sine), x1 = column(mixed, 0), x2 = column(mixed, 1);
    CHECK(correlation(z1, column(sources, step)) == doctest::Approx(-0.000272).epsilon(2e-3));
    CHECK(std::abs(correlation(x1, x2) - 0.830020) < 5e-7);
    CHECK(std::abs(mean(x1) - 1.6002) < 5e-5);
    CHECK(std::abs(mean(x2) - 1.4003) < 5e-5);

    // Biased variances, and the error of predicting the mean: their average.
    double v1 = variance(x1) * 2999 / 3000, v2 = variance(x2) * 2999 / 3000;
    CHECK(std::abs(v1 - 0.8595) < 5e-5);
    CHECK(std::abs(v2 - 1.0795) < 5e-5);
    CHECK(std::abs((v1 + v2) / 2 - 0.969484) < 5e-7);
    CHECK(std::ranges::count(column(sources, step), 1.0) == 1);  // sign(0) = 0, once

    std::vector<double> half_wave = z1;
    for (double& value : half_wave) value = std::max(value - 1, 0.0);
    CHECK(std::abs(correlation(z1, half_wave) - 0.917) < 5e-4);
}

TEST_CASE("chapter 1: the page's two ceilings of a latent that is dead half of the time") {
    Matrix sources = make_sources(3000);
    std::vector<double> a = column(sources, sine), b = column(sources, step);
    struct Latent {
        double r, live;
    };
    auto latent = [&](double weight, double bias) {
        std::vector<double> z(a.size());
        for (size_t i = 0; i < z.size(); ++i) {
            z[i] = std::max(a[i] - 1 + weight * (b[i] - 1) + bias, 0.0);
        }
        auto live = std::ranges::count_if(z, [](double v) { return v > 0; });
        return Latent{correlation(a, z), static_cast<double>(live) / 3000};
    };

    // With the sine alone |r| reaches 0.95 where 57 % of the samples are live.
    double bias = 0;
    while (latent(0, bias).r < 0.95) bias += 0.001;
    CHECK(std::abs(latent(0, bias).live - 0.57) < 0.005);

    // With some of the step as well, and half of the samples at most, it stays below.
    double best = 0;
    for (double weight = -0.5; weight < 0.5; weight += 0.01) {
        for (bias = -0.3; bias < 0.3; bias += 0.01) {
            Latent z = latent(weight, bias);
            if (z.live <= 0.5) best = std::max(best, z.r);
        }
    }
    CHECK(std::abs(best - 0.936) < 2e-3);
}

TEST_CASE("chapter 1: scores mean what they say") {
    Matrix sources = make_sources(600);
    std::vector<double> a = column(sources, sine), b = column(sources, step), minus_b = b;
    for (double& value : minus_b) value = 5 - value;
    std::vector<double> dead(600), both;
    for (size_t i = 0; i < 600; ++i) both.push_back(a[i] + 0.9 * b[i]);

    // Perfect latents, one of them upside down, and a dead one.
    Score perfect = score_latents(from_columns({dead, minus_b, a}), sources);
    CHECK(perfect.r[sine] == doctest::Approx(1));
    CHECK(perfect.r[step] == doctest::Approx(-1));
    CHECK((perfect.latent[sine] == 2 && perfect.latent[step] == 1));
    CHECK(perfect.n_live == 2);
    CHECK(perfect.redundancy < 0.05);
    CHECK(perfect.sharpness == doctest::Approx(1));
    CHECK(perfect.recovered(0.95));

    // One latent cannot serve two sources; copies are redundant.
    Score shared = score_latents(from_columns({both, dead}), sources);
    CHECK(std::abs(shared.best[sine]) > 0.6);
    CHECK(std::abs(shared.best[step]) > 0.6);
    CHECK(std::min(std::abs(shared.r[sine]), std::abs(shared.r[step])) == 0);
    Score copies = score_latents(from_columns({a, a, a}), sources);
    CHECK(copies.redundancy == doctest::Approx(1));

    // A step that takes several samples is not sharp.
    std::vector<double> smooth = b;
    for (size_t i = 4; i < 600; ++i) smooth[i] = (b[i] + b[i - 1] + b[i - 2] + b[i - 3]) / 4;
    CHECK(edge_sharpness(smooth, sources) == doctest::Approx(0.25).epsilon(0.01));
    CHECK(half_time({1, 4, 3, 2.4, 1, 0}) == 4);
    CHECK(half_time({1, 2, 3}) == 3);  // never comes down
}

TEST_CASE("chapter 1: an SAE built as the identity has no error and no gap") {
    Rng rng(1);
    Sae sae = random_sae({.d_in = 2, .n_latent = 4}, rng);
    sae.W_enc.data = {1, -1, 0, 0, 0, 0, 1, -1};  // x = relu(x) - relu(-x)
    sae.W_dec.data = {1, 0, -1, 0, 0, 1, 0, -1};
    std::ranges::fill(sae.b_enc.data, Real(0));
    std::ranges::fill(sae.b_dec.data, Real(0));
    Tensor x = to_tensor(mix(make_sources(50)));
    for (Real& value : x.data) value -= Real(1.23);
    CHECK(identity_gap(sae, x.matrix()) == 0);
    CHECK(summarise(sae, x.matrix()).fvu < 1e-12);
    sae.W_dec.data[0] = 2;
    CHECK(identity_gap(sae, x.matrix()) > 0.1);
}

TEST_CASE("measures: shares come with Wilson's interval") {
    Measure m = share_measure(8, 10);
    CHECK(m.interval.low == doctest::Approx(0.4902).epsilon(1e-3));
    CHECK(m.interval.high == doctest::Approx(0.9433).epsilon(1e-3));
    CHECK(share_measure(0, 20).interval.low == doctest::Approx(0));
    Measure null = sign_flip_null({1, 1, 1, 1}, 1000, 1);
    CHECK(null.interval.low < -0.4);
    CHECK(null.interval.high > 0.4);
}

TEST_CASE("chapter 1: outcomes over random starts are distributed as PyTorch's") {
    for (const char* arm : {"both", "none"}) {
        Outcomes ours = train_thirty(arm == std::string("both") ? 0.01 : 0), theirs = recorded(arm);
        check_same("weaker |r|", ours.weaker, theirs.weaker);
        check_same("redundancy", ours.redundancy, theirs.redundancy);
        check_same("MSE", ours.mse, theirs.mse);
    }
}
