// Chapter 5: each claim once on simulated data on which it holds and once on which it does not,
// with the control that the chapter has; and its functions against definitions and
// against what a valid test must do where there is nothing to find.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "chapters/05_him_her_ged/controls.h"
#include "chapters/05_him_her_ged/patch.h"
#include "chapters/05_him_her_ged/rivals.h"
#include "chapters/05_him_her_ged/tokens.h"
#include "core/rng.h"
#include "tests/verdict_of.h"

using namespace vimach;
using namespace vimach::ch05;

namespace {

constexpr Draws few = {.n_swap = 99,
                       .n_null = 20,
                       .n_bootstrap = 99,
                       .n_random = 99,
                       .n_noise = 40,
                       .n_rival = 20,
                       .n_patch = 20,
                       .n_sae_step = 30,
                       .n_fold = 5,
                       .seed = 1};

Verdict verdict(const std::string& id, const Finding& finding) {
    return test::verdict_of("05_him_her_ged", id, finding);
}
Verdict verdict(const std::string& id, const Measure& measured,
                const std::vector<Control>& controls) {
    return verdict(id, Finding{measured, controls, {}});
}

/// Every number at random, times the scale of its column (the last one serves the rest).
Matrix noise(int64_t rows, int64_t cols, uint64_t seed, const std::vector<double>& scales = {1}) {
    Rng rng(seed);
    Matrix m(rows, cols);
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < cols; ++j) {
            m.at(i, j) = rng.normal() * scales[std::min<size_t>(j, scales.size() - 1)];
        }
    }
    return m;
}

/// Every group its own.
std::vector<int64_t> singles(int64_t n) {
    std::vector<int64_t> group(static_cast<size_t>(n));
    std::iota(group.begin(), group.end(), 0);
    return group;
}

/// Pairs that differ by nothing, by variance (him along axis 0, her along axis 1), or by the mean.
Pairs alike(int64_t n, int64_t d, uint64_t seed) {
    return {noise(n, d, seed), noise(n, d, seed + 1000), singles(n)};
}
Pairs by_variance(int64_t n, int64_t d, double factor, uint64_t seed) {
    return {noise(n, d, seed, {factor, 1, 1}), noise(n, d, seed + 1000, {1, factor, 1}),
            singles(n)};
}
Pairs by_mean(int64_t n, int64_t d, double shift, uint64_t seed) {
    Pairs pairs = alike(n, d, seed);
    for (int64_t i = 0; i < n; ++i) pairs.him.at(i, 0) += shift;
    return pairs;
}

const GedSettings all_of_it = {.share = 1};
constexpr auto reproduced = Verdict::reproduced, not_reproduced = Verdict::not_reproduced,
               control_holds = Verdict::control_holds, undecided = Verdict::undecided;

}  // namespace

// --- claims, on data that can make them come out either way --------------------------------------

TEST_CASE("chapter 5, claim 5a: refused where her rows do not span the space") {
    Matrix him = noise(30, 6, 1), her = noise(30, 6, 2), flat = her;
    for (int64_t i = 0; i < 30; ++i) flat.at(i, 5) = flat.at(i, 4);
    auto on = [](const Matrix& a, const Matrix& b) {
        Matrix s = covariance(centred(a)), r = covariance(centred(b));
        Measure cured = refused(s, shrunk(r, 0.01));
        return verdict("5a", beside_shrunk(refused(s, r), cured, singular_by(a.rows, a.cols)));
    };
    CHECK(on(him, flat) == reproduced);
    CHECK(on(him, her) == not_reproduced);
    CHECK(on(noise(6, 6, 1), noise(6, 6, 2)) == Verdict::forced);
    CHECK(singular_by(7, 6) == "");
}

TEST_CASE("chapter 5, claim 5b few: few where the variance is in few directions") {
    auto on = [](const Matrix& him, const Matrix& her) {
        Pca pca = average_pca(centred(him), centred(her));
        return verdict("5b few", kept_share(pca, {}), {noise_share(him, {}, few)});
    };
    CHECK(on(noise(30, 20, 1, {9, 9, 9, 0.1}), noise(30, 20, 2, {9, 9, 9, 0.1})) == reproduced);
    CHECK(on(noise(30, 20, 1), noise(30, 20, 2)) == not_reproduced);
}

