// The layers of GPT-2, each a function of matrices whose rows are tokens: y = x W + b with W
// stored [d_in, d_out], as in GPT-2's checkpoint (Radford et al. 2019; openai/gpt-2 model.py).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "math/blas.h"

namespace vimach {

/// y = x W + b. x [n_token, d_in], W [d_in, d_out], b [d_out], y [n_token, d_out]. `finish`, if
/// given, then runs on every tile of y while it is in the cache.
void linear(ConstMatrixView x, const Tensor& W, const Tensor& b, MatrixView y,
            const TileWork& finish = {});

/// y = gain * (x - mean) / sqrt(var + 1e-5) + bias, mean and biased variance per row
/// (Ba, Kiros & Hinton 2016, eq. 4). x, y [n_token, width]; may be the same memory.
void layer_norm(ConstMatrixView x, const Tensor& gain, const Tensor& bias, MatrixView y);

/// y = gelu(x) = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the approximation GPT-2 was
/// trained with (Hendrycks & Gimpel 2016, sec. 2). Same shapes; may be the same memory.
void gelu(ConstMatrixView x, MatrixView y);

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

/// Row i: -log softmax(logits[i])[targets[i]], in nats. logits [n_token, d_vocab].
std::vector<double> cross_entropy(ConstMatrixView logits, std::span<const int> targets);

}  // namespace vimach
