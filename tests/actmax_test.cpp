// Chapter 4's target, measures and controls, each against a number worked out another way; and its
// claims fed with numbers on which every verdict comes out one way and then another.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "chapters/04_activation_maximization/controls.h"
#include "core/ensure.h"
#include "core/rng.h"
#include "math/vector_ops.h"
#include "model/gpt2_file.h"
#include "support.h"

using namespace vimach;
using namespace vimach::climbing;

namespace {

constexpr Gpt2Config small = {
    .n_layer = 3, .n_head = 2, .d_model = 8, .d_mlp = 12, .n_ctx = 16, .d_vocab = 50};

/// A random model whose weights are large enough to make it far from linear.
Gpt2 lively_model() {
    Gpt2 model = random_gpt2(small, 1);
    Rng rng(2);
    for (Parameter& parameter : parameters(model)) {
        for (Real& value : parameter.tensor->data) value += static_cast<Real>(0.3 * rng.normal());
    }
    return model;
}

Target target_of(const char* text, int64_t dim, int64_t n_token, int64_t at = -1) {
    Target target = parse_target(text, small);
    target.dim = dim;
    target.n_token = n_token;
    target.at = at;
    return target;
}

/// A climb of two starts with two tokens each and a tap of three dimensions.
Climb hand_made() {
    Climb c;
    c.before = c.after = c.theta = Tensor({4, 3});
    c.before.data = {1, 2, 3, 1, -2, 3, 1, 2, 3, 1, 2, 3};
    c.after.data = {2, 1, 3, 2, -3, 1, 2, -1, 4, 2, 1, 4};
    c.activation = {{-2, 4}, {300, 30}};
    c.square_norm = {4, 9};
    return c;
}

std::string verdict_of(const Findings& f, const std::string& id) {
    for (const OldClaim& claim : judge(f, {})) {
        if (claim.id == id) return verdict(claim);
    }
    return "no such claim";
}

}  // namespace

TEST_CASE("chapter 4: targets by both of their names, and none beyond the model") {
    CHECK(parse_target("hidden:2", small).tap == "blocks.1.resid_post");
    CHECK(parse_target("hidden:2", small).n_block == 2);
    CHECK(parse_target("2", small).name == "hidden:2");
    CHECK(parse_target("block:1", small).tap == "blocks.1.resid_post");
    CHECK(parse_target("hidden:0", small).tap == "blocks.0.resid_pre");
    CHECK(parse_target("hidden:0", small).n_block == 0);
    CHECK(parse_target("mlp:2", small).tap == "blocks.2.mlp_post");
    CHECK(parse_target("mlp:2", small).width == 12);
    CHECK(parse_target("mlp:2", small).n_block == 3);
    for (const char* text : {"hidden:3", "mlp:-1", "mlp:", "", "attn:1", "hidden:1x", ":1"}) {
        CHECK_THROWS_AS(parse_target(text, small), UsageError);
    }
    test::check_contains(test::error_of([] { parse_target("block:3", small); }), "from 0 to 2");
}

TEST_CASE("chapter 4: the activation is the mean of the positions, or that of one") {
    Tensor tap({4, 3});
    tap.data = {1, 2, 3, 3, 4, 5, 5, 6, 7, 9, 8, 7};
    Target target = target_of("hidden:1", 1, 2);
    target.width = 3;
    CHECK(climbed(target, tap.matrix(), axis(target)) == std::vector<double>{3, 7});
    target.at = 1;
    CHECK(climbed(target, tap.matrix(), axis(target)) == std::vector<double>{4, 8});
    Tensor each({2, 3});
    each.data = {1, 0, 0, 0, 0, 1};
    CHECK(climbed(target, tap.matrix(), each) == std::vector<double>{3, 7});

    Tensor lengths = random_directions(target, 5, 3);
    for (int64_t i = 0; i < 5; ++i) {
        CHECK(sum_of_squares(lengths.row(i)) == doctest::Approx(1).epsilon(1e-5));
    }
    CHECK(lengths.row(0)[0] != lengths.row(1)[0]);
}

