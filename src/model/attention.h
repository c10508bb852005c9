// The one layer in which tokens see each other: causal self-attention of many heads (Vaswani et al.
// 2017, eq. 1), forward and backward. Derivation: docs/04_activation_maximization.md.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace vimach {

/// What causal_attention can keep beside its result; null where it is not wanted.
struct AttentionTaps {
    Tensor* scores = nullptr;   ///< [n_window, n_head, n_token, n_token], -infinity where masked
    Tensor* pattern = nullptr;  ///< the same shape; each row sums to 1
};

/// Causal self-attention of every head over every window (Vaswani et al. 2017, eq. 1).
/// qkv [n_window * n_token, 3 * d_model] holds queries, keys and values side by side, each cut
/// into n_head heads; z [n_window * n_token, d_model] receives softmax(q k^T / sqrt(d_head)) v.
void causal_attention(ConstMatrixView qkv, int64_t n_window, int64_t n_head, MatrixView z,
                      const AttentionTaps& taps = {});

/// The same for the last tokens of one window, given the keys and values of all: q and z
/// [n_query, d_model], k and v [n_key, d_model]; query i sees the keys up to its own,
/// n_key - n_query + i.
void causal_attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v, int64_t n_head,
                      MatrixView z);

/// Gradients of queries, keys and values, side by side in grad_qkv [n_window * n_token, 3 *
/// d_model]. q, k, v and grad_z are [n_window * n_token, d_model]; the pattern is computed once
/// more.
void causal_attention_backward(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                               int64_t n_window, int64_t n_head, ConstMatrixView grad_z,
                               MatrixView grad_qkv);

}  // namespace vimach