TEST_CASE("chapter 5, claim 5b rank: some directions are empty, none once it is shrunk") {
    auto on = [](const Matrix& her) {
        Matrix r = covariance(centred(her));
        Measure cured = missing_rank(shrunk(r, 0.01));
        return verdict("5b rank",
                       beside_shrunk(missing_rank(r), cured, singular_by(her.rows, her.cols)));
    };
    Matrix flat = noise(30, 6, 1);
    for (int64_t i = 0; i < 30; ++i) std::ranges::fill(flat.row(i).subspan(3), 0.0);
    CHECK(on(flat) == reproduced);
    CHECK(on(noise(30, 6, 1)) == not_reproduced);
    CHECK(on(noise(6, 6, 1)) == Verdict::forced);
}

TEST_CASE("chapter 5, claims 5c him and 5c her: in sample") {
    auto on = [](const Pairs& pairs) {
        GedFit fit = fit_ged(pairs.him, pairs.her, all_of_it);
        SwapTest swaps = swap_test(pairs, fit.components, 0.01, few);
        CHECK(swaps.one_for_him.values[0] == swaps.for_him[0]);
        CHECK(swaps.one_for_her.values[0] == swaps.for_her[0]);
        return std::pair(verdict("5c him", exact_measure(fit.a_over_b.values[0]),
                                 {labels_swapped(swaps.for_him)}),
                         verdict("5c her", exact_measure(fit.b_over_a.values[0]),
                                 {labels_swapped(swaps.for_her)}));
    };
    CHECK(on(by_variance(40, 6, 6, 1)) == std::pair(reproduced, reproduced));
    CHECK(on(alike(40, 6, 1)) == std::pair(not_reproduced, not_reproduced));
    CHECK(on(alike(20, 16, 1)) == std::pair(control_holds, control_holds));  // too few pairs
}

TEST_CASE("chapter 5, claim 5c: on pairs left out") {
    auto on = [](const Pairs& pairs, const Pairs& untrained) {
        std::vector<FoldFit> folds = fit_folds(pairs, all_of_it, few.n_fold, 1);
        Squares squares = left_out_squares(pairs, folds);
        return verdict("5c", contrast_measure(squares, pairs.group, few),
                       {swapped_contrast(pairs, all_of_it, few),
                        untrained_contrast(squares, untrained, all_of_it, few)});
    };
    Pairs strong = by_variance(40, 4, 20, 1), none = alike(40, 4, 5);
    CHECK(on(strong, none) == reproduced);
    CHECK(on(none, alike(40, 4, 6)) == not_reproduced);
    CHECK(on(alike(20, 16, 1), alike(20, 4, 5)) == not_reproduced);  // 16 in sample
    CHECK(on(strong, by_variance(40, 4, 20, 7)) == control_holds);

    CHECK_THROWS_AS(on(alike(20, 16, 1), none), Error);

    Pairs one_way = by_variance(40, 4, 20, 1);
    one_way.her = noise(40, 4, 9);  // the claim needs both directions
    CHECK(on(one_way, none) == not_reproduced);
}

TEST_CASE("chapter 5: pairs left out are centred on the means of their own class") {
    Pairs pairs = by_variance(20, 4, 5, 1), moved = pairs;
    for (int64_t i = 0; i < 20; ++i) moved.him.at(i, 0) += 3, moved.her.at(i, 1) -= 50;
    Squares here = left_out_squares(pairs, fit_folds(pairs, all_of_it, 5, 1)),
            there = left_out_squares(moved, fit_folds(moved, all_of_it, 5, 1));
    for (auto part :
         {&Squares::him_forward, &Squares::her_forward, &Squares::him_back, &Squares::her_back}) {
        for (size_t i = 0; i < 20; ++i) {
            CHECK((there.*part)[i] == doctest::Approx((here.*part)[i]).epsilon(1e-6));
        }
    }
}

