// Chapter 4: its objective, climb and decoding against other ways to the same numbers; its
// vectors, tokens and measures against definitions. Its claims are in chapter_04_claims_test.cpp.
#include <doctest/doctest.h>

// The chapter's own functions stand in the file of its program.
#define main chapter_04_main
#include "chapters/04_activation_maximization/chapter.cpp"
#undef main

#include "core/ensure.h"
#include "core/rng.h"
#include "model/gpt2_file.h"
#include "support.h"

using namespace vimach;
using namespace vimach::ch04;

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

Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed) {
    Tensor out(std::move(shape));
    Rng rng(seed);
    for (Real& value : out.data) value = static_cast<Real>(rng.normal());
    return out;
}

/// The sum of all windows' activations, by a forward pass of its own.
double total_activation(const Gpt2& model, const Target& target, const Tensor& theta,
                        const Tensor& directions) {
    Trace trace = trace_blocks(model, theta, directions.rows(), target.tap);
    double total = 0;
    for (double a : climbed(target, trace.target, directions)) total += a;
    return total;
}

}  // namespace

// --- the lecture --------------------------------------------------------------------------------

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
    CHECK(climbed(target, tap, axis(target, 2)) == std::vector<double>{3, 7});
    target.at = 1;
    CHECK(climbed(target, tap, axis(target, 2)) == std::vector<double>{4, 8});
    CHECK(climbed(target, tap, axes(target, {0, 2})) == std::vector<double>{3, 7});

    Tensor lengths = random_directions(target, 5, 3);
    for (int64_t i = 0; i < 5; ++i) {
        CHECK(sum_of_squares(lengths.row(i)) == doctest::Approx(1).epsilon(1e-5));
    }
    CHECK(lengths.row(0)[0] != lengths.row(1)[0]);
}

TEST_CASE("chapter 4: the gradient at the inputs is that of the activations") {
    Gpt2 model = lively_model();
    // In float a central difference of step 1e-2 errs by h^2 f''' / 6 and 1e-7 |f| / h: 1e-2 or
    // so of gradients around 1. tests/backward_test.cpp holds the pass itself in double.
    const double h = 1e-2, tolerance = 2e-2;
    for (const char* name : {"hidden:0", "hidden:2", "block:2", "mlp:1"}) {
        for (int64_t at : {-1, 2}) {
            Target target = target_of(name, 5, 4, at);
            Tensor directions = random_directions(target, 3, 4);
            Tensor theta = random_tensor({12, small.d_model}, 5);
            Trace trace = trace_blocks(model, theta, 3, target.tap);
            Tensor grad =
                backward_to_embeddings(model, trace, gradient_at_target(target, directions));
            double largest = 0;
            for (Real value : grad.data) largest = std::max(largest, std::abs(double{value}));
            CAPTURE(name);
            CAPTURE(at);
            for (size_t i = 0; i < theta.data.size(); i += 7) {
                Tensor up = theta, down = theta;
                up.data[i] += static_cast<Real>(h);
                down.data[i] -= static_cast<Real>(h);
                double slope = (total_activation(model, target, up, directions) -
                                total_activation(model, target, down, directions)) /
                               (2 * h);
                CHECK(std::abs(slope - grad.data[i]) <= tolerance * std::max(largest, 1.0));
            }
        }
    }
}

