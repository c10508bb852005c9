// Token search where the best window is known: a score that is linear in the embeddings, for which
// the gradient's prediction is exact, and one for which it misleads.
#include "lens/search.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "support.h"

using namespace vimach;

namespace {

constexpr int64_t d_vocab = 500, d_model = 4, n_token = 3;

Tensor random_embeddings() {
    Tensor W_E({d_vocab, d_model});
    Rng rng(1);
    for (Real& value : W_E.data) value = static_cast<Real>(rng.normal());
    return W_E;
}

/// Position i likes component i of an embedding; `sign` turns the true score round.
WindowScore linear_score(const Tensor& W_E, double sign) {
    return [&W_E, sign](std::span<const int> ids, int64_t n_window) {
        std::vector<double> scores(static_cast<size_t>(n_window));
        for (size_t i = 0; i < ids.size(); ++i) {
            auto position = static_cast<int64_t>(i) % n_token;
            scores[i / n_token] += sign * W_E.data[ids[i] * d_model + position];
        }
        return scores;
    };
}

Tensor linear_gradient(std::span<const int> ids) {
    Tensor g({static_cast<int64_t>(ids.size()), d_model});
    for (int64_t i = 0; i < g.rows(); ++i) g.row(i)[i] = 1;
    return g;
}

double best_possible(const Tensor& W_E) {
    double total = 0;
    for (int64_t position = 0; position < n_token; ++position) {
        double high = -1e9;
        for (int64_t id = 0; id < d_vocab; ++id) {
            high = std::max(high, static_cast<double>(W_E.data[id * d_model + position]));
        }
        total += high;
    }
    return total;
}

}  // namespace

TEST_CASE("search: the gradient of a linear score leads to the best tokens; chance does not") {
    Tensor W_E = random_embeddings();
    SearchSettings settings = {.n_step = 12, .n_candidate = 16, .n_top = 4};
    Rng rng(2);
    SearchResult found =
        search_by_gradient(W_E, {0, 1, 2}, linear_score(W_E, 1), linear_gradient, settings, rng);
    CHECK(found.score == doctest::Approx(best_possible(W_E)));
    CHECK(found.n_forward == 1 + 12 * (16 + 3));
    CHECK(std::ranges::is_sorted(found.curve));
    CHECK(linear_score(W_E, 1)(found.ids, 1)[0] == doctest::Approx(found.score));

    SearchResult random =
        search_at_random(d_vocab, {0, 1, 2}, linear_score(W_E, 1), found.n_forward, settings, rng);
    CHECK(random.n_forward == found.n_forward);
    CHECK(random.score < found.score);
    CHECK(random.score > linear_score(W_E, 1)(std::vector<int>{0, 1, 2}, 1)[0]);
}

TEST_CASE("search: a misleading gradient never makes a window worse") {
    Tensor W_E = random_embeddings();
    Rng rng(3);
    std::vector<int> start = {10, 11, 12};
    double before = linear_score(W_E, -1)(start, 1)[0];
    SearchResult found = search_by_gradient(W_E, start, linear_score(W_E, -1), linear_gradient,
                                            {.n_step = 5, .n_candidate = 8, .n_top = 4}, rng);
    CHECK(found.score >= before);
    CHECK(found.curve.size() == 5);
    std::string error =
        test::error_of([&] { search_at_random(d_vocab, {}, linear_score(W_E, 1), 10, {}, rng); });
    test::check_contains(error, "the window is empty");
}
