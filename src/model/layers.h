// The layers of GPT-2, each a function of matrices whose rows are tokens: y = x W + b with W
// stored [d_in, d_out], as in GPT-2's checkpoint (Radford et al. 2019; openai/gpt-2 model.py).
// Each forward is followed by its backward: from grad_y, the gradient of some objective with
// respect to y, to grad_x; and, where they are asked for, to the gradients of the parameters,
// which are added to what is there. Derivations: docs/04_activation_maximization.md.
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

/// The same as a new tensor.
Tensor linear(const Tensor& x, const Tensor& W, const Tensor& b);

/// Gradients of a layer's two parameters; null where they are not wanted.
struct ParameterGradients {
    Tensor* weight = nullptr;  ///< of W or of a gain
    Tensor* bias = nullptr;
};

/// grad_x = grad_y W^T; grad_W += x^T grad_y; grad_b += the column sums of grad_y. `x` is read only
/// for grad_W. `finish` runs on every tile of grad_x.
void linear_backward(ConstMatrixView x, const Tensor& W, ConstMatrixView grad_y, MatrixView grad_x,
                     const ParameterGradients& grad = {}, const TileWork& finish = {});

/// y = gain * (x - mean) / sqrt(var + 1e-5) + bias, mean and biased variance per row
/// (Ba, Kiros & Hinton 2016, eq. 4). x, y [n_token, width]; may be the same memory.
void layer_norm(ConstMatrixView x, const Tensor& gain, const Tensor& bias, MatrixView y);

/// Adds to grad_x: of a residual stream, which flows past the layer as well. All [n_token, width].
void layer_norm_backward(ConstMatrixView x, const Tensor& gain, ConstMatrixView grad_y,
                         MatrixView grad_x, const ParameterGradients& grad = {});

/// y = gelu(x) = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the approximation GPT-2 was
/// trained with (Hendrycks & Gimpel 2016, sec. 2). Same shapes; may be the same memory.
void gelu(ConstMatrixView x, MatrixView y);

/// grad *= gelu'(x): turns grad_y into grad_x where it stands.
void gelu_backward(ConstMatrixView x, MatrixView grad);

/// Throws unless there is one target for each of n_row rows, all of them ids of the vocabulary.
void check_targets(std::span<const int> targets, int64_t n_row, int64_t d_vocab, const char* where);

/// Row i: -log softmax(logits[i])[targets[i]], in nats. logits [n_token, d_vocab].
std::vector<double> cross_entropy(ConstMatrixView logits, std::span<const int> targets);

}  // namespace vimach
