// Causal attention; see model/attention.h.
// Queries are taken in blocks: the scores of a block against all keys before it are one product.
#include "model/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ensure.h"
#include "core/parallel.h"
#include "math/blas.h"
#include "math/few_rows.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t query_block = 128;  // rows of attention scores computed at a time

void fill_zero(MatrixView m) {
    for (int64_t i = 0; i < m.rows; ++i) std::fill_n(m.data + i * m.stride, m.cols, Real(0));
}

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

/// One query of one head, which sees all keys. The keys are read where they lie: a product of BLAS
/// would copy them first.
void attend_alone(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v, MatrixView z) {
    Tensor pattern({1, k.rows});
    Real scale = 1 / std::sqrt(static_cast<Real>(q.cols));
    multiply_few_rows(q, k, pattern.matrix(), {.transpose_b = true, .alpha = scale});
    softmax_row(pattern.row(0), static_cast<size_t>(k.rows));
    multiply_few_rows(pattern.matrix(), v, z, {});
}

}  // namespace

void causal_attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v, int64_t n_head,
                      MatrixView z) {
    require_shape(z, q.rows, q.cols, "causal_attention: z");
    require_shape(k, -1, q.cols, "causal_attention: k");
    require_shape(v, k.rows, q.cols, "causal_attention: v");
    ensure(q.rows >= 1 && q.rows <= k.rows, "there are more queries than keys", "causal_attention",
           "pass the keys of the queries as well");
    int64_t n_before = k.rows - q.rows, d_head = divide(q, 1, n_head, "causal_attention").d_head;
    int64_t n_block = (q.rows + query_block - 1) / query_block;
    parallel_for(n_head * n_block, [&](int64_t index) {
        int64_t column = index / n_block * d_head, first = index % n_block * query_block;
        int64_t n_query = std::min(query_block, q.rows - first);
        int64_t n_key = n_before + first + n_query;
        ConstMatrixView queries = columns(row_range(q, first, n_query), column, d_head);
        ConstMatrixView keys = columns(row_range(k, 0, n_key), column, d_head);
        ConstMatrixView values = columns(row_range(v, 0, n_key), column, d_head);
        MatrixView mixed = columns(row_range(z, first, n_query), column, d_head);
        if (n_query == 1) return attend_alone(queries, keys, values, mixed);
        QueryBlock block = {0, index / n_block, n_before + first, n_query};
        matmul_serial(attend(queries, keys, block, {}).matrix(), values, mixed);
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

}  // namespace vimach
