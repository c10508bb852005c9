// Nearest tokens against cosines by hand, and the token search on objectives whose best tokens are
// known: what a step costs, that it never goes down, and what the gradient is worth.
#include "lens/search.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/rng.h"
#include "support.h"

using namespace vimach;

namespace {

Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed) {
    Tensor t(std::move(shape));
    Rng rng(seed);
    for (Real& value : t.data) value = static_cast<Real>(rng.normal());
    return t;
}

double product_of(std::span<const Real> a, std::span<const Real> b) {
    double total = 0;
    for (size_t i = 0; i < a.size(); ++i) total += static_cast<double>(a[i]) * b[i];
    return total;
}

/// The sum over positions of wanted[i] . W_E[ids[i]]: each position has one best token.
TokenObjective linear_objective(const Tensor& W_E, const Tensor& wanted, int64_t* n_pass) {
    auto values = [&W_E, &wanted, n_pass](std::span<const int> ids, int64_t n_window) {
        std::vector<double> out(static_cast<size_t>(n_window));
        *n_pass += n_window;
        auto n_token = static_cast<int64_t>(ids.size()) / n_window;
        for (size_t i = 0; i < ids.size(); ++i) {
            auto at = static_cast<int64_t>(i);
            out[at / n_token] += product_of(wanted.row(at % n_token), W_E.row(ids[i]));
        }
        return out;
    };
    auto gradient = [&wanted, n_pass](std::span<const int>) {
        *n_pass += 2;
        return wanted;
    };
    return {values, gradient};
}

/// The best value that any tokens give.
double best_value(const Tensor& W_E, const Tensor& wanted) {
    double total = 0;
    for (int64_t i = 0; i < wanted.rows(); ++i) {
        double best = -1e300;
        for (int64_t id = 0; id < W_E.rows(); ++id) {
            best = std::max(best, product_of(wanted.row(i), W_E.row(id)));
        }
        total += best;
    }
    return total;
}

}  // namespace

TEST_CASE("search: nearest tokens by cosine, not by length; ties by id") {
    Tensor W_E({5, 2});
    W_E.data = {1, 0, 0, 10, 3, 3, 0, 0, 2, 0};
    Tensor vectors({3, 2});
    vectors.data = {4, 1, -1, -1, 0, 0};
    auto nearest = nearest_tokens(W_E, vectors, 3);
    REQUIRE(nearest.size() == 3);
    CHECK(nearest[0][0].id == 0);  // the same direction as token 4, and before it
    CHECK(nearest[0][1].id == 4);
    CHECK(nearest[0][0].cosine == doctest::Approx(4 / std::sqrt(17.0)));
    CHECK(nearest[0][2].id == 2);
    CHECK(nearest[0][2].cosine == doctest::Approx(5 / std::sqrt(34.0)));
    CHECK(nearest[1][0].id == 3);  // a token without length is at a right angle to everything
    CHECK(nearest[1][0].cosine == 0);
    CHECK(nearest[2][0].cosine == 0);
    test::check_contains(test::error_of([&] { nearest_tokens(W_E, vectors, 6); }), "d_vocab");
    CHECK(test::error_of([&] { nearest_tokens(W_E, Tensor({1, 3}), 1); }) != "no Error was thrown");
}

TEST_CASE("search: more vectors than are taken at once, on any number of threads") {
    Tensor W_E = random_tensor({300, 8}, 1), vectors = random_tensor({150, 8}, 2);
    int threads = thread_count();
    set_thread_count(1);
    auto one = nearest_tokens(W_E, vectors, 2);
    set_thread_count(3);
    auto three = nearest_tokens(W_E, vectors, 2);
    set_thread_count(threads);
    for (int64_t i = 0; i < 150; ++i) {
        double best = -2;
        for (int64_t id = 0; id < 300; ++id) {
            double lengths = std::sqrt(product_of(W_E.row(id), W_E.row(id)) *
                                       product_of(vectors.row(i), vectors.row(i)));
            best = std::max(best, product_of(W_E.row(id), vectors.row(i)) / lengths);
        }
        CHECK(one[i][0].cosine == doctest::Approx(best).epsilon(1e-5));
        CHECK(one[i][0].id == three[i][0].id);
        CHECK(test::same(one[i][1].cosine, three[i][1].cosine));
    }
}