TEST_CASE("chapter 4: a climb's step goes down the loss, by the learning rate") {
    Gpt2 model = lively_model();
    for (bool positions : {false, true}) {
        Target target = target_of("hidden:2", 3, 4);
        target.add_positions = positions;
        Arm arm = {.name = "one", .target = target};
        arm.directions = axis(target, 2);
        arm.starts = random_tensor({8, small.d_model}, 6);
        arm.lambda = 2, arm.learning_rate = 1e-3;
        Progress progress("ran", 100, "passes");
        Climb c = climb(model, arm, 1, progress);

        // Adam's first step moves every number by the rate, against the sign of its gradient.
        Tensor embeddings = arm.starts;
        if (positions) add_position_embeddings(model, embeddings, 2);
        Trace trace = trace_blocks(model, embeddings, 2, target.tap);
        Tensor grad =
            backward_to_embeddings(model, trace, gradient_at_target(target, arm.directions));
        for (size_t i = 0; i < grad.data.size(); ++i) {
            double loss_slope = 4 * arm.starts.data[i] - grad.data[i];
            if (std::abs(loss_slope) < 1e-3) continue;
            double moved = c.theta.data[i] - arm.starts.data[i];
            CHECK(std::abs(moved - (loss_slope > 0 ? -1e-3 : 1e-3)) < 1e-5);
        }

        // More steps raise the activation, and everything that the page shows is kept.
        arm.lambda = 0;
        c = climb(model, arm, 20, progress);
        CHECK(c.activation.size() == 21);
        CHECK(mean(c.activation.back()) > mean(c.activation.front()));
        CHECK(c.activation.front() == climbed(target, trace.target, arm.directions));
        CHECK(c.before.data == trace.target.data);
        CHECK(c.gradient_norm.size() == 21);
        CHECK(c.sizes[0].size() == 8);
        double size = 0;
        for (int64_t row = 0; row < 8; ++row) size += std::abs(c.before.row(row)[3]) / 8;
        CHECK(c.sizes[0][3] == doctest::Approx(size));
        CHECK(c.square_norm[0] == doctest::Approx(sum_of_squares(arm.starts.data) / 2));
    }
}

TEST_CASE("chapter 4: decoding takes the token of largest cosine, as lens/search does") {
    Tensor W_E = random_tensor({400, 12}, 7), vectors = random_tensor({90, 12}, 8);
    for (Real& value : W_E.row(17)) value = 0;  // a token without a direction
    std::vector<int> ids = decode(W_E, vectors);
    std::vector<std::vector<Neighbour>> nearest = nearest_tokens(W_E, vectors, 1);
    for (size_t i = 0; i < ids.size(); ++i) {
        CHECK(ids[i] == nearest[i][0].id);
        std::vector<double> cosines = token_cosines(W_E, vectors.row(static_cast<int64_t>(i)));
        CHECK(cosines[17] == 0);
        CHECK(cosines[ids[i]] == doctest::Approx(nearest[i][0].cosine).epsilon(1e-5));
    }
    Tensor itself({1, 12});
    std::ranges::copy(W_E.row(33), itself.data.begin());
    for (Real& value : itself.data) value *= 3;
    CHECK(decode(W_E, itself)[0] == 33);
    CHECK(token_cosines(W_E, itself.row(0))[33] == doctest::Approx(1));
}

// --- tokens -------------------------------------------------------------------------------------

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
            double expected = climbed(target, trace.target, axis(target, 1))[0];
            CHECK(all[window] == doctest::Approx(expected).epsilon(1e-4));
            CHECK(objective.values(one, 1)[0] == doctest::Approx(expected).epsilon(1e-4));
            Tensor grad =
                backward_to_embeddings(model, trace, gradient_at_target(target, axis(target, 1)));
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
    auto too_short = [&] { best_windows(model, target, {1, 2, 3, 4}, 4); };
    test::check_contains(test::error_of(too_short), "need 6");

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

