// GPT-2's layers, each forward above its backward. Elementwise work is done on the tiles or row
// blocks in which the data already lies in the cache; sums run in a fixed order, so results do not
// depend on the number of threads.
#include "model/layers.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t row_grain = 32;  // rows of elementwise work given to a thread at a time

}  // namespace

// --- linear -------------------------------------------------------------------------------------

void linear(ConstMatrixView x, const Tensor& W, const Tensor& b, MatrixView y,
            const TileWork& finish) {
    require_shape(W, {x.cols, y.cols}, "linear: W");
    require_shape(b, {y.cols}, "linear: b");

    matmul(x, W.matrix(), y, {}, [&](MatrixView tile, int64_t row, int64_t col) {
        const Real* bias = b.data.data() + col;
        for (int64_t i = 0; i < tile.rows; ++i) {
            Real* out = tile.data + i * tile.stride;
            for (int64_t j = 0; j < tile.cols; ++j) out[j] += bias[j];
        }
        if (finish) finish(tile, row, col);
    });
}

Tensor linear(const Tensor& x, const Tensor& W, const Tensor& b) {
    Tensor y({x.rows(), W.cols()});
    linear(x.matrix(), W, b, y.matrix());
    return y;
}

void linear_backward(ConstMatrixView x, const Tensor& W, ConstMatrixView grad_y, MatrixView grad_x,
                     const ParameterGradients& grad, const TileWork& finish) {
    require_shape(W, {grad_x.cols, grad_y.cols}, "linear_backward: W");

    // Undo y = x W + b.
    matmul(grad_y, W.matrix(), grad_x, {.transpose_b = true}, finish);
    if (grad.weight) {
        matmul(x, grad_y, grad.weight->matrix(), {.transpose_a = true, .accumulate = true});
    }
    if (grad.bias) add_column_sums(grad_y, *grad.bias);
}

// --- layer norm ---------------------------------------------------------------------------------

namespace {

/// A row's mean, and 1 / sqrt(var + epsilon).
struct RowScale {
    Real mean, scale;
};

RowScale row_scale(std::span<const Real> row) {
    constexpr Real epsilon = Real(1e-5);
    Real width = static_cast<Real>(row.size()), mean = sum(row) / width;
    return {mean, 1 / std::sqrt(sum_squared_deviations(row, mean) / width + epsilon)};
}

}  // namespace

void layer_norm(ConstMatrixView x, const Tensor& gain, const Tensor& bias, MatrixView y) {
    require_shape(gain, {x.cols}, "layer_norm: gain");
    require_shape(bias, {x.cols}, "layer_norm: bias");
    require_shape(y, x.rows, x.cols, "layer_norm: y");

    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const Real* in = x.data + i * x.stride;
            Real* out = y.data + i * y.stride;
            auto [mean, scale] = row_scale({in, static_cast<size_t>(x.cols)});
            for (int64_t j = 0; j < x.cols; ++j) {
                out[j] = (in[j] - mean) * scale * gain.data[j] + bias.data[j];
            }
        }
    });
}

