// Chapter 2's words and scores: which tokens count as words of a topic, which as content, function
// words or marks; how selective a latent is for a set of tokens; and the same scores for random
// sets of words. Tokens are given by their positions in the passage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lens/sae.h"
#include "math/matrix.h"
#include "text/tokenizer.h"

namespace vimach::palinka {

/// content: a word of three letters or more with a blank before it that is no function word.
/// filler: function words and marks. piece: all others, parts of words and numbers.
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

/// How the document's ratio is formed.
enum class Ratio {
    of_means,       ///< mean on the topic over mean elsewhere
    of_live_means,  ///< means of the activations above 0 only; 0 where there are none on one side
};

/// Scores of every latent for every set of tokens, [n_set, n_latent].
struct Scores {
    Matrix ratio;  ///< infinite where a latent answers to the set alone
    Matrix auc;    ///< probability that a token of the set has more than another token
};
Scores score_sets(const Matrix& latents, const std::vector<std::vector<int64_t>>& sets,
                  Ratio ratio);

/// A latent beside its nulls: how often random sets score as high, for this latent, and for the
/// best of all latents (Westfall & Young 1993, single-step maxT).
struct Tested {
    double ratio = 0, ratio_p = 1, ratio_p_max = 1;
    double auc = 0, auc_p = 1, auc_p_max = 1;
    double coverage = 0;  ///< share of the topic's tokens on which it is live
    double filler = 0;    ///< share of its activation on function words and marks
    double density = 0;   ///< share of tokens on which it is live
    double mean = 0;      ///< activation, over all tokens
};

/// Tests every latent; the first set of `scores` is the topic, the others are random.
std::vector<Tested> test_latents(const Matrix& latents, const Scores& scores,
                                 const std::vector<int64_t>& topic,
                                 const std::vector<TokenKind>& kinds);

/// The numbers of the `n` latents that come first by a member of Tested; infinite ratios are left
/// out, ties go to the lower number.
std::vector<int64_t> best_by(const std::vector<Tested>& tested, double Tested::*member, int64_t n);

/// Of every set, the share of live latents whose finite ratio reaches `high`.
std::vector<double> share_high(const Scores& scores, const std::vector<Tested>& tested,
                               double high);

/// One SAE looked at closely.
struct Examined {
    int64_t top_k = 0;
    SaeSummary summary = {};
    Matrix latents = {};  ///< [n_token, n_latent]
    Scores scores = {};
    std::vector<Tested> tested = {};  ///< of every latent
    std::vector<int64_t> best_auc = {}, best_ratio = {};
};
Examined examine(const Sae& sae, ConstMatrixView x, const std::vector<std::vector<int64_t>>& sets,
                 const std::vector<TokenKind>& kinds, Ratio ratio, int64_t n_best);

}  // namespace vimach::palinka