namespace {

/// Pairs of 6 tokens: him and her part along axis 0 at the pronoun alone, to both sides of 0; along
/// the others both vary alike, and part at random behind it.
std::vector<TokenPair> simulated_tokens(double size) {
    std::vector<TokenPair> out;
    for (uint64_t i = 0; i < 40; ++i) {
        TokenPair pair = {noise(6, 5, i, {0.1, 3}), {}, 2};
        pair.her = pair.him;
        Matrix apart = noise(6, 5, i + 100, {0, 10});
        for (int64_t k = 3 * 5; k < 6 * 5; ++k) pair.her.data[k] += apart.data[k];
        pair.him.at(2, 0) = size;
        pair.her.at(2, 0) = -size;
        out.push_back(pair);
    }
    return out;
}

}  // namespace

TEST_CASE("chapter 5, claims 5d: the gap is at the pronoun, and to both sides") {
    std::vector<TokenPair> tokens = simulated_tokens(1);
    Directions first(tokens.size(), {1, 0, 0, 0, 0}), other(tokens.size(), {0, 1, 0, 0, 0});
    auto gap = [&](const Directions& filters) {
        return verdict("5d gap", gap_share(tokens, filters), {random_gap_share(tokens, few)});
    };
    auto sign = [&](const Directions& filters) {
        return verdict("5d sign", sign_share(tokens, filters), {random_sign_share(tokens, few)});
    };
    CHECK(gap(first) == reproduced);
    CHECK(sign(first) == reproduced);
    CHECK(gap(other) == not_reproduced);
    CHECK(sign(other) == not_reproduced);

    // Where the pronouns are far apart, any direction does.
    tokens = simulated_tokens(1000);
    CHECK(gap(first) == control_holds);
    CHECK(sign(first) == control_holds);

    CHECK(gap_before(tokens, first).value == 0);
    tokens[3].him.at(1, 0) += 0.5;
    CHECK(gap_before(tokens, first).value == doctest::Approx(0.5));
    CHECK(verdict("5d before", gap_before(tokens, first), {}) == not_reproduced);
}

TEST_CASE("chapter 5, claims 5e: GED wins by variance, its rivals by the mean") {
    auto on = [](const Pairs& pairs) {
        std::vector<FoldFit> folds = fit_folds(pairs, all_of_it, few.n_fold, few.seed);
        std::vector<Pairs> latents = fold_latents(pairs, folds, {.n_latent = 32, .top_k = 8}, few);
        Rivals rivals = left_out_scores(pairs, folds, latents);
        SwappedLeads swapped = swapped_leads(pairs, latents, all_of_it, few);
        return std::pair(
            verdict("5e logistic", lead_measure(rivals, rivals.logistic, few),
                    {swapped.over_logistic}),
            verdict("5e sae", lead_measure(rivals, rivals.latent, few), {swapped.over_latent}));
    };
    CHECK(on(by_variance(60, 4, 20, 1)) == std::pair(reproduced, reproduced));
    CHECK(on(by_mean(60, 4, 4, 1)) == std::pair(not_reproduced, not_reproduced));
}

TEST_CASE("chapter 5, claim 5f: filters at an angle, beyond swaps and noise") {
    auto on = [](const Pairs& pairs) {
        GedFit fit = fit_ged(pairs.him, pairs.her, all_of_it);
        SwapTest swaps = swap_test(pairs, fit.components, 0.01, few);
        return verdict("5f", filter_cosine(fit.a_over_b.vectors),
                       {labels_swapped(swaps.angles), noise_cosine(pairs.him, all_of_it, few),
                        pca_cosine(fit.components)});
    };
    // Him's two axes go together and hers against each other; the other rows cancel, unless they
    // are swapped. Rows come with their negatives, so that no swap moves a mean.
    Pairs pairs = {Matrix(160, 2), Matrix(160, 2), {}};
    double a = std::sqrt(3), b = std::sqrt(6), c = std::sqrt(2);
    for (int64_t i = 0; i < 160; ++i) {
        double sign = i % 2 == 0 ? 1 : -1;
        std::vector<double> him = {a, 1}, her = {a, -1}, high = {b, 0}, low = {0, c};
        if (i / 2 >= 40) him = i % 4 < 2 ? high : low;
        if (i / 2 >= 40) her = i % 4 < 2 ? low : high;
        for (int64_t j = 0; j < 2; ++j) {
            pairs.him.at(i, j) = sign * him[j];
            pairs.her.at(i, j) = sign * her[j];
        }
        pairs.group.push_back(i / 2);
    }
    CHECK(on(pairs) == reproduced);
    CHECK(on(alike(30, 6, 1)) == control_holds);

    // Rows along the axes alone: both covariances are diagonal, the filters orthogonal.
    Pairs crossed = {Matrix(8, 4), Matrix(8, 4), singles(8)};
    for (int64_t i = 0; i < 8; ++i) {
        crossed.him.at(i, i / 2) = (i % 2 == 0 ? 1.0 : -1.0) * static_cast<double>(i / 2 + 1);
        crossed.her.at(i, i / 2) = i % 2 == 0 ? 3 : -3;
    }
    CHECK(on(crossed) == not_reproduced);
    CHECK(verdict("5f", filter_cosine(Matrix(1, 4)), {}) == undecided);
}

