// What nano's training reads: the works of a folder as tokens, and for every step the windows to
// learn from and the candidates for its softmax. A step's are functions of its number.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/head.h"
#include "text/tokenizer.h"

namespace vimach::nano {

/// The tokens of all works of a split ("train" or "validation") in the order of FOLDER/SOURCES.tsv,
/// "<|endoftext|>" before each. That table has the columns `split` and `file`, and names no file
/// twice.
struct Split {
    std::vector<int> ids = {};
    int64_t n_byte = 0, n_work = 0;
};
Split read_split(const Tokenizer& tokenizer, const std::string& folder, const std::string& split);

/// Tokens to train on, and the rank of every id of the vocabulary: 0 for the most frequent.
struct Text {
    std::vector<int> ids = {}, ranks = {};
};
Text rank_tokens(std::vector<int> ids, int64_t d_vocab);

/// How a text is cut: n_window windows of n_ctx + 1 ids a step.
struct WindowPlan {
    int64_t n_window, n_ctx;
    uint64_t seed;
};

/// The windows of a step, n_window * (n_ctx + 1) ids. Every pass over the tokens cuts them at
/// another offset and takes the windows in another order, given by the seed.
std::vector<int> step_windows(const WindowPlan& plan, std::span<const int> ids, int64_t step);

/// The candidates of a step: its targets; of the other ids the 2 * n_frequent most frequent; and
/// of each further doubling of ranks every second, fourth, eighth ... in turn, with that weight.
/// GPT-2's vocabulary leaves some 6,900 of 50,257, and every id has its turn within 32 steps.
Candidates step_candidates(const Text& text, int64_t n_frequent, std::span<const int> targets,
                           int64_t step);

}  // namespace vimach::nano
