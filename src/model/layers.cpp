// GPT-2's layers, each forward above its backward. Elementwise work is done on the tiles or row
// blocks in which the data already lies in the cache; sums run in a fixed order, so results do not
// depend on the number of threads.
#include "model/layers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ensure.h"
#include "core/parallel.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t row_grain = 32;     // rows of elementwise work given to a thread at a time
constexpr int64_t query_block = 128;  // rows of attention scores computed at a time

void fill_zero(MatrixView m) {
    for (int64_t i = 0; i < m.rows; ++i) std::fill_n(m.data + i * m.stride, m.cols, Real(0));
}

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

}  // namespace

void gelu(ConstMatrixView x, MatrixView y) {
    require_shape(y, x.rows, x.cols, "gelu: y");

    // Use (1 + tanh(u)) / 2 = 1 / (1 + e^-2u): one exponential, no tanh.
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const Real* in = x.data + i * x.stride;
            Real* out = y.data + i * y.stride;
#pragma GCC ivdep  // in and out are one row or do not overlap: every j is on its own
            for (int64_t j = 0; j < x.cols; ++j) {
                Real v = in[j], twice_u = sqrt_8_over_pi * (v + cubic * v * v * v);
                out[j] = v / (1 + vector_exp(-twice_u));
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
                Real s = 1 / (1 + vector_exp(-twice_u));
                Real slope = sqrt_8_over_pi * (1 + 3 * cubic * v * v);
                out[j] *= s + v * s * (1 - s) * slope;
            }
        }
    });
}

// --- causal attention ---------------------------------------------------------------------------

namespace {

/// Queries [first, first + n_query) of one head of one window.
struct QueryBlock {
    int64_t window, head, first, n_query;
};

/// Turns a row of scores into probabilities over its first n_visible keys, 0 beyond.
void softmax_row(std::span<Real> row, size_t n_visible) {
    std::span<Real> visible = row.first(n_visible);
    Real total = exp_and_sum(visible, maximum(visible));
    for (Real& value : visible) value /= total;
    std::fill(row.begin() + static_cast<std::ptrdiff_t>(n_visible), row.end(), Real(0));
}

/// Copies the block's rows into a tap, with `hidden` at the keys after each query.
void keep_rows(ConstMatrixView rows, const QueryBlock& block, Real hidden, Tensor* tap) {
    if (tap == nullptr) return;
    int64_t n_head = tap->shape[1], n_token = tap->shape[2];
    for (int64_t i = 0; i < rows.rows; ++i) {
        int64_t query = block.first + i;
        std::span<Real> kept = tap->row((block.window * n_head + block.head) * n_token + query);
        std::copy_n(rows.data + i * rows.stride, query + 1, kept.begin());
        std::fill(kept.begin() + query + 1, kept.end(), hidden);
    }
}

/// The pattern of one block of queries [n_query, n_key]: scores against the keys up to the block's
/// end, then softmax. q and k are the rows and columns of the block's window and head.
Tensor attend(ConstMatrixView q, ConstMatrixView k, const QueryBlock& block,
              const AttentionTaps& taps) {
    // Score every query against every key: q k^T / sqrt(d_head).
    Tensor work({block.n_query, k.rows});
    Real scale = 1 / std::sqrt(static_cast<Real>(q.cols));
    matmul_serial(q, k, work.matrix(), {.transpose_b = true, .alpha = scale});
    keep_rows(work.matrix(), block, -std::numeric_limits<Real>::infinity(), taps.scores);

    // Let query i see keys 0 ... i only.
    for (int64_t i = 0; i < block.n_query; ++i) {
        softmax_row(work.row(i), static_cast<size_t>(block.first + i + 1));
    }
    keep_rows(work.matrix(), block, 0, taps.pattern);
    return work;
}

/// The length of a window and the width of a head of a [n_window * n_token, d_model] matrix.
struct Division {
    int64_t n_token, d_head;
};

Division divide(ConstMatrixView m, int64_t n_window, int64_t n_head, const char* where) {
    ensure(n_window > 0 && m.rows % n_window == 0, "rows do not divide into windows", where,
           "pass n_window windows of equal length");
    ensure(n_head > 0 && m.cols % n_head == 0, "columns do not divide into heads", where,
           "pass a number of heads that divides d_model");
    return {m.rows / n_window, m.cols / n_head};
}

}  // namespace

