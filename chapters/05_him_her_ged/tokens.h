// Claim 5d: whole sentences through a filter. A him-sentence and its her-sentence are compared
// token by token on pairs that the filter has not seen.
#pragma once

#include <functional>

#include "folds.h"
#include "show/table.h"

namespace vimach::ch05 {

/// A pair of sentences, [n_token, d] each, and where the pronoun stands.
struct TokenPair {
    Matrix him, her;
    int64_t pronoun;
    bool counts = true;  ///< no earlier pair is the same up to the pronoun
};

/// The mean over all tokens of all sentences but the first of each, an outlier in every text. Not
/// the mean of the pronouns, which would put them at 0 by construction.
std::vector<double> mean_token(const std::vector<TokenPair>& sentences);

/// Every pair in the space of the components of the fold that left it out, less the mean token. Of
/// a group of pairs that begin alike the first counts.
std::vector<TokenPair> left_out_tokens(const std::vector<TokenPair>& sentences,
                                       const std::vector<FoldFit>& folds,
                                       const std::vector<int64_t>& group);

/// A direction for every pair, in the space of its fold: [k].
using Directions = std::vector<std::vector<double>>;
enum class Along { him_over_her, her_over_him, means };
Directions fold_directions(const std::vector<FoldFit>& folds, Along which, int64_t n_pair);

/// 5d before: the largest |him - her| along the directions in front of the pronoun.
Measure gap_before(const std::vector<TokenPair>& tokens, const Directions& directions);

/// For every pair that counts: whether the largest |him - her| of all tokens is the pronoun's (5d
/// gap), and whether the pronouns lie on different sides of the mean token (5d sign).
Outcomes gap_at_pronoun(const std::vector<TokenPair>& tokens, const Directions& directions);
Outcomes opposite_signs(const std::vector<TokenPair>& tokens, const Directions& directions);

/// The shares of pairs of which this is so.
Measure gap_share(const std::vector<TokenPair>& tokens, const Directions& directions);
Measure sign_share(const std::vector<TokenPair>& tokens, const Directions& directions);

/// The same for random directions in the same spaces, one a draw for all pairs.
Control random_gap_share(const std::vector<TokenPair>& tokens, const Draws& draws);
Control random_sign_share(const std::vector<TokenPair>& tokens, const Draws& draws);

/// Both shares along him > her, her > him and the difference of the means.
Table token_table(const std::vector<TokenPair>& tokens, const std::vector<FoldFit>& folds);

}  // namespace vimach::ch05