TEST_CASE("chapter 4: the gradient at the inputs is that of the activations") {
    Gpt2 model = lively_model();
    // In float a central difference of step 1e-2 errs by h^2 f''' / 6 and 1e-7 |f| / h: 1e-2 or
    // so of gradients around 1; in double, with step 1e-5, by less than 1e-7 of them.
    constexpr bool is_double = sizeof(Real) == 8;
    const double h = is_double ? 1e-5 : 1e-2, tolerance = is_double ? 1e-7 : 2e-2;
    for (const char* name : {"hidden:0", "hidden:2", "block:2", "mlp:1"}) {
        for (int64_t at : {-1, 2}) {
            Target target = target_of(name, 5, 4, at);
            Tensor directions = random_directions(target, 3, 4), theta({12, small.d_model});
            Rng rng(5);
            for (Real& value : theta.data) value = static_cast<Real>(rng.normal());
            auto total = [&](const Tensor& embeddings) {
                Trace trace = trace_blocks(model, embeddings, 3, target.tap);
                std::vector<double> a = climbed(target, trace.target.matrix(), directions);
                return a[0] + a[1] + a[2];
            };
            Trace trace = trace_blocks(model, theta, 3, target.tap);
            Tensor grad =
                backward_to_embeddings(model, trace, gradient_at_target(target, 12, directions));
            double largest = 0;
            for (Real value : grad.data) {
                largest = std::max(largest, std::abs(static_cast<double>(value)));
            }
            CAPTURE(name);
            CAPTURE(at);
            for (size_t i = 0; i < theta.data.size(); i += 7) {
                Tensor up = theta, down = theta;
                up.data[i] += static_cast<Real>(h);
                down.data[i] -= static_cast<Real>(h);
                double slope = (total(up) - total(down)) / (2 * h);
                CHECK(std::abs(slope - grad.data[i]) <= tolerance * std::max(largest, 1.0));
            }
        }
    }
}

TEST_CASE("chapter 4: tokens in many windows as in one, with and without positions") {
    Gpt2 model = lively_model();
    Target target = target_of("hidden:2", 3, 4);
    std::vector<int> ids = random_ids(model, 300, 4, 1);
    CHECK(*std::ranges::max_element(ids) < 50);
    for (bool positions : {false, true}) {
        target.add_positions = positions;
        std::vector<double> all = activation_of_ids(model, target, ids, 300);
        REQUIRE(all.size() == 300);
        TokenObjective objective = token_objective(model, target);
        for (int64_t window : {0, 255, 256, 299}) {
            auto one = std::span(ids).subspan(static_cast<size_t>(4 * window), 4);
            Tensor embeddings = embed_ids(model, one, 1, positions);
            Trace trace = trace_blocks(model, embeddings, 1, target.tap);
            double expected = climbed(target, trace.target.matrix(), axis(target))[0];
            CHECK(all[window] == doctest::Approx(expected).epsilon(1e-4));
            CHECK(objective.values(one, 1)[0] == doctest::Approx(expected).epsilon(1e-4));
            Tensor grad =
                backward_to_embeddings(model, trace, gradient_at_target(target, 4, axis(target)));
            CHECK(objective.gradient(one).data == grad.data);
        }
    }
    CHECK(activation_of_ids(model, target, ids, 300) !=
          activation_of_ids(model, target_of("hidden:2", 3, 4), ids, 300));
}

