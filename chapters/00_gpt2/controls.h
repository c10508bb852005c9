// Chapter 0's controls: the same losses where order, learning or knowledge is taken away; and the
// head that looks at the token before, found in the same way in any model.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/gpt2.h"
#include "show/table.h"

namespace vimach::ch00 {

/// The loss of every token, NaN where nothing precedes it in its window.
using Losses = std::vector<double>;

/// Their mean, without NaN.
double mean_loss(const Losses& losses);

/// Losses of a text by a model.
using LossesOf = std::function<Losses(const Gpt2& model, std::span<const int> ids)>;

/// The mean loss beside its controls: the tokens in random orders, an untrained model's mean, a
/// blind guess among all tokens.
Table mean_table(const LossesOf& losses_of, const Gpt2& model, double untrained_loss,
                 std::span<const int> ids, int64_t n_shuffle, uint64_t seed);

/// The head that most looks at the previous token, and how much of its attention goes there.
struct PreviousTokenHead {
    int64_t layer = 0, head = 0;
    double attention = -1;
    Tensor pattern = {};  ///< [n_head, n_token, n_token], of its layer
};

/// Remembers the best head of one layer if it beats those of the layers before.
void compare_heads(const Tensor& pattern, int64_t layer, PreviousTokenHead& best);

}  // namespace vimach::ch00
