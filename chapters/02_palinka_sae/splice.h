// Claim 2i, the project's own: does an SAE keep what the model needs? Its reconstruction takes the
// activation's place in the middle of a forward pass, and the loss is compared with that of the
// clean pass and with that of a pass in which every row is the mean row. Beside it: a random
// projection that leaves the same share of the variance unexplained.
#pragma once

#include <cstdint>
#include <vector>

#include "controls.h"
#include "show/table.h"

namespace vimach::ch02 {

/// What came of one SAE: the loss, the share of it that is recovered, the unexplained variance.
struct Spliced {
    double loss = 0, recovered = 0, fvu = 0;
};

/// A text, and the activation on it that something else can take the place of.
struct Splice {
    const Study& study;
    std::vector<int> ids;
    Tensor x;  ///< the activation, [n_token, width]
    double clean = 0, mean = 0,
           zero = 0;                 ///< losses: as it is; every row the passage's mean; zeros
    std::vector<Spliced> saes = {};  ///< every SAE's reconstruction
};
Splice make_splice(const Study& study, const std::vector<int>& ids,
                   const std::vector<Training>& saes);

/// The mean loss of the text where these rows take the activation's place.
double spliced_loss(const Splice& splice, const Tensor& rows);

/// (mean - loss) / (mean - clean): 1 where nothing is lost, 0 where the mean row does as well.
double recovered(const Splice& splice, double loss);

/// What x has along `n_direction` random directions at right angles, around its own mean row.
Tensor random_projection(const Tensor& x, int64_t n_direction, uint64_t seed);

/// 2i: share of the loss that is recovered, over SAEs, and of random projections of the same FVU.
Finding loss_recovered(const Splice& splice, int64_t n_draw, uint64_t seed);

/// 2i from its numbers.
Finding loss_recovered(const std::vector<Spliced>& saes, const std::vector<double>& projections);

/// Losses: clean, spliced, mean, zero.
Table splice_table(const Splice& passage, const Splice& unseen);

}  // namespace vimach::ch02