TEST_CASE("chapter 5, claim 5g: a share of the whole vector's effect, beyond random directions") {
    auto on = [](double filter, double random) {
        PatchPlan plan = {{"a", "b", "c", "d", "e"}, {}};
        Matrix kl = noise(30, 26, 3, {0});
        for (int64_t i = 0; i < 30; ++i) {
            std::ranges::fill(kl.row(i), random * static_cast<double>(1 + i % 3));
            kl.at(i, 0) = 1 + static_cast<double>(i % 3);
            kl.at(i, filter_column) = filter * kl.at(i, 0);
        }
        return verdict("5g", kl_share(kl, filter_column, singles(30), few),
                       {random_kl_share(kl, plan)});
    };
    CHECK(on(0.8, 0.1) == reproduced);
    CHECK(on(0.1, 0.01) == not_reproduced);
    CHECK(on(0.8, 0.9) == control_holds);
    Matrix nothing(5, 6);
    CHECK(verdict("5g", kl_share(nothing, filter_column, singles(5), few), {}) == undecided);
}

// --- functions
// ------------------------------------------------------------------------------------

TEST_CASE("swap test: p is uniform where covariances are equal and means are not") {
    std::vector<double> p_values;
    for (uint64_t trial = 0; trial < 120; ++trial) {
        Pairs pairs = by_mean(20, 8, 3, trial);
        GedFit fit = fit_ged(pairs.him, pairs.her, all_of_it);
        Draws draws = few;
        draws.seed = 1000 + trial;
        SwapTest swaps = swap_test(pairs, fit.components, 0.01, draws);
        p_values.push_back(permutation_p(fit.a_over_b.values[0], swaps.for_him));
    }

    // Kolmogorov and Smirnov's distance from the uniform; 1.63 / sqrt(n) is its 1 % point.
    std::ranges::sort(p_values);
    double distance = 0, n = 120;
    for (size_t i = 0; i < p_values.size(); ++i) {
        distance = std::max(distance, std::abs((static_cast<double>(i) + 0.5) / n - p_values[i]));
    }
    CHECK(distance < 1.63 / std::sqrt(n));
}

TEST_CASE("swap test: the rows of a group are swapped together, and swaps do not see the means") {
    Pairs pairs = {noise(6, 2, 10), noise(6, 2, 11), {0, 1, 1, 2, 3, 1}};
    Matrix him = centred(pairs.him);
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Pairs mixed = swapped(pairs, seed);
        auto kept = [&](int64_t i) { return mixed.him.at(i, 0) == him.at(i, 0); };
        CHECK(kept(1) == kept(2));
        CHECK(kept(1) == kept(5));
    }
    Pairs moved = pairs;
    for (double& value : moved.him.data) value += 100;
    for (size_t k = 0; k < moved.him.data.size(); ++k) {
        CHECK(swapped(moved, 3).him.data[k] == doctest::Approx(swapped(pairs, 3).him.data[k]));
    }
}

