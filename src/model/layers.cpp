// GPT-2's layers, forward. Elementwise work is done on the tiles or row blocks in which the data
// already lies in the cache; sums run in a fixed order, so results do not depend on the number
// of threads.
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

// --- layer norm ---------------------------------------------------------------------------------

void layer_norm(ConstMatrixView x, const Tensor& gain, const Tensor& bias, MatrixView y) {
    require_shape(gain, {x.cols}, "layer_norm: gain");
    require_shape(bias, {x.cols}, "layer_norm: bias");
    require_shape(y, x.rows, x.cols, "layer_norm: y");
    constexpr Real epsilon = Real(1e-5);

    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const Real* in = x.data + i * x.stride;
            Real* out = y.data + i * y.stride;
            std::span<const Real> row(in, static_cast<size_t>(x.cols));
            Real width = static_cast<Real>(x.cols), mean = sum(row) / width;
            Real variance = sum_squared_deviations(row, mean) / width;
            Real scale = 1 / std::sqrt(variance + epsilon);
            for (int64_t j = 0; j < x.cols; ++j) {
                out[j] = (in[j] - mean) * scale * gain.data[j] + bias.data[j];
            }
        }
    });
}

// --- gelu ---------------------------------------------------------------------------------------

void gelu(ConstMatrixView x, MatrixView y) {
    require_shape(y, x.rows, x.cols, "gelu: y");
    constexpr Real sqrt_8_over_pi = Real(1.5957691216057308), cubic = Real(0.044715);

    // Use (1 + tanh(u)) / 2 = 1 / (1 + e^-2u): one exponential, no tanh.
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const Real* in = x.data + i * x.stride;
            Real* out = y.data + i * y.stride;
            for (int64_t j = 0; j < x.cols; ++j) {
                Real v = in[j], twice_u = sqrt_8_over_pi * (v + cubic * v * v * v);
                out[j] = v / (1 + vector_exp(-twice_u));
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

/// One block of queries: scores against the keys up to the block's end, softmax, weighted values.
/// qkv and z are the rows of the block's window.
void attend(ConstMatrixView qkv, const QueryBlock& block, int64_t d_head, MatrixView z,
            const AttentionTaps& taps) {
    int64_t d_model = z.cols, n_key = block.first + block.n_query, column = block.head * d_head;
    ConstMatrixView q = columns(row_range(qkv, block.first, block.n_query), column, d_head);
    ConstMatrixView k = columns(row_range(qkv, 0, n_key), d_model + column, d_head);
    ConstMatrixView v = columns(row_range(qkv, 0, n_key), 2 * d_model + column, d_head);

    // Score every query against every key: q k^T / sqrt(d_head).
    Tensor work({block.n_query, n_key});
    Real scale = 1 / std::sqrt(static_cast<Real>(d_head));
    matmul_serial(q, k, work.matrix(), {.transpose_b = true, .alpha = scale});
    keep_rows(work.matrix(), block, -std::numeric_limits<Real>::infinity(), taps.scores);

    // Let query i see keys 0 ... i only.
    for (int64_t i = 0; i < block.n_query; ++i) {
        softmax_row(work.row(i), static_cast<size_t>(block.first + i + 1));
    }
    keep_rows(work.matrix(), block, 0, taps.pattern);

    // Mix the values by the pattern.
    matmul_serial(work.matrix(), v,
                  columns(row_range(z, block.first, block.n_query), column, d_head));
}

}  // namespace

void causal_attention(ConstMatrixView qkv, int64_t n_window, int64_t n_head, MatrixView z,
                      const AttentionTaps& taps) {
    require_shape(qkv, z.rows, 3 * z.cols, "causal_attention: qkv");
    ensure(n_window > 0 && z.rows % n_window == 0, "rows do not divide into windows",
           "causal_attention", "pass n_window windows of equal length");
    ensure(n_head > 0 && z.cols % n_head == 0, "columns do not divide into heads",
           "causal_attention", "pass a number of heads that divides d_model");
    int64_t n_token = z.rows / n_window, d_head = z.cols / n_head;
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
        attend(row_range(qkv, block.window * n_token, n_token), block, d_head,
               row_range(z, block.window * n_token, n_token), taps);
    });
}

// --- cross-entropy ------------------------------------------------------------------------------

std::vector<double> cross_entropy(ConstMatrixView logits, std::span<const int> targets) {
    ensure(static_cast<int64_t>(targets.size()) == logits.rows, "needs one target a row",
           "cross_entropy", "pass as many targets as rows of logits");
    for (int target : targets) {
        ensure(target >= 0 && target < logits.cols, "target outside the vocabulary",
               "cross_entropy", "pass ids below d_vocab");
    }

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
