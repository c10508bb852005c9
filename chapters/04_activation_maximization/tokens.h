// Tokens in the place of vectors: what windows of them do to the target, how near vectors come to
// them, what the model itself thinks of them, and a search for those that do most. Ids are windows
// of n_token, one after the other.
#pragma once

#include <vector>

#include "arms.h"
#include "core/tensor.h"
#include "lens/search.h"
#include "show/progress.h"

namespace vimach::ch04 {

// --- windows of ids -----------------------------------------------------------------------------

/// Windows of tokens drawn from the whole vocabulary.
std::vector<int> random_ids(const Gpt2& model, int64_t n_window, int64_t n_token, uint64_t seed);

/// Windows that begin at random places of a text; or, drawn, every token from a place of its own:
/// the words of the text, as often as they stand there, without their order.
std::vector<int> text_ids(const std::vector<int>& text, int64_t n_window, int64_t n_token,
                          bool drawn, uint64_t seed);

// --- what they do to the target -----------------------------------------------------------------

/// Activations along the target's axis of n_window windows.
std::vector<double> activation_of_ids(const Gpt2& model, const Target& target,
                                      std::span<const int> ids, int64_t n_window);

/// The same with its gradient, for a token search.
TokenObjective token_objective(const Gpt2& model, const Target& target);

/// The best window that begins at any token of a text, and the best of each of n_part parts of it.
struct TextWindows {
    double best = 0;
    std::vector<int> ids = {};       ///< of the best
    std::vector<double> parts = {};  ///< activations
};
TextWindows best_windows(const Gpt2& model, const Target& target, const std::vector<int>& ids,
                         int64_t n_part);

/// Standard deviation of the target's coordinate over the tokens of a text, in windows as long as
/// the model takes, with position embeddings, without the first token of each. 0 where only
/// rounding differs, NaN where fewer than two tokens are left.
double deviation_on_text(const Gpt2& model, const Target& target, const std::vector<int>& ids);

/// Searches from the same random tokens, with swaps proposed by the gradient and at random.
struct Searches {
    std::vector<SearchResult> guided = {}, blind = {};
};
Searches search_both(const Study& study, const Counts& counts, uint64_t seed, Progress& progress);

/// What a run puts in, and the activations that come out.
struct Reached {
    std::vector<double> optimised = {}, decoded = {}, random = {};
    TextWindows text = {};
    Searches found = {};
    double deviation = 0;  ///< on a real text

    /// The share of the gain from random tokens to the optimised vectors that activations keep;
    /// NaN where they gain nothing.
    std::vector<double> kept(const std::vector<double>& values) const;
};

std::vector<double> values_of(const std::vector<SearchResult>& searches);

// --- cosines and losses -------------------------------------------------------------------------

/// The cosine of a vector with every token; the token of largest cosine for every vector. Both
/// stand in chapter.cpp; lens/search has the fast form of the second.
std::vector<double> token_cosines(const Tensor& W_E, std::span<const Real> v);
std::vector<int> decode(const Tensor& W_E, const Tensor& vectors);

/// The best cosine with any token of every group of n_token vectors.
std::vector<double> best_cosines(const Tensor& W_E, const Tensor& vectors, int64_t n_token);

/// Best cosines of the optimised vectors and of random ones.
struct Cosines {
    std::vector<double> optimised = {}, isotropic = {}, matched = {};
};
Cosines read_cosines(const Tensor& W_E, const Arm& own, int64_t n_noise, uint64_t seed);

/// The model's own loss of every window: the mean over its predictions, in nats, as it reads any
/// text, with position embeddings. n_token is 2 or more.
std::vector<double> window_losses(const Gpt2& model, std::span<const int> ids, int64_t n_token);

/// The losses of the decoded windows, and of windows of other tokens. Empty where a window has
/// only one token, and so nothing to predict.
struct Losses {
    std::vector<double> decoded = {}, text = {}, drawn = {}, random = {};
};
Losses read_losses(const Study& study, const std::vector<int>& decoded, int64_t n_window,
                   uint64_t seed);

}  // namespace vimach::ch04