TEST_CASE("search: the gradient finds the best tokens, random swaps at the same budget do not") {
    Tensor W_E = random_tensor({2000, 16}, 3), wanted = random_tensor({4, 16}, 4);
    int64_t n_pass = 0;
    TokenObjective objective = linear_objective(W_E, wanted, &n_pass);
    SearchSettings settings = {.budget = 600, .n_candidate = 16, .n_proposed = 4};
    SearchResult guided = search_tokens(W_E, objective, {1, 2, 3, 4}, settings, 1);
    CHECK(guided.value == doctest::Approx(best_value(W_E, wanted)).epsilon(1e-5));
    CHECK(guided.value == objective.values(guided.ids, 1).front());

    settings.guided = false;
    SearchResult blind = search_tokens(W_E, objective, {1, 2, 3, 4}, settings, 1);
    CHECK(blind.value < 0.95 * guided.value);
    CHECK(blind.value == objective.values(blind.ids, 1).front());
    CHECK(blind.value > objective.values(std::vector<int>{1, 2, 3, 4}, 1).front());
}

TEST_CASE("search: never goes down, says what it used, and keeps to the budget") {
    Tensor W_E = random_tensor({500, 8}, 5), wanted = random_tensor({3, 8}, 6);
    for (bool is_guided : {true, false}) {
        int64_t n_pass = 0;
        TokenObjective objective = linear_objective(W_E, wanted, &n_pass);
        SearchSettings settings = {
            .budget = 100, .n_candidate = 10, .n_proposed = 50, .guided = is_guided};
        SearchResult result = search_tokens(W_E, objective, {0, 0, 0}, settings, 2);
        CHECK(static_cast<double>(n_pass) == result.passes.back());
        CHECK(n_pass <= 100);
        CHECK(n_pass > 100 - (is_guided ? 12 : 10));
        CHECK(std::ranges::is_sorted(result.values));
        CHECK(result.values.back() == result.value);
        CHECK(result.values.size() == result.passes.size());

        SearchResult again = search_tokens(W_E, objective, {0, 0, 0}, settings, 2);
        CHECK(again.ids == result.ids);
        settings.budget = 5;  // too little for a step: nothing moves
        CHECK(search_tokens(W_E, objective, {7, 8, 9}, settings, 2).ids ==
              std::vector<int>{7, 8, 9});
    }
    CHECK(test::error_of([&] { search_tokens(W_E, {}, {}, {}, 1); }) != "no Error was thrown");
}

TEST_CASE("search: exact evaluation decides where the gradient misleads") {
    // The gradient points to token 1, which the objective punishes; only token 2 is better than 0.
    Tensor W_E({3, 1});
    W_E.data = {0, 5, 1};
    TokenObjective objective;
    objective.values = [](std::span<const int> ids, int64_t) {
        std::vector<double> out;
        for (int id : ids) out.push_back(id == 1 ? -1 : id);
        return out;
    };
    objective.gradient = [](std::span<const int>) {
        Tensor grad({1, 1});
        grad.data = {1};
        return grad;
    };
    SearchSettings settings = {.budget = 40, .n_candidate = 8, .n_proposed = 2};
    CHECK(search_tokens(W_E, objective, {0}, settings, 1).ids == std::vector<int>{2});
    settings.n_proposed = 1;
    CHECK(search_tokens(W_E, objective, {0}, settings, 1).ids == std::vector<int>{0});
}

TEST_CASE("search: rows that stand for no token are never tried, with and without the gradient") {
    Tensor W_E = random_tensor({20, 4}, 7), wanted = random_tensor({3, 4}, 8);
    for (int64_t id = 12; id < 20; ++id) {
        for (Real& value : W_E.row(id)) value *= 100;
    }
    for (bool is_guided : {true, false}) {
        int64_t n_pass = 0;
        int highest = 0;
        TokenObjective linear = linear_objective(W_E, wanted, &n_pass), objective = linear;
        objective.values = [&](std::span<const int> ids, int64_t n_window) {
            highest = std::max(highest, *std::ranges::max_element(ids));
            return linear.values(ids, n_window);
        };
        SearchSettings settings = {.budget = 400,
                                   .n_candidate = 10,
                                   .n_proposed = 50,
                                   .guided = is_guided,
                                   .n_padding = 8};
        search_tokens(W_E, objective, {0, 0, 0}, settings, 3);
        CHECK(highest == 11);
    }
}
