// Chapter 4's target, measures and controls: what is climbed; what the same climb does along random
// directions and in a model of random weights; what real tokens reach; how near chance brings a
// vector to a token. Rows of all activations are tokens, n_token to a window.
#pragma once

#include <string>
#include <vector>

#include "lens/search.h"
#include "math/matrix.h"
#include "model/gpt2_backward.h"
#include "show/old_claims.h"

namespace vimach::climbing {

/// What is climbed: the activation at a tap, the mean over the positions of a window or at one.
struct Target {
    std::string name, tap;        ///< "hidden:4", "blocks.3.resid_post"
    int64_t n_block = 0;          ///< blocks that must run for it
    int64_t width = 0, dim = 0;   ///< of the tap; the coordinate that is climbed
    int64_t n_token = 1, at = 0;  ///< of a window; the position climbed, -1: the mean of all
    bool add_positions = false;

    bool climbs(int64_t row) const { return at < 0 || row % n_token == at; }
    Real weight() const { return at < 0 ? 1 / static_cast<Real>(n_token) : Real(1); }
};

/// "hidden:N" (Hugging Face's hidden_states[N]), "block:N" (the stream after block N), "mlp:N" (the
/// neurons of block N); a number alone is hidden:N. Sets name, tap, n_block and width.
Target parse_target(const std::string& text, const Gpt2Config& config);

/// One activation for every window of a tap [n_row, width]: along row w of `directions` for window
/// w, or along the only row for all.
std::vector<double> climbed(const Target& target, ConstMatrixView tap, const Tensor& directions);

/// The gradient of the sum of those activations with respect to the tap.
Tensor gradient_at_target(const Target& target, int64_t n_row, const Tensor& directions);

/// The coordinate axis of the target; directions of length 1, drawn at random.
Tensor axis(const Target& target);
Tensor random_directions(const Target& target, int64_t n, uint64_t seed);

/// One climb of several starts.
struct Climb {
    Tensor theta = {};          ///< the optimised vectors [n_start * n_token, d_model]
    Tensor before, after = {};  ///< the tap at the first and the last step
    std::vector<std::vector<double>> activation = {};          ///< of every start, at every step
    std::vector<double> gradient_norm = {}, square_norm = {};  ///< means over starts, at every step
};

// --- tokens -------------------------------------------------------------------------------------

/// Activations along the target's axis of n_window windows of token ids.
std::vector<double> activation_of_ids(const Gpt2& model, const Target& target,
                                      std::span<const int> ids, int64_t n_window);

/// The same with its gradient, for a token search.
TokenObjective token_objective(const Gpt2& model, const Target& target);

/// Windows of tokens drawn from the whole vocabulary.
std::vector<int> random_ids(const Gpt2& model, int64_t n_window, int64_t n_token, uint64_t seed);

/// The best window that begins at any token of a text, and the best of each of n_part parts of it.
struct TextWindows {
    double best = 0;
    std::vector<int> ids = {};       ///< of the best
    std::vector<double> parts = {};  ///< activations
};
TextWindows best_windows(const Gpt2& model, const Target& target, const std::vector<int>& ids,
                         int64_t n_part);

/// Standard deviation of the target's coordinate over the tokens of a text, in windows as long as
/// the model takes, with position embeddings, without the first token of each.
double deviation_on_text(const Gpt2& model, const Target& target, const std::vector<int>& ids);

/// The best cosine of every group of n_token vectors.
std::vector<double> best_cosines(const Tensor& W_E, const Tensor& vectors, int64_t n_token);

/// Normal vectors: of equal variance in every direction; with the mean and covariance of W_E.
Tensor isotropic_vectors(const Tensor& W_E, int64_t n, uint64_t seed);
Tensor matched_vectors(const Tensor& W_E, int64_t n, uint64_t seed);

/// The standard deviation of all numbers of a tensor.
double deviation_of(const Tensor& m);

/// The first blocks of a model, the numbers of each tensor in random order: weights of the same
/// sizes that have learnt nothing. W_E stays empty.
Gpt2 shuffled_blocks(const Gpt2& model, int64_t n_block, uint64_t seed);

// --- verdicts -----------------------------------------------------------------------------------

/// Thresholds of the verdicts, chosen before any run.
struct Criteria {
    double orders = 2;        ///< 4a: "orders", more than one
    double suppressed = 0.5;  ///< 4b: more values fall than rise
    int64_t n_neighbour = 5;  ///< 4b: dimensions to either side
    double kept = 0.1;        ///< 4c: tokens that keep a tenth of the gain do not stand for it
    double low_cosine = 0.5;  ///< 4d: cos^2 = 1/4: a token explains a quarter of the vector
    double exploding = 10;    ///< 4e: embeddings explode where they grow tenfold
    int64_t n_bootstrap = 1000;
};

/// log10(|end| / median |start|) of every start of a climb. `median` is taken over activations of
/// one direction at the start.
std::vector<double> orders_of_growth(const Climb& climb);
std::vector<double> orders_of_growth(const Climb& climb, const Target& target,
                                     const Tensor& directions);

/// For every start and dimension, the share of positions at which |value| fell: [n_start, width].
Matrix falls(const Climb& climb, const Target& target);

/// |theta| at the end over |theta| at the start, from the means over starts.
double norm_growth(const Climb& climb);

/// The share of the gain from random tokens to optimised vectors that tokens keep.
std::vector<double> kept_share(const std::vector<double>& values, double random, double optimised);

/// The numbers on which the verdicts rest.
struct Findings {
    Measure growth = {}, growth_directions = {}, growth_weights = {};
    Measure neighbours_fall = {}, others_fall = {};
    Measure kept = {}, kept_text = {};
    Measure cosine = {}, isotropic = {};
    Measure growth_free = {}, growth_held = {};  ///< of |theta|: lambda = 0, lambda
    double lambda = 0;
};

/// 4b: the neighbours of the target's dimension, and sets of as many others.
void measure_neighbours(const Climb& climb, const Target& target, const Criteria& criteria,
                        uint64_t seed, Findings& findings);

/// The growth of |theta| over starts.
Measure measure_norms(const Climb& climb, const Tensor& starts, int64_t n_token,
                      const Criteria& criteria, uint64_t seed);

/// Claims 4a to 4e.
std::vector<OldClaim> judge(const Findings& findings, const Criteria& criteria);

}  // namespace vimach::climbing
