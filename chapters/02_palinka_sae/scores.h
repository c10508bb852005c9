// Chapter 2's words and scores: which tokens count as words of a topic, which as content, function
// words or marks; how selective every latent is for a set of tokens; and the same scores for random
// sets of words. Tokens are given by their positions in the passage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lens/sae.h"
#include "math/matrix.h"
#include "text/tokenizer.h"

namespace vimach::ch02 {

/// content: a word of three letters or more with a blank before it that is no function word.
/// filler: function words and punctuation. piece: all others, parts of words and numbers.
enum class TokenKind { content, filler, piece };
TokenKind kind_of(std::string_view token);

/// The words of a topic as tokens.
struct Topic {
    std::vector<int> ids = {};         ///< the first token of every word, with a blank before it
    std::vector<int64_t> tokens = {};  ///< where they stand in the passage
    std::vector<std::string> remarks = {};  ///< words that are no single token, or do not occur
};

/// Throws where none of the words (one a line) stands in the passage; `source` is their file.
Topic find_topic(const Tokenizer& tokenizer, const std::string& words,
                 const std::vector<int>& passage, const std::string& source);

/// Random sets of content words that stand as often in the passage as the topic's words do, word
/// for word as nearly as there are such words; none of the topic's own.
std::vector<std::vector<int64_t>> random_topics(const Tokenizer& tokenizer, const Topic& topic,
                                                const std::vector<int>& passage, int64_t n_set,
                                                uint64_t seed);

constexpr int64_t n_best = 10;       // latents of an SAE that are looked at closely
constexpr double high_ratio = 2;     // twice as much on the topic as elsewhere
constexpr double same_latent = 0.8;  // |r| from which two latents do the same: 64 % of the variance

/// What a latent does on some of the tokens.
struct Part {
    double total = 0;     ///< activation
    double n_token = 0;   ///< how many tokens these are
    double n_active = 0;  ///< on how many of them it is above 0
};

/// A score of a latent for a set of tokens: what it does on them over what it does on all others.
using RatioRule = double (*)(const Part& on_set, const Part& elsewhere);

/// Scores of every latent for every set of tokens, [n_set, n_latent].
struct Scores {
    Matrix ratio;  ///< infinite where a latent is active on the set alone
    Matrix auc;    ///< probability that a token of the set has more than another token
};
Scores score_sets(const Matrix& latents, const std::vector<std::vector<int64_t>>& sets,
                  RatioRule ratio);

/// A latent beside its nulls: how often random sets score as high, for this latent, and for the
/// best of all latents (Westfall & Young 1993, single-step maxT).
struct Tested {
    double ratio = 0, ratio_p = 1, ratio_p_max = 1;
    double auc = 0, auc_p = 1, auc_p_max = 1;
    double coverage = 0;  ///< share of the topic's tokens on which it is active
    double filler = 0;    ///< share of its activation on function words and punctuation
    double density = 0;   ///< share of tokens on which it is active
    double mean = 0;      ///< activation, over all tokens
};

/// Tests every latent; the first set of `scores` is the topic, the others are random.
std::vector<Tested> test_latents(const Matrix& latents, const Scores& scores,
                                 const std::vector<int64_t>& topic,
                                 const std::vector<TokenKind>& kinds);

/// The numbers of the `n` latents that come first by a member of Tested; infinite ratios are left
/// out, ties go to the lower number.
std::vector<int64_t> best_by(const std::vector<Tested>& tested, double Tested::*member, int64_t n);

/// Of every set, the share of active latents whose finite ratio reaches `high`.
std::vector<double> share_high(const Scores& scores, const std::vector<Tested>& tested,
                               double high);

/// Of every set, the share of their activation that the n best latents by ratio have on function
/// words and marks, mean of these latents.
std::vector<double> filler_of_best(const Scores& scores, const std::vector<Tested>& tested,
                                   int64_t n);

/// How far latents are from their random start: means over active latents of the cosine between
/// their decoder rows; of those that were active there too, the correlation of their activations.
struct Moved {
    double cosine = 1, r = 1;
};

/// One SAE looked at closely. Lists over sets begin with the topic; the others are random.
struct Examined {
    int64_t top_k = 0;
    SaeSummary summary = {};
    Tensor latents = {};              ///< [n_token, n_latent]
    std::vector<Tested> tested = {};  ///< of every latent
    std::vector<int64_t> best_auc = {}, best_ratio = {};
    std::vector<double> high = {};    ///< share_high of every set
    std::vector<double> filler = {};  ///< filler_of_best of every set
    double best_random = 0;           ///< the largest finite ratio of any latent for a random set
    Moved moved = {};                 ///< from where training began
};

/// What is asked of every SAE alike.
struct Question {
    ConstMatrixView x = {};
    std::vector<std::vector<int64_t>> sets = {};
    std::vector<TokenKind> kinds = {};
    RatioRule ratio = nullptr;
};
Examined examine(const Sae& sae, const Question& question);

}  // namespace vimach::ch02