TEST_CASE("chapter 4: losses of windows are the model's own; windows of a text are its pieces") {
    Gpt2 model = lively_model();
    std::vector<int> ids = random_ids(model, 300, 4, 1);
    std::vector<double> losses = window_losses(model, ids, 4);
    REQUIRE(losses.size() == 300);
    for (size_t window : {0, 256, 299}) {
        auto one = std::span(ids).subspan(4 * window, 4);
        Tensor resid = embed_ids(model, one, 1);
        run_blocks(model, resid, 1);
        Tensor logits = unembed(model, resid);
        double total = 0;
        for (int64_t i = 0; i < 3; ++i) {
            double sum = 0;
            for (Real value : logits.row(i)) sum += std::exp(double{value});
            total += std::log(sum) - logits.row(i)[one[i + 1]];
        }
        CHECK(losses[window] == doctest::Approx(total / 3).epsilon(1e-4));
    }
    test::check_contains(test::error_of([&] { window_losses(model, ids, 1); }), "no next one");

    std::vector<int> text(1000);
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<int>(i);
    std::vector<int> pieces = text_ids(text, 50, 4, false, 3),
                     apart = text_ids(text, 50, 4, true, 3);
    REQUIRE(pieces.size() == 200);
    REQUIRE(apart.size() == 200);
    int in_order = 0;
    for (size_t i = 0; i < 200; ++i) {
        if (i % 4 == 0) continue;
        CHECK(pieces[i] == pieces[i - 1] + 1);
        in_order += apart[i] == apart[i - 1] + 1;
    }
    CHECK(in_order < 5);
}

// --- vectors and weights ------------------------------------------------------------------------

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
    Tensor three({3, 1});  // n - 1 stands below a sample's variance: 1, not 2 / 3
    three.data = {-1, 0, 1};
    CHECK(std::abs(covariance(centred(to_matrix(matched_vectors(three, 4000, 9)))).at(0, 0) - 1) <
          0.1);
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

TEST_CASE("chapter 4: a guided and a blind search begin at the same tokens") {
    // One pass is spent on the start, and none is left.
    Counts counts = {};
    counts.n_search = 3, counts.n_search_pass = 1;
    Study study = {Tokenizer("", "no merges"), lively_model(), target_of("hidden:1", 1, 4), {}};
    Progress progress("ran", 6, "passes");
    Searches found = search_both(study, counts, 1, progress);
    for (size_t i = 0; i < 3; ++i) CHECK(found.guided[i].ids == found.blind[i].ids);
    CHECK(found.guided[0].ids != found.guided[1].ids);
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

TEST_CASE("chapter 4: the climbs differ in what their names say") {
    Study study = {
        .tokenizer = load_tokenizer(), .model = lively_model(), .target = {}, .text = {}};
    study.target = target_of("hidden:2", 3, 2);
    Counts counts = quick;
    counts.n_start = 3;
    Climber climber = [&](const Gpt2& model, const Arm& arm) {
        Climb c = {.theta = arm.starts};
        c.activation = {{model.blocks.size() == 3 ? 1.0 : 0.0, arm.learning_rate, arm.lambda}};
        return c;
    };
    Tensor starts = isotropic_vectors(study.model.W_E, 6, 1);
    Arms arms = climb_arms(climber, study, starts, {0.01, 1e-3, 0.1}, counts, 1);
    for (const Arm* arm : arms.all()) {
        bool shuffled = arm == &arms.weights, fast = arm == &arms.fast || arm == &arms.fast_free;
        bool free = arm == &arms.free || arm == &arms.fast_free;
        CHECK_MESSAGE(arm->ends()[0] == (shuffled ? 0 : 1), arm->name);
        CHECK_MESSAGE(arm->ends()[1] == (fast ? 0.1 : 1e-3), arm->name);
        double lambda = free ? 0 : arm == &arms.held ? 0.1 : 0.01;
        CHECK_MESSAGE(arm->ends()[2] == doctest::Approx(lambda), arm->name);
        if (arm != &arms.dims) CHECK_MESSAGE(arm->climb.theta.data == starts.data, arm->name);
    }
    CHECK(arms.bare.target.tap == "blocks.0.resid_pre");

    // There are 8 dimensions; each is climbed once.
    REQUIRE(arms.dim.size() == 8);
    for (int64_t i = 0; i < 8; ++i) CHECK(arms.dims.directions.row(i)[arms.dim[i]] == 1);
    std::ranges::sort(arms.dim);
    CHECK(std::ranges::adjacent_find(arms.dim) == arms.dim.end());
    CHECK(arms.dims.n_start() == 8);
    CHECK(count_passes(study.target, counts) == 2 * 301 * 32 + 2 * 3 * 1500);
}
