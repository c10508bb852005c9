// Real tokens for an activation: which token embeddings are nearest to a vector, and which tokens
// raise an objective. The search swaps one token at a time: the gradient proposes the swaps
// (greedy coordinate gradient, GCG: Zou et al. 2023, algorithm 1), exact evaluation decides.
// Without the gradient it is a random search, the control at the same number of passes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace vimach {

struct Neighbour {
    int id;
    double cosine;
};

/// For every row of `vectors` [n, d_model] the n_best tokens of largest cosine, best first; of
/// equal ones the lower id first. A token or a vector of length 0 has the cosine 0.
std::vector<std::vector<Neighbour>> nearest_tokens(const Tensor& W_E, const Tensor& vectors,
                                                   int64_t n_best);

/// What a search maximises: a number for every window of ids, and its gradient with respect to the
/// embeddings of one window, [n_token, d_model].
struct TokenObjective {
    std::function<std::vector<double>(std::span<const int> ids, int64_t n_window)> values;
    std::function<Tensor(std::span<const int> ids)> gradient;
};

struct SearchSettings {
    int64_t budget = 4096;      ///< passes of one window, forward or backward
    int64_t n_candidate = 128;  ///< swaps tried in a step
    int64_t n_proposed = 256;   ///< tokens that the gradient proposes at a position
    bool guided = true;         ///< off: tokens are proposed at random
    int64_t n_padding = 0;      ///< last rows of W_E that are no tokens and are left out
};

struct SearchResult {
    std::vector<int> ids;
    double value = 0;
    std::vector<double> passes, values;  ///< passes used and the value, before each step and at end
};

/// Climbs from `ids`, one window, until the next step would go beyond the budget. A step costs a
/// pass for each candidate, and two for the gradient: up, and down again. Unlike GCG, it stays
/// where no candidate is better.
SearchResult search_tokens(const Tensor& W_E, const TokenObjective& objective, std::vector<int> ids,
                           const SearchSettings& settings, uint64_t seed);

}  // namespace vimach
