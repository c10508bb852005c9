// What chapter 4 climbs, and from where: a coordinate at a tap of the model, input vectors drawn at
// random, directions and weights to compare with. Rows of all activations are tokens, n_token to a
// window; a window is what one start climbs with.
#pragma once

#include <string>
#include <vector>

#include "model/gpt2.h"
#include "show/page.h"
#include "text/tokenizer.h"

namespace vimach::ch04 {

/// What is climbed: the activation at a tap, the mean over the positions of a window or at one.
struct Target {
    std::string name, tap;        ///< "hidden:4", "blocks.3.resid_post"
    int64_t n_block = 0;          ///< blocks that must run for it
    int64_t width = 0, dim = 0;   ///< of the tap; the coordinate that is climbed
    int64_t n_token = 1, at = 0;  ///< of a window; the position climbed, -1: the mean of all
    bool add_positions = false;   ///< whether position embeddings are added to the vectors

    /// What a row's activation counts in that of its window.
    Real weight(int64_t row) const {
        return at < 0 ? 1 / static_cast<Real>(n_token) : Real(row % n_token == at);
    }
};

/// "hidden:N" (Hugging Face's hidden_states[N]), "block:N" (the stream after block N), "mlp:N" (the
/// neurons of block N); a number alone is hidden:N. Sets name, tap, n_block and width.
Target parse_target(const std::string& text, const Gpt2Config& config);

/// What a preset climbs.
struct Choice {
    const char* target;  ///< hidden:N, block:N or mlp:N
    int64_t dim;         ///< its coordinate
    bool add_positions;
};

/// The target that the command line asks for, or a preset's.
Target choose_target(const Options& options, const Choice& preset, const Gpt2Config& config);

/// How much a run does of everything.
struct Counts {
    int64_t n_start, n_step;          ///< of a climb
    int64_t n_dim;                    ///< other dimensions, climbed beside the target's
    int64_t n_noise, n_random;        ///< windows of random vectors; of random tokens and of text
    int64_t n_search, n_search_pass;  ///< token searches, guided and random; passes of each
};

/// The same with the command line's starts and steps.
Counts choose_counts(const Options& options, Counts counts);

/// One activation for every window of a tap [n_row, width], along row w of `directions` for window
/// w; and the gradient of their sum with respect to the tap. Both stand in chapter.cpp.
std::vector<double> climbed(const Target& target, const Tensor& tap, const Tensor& directions);
Tensor gradient_at_target(const Target& target, const Tensor& directions);

/// The target's axis for n windows; axes of dimensions; directions of length 1, drawn at random.
Tensor axis(const Target& target, int64_t n);
Tensor axes(const Target& target, const std::vector<int64_t>& dims);
Tensor random_directions(const Target& target, int64_t n, uint64_t seed);

/// The rows of W_E that stand for tokens.
Tensor token_embeddings(const Gpt2& model);

/// Normal vectors: of equal variance in every direction; with the mean and covariance of W_E.
Tensor isotropic_vectors(const Tensor& W_E, int64_t n, uint64_t seed);
Tensor matched_vectors(const Tensor& W_E, int64_t n, uint64_t seed);

/// The standard deviation of all numbers of a tensor.
double deviation_of(const Tensor& m);

/// The first blocks of a model, the numbers of each tensor in random order: weights of the same
/// sizes that have learnt nothing. W_E stays empty.
Gpt2 shuffled_blocks(const Gpt2& model, int64_t n_block, uint64_t seed);

/// What a run reads, and what it climbs.
struct Study {
    Tokenizer tokenizer;
    Gpt2 model;
    Target target;
    std::vector<int> text;  ///< a real text, to compare with
};
Study read_study(const Options& options, const Choice& preset, Page& page);

}  // namespace vimach::ch04