void causal_attention(ConstMatrixView qkv, int64_t n_window, int64_t n_head, MatrixView z,
                      const AttentionTaps& taps) {
    require_shape(qkv, z.rows, 3 * z.cols, "causal_attention: qkv");
    Division whole = divide(z, n_window, n_head, "causal_attention");
    int64_t n_token = whole.n_token, d_head = whole.d_head;
    for (Tensor* tap : {taps.scores, taps.pattern}) {
        if (tap) require_shape(*tap, {n_window, n_head, n_token, n_token}, "causal_attention: tap");
    }

    // Give each block of queries of each head of each window to a thread.
    int64_t n_block = (n_token + query_block - 1) / query_block;
    parallel_for(n_window * n_head * n_block, [&](int64_t index) {
        QueryBlock block = {.window = index / (n_head * n_block),
                            .head = index / n_block % n_head,
                            .first = index % n_block * query_block,
                            .n_query = 0};
        block.n_query = std::min(query_block, n_token - block.first);
        int64_t begin = block.window * n_token, n_key = block.first + block.n_query;
        int64_t column = block.head * d_head;
        ConstMatrixView queries = row_range(qkv, begin + block.first, block.n_query);
        ConstMatrixView keys = row_range(qkv, begin, n_key);
        Tensor pattern = attend(columns(queries, column, d_head),
                                columns(keys, z.cols + column, d_head), block, taps);

        // Mix the values by the pattern.
        matmul_serial(pattern.matrix(), columns(keys, 2 * z.cols + column, d_head),
                      columns(row_range(z, begin + block.first, block.n_query), column, d_head));
    });
}

namespace {

/// The rows of one window and the columns of one head.
struct HeadOfWindow {
    ConstMatrixView q, k, v, grad_z;
    MatrixView grad_q, grad_k, grad_v;
};

/// Undoes one block of queries; the gradients of the keys and values before it grow.
void attend_backward(const HeadOfWindow& h, const QueryBlock& block) {
    int64_t n_key = block.first + block.n_query;
    ConstMatrixView q = row_range(h.q, block.first, block.n_query);
    ConstMatrixView k = row_range(h.k, 0, n_key), v = row_range(h.v, 0, n_key);
    ConstMatrixView grad_z = row_range(h.grad_z, block.first, block.n_query);
    Tensor pattern = attend(q, k, block, {});

    // Undo z = pattern v.
    Tensor grad_pattern(pattern.shape);
    matmul_serial(grad_z, v, grad_pattern.matrix(), {.transpose_b = true});
    matmul_serial(pattern.matrix(), grad_z, row_range(h.grad_v, 0, n_key),
                  {.transpose_a = true, .accumulate = true});

    // Undo pattern = softmax(scores), row by row; masked keys have the pattern 0.
    for (int64_t i = 0; i < block.n_query; ++i) {
        std::span<Real> g = grad_pattern.row(i), p = pattern.row(i);
        Real mean = dot(g, p);
        for (size_t j = 0; j < g.size(); ++j) g[j] = p[j] * (g[j] - mean);
    }
    const Tensor& grad_scores = grad_pattern;

    // Undo scores = q k^T / sqrt(d_head).
    Real scale = 1 / std::sqrt(static_cast<Real>(q.cols));
    matmul_serial(grad_scores.matrix(), k, row_range(h.grad_q, block.first, block.n_query),
                  {.alpha = scale});
    matmul_serial(grad_scores.matrix(), q, row_range(h.grad_k, 0, n_key),
                  {.transpose_a = true, .alpha = scale, .accumulate = true});
}

}  // namespace

void causal_attention_backward(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                               int64_t n_window, int64_t n_head, ConstMatrixView grad_z,
                               MatrixView grad_qkv) {
    for (ConstMatrixView m : {q, k, v}) {
        require_shape(m, grad_z.rows, grad_z.cols, "causal_attention_backward: q, k or v");
    }
    require_shape(grad_qkv, grad_z.rows, 3 * grad_z.cols, "causal_attention_backward: grad_qkv");
    Division whole = divide(grad_z, n_window, n_head, "causal_attention_backward");
    int64_t n_token = whole.n_token, d_head = whole.d_head;
    int64_t d_model = grad_z.cols;

    // Give each head of each window to a thread; its blocks of queries follow each other.
    parallel_for(n_window * n_head, [&](int64_t index) {
        int64_t window = index / n_head, head = index % n_head, column = head * d_head;
        auto part = [&](ConstMatrixView m) {
            return columns(row_range(m, window * n_token, n_token), column, d_head);
        };
        MatrixView grad = row_range(grad_qkv, window * n_token, n_token);
        HeadOfWindow h = {.q = part(q),
                          .k = part(k),
                          .v = part(v),
                          .grad_z = part(grad_z),
                          .grad_q = columns(grad, column, d_head),
                          .grad_k = columns(grad, d_model + column, d_head),
                          .grad_v = columns(grad, 2 * d_model + column, d_head)};
        fill_zero(h.grad_k);
        fill_zero(h.grad_v);
        for (int64_t first = 0; first < n_token; first += query_block) {
            attend_backward(h, {window, head, first, std::min(query_block, n_token - first)});
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
