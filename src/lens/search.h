// Search for the tokens that a score likes best: greedy coordinate swaps guided by the gradient
// (GCG: Zou et al. 2023, algorithm 1), and random swaps with the same budget. The score says of
// windows of tokens how good they are; it is evaluated exactly for every candidate, so the gradient
// decides only what is tried.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"

namespace vimach {

/// Scores of n_window windows of equal length, one after the other.
using WindowScore = std::function<std::vector<double>(std::span<const int> ids, int64_t n_window)>;

/// The gradient of one window's score with respect to its embeddings, [n_token, d_model].
using WindowGradient = std::function<Tensor(std::span<const int> ids)>;

struct SearchSettings {
    int64_t n_step = 30;
    int64_t n_candidate = 64;  ///< windows tried in a step, each with one token swapped
    int64_t n_top = 128;       ///< tokens of each position among which candidates are drawn
};

struct SearchResult {
    std::vector<int> ids;
    double score = 0;
    int64_t n_forward = 0;           ///< windows run forward; a gradient counts as three
    std::vector<double> curve = {};  ///< the best score after each step
};

/// From the window `start`: in every step, swapping the token at position i for w would add about
/// g_i . (W_E[w] - W_E[ids_i]) to the score; candidates are drawn from the n_top best w of each
/// position, and the best of them is taken where it is better.
SearchResult search_by_gradient(const Tensor& W_E, std::vector<int> start, const WindowScore& score,
                                const WindowGradient& gradient, const SearchSettings& settings,
                                Rng& rng);

/// The same with candidates from all d_vocab tokens, until `n_forward` windows have been run.
SearchResult search_at_random(int64_t d_vocab, std::vector<int> start, const WindowScore& score,
                              int64_t n_forward, const SearchSettings& settings, Rng& rng);

}  // namespace vimach
