// Token search; see lens/search.h.
// Candidates of a step are scored in one batch.
#include "lens/search.h"

#include <algorithm>
#include <numeric>

#include "core/ensure.h"
#include "math/blas.h"

namespace vimach {

namespace {

/// Copies of a window, each with one token swapped by `swap`, which draws a position and a token.
std::vector<int> candidates(const std::vector<int>& ids, int64_t n,
                            const std::function<std::pair<int64_t, int>()>& swap) {
    std::vector<int> out;
    for (int64_t i = 0; i < n; ++i) {
        auto begin = out.insert(out.end(), ids.begin(), ids.end());
        auto [position, token] = swap();
        *(begin + position) = token;
    }
    return out;
}

/// Scores the candidates and takes the best of them where it is better.
void take_best(SearchResult& best, const std::vector<int>& tried, int64_t n,
               const WindowScore& score) {
    std::vector<double> scores = score(tried, n);
    auto top = std::ranges::max_element(scores);
    best.n_forward += n;
    if (*top > best.score) {
        auto length = static_cast<int64_t>(best.ids.size());
        auto begin = tried.begin() + (top - scores.begin()) * length;
        best.ids.assign(begin, begin + length);
        best.score = *top;
    }
    best.curve.push_back(best.score);
}

SearchResult begin_search(std::vector<int> start, const WindowScore& score,
                          const SearchSettings& settings) {
    ensure(!start.empty(), "the window is empty", "search", "pass one token or more");
    ensure(settings.n_candidate >= 1 && settings.n_top >= 1, "there is nothing to try", "search",
           "let n_candidate and n_top be 1 or more");
    SearchResult best = {.ids = std::move(start), .n_forward = 1};
    best.score = score(best.ids, 1)[0];
    return best;
}

}  // namespace

SearchResult search_by_gradient(const Tensor& W_E, std::vector<int> start, const WindowScore& score,
                                const WindowGradient& gradient, const SearchSettings& settings,
                                Rng& rng) {
    SearchResult best = begin_search(std::move(start), score, settings);
    auto length = static_cast<int64_t>(best.ids.size());
    int64_t n_top = std::min(settings.n_top, W_E.rows());
    std::vector<int> order(static_cast<size_t>(W_E.rows()));
    for (int64_t step = 0; step < settings.n_step; ++step) {
        // Predict what every token would add at every position: g W_E^T, but for a constant.
        Tensor g = gradient(best.ids), gain({length, W_E.rows()});
        matmul(g.matrix(), W_E.matrix(), gain.matrix(), {.transpose_b = true});
        best.n_forward += 3;
        std::vector<std::vector<int>> tops;
        for (int64_t i = 0; i < length; ++i) {
            std::iota(order.begin(), order.end(), 0);
            std::span<const Real> row = gain.row(i);
            std::ranges::partial_sort(order, order.begin() + n_top, [&](int a, int b) {
                return row[a] != row[b] ? row[a] > row[b] : a < b;
            });
            tops.emplace_back(order.begin(), order.begin() + n_top);
        }

        // Try some of them.
        std::vector<int> tried = candidates(best.ids, settings.n_candidate, [&] {
            int64_t position = rng.below(length);
            return std::pair(position, tops[position][rng.below(n_top)]);
        });
        take_best(best, tried, settings.n_candidate, score);
    }
    return best;
}

SearchResult search_at_random(int64_t d_vocab, std::vector<int> start, const WindowScore& score,
                              int64_t n_forward, const SearchSettings& settings, Rng& rng) {
    SearchResult best = begin_search(std::move(start), score, settings);
    auto length = static_cast<int64_t>(best.ids.size());
    while (best.n_forward < n_forward) {
        int64_t n = std::min(settings.n_candidate, n_forward - best.n_forward);
        std::vector<int> tried = candidates(best.ids, n, [&] {
            int64_t position = rng.below(length);
            return std::pair(position, static_cast<int>(rng.below(d_vocab)));
        });
        take_best(best, tried, n, score);
    }
    return best;
}

}  // namespace vimach
