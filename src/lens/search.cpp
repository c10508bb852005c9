// Nearest tokens and token swaps; see lens/search.h.
// Proposals are sorted by id: which of them a random number picks then depends on the set alone,
// not on the order of scores that rounding might change.
#include "lens/search.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t rows_at_once = 64;  // of [n, d_vocab] matrices

/// 1 / |row|, or 0 where a row is zero.
std::vector<Real> inverse_lengths(const Tensor& m) {
    std::vector<Real> inverse(static_cast<size_t>(m.rows()));
    for (int64_t i = 0; i < m.rows(); ++i) {
        Real square = sum_of_squares(m.row(i));
        inverse[i] = square > 0 ? 1 / std::sqrt(square) : 0;
    }
    return inverse;
}

}  // namespace

std::vector<std::vector<Neighbour>> nearest_tokens(const Tensor& W_E, const Tensor& vectors,
                                                   int64_t n_best) {
    require_shape(vectors, {-1, W_E.cols()}, "nearest_tokens: vectors");
    ensure(n_best >= 1 && n_best <= W_E.rows(), "number of tokens out of range", "nearest_tokens",
           "ask for 1 ... d_vocab tokens");
    std::vector<Real> token_scale = inverse_lengths(W_E), scale = inverse_lengths(vectors);
    std::vector<std::vector<Neighbour>> nearest(static_cast<size_t>(vectors.rows()));
    for (int64_t first = 0; first < vectors.rows(); first += rows_at_once) {
        // Take the products of some vectors with all tokens.
        int64_t count = std::min(rows_at_once, vectors.rows() - first);
        Tensor cosines({count, W_E.rows()});
        matmul(row_range(vectors.matrix(), first, count), W_E.matrix(), cosines.matrix(),
               {.transpose_b = true});

        // Divide by the lengths, and keep the best.
        parallel_for(count, [&](int64_t i) {
            std::span<Real> row = cosines.row(i);
            for (size_t id = 0; id < row.size(); ++id) row[id] *= token_scale[id];
            for (int id : largest(row, n_best)) {
                nearest[first + i].push_back({id, row[id] * scale[first + i]});
            }
        });
    }
    return nearest;
}

namespace {

/// For every position the ids whose embeddings lie furthest along the gradient there: swapping
/// token a for b changes the objective by grad . (W_E[b] - W_E[a]), to first order.
std::vector<std::vector<int>> propose(ConstMatrixView W_E, const Tensor& grad, int64_t n_proposed) {
    Tensor scores({grad.rows(), W_E.rows});
    matmul(grad.matrix(), W_E, scores.matrix(), {.transpose_b = true});
    std::vector<std::vector<int>> proposed(static_cast<size_t>(grad.rows()));
    parallel_for(grad.rows(), [&](int64_t i) {
        proposed[i] = largest(scores.row(i), n_proposed);
        std::ranges::sort(proposed[i]);
    });
    return proposed;
}

}  // namespace

SearchResult search_tokens(const Tensor& W_E, const TokenObjective& objective, std::vector<int> ids,
                           const SearchSettings& settings, uint64_t seed) {
    int64_t d_vocab = W_E.rows() - settings.n_padding;
    int64_t n_proposed = std::min(settings.n_proposed, d_vocab);
    auto n_token = static_cast<int64_t>(ids.size());
    ensure(n_token >= 1 && settings.n_candidate >= 1 && n_proposed >= 1, "nothing to search",
           "search_tokens", "pass a token, a candidate and a proposal at least");
    ConstMatrixView tokens = row_range(W_E.matrix(), 0, d_vocab);
    Rng rng(seed);
    double value = objective.values(ids, 1).front(), used = 1;
    SearchResult result = {ids, value, {used}, {value}};
    auto cost = static_cast<double>(settings.n_candidate + (settings.guided ? 2 : 0));
    while (used + cost <= static_cast<double>(settings.budget)) {
        // Ask the gradient which tokens might do better at each position.
        std::vector<std::vector<int>> proposed;
        if (settings.guided) proposed = propose(tokens, objective.gradient(result.ids), n_proposed);

        // Swap one token in each candidate: any position, any of its proposals.
        std::vector<int> candidates;
        for (int64_t c = 0; c < settings.n_candidate; ++c) {
            int64_t at = rng.below(n_token);
            std::vector<int> candidate = result.ids;
            candidate[at] = settings.guided ? proposed[at][rng.below(n_proposed)]
                                            : static_cast<int>(rng.below(d_vocab));
            candidates.insert(candidates.end(), candidate.begin(), candidate.end());
        }

        // Evaluate them all; take the best if it is better.
        std::vector<double> values = objective.values(candidates, settings.n_candidate);
        auto best = std::ranges::max_element(values);
        if (*best > result.value) {
            result.value = *best;
            auto from = candidates.begin() + (best - values.begin()) * n_token;
            result.ids.assign(from, from + n_token);
        }
        used += cost;
        result.passes.push_back(used);
        result.values.push_back(result.value);
    }
    return result;
}

}  // namespace vimach
