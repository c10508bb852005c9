// The backward pass of GPT-2 (model/gpt2): from the gradient at some activation down to the input
// embeddings, or from the mean loss to the gradients of all parameters. The forward pass keeps what
// the backward pass reads (a trace); everything cheap, such as a layer norm, is computed again.
// Derivations: docs/04_activation_maximization.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/tensor.h"
#include "model/gpt2.h"
#include "model/head.h"

namespace vimach {

/// What a backward pass needs of a forward pass that stopped at one activation.
struct Trace {
    int64_t n_window = 1;
    int64_t layer = 0;  ///< the block of the target
    std::string name;   ///< "resid_post"; see tap_names
    Tensor target;      ///< the activation there, [n_row, width]
    Taps taps = {};
};

/// Runs the blocks that `target` needs on embeddings [n_window * n_token, d_model], position
/// embeddings added where they are wanted. target: blocks.N.NAME with NAME one of resid_pre,
/// resid_mid, mlp_pre, mlp_post, mlp_out, resid_post.
Trace trace_blocks(const Gpt2& model, const Tensor& embeddings, int64_t n_window,
                   const std::string& target);

/// The gradient of an objective with respect to the embeddings [n_row, d_model], given its gradient
/// with respect to the target [n_row, width].
Tensor backward_to_embeddings(const Gpt2& model, const Trace& trace, const Tensor& grad_target);

/// Mean cross-entropy of the next token, in nats, over windows of n_token + 1 ids each (ids holds
/// n_window of them); its gradient with respect to every parameter is added to `grad`. W_E is used
/// twice, as embedding and as unembedding, and gets both contributions. With candidates, the loss
/// is estimated among them (model/head).
double loss_and_gradients(const Gpt2& model, std::span<const int> ids, int64_t n_window, Gpt2& grad,
                          const Candidates* candidates = nullptr);

}  // namespace vimach
