// Chapter 4's controls against definitions, and a climb's gradient against the slope of what it
// climbs. Its program is run in tests/chapter_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "chapters/04_controls.h"
#include "core/rng.h"
#include "math/stats.h"
#include "math/vector_ops.h"
#include "model/gpt2_file.h"
#include "support.h"

using namespace vimach;
using namespace vimach::actmax;

namespace {

constexpr Gpt2Config tiny = {
    .n_layer = 3, .n_head = 2, .d_model = 8, .d_mlp = 32, .n_ctx = 6, .d_vocab = 300};

}  // namespace

TEST_CASE("chapter 4: targets have a name in both libraries, others are refused with the range") {
    CHECK(parse_target("hidden:2", tiny).hook == "blocks.1.resid_post");
    CHECK(parse_target("hidden:2", tiny).text == "hidden_states[2] = blocks.1.resid_post");
    CHECK(parse_target("block:1", tiny).text == "hidden_states[2] = blocks.1.resid_post");
    CHECK(parse_target("block:2", tiny).text == "blocks.2.resid_post");  // the last one is normed
    CHECK(parse_target("mlp:0", tiny).hook == "blocks.0.mlp_post");
    for (const char* bad : {"hidden:0", "hidden:3", "block:3", "mlp:-1", "mlp:", "mlp", "4", "",
                            "hidden:1x", "head:1"}) {
        test::check_contains(test::error_of([&] { parse_target(bad, tiny); }),
                             "use hidden:1 to hidden:2, block:0 to block:2, or mlp:0 to mlp:2");
    }
}

TEST_CASE("chapter 4: the activation of a window is the mean of its tokens along the direction") {
    Tensor hooked({4, 3});
    hooked.data = {1, 2, 3, 5, 6, 7, 0, 0, 9, 0, 0, -1};
    CHECK(window_means(hooked, axis(3, 2), 2) == std::vector<double>{5, 4});
    CHECK(window_means(hooked, axis(3, 0), 1) == std::vector<double>{1.5});
    std::vector<Real> direction = random_direction(50, 7);
    CHECK(sum_of_squares(direction) == doctest::Approx(1));
    CHECK(direction != random_direction(50, 8));

    // Windows do not see each other, and positions matter where they are added.
    Gpt2 model = random_gpt2(tiny, 1);
    Target target = parse_target("hidden:2", tiny);
    target.direction = axis(8, 3);
    std::vector<int> ids = {5, 9, 200, 7, 8, 9};
    std::vector<double> both = activation_of(model, target, ids, 2, true),
                        first = activation_of(model, target, std::span(ids).first(3), 1, true),
                        bare = activation_of(model, target, ids, 2, false);
    CHECK(both[0] == doctest::Approx(first[0]));
    CHECK(std::abs(both[0] - bare[0]) > 1e-6);
}

TEST_CASE("chapter 4: a token's own vector is decoded to it, whatever its length") {
    Gpt2 model = random_gpt2(tiny, 2);
    Tensor vectors({2, 8});
    for (int64_t j = 0; j < 8; ++j) {
        vectors.row(0)[j] = 3 * model.W_E.row(42)[j];
        vectors.row(1)[j] = -model.W_E.row(7)[j];
    }
    std::vector<Decoded> decoded = decode_vectors(model.W_E, vectors, 5);
    CHECK(decoded[0].ids[0] == 42);
    CHECK(decoded[0].cosines[0] == doctest::Approx(1));
    CHECK(std::ranges::is_sorted(decoded[0].cosines, std::greater()));
    CHECK(decoded[1].ids[0] != 7);
    CHECK(best_cosines(decoded, 2) == std::vector<double>{decoded[0].cosines[0]});
}

TEST_CASE("chapter 4: chance reaches the published cosines, and matched vectors match") {
    // The largest cosine of a random vector with 50,257 random directions in 128 dimensions: the
    // extreme of a beta distribution.
    Tensor tokens = isotropic_vectors(50257, 128, 1);
    std::vector<double> best =
        best_cosines(decode_vectors(tokens, isotropic_vectors(300, 128, 2), 1), 1);
    CHECK(std::abs(mean(best) - 0.363) < 0.005);

    Tensor W_E({500, 3});
    Rng rng(3);
    for (int64_t i = 0; i < 500; ++i) {
        double shared = rng.normal();
        W_E.row(i)[0] = static_cast<Real>(5 + shared);
        W_E.row(i)[1] = static_cast<Real>(2 * shared + 0.1 * rng.normal());
        W_E.row(i)[2] = static_cast<Real>(0.5 * rng.normal());
    }
    Tensor drawn = matched_vectors(W_E, 20'000, 4);
    auto column = [](const Tensor& x, int64_t j) {
        std::vector<double> out;
        for (int64_t i = 0; i < x.rows(); ++i) out.push_back(x.row(i)[j]);
        return out;
    };
    for (int64_t j = 0; j < 3; ++j) {
        CHECK(std::abs(mean(column(drawn, j)) - mean(column(W_E, j))) < 0.05);
        CHECK(variance(column(drawn, j)) / variance(column(W_E, j)) ==
              doctest::Approx(1).epsilon(0.05));
    }
    CHECK(correlation(column(drawn, 0), column(drawn, 1)) > 0.99);
}

TEST_CASE("chapter 4: what a climb changed is counted start by start") {
    // Two starts of one token; dimension 2 is the target, 1 and 3 its neighbours.
    Climb climb;
    climb.hooked_start = Tensor({2, 5});
    climb.hooked = Tensor({2, 5});
    climb.hooked_start.data = {1, 1, 0, -1, 1, 2, 2, 0, 2, 2};
    climb.hooked.data = {2, 0, 9, Real(0.5), Real(0.5), 1, 3, 9, 3, 1};
    Fallen down = fallen(climb, 2, 2, 1);
    CHECK(down.near == std::vector<double>{1, 0});
    CHECK(down.far == std::vector<double>{0.5, 1});

    climb.a_start = {-0.1, 0.1, 0.3};
    climb.a_end = {10, 100, -1};
    CHECK(orders(climb)[0] == doctest::Approx(2));
    CHECK(orders(climb)[2] == doctest::Approx(1));
    CHECK(deviations(climb, 2)[0] == doctest::Approx(5.05));
    climb.start = Tensor({2, 1});
    climb.theta = Tensor({2, 1});
    climb.start.data = {1, 2};
    climb.theta.data = {3, 1};
    CHECK(growth(climb, 2)[0] == doctest::Approx(9));
    CHECK(growth(climb, 2)[1] == doctest::Approx(0.25));
}
