// Chapter 4's controls: vectors decoded to tokens and how close chance comes, activations of real
// text, what a climb does to all other dimensions; and the verdicts that follow. Windows of equal
// length stand one after the other; the activation of a window is the mean over its tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "model/gpt2.h"
#include "show/claims.h"

namespace vimach::actmax {

/// What is climbed: a direction of one activation. The names of both libraries stand in `text`.
struct Target {
    std::string hook;                  ///< "blocks.3.resid_post"
    std::string text;                  ///< "hidden_states[4] = blocks.3.resid_post"
    std::vector<Real> direction = {};  ///< of length 1
};

/// hidden:N (N from 1 to n_layer - 1: what block N - 1 leaves), block:N (what block N leaves) or
/// mlp:N (neurons after gelu); throws UsageError with the range. direction is left empty.
Target parse_target(const std::string& text, const Gpt2Config& config);

/// The axis of one dimension, or a random direction.
std::vector<Real> axis(int64_t width, int64_t dim);
std::vector<Real> random_direction(int64_t width, uint64_t seed);

/// The activation of every window, given what the hook holds, [n_window * n_token, width].
std::vector<double> window_means(const Tensor& hooked, std::span<const Real> direction,
                                 int64_t n_window);

/// The activation of windows of tokens.
std::vector<double> activation_of(const Gpt2& model, const Target& target, std::span<const int> ids,
                                  int64_t n_window, bool add_positions);

// --- decoding -----------------------------------------------------------------------------------

/// The tokens whose embeddings have the largest cosines with a vector, in descending order.
struct Decoded {
    std::vector<int> ids;
    std::vector<double> cosines;
};
std::vector<Decoded> decode_vectors(const Tensor& W_E, const Tensor& vectors, int64_t n_top);

/// The largest cosine of any token within every group of n_token vectors.
std::vector<double> best_cosines(const std::vector<Decoded>& decoded, int64_t n_token);

/// Vectors of chance: standard normal, or normal with the mean and covariance of the rows of W_E.
Tensor isotropic_vectors(int64_t n, int64_t width, uint64_t seed);
Tensor matched_vectors(const Tensor& W_E, int64_t n, uint64_t seed);

/// Random tokens, n_window windows of n_token.
std::vector<int> random_windows(int64_t n_window, int64_t n_token, int64_t d_vocab, uint64_t seed);

// --- what a climb changes -----------------------------------------------------------------------

/// A climb's beginning and end, from each of several starts.
struct Climb {
    Tensor start = {}, theta = {};          ///< embeddings, [n_start * n_token, d_model]
    Tensor hooked_start = {}, hooked = {};  ///< what the hook holds, [n_start * n_token, width]
    std::vector<double> a_start = {}, a_end = {};  ///< of every start
    /// Means over starts, before each step and at the end.
    std::vector<double> a = {}, gradient_norm = {}, squares = {};
};

/// Share of dimensions whose size, averaged over a start's tokens, falls: of those at most `reach`
/// from the target's, and of all others; one number a start.
struct Fallen {
    std::vector<double> near, far;
};
Fallen fallen(const Climb& climb, int64_t n_start, int64_t dim, int64_t reach);

/// log10 |end| / median |start|, of every start.
std::vector<double> orders(const Climb& climb);

/// (end - start) / deviation, of every start.
std::vector<double> deviations(const Climb& climb, double deviation);

/// Squared norm of a start's embeddings at the end over that at the beginning.
std::vector<double> growth(const Climb& climb, int64_t n_start);

// --- verdicts -----------------------------------------------------------------------------------

/// Thresholds of the verdicts, chosen before any run.
struct Criteria {
    double orders = 2;        ///< 4a: "orders of magnitude" is a factor of 100 or more
    double deviations = 10;   ///< 4a: further out than real tokens ever are
    double suppressed = 0.5;  ///< 4b: most neighbours
    int64_t reach = 5;        ///< 4b: dimensions on either side that count as neighbours
    double kept = 0.1;        ///< 4c: tokens that keep less than a tenth say nothing of the vector
    double low = 0.5;         ///< 4d: a vector that shares a quarter of its square with a token
    double explode = 2;       ///< 4e: without the term twice the squared norm of the beginning
};

/// The numbers on which the verdicts rest.
struct Findings {
    Measure orders = {}, orders_random = {};
    Measure deviations = {}, deviations_random = {};
    Measure near = {}, far = {};
    Measure kept = {}, kept_text = {};
    Measure cosine = {}, cosine_chance = {};
    Measure growth = {}, growth_free = {};
    double penalty = 0;  ///< lambda of the preset
};

/// Claims 4a to 4e.
std::vector<Claim> judge(const Findings& findings, const Criteria& criteria);

}  // namespace vimach::actmax