TEST_CASE("chapter 4: the best window of a text and of its parts; the spread on a text") {
    Gpt2 model = lively_model();
    Target target = target_of("mlp:1", 2, 3);
    std::vector<int> text = random_ids(model, 1, 40, 7);
    TextWindows found = best_windows(model, target, text, 4);
    std::vector<double> values;
    for (size_t first = 0; first + 3 <= text.size(); ++first) {
        values.push_back(activation_of_ids(model, target, std::span(text).subspan(first, 3), 1)[0]);
    }
    auto best = std::ranges::max_element(values);
    CHECK(found.best == doctest::Approx(*best).epsilon(1e-5));
    CHECK(found.ids == std::vector<int>(text.begin() + (best - values.begin()),
                                        text.begin() + (best - values.begin()) + 3));
    REQUIRE(found.parts.size() == 4);
    CHECK(std::ranges::max(found.parts) == found.best);
    CHECK(found.parts[0] == doctest::Approx(*std::max_element(values.begin(), values.begin() + 9)));
    test::check_contains(test::error_of([&] {
                             best_windows(model, target, {1, 2, 3, 4}, 4);
                         }),
                         "need 6");

    // Two windows of 16 tokens, the last 8 tokens left out, and the first of each window.
    std::vector<double> spread;
    for (size_t first : {0, 16}) {
        Tensor resid = embed_ids(model, std::span(text).subspan(first, 16), 1);
        Taps taps = run_blocks(model, resid, 1, {.stop = 2, .taps = {target.tap}});
        for (int64_t row = 1; row < 16; ++row) spread.push_back(taps.at(target.tap).row(row)[2]);
    }
    CHECK(deviation_on_text(model, target, text) ==
          doctest::Approx(std::sqrt(variance(spread))).epsilon(1e-4));
}

TEST_CASE("chapter 4: random vectors have the spread, the mean and the covariance they should") {
    Tensor W_E({400, 3});
    Rng rng(8);
    for (int64_t i = 0; i < 400; ++i) {
        auto x = static_cast<Real>(rng.normal()), y = static_cast<Real>(rng.normal());
        W_E.row(i)[0] = 2 + x;
        W_E.row(i)[1] = -1 + x / 2 + y;
        W_E.row(i)[2] = y / 10;
    }
    Matrix tokens = to_matrix(W_E), drawn = to_matrix(matched_vectors(W_E, 4000, 9));
    Matrix wanted = covariance(centred(tokens)), got = covariance(centred(drawn));
    for (int64_t i = 0; i < 3; ++i) {
        CHECK(std::abs(column_means(tokens)[i] - column_means(drawn)[i]) < 0.06);
        for (int64_t j = 0; j < 3; ++j) CHECK(std::abs(wanted.at(i, j) - got.at(i, j)) < 0.1);
    }
    Tensor isotropic = isotropic_vectors(W_E, 4000, 9);
    CHECK(deviation_of(isotropic) == doctest::Approx(deviation_of(W_E)).epsilon(0.03));
    Tensor two({1, 2});
    two.data = {1, 5};
    CHECK(deviation_of(two) == doctest::Approx(2));

    Tensor vectors({4, 3});
    vectors.data = {2, -1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1};
    std::vector<double> best = best_cosines(W_E, vectors, 2);
    REQUIRE(best.size() == 2);
    CHECK(best[0] > 0.99);
    CHECK(best[1] < 0.9);
}

TEST_CASE("chapter 4: shuffled weights are the same numbers in another order") {
    Gpt2 model = lively_model();
    Gpt2 shuffled = shuffled_blocks(model, 2, 3);
    CHECK(shuffled.blocks.size() == 2);
    CHECK(shuffled.config.n_layer == 2);
    std::vector<Real> before = model.blocks[1].W_in.data, after = shuffled.blocks[1].W_in.data;
    CHECK(before != after);
    std::ranges::sort(before);
    std::ranges::sort(after);
    CHECK(before == after);
    CHECK(shuffled.W_pos.data != model.W_pos.data);
    CHECK(shuffled_blocks(model, 2, 4).blocks[0].W_O.data != shuffled.blocks[0].W_O.data);
    Tensor theta({4, small.d_model});
    theta.data[3] = 1;
    CHECK(trace_blocks(shuffled, theta, 1, "blocks.1.resid_post").target.shape == theta.shape);
}

