// Chapter 5's controls one by one: what a swap, a fold, the mean token and a random direction are
// made of, against the same made by hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "chapters/05_him_her_ged/controls.h"
#include "chapters/05_him_her_ged/patch.h"
#include "chapters/05_him_her_ged/rivals.h"
#include "chapters/05_him_her_ged/tokens.h"
#include "core/rng.h"

using namespace vimach;
using namespace vimach::ch05;

namespace {

Matrix noise(int64_t rows, int64_t cols, uint64_t seed) {
    Rng rng(seed);
    Matrix m(rows, cols);
    for (double& value : m.data) value = rng.normal();
    return m;
}

Pairs alike(int64_t n, int64_t d, uint64_t seed) {
    Pairs pairs = {noise(n, d, seed), noise(n, d, seed + 1000), {}};
    pairs.group.resize(static_cast<size_t>(n));
    std::iota(pairs.group.begin(), pairs.group.end(), 0);
    return pairs;
}

}  // namespace

TEST_CASE("swap test: a swapped sample is centred anew, on the means that it has") {
    Pairs pairs = alike(12, 3, 1);
    Matrix identity(3, 3, {1, 0, 0, 0, 1, 0, 0, 0, 1});
    Draws draws = {.n_swap = 5, .seed = 4};
    SwapTest test = swap_test(pairs, identity, 0.01, draws);
    for (int64_t i = 0; i < draws.n_swap; ++i) {
        Pairs mixed = swapped(pairs, run_seed(draws.seed, i));
        Matrix s = covariance(centred(mixed.him)), r = covariance(centred(mixed.her));
        CHECK(test.for_him[i] ==
              doctest::Approx(generalized_eigen(s, shrunk(r, 0.01)).eigen.values[0]));
        CHECK(test.for_her[i] ==
              doctest::Approx(generalized_eigen(r, shrunk(s, 0.01)).eigen.values[0]));
    }
}

TEST_CASE("pairs: as many different ones as folds are enough") {
    CHECK(pairs_text(alike(3, 2, 1), {}, {.n_fold = 3}).ends_with("'her'."));
    CHECK(pairs_text(alike(3, 2, 1), {}, {.n_fold = 4})
              .ends_with("too few for 4 folds, so one is "
                         "left out at a time."));
}

TEST_CASE("tokens: the mean token is that of all tokens but the first of each sentence") {
    std::vector<TokenPair> sentences = {
        {Matrix(2, 2, {1000, 1000, 1, 2}), Matrix(2, 2, {1000, 1000, 3, 4}), 1},
        {Matrix(3, 2, {-500, 9, 5, 6, 7, 8}), Matrix(3, 2, {-500, 9, 5, 6, 9, 10}), 2}};
    CHECK(mean_token(sentences) == std::vector<double>{5, 6});
}

TEST_CASE("tokens: of pairs that begin alike one counts") {
    auto pair = [](double him, bool counts) {
        return TokenPair{Matrix(1, 1, {him}), Matrix(1, 1, {1}), 0, counts};
    };
    std::vector<TokenPair> tokens = {pair(-1, true), pair(-1, false), pair(2, true)};
    Directions along(3, {1});
    CHECK(sign_share(tokens, along).detail == "1 of 2");
    CHECK(gap_share(tokens, along).detail == "2 of 2");
}

TEST_CASE("swapped samples go to the folds that the autoencoders know") {
    // A fold's latents say something of its training pairs alone, so no matter what they say
    // there, what is left out stays at chance.
    Pairs pairs = alike(18, 3, 2);
    Draws draws = {.n_rival = 6, .n_fold = 3, .seed = 1};
    auto null_of = [&](uint64_t latent_seed) {
        std::vector<Pairs> latents;
        for (const FoldFit& fold : fit_folds(pairs, {.share = 1}, draws.n_fold, draws.seed)) {
            latents.push_back(alike(18, 4, latent_seed));
            for (int64_t i : fold.test) {
                std::ranges::fill(latents.back().him.row(i), 0.0);
                std::ranges::fill(latents.back().her.row(i), 0.0);
            }
        }
        return swapped_leads(pairs, latents, {.share = 1}, draws).over_latent.measure;
    };
    Measure one = null_of(3), other = null_of(5);
    CHECK(one.value == doctest::Approx(other.value));
    CHECK(one.interval.low == doctest::Approx(other.interval.low));
    CHECK(one.interval.high == doctest::Approx(other.interval.high));
}

TEST_CASE("patch: the null distribution holds random directions, and none that has a name") {
    PatchPlan plan = {{"a", "b"}, Matrix(5, 2)};
    Matrix kl(2, 6, {1, 0.9, 0.8, 0.1, 0.2, 0.3, 1, 0.9, 0.8, 0.1, 0.2, 0.3});
    Measure null = random_kl_share(kl, plan).measure;
    CHECK(null.value == doctest::Approx(0.2));
    CHECK(null.interval.low == doctest::Approx(0.1));
    CHECK(null.interval.high == doctest::Approx(0.3));
}

TEST_CASE("of latents that tell him from her equally well the first is taken") {
    Pairs pairs = alike(20, 3, 1), one = alike(20, 1, 2), two = alike(20, 2, 3);
    for (double& value : one.him.data) value += 9;
    for (double& value : two.him.data) value += 9;
    for (int64_t i = 0; i < 20; ++i) {
        two.him.at(i, 0) = one.him.at(i, 0);
        two.her.at(i, 0) = one.her.at(i, 0);
    }
    std::vector<FoldFit> folds = fit_folds(pairs, {.share = 1}, 5, 1);
    Scores first = latent_scores(std::vector<Pairs>(folds.size(), one), folds),
           both = latent_scores(std::vector<Pairs>(folds.size(), two), folds);
    CHECK(both.him == first.him);
    CHECK(both.her == first.her);
}