void layer_norm_backward(ConstMatrixView x, const Tensor& gain, ConstMatrixView grad_y,
                         MatrixView grad_x, const ParameterGradients& grad) {
    require_shape(gain, {x.cols}, "layer_norm_backward: gain");
    require_shape(grad_y, x.rows, x.cols, "layer_norm_backward: grad_y");
    require_shape(grad_x, x.rows, x.cols, "layer_norm_backward: grad_x");

    // Each block of rows sums its share of the parameters' gradients: gain first, then bias.
    int64_t width = x.cols, n_block = (x.rows + row_grain - 1) / row_grain;
    Tensor shares({n_block, 2 * width}), work({n_block, 2 * width});
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        Real* share = shares.row(begin / row_grain).data();
        std::span<Real> scratch = work.row(begin / row_grain);
        std::span<Real> unit = scratch.first(static_cast<size_t>(width)),
                        g = scratch.last(static_cast<size_t>(width));
        for (int64_t i = begin; i < end; ++i) {
            // Undo y = gain * unit + bias.
            const Real *in = x.data + i * x.stride, *from = grad_y.data + i * grad_y.stride;
            auto [mean, scale] = row_scale({in, static_cast<size_t>(width)});
            for (int64_t j = 0; j < width; ++j) {
                unit[j] = (in[j] - mean) * scale;
                g[j] = from[j] * gain.data[j];
                share[j] += from[j] * unit[j];
                share[width + j] += from[j];
            }

            // Undo unit = (x - mean) * scale: mean and scale depend on x as well.
            Real mean_g = sum(g) / static_cast<Real>(width);
            Real mean_gu = dot(g, unit) / static_cast<Real>(width);
            Real* out = grad_x.data + i * grad_x.stride;
            for (int64_t j = 0; j < width; ++j) {
                out[j] += scale * (g[j] - mean_g - unit[j] * mean_gu);
            }
        }
    });
    if (grad.weight) add_column_sums(columns(shares.matrix(), 0, width), *grad.weight);
    if (grad.bias) add_column_sums(columns(shares.matrix(), width, width), *grad.bias);
}

// --- gelu ---------------------------------------------------------------------------------------

namespace {

constexpr Real sqrt_8_over_pi = Real(1.5957691216057308), cubic = Real(0.044715);

/// 1 + e^y, at most 1 + e^60: what is divided by more leaves the range of normal numbers, and
/// there a processor takes ten times as long.
Real one_plus_exp(Real y) { return 1 + vector_exp(std::min(y, Real(60))); }

}  // namespace

void gelu(ConstMatrixView x, MatrixView y) {
    require_shape(y, x.rows, x.cols, "gelu: y");

    // Use (1 + tanh(u)) / 2 = 1 / (1 + e^-2u): one exponential, no tanh.
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const Real* in = x.data + i * x.stride;
            Real* out = y.data + i * y.stride;
            // in and out are one row or do not overlap: every j is on its own
#ifndef __clang__
#pragma GCC ivdep
#endif
            for (int64_t j = 0; j < x.cols; ++j) {
                Real v = in[j], twice_u = sqrt_8_over_pi * (v + cubic * v * v * v);
                out[j] = v / one_plus_exp(-twice_u);
            }
        }
    });
}

void gelu_backward(ConstMatrixView x, MatrixView grad) {
    require_shape(grad, x.rows, x.cols, "gelu_backward: grad");

    // Undo y = v s(2u) with s the logistic function, s' = s (1 - s).
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const Real* in = x.data + i * x.stride;
            Real* out = grad.data + i * grad.stride;
            for (int64_t j = 0; j < x.cols; ++j) {
                Real v = in[j], twice_u = sqrt_8_over_pi * (v + cubic * v * v * v);
                Real s = 1 / one_plus_exp(-twice_u);
                Real slope = sqrt_8_over_pi * (1 + 3 * cubic * v * v);
                out[j] *= s + v * s * (1 - s) * slope;
            }
        }
    });
}

// --- cross-entropy ------------------------------------------------------------------------------

void check_targets(std::span<const int> targets, int64_t n_row, int64_t d_vocab,
                   const char* where) {
    ensure(static_cast<int64_t>(targets.size()) == n_row, "needs one target a row", where,
           "pass as many targets as rows");
    for (int target : targets) {
        ensure(target >= 0 && target < d_vocab, "target outside the vocabulary", where,
               "pass ids below d_vocab");
    }
}

std::vector<double> cross_entropy(ConstMatrixView logits, std::span<const int> targets) {
    check_targets(targets, logits.rows, logits.cols, "cross_entropy");

    // loss = log sum_j e^logit_j - logit_target, shifted by the maximum against overflow.
    std::vector<double> losses(targets.size());
    parallel_for(logits.rows, [&](int64_t i) {
        const Real* row = logits.data + i * logits.stride;
        std::span<const Real> values(row, static_cast<size_t>(logits.cols));
        Real shift = maximum(values);
        losses[i] =
            std::log(static_cast<double>(sum_of_exp(values, shift))) + shift - row[targets[i]];
    });
    return losses;
}

}  // namespace vimach