TEST_CASE("folds: every pair is left out once, groups together; few groups are left out singly") {
    Pairs pairs = {noise(8, 3, 1), noise(8, 3, 2), {0, 1, 1, 2, 3, 4, 5, 6}};
    for (int64_t n_fold : {3, 7, 11}) {
        std::vector<FoldFit> folds = fit_folds(pairs, all_of_it, n_fold, 1);
        CHECK(std::ssize(folds) == std::min<int64_t>(n_fold, 7));
        std::vector<int64_t> left_out;
        for (const FoldFit& fold : folds) {
            CHECK(fold.train.size() + fold.test.size() == 8);
            bool first = std::ranges::count(fold.test, 1) == 1;
            CHECK(first == (std::ranges::count(fold.test, 2) == 1));
            left_out.insert(left_out.end(), fold.test.begin(), fold.test.end());
        }
        std::ranges::sort(left_out);
        CHECK(left_out == singles(8));
    }
    CHECK_FALSE(varies(Matrix(4, 3)));
    CHECK(varies(pairs.him));
}

TEST_CASE("folds: pairs left out teach nothing") {
    // With more dimensions than pairs, whoever has seen a pair separates its noise; whoever has not
    // is a little worse than chance, because the rest of a sample lies opposite to what it lacks.
    Pairs pairs = alike(22, 60, 13);
    std::vector<FoldFit> folds = fit_folds(pairs, {}, 11, 1);
    std::vector<Pairs> latents = fold_latents(pairs, folds, {.n_latent = 64, .top_k = 8}, few);
    Rivals rivals = left_out_scores(pairs, folds, latents);
    for (const Scores& s : {rivals.ged.projection, rivals.means, rivals.logistic, rivals.latent}) {
        CHECK(auc(s.him, s.her) < 0.65);
        CHECK(auc(s.him, s.her) > 0.2);
    }
}

TEST_CASE("scores are higher for him, on whichever side he lies") {
    for (double shift : {6.0, -6.0}) {
        Pairs pairs = by_mean(40, 4, shift, 21);
        for (int64_t i = 0; i < 40; ++i) pairs.him.at(i, 0) += pairs.him.at(i, 1);
        std::vector<FoldFit> folds = fit_folds(pairs, all_of_it, few.n_fold, few.seed);
        SaePlan plan = {.n_latent = 32, .top_k = 8};
        std::vector<Pairs> latents = fold_latents(pairs, folds, plan, few);
        Rivals rivals = left_out_scores(pairs, folds, latents);
        for (const Scores& s :
             {rivals.ged.projection, rivals.means, rivals.logistic, rivals.latent}) {
            CHECK(auc(s.him, s.her) > 0.6);
        }

        // At most top_k latents of a row are active, and training moves them.
        for (int64_t i = 0; i < 40; ++i) {
            CHECK(std::ranges::count_if(latents[0].him.row(i), [](double x) { return x > 0; }) <=
                  8);
        }
        Draws none = few;
        none.n_sae_step = 0;
        CHECK(fold_latents(pairs, folds, plan, none)[0].him.data != latents[0].him.data);
    }
}

TEST_CASE("scores are higher for him, also by a latent that is higher for her") {
    Pairs pairs = alike(20, 4, 22), latent = {noise(20, 1, 1), noise(20, 1, 2), singles(20)};
    for (double& value : latent.her.data) value += 9;
    std::vector<FoldFit> folds = fit_folds(pairs, all_of_it, few.n_fold, few.seed);
    Scores s = latent_scores(std::vector<Pairs>(folds.size(), latent), folds);
    CHECK(auc(s.him, s.her) == 1);
}

TEST_CASE("logistic regression: the gradient at the answer is zero") {
    Pairs pairs = by_mean(40, 5, 1.5, 11);
    std::vector<double> w = logistic_weights(pairs.him, pairs.her, 1);
    for (int64_t k = 0; k < 5; ++k) {
        double gradient = w[k];
        for (int64_t i = 0; i < 40; ++i) {
            gradient += (1 / (1 + std::exp(-along(pairs.him, w)[i])) - 1) * pairs.him.at(i, k);
            gradient += 1 / (1 + std::exp(-along(pairs.her, w)[i])) * pairs.her.at(i, k);
        }
        CHECK(std::abs(gradient) < 1e-8);
    }
}
