// The head of GPT-2 in training: logits = x W_E^T, their mean cross-entropy, and the gradients, in
// one go. Logits of all rows would not fit into the cache, and to walk over them again and again
// (largest, exponentials, sum, division) would take as long as the products themselves. So a strip
// of the vocabulary is made and used while it is in the cache, and what is left for later are
// powers of e that nobody divides by their sum: that factor goes to the small matrices.
#pragma once

#include <span>
#include <vector>

#include "core/tensor.h"

namespace vimach {

/// Mean cross-entropy of the targets, in nats, under softmax(x W_E^T). x [n_row, d_model] is the
/// final layer norm's output, W_E [d_vocab, d_model]. grad_x receives the gradient of x; that of
/// W_E is added to grad_W_E. Infinite where the loss of a row is above 87 nats.
double head_loss_and_gradients(ConstMatrixView x, const Tensor& W_E, std::span<const int> targets,
                               MatrixView grad_x, Tensor& grad_W_E);

/// Tokens that stand for the whole vocabulary in one step (importance sampling: Bengio & Senecal
/// 2008): every target, and some of the others, each in the place of as many as it says.
struct Candidates {
    std::vector<int> ids = {};           ///< none of them twice
    std::vector<Real> log_weights = {};  ///< log of how many tokens each stands for; 0 for targets
};

/// The same among candidates: the sum over the vocabulary in the softmax is estimated by the
/// weighted sum over them, and only their rows of grad_W_E grow.
double head_loss_and_gradients(ConstMatrixView x, const Tensor& W_E, std::span<const int> targets,
                               const Candidates& candidates, MatrixView grad_x, Tensor& grad_W_E);

}  // namespace vimach
