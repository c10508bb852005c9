// Claim 5g, the project's own: does a direction do anything? Him's token is given her value along
// one direction of the MLP's expansion, and the forward pass goes on from there.
#pragma once

#include <string>

#include "folds.h"
#include "model/gpt2.h"
#include "sentences.h"
#include "show/table.h"

namespace vimach::ch05 {

/// Directions of length 1 in the space of the MLP's expansion, [n, d_mlp]. The first have names,
/// the rest are random ones in the space of the components.
struct PatchPlan {
    std::vector<std::string> names;
    Matrix directions;
};

/// The difference of means; then the first row of what is given: the filters of him > her and of
/// her > him, and the patterns of both, [k, d_mlp] each; then random directions.
PatchPlan plan_patches(const Pairs& pairs, const std::vector<Matrix>& filters_and_patterns,
                       const Matrix& components, const Draws& draws);
constexpr int64_t filter_column = 2;  ///< of patch_pairs' result: along the filter of him > her

/// KL(clean || patched) in nats of the next token's distribution at the end of a beginning, for
/// every row that takes the place of the last token's mlp_pre: [n, d_mlp].
std::vector<double> patch_kl(const Gpt2& model, int64_t layer, std::span<const int> beginning,
                             const Matrix& values);

/// The same for all pairs: column 0 is the whole vector, a -> b; column 1 + j is along direction j,
/// a + ((b - a) . u) u, with a = him's activations and b = hers.
Matrix patch_pairs(const Gpt2& model, int64_t layer, const std::vector<Sentence>& sentences,
                   const Pairs& pairs, const Matrix& directions);

/// The mean KL of one column as a share of that of the whole vector.
Measure kl_share(const Matrix& kl, int64_t column, const std::vector<int64_t>& group,
                 const Draws& draws);

/// The shares of the columns behind the named ones.
Control random_kl_share(const Matrix& kl, const PatchPlan& plan);

/// Mean KL and its share, direction by direction.
Table patch_table(const Matrix& kl, const PatchPlan& plan);

}  // namespace vimach::ch05