TEST_CASE("chapter 4: growth, falls and kept shares by hand") {
    Climb c = hand_made();
    Target target = target_of("hidden:1", 0, 2);
    target.width = 3;
    std::vector<double> orders = orders_of_growth(c);  // the median of 2 and 4 is 3
    CHECK(orders[0] == doctest::Approx(2));
    CHECK(orders[1] == doctest::Approx(1));
    Tensor directions({2, 3});
    directions.data = {1, 0, 0, 0, 1, 0};
    orders = orders_of_growth(c, target, directions);  // medians of {1, 1} and of {0, 2}
    CHECK(orders[0] == doctest::Approx(std::log10(300)));
    CHECK(orders[1] == doctest::Approx(std::log10(30)));
    CHECK(falls(c, target).data == std::vector<double>{0, 0.5, 0.5, 0, 1, 0});
    CHECK(norm_growth(c) == doctest::Approx(1.5));
    CHECK(kept_share({1, 2, 3}, 1, 3) == std::vector<double>{0, 0.5, 1});

    Tensor starts({4, 3});
    starts.data = {1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0};
    c.theta.data = {0, 3, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0};
    Measure norms = measure_norms(c, starts, 2, {}, 1);  // 5 / 1 and 2 / 2
    CHECK(norms.value == doctest::Approx(3));
    CHECK(norms.interval.low == doctest::Approx(1));
    CHECK(norms.interval.high == doctest::Approx(5));
}

TEST_CASE("chapter 4: neighbours are compared with the other dimensions") {
    // Forty dimensions; those within 5 of the target fall, or none does.
    for (bool near_fall : {true, false}) {
        Target target = target_of("hidden:1", 20, 1);
        Climb c;
        c.before = c.after = Tensor({3, 40});
        for (int64_t row = 0; row < 3; ++row) {
            for (int64_t j = 0; j < 40; ++j) {
                c.before.row(row)[j] = 2;
                bool is_near = std::abs(j - 20) <= 5;
                c.after.row(row)[j] = Real(near_fall && is_near ? 1 : 3);
            }
        }
        Findings f;
        measure_neighbours(c, target, {}, 1, f);
        CHECK(f.neighbours_fall.value == doctest::Approx(near_fall ? 1 : 0));
        CHECK(f.others_fall.interval.high == 0);
        CHECK(verdict_of(f, "4b") ==
              (near_fall ? "reproduced" : "not distinguishable from control"));
    }
}

TEST_CASE("chapter 4: every verdict can come out another way") {
    // Numbers as the document would have them.
    Findings f = {.lambda = 0.01};
    f.growth = {3, {2.8, 3.2}};
    f.growth_directions = {0.5, {0.3, 0.7}};
    f.growth_weights = {0.2, {0.1, 0.3}};
    f.neighbours_fall = {0.9, {0.85, 0.95}};
    f.others_fall = {0.5, {0.4, 0.6}};
    f.kept = {0.01, {0, 0.03}};
    f.kept_text = {0.3, {0.25, 0.35}};
    f.cosine = {0.1, {0.09, 0.11}};
    f.isotropic = {0.16, {0.14, 0.18}};
    f.growth_free = {20, {18, 22}};
    f.growth_held = {1, {0.9, 1.1}};
    for (const OldClaim& claim : judge(f, {}))
        CHECK_MESSAGE(verdict(claim) == "reproduced", claim.id);

    const std::string same = "not distinguishable from control", no = "not reproduced";
    Findings other = f;
    other.growth_weights = {3, {2.9, 3.1}};  // the stronger control decides
    CHECK(verdict_of(other, "4a") == same);
    other.growth = {1.5, {1.4, 1.6}};
    other.growth_weights = {0.2, {0.1, 0.3}};
    CHECK(verdict_of(other, "4a") == no);
    other.neighbours_fall = {0.45, {0.42, 0.48}};
    CHECK(verdict_of(other, "4b") == same);
    other.neighbours_fall = {0.2, {0.1, 0.3}};
    CHECK(verdict_of(other, "4b") == no);
    other.kept = {0.2, {0.18, 0.22}};
    CHECK(verdict_of(other, "4c") == no);
    other.kept = {0.31, {0.2, 0.4}};
    CHECK(verdict_of(other, "4c") == same);
    other.cosine = {0.165, {0.15, 0.175}};
    CHECK(verdict_of(other, "4d") == same);
    other.cosine = {0.4, {0.39, 0.41}};  // nearer to a token than chance
    CHECK(verdict_of(other, "4d") == no);
    other.growth_free = {1.2, {1.15, 1.25}};
    CHECK(verdict_of(other, "4e") == no);
    other.growth_held = {1.2, {1.1, 1.3}};
    CHECK(verdict_of(other, "4e") == same);
}
