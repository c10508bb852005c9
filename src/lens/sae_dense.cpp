// Dense forward and backward of one block of rows; see lens/sae_dense.h.
// Elementwise work is done on the tiles and row ranges in which the data lies in the cache.
#include "lens/sae_dense.h"

#include <algorithm>

#include "core/parallel.h"
#include "lens/top_k.h"
#include "math/blas.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t row_grain = 16;  // rows of elementwise work given to a thread at a time

/// act(pre), element by element.
void activate(Activation activation, int64_t count, const Real* pre, Real* out) {
    if (activation == Activation::relu) {
        for (int64_t j = 0; j < count; ++j) out[j] = pre[j] > 0 ? pre[j] : 0;
    } else {
        for (int64_t j = 0; j < count; ++j) out[j] = pre[j] * vector_normal(pre[j]).cdf;
    }
}

/// Adds the penalties to the gradients of `count` latents, and undoes latents = keep(act(pre)):
/// grad *= act'(pre), and 0 where the latent was not kept.
void activate_backward(const SaeConfig& c, const Penalties& p, int64_t count, const Real* pre,
                       const Real* latents, const Real* extra, Real* grad) {
    Real l1 = p.l1;
    for (int64_t j = 0; j < count && extra != nullptr; ++j) grad[j] += p.decorrelation * extra[j];
    if (c.activation == Activation::relu) {
        for (int64_t j = 0; j < count; ++j) grad[j] = latents[j] > 0 ? grad[j] + l1 : 0;
        return;
    }
    for (int64_t j = 0; j < count; ++j) {
        Normal at = vector_normal(pre[j]);
        Real penalty = latents[j] > 0 ? l1 : latents[j] < 0 ? -l1 : 0;
        grad[j] = (grad[j] + penalty) * (at.cdf + pre[j] * at.density);
    }
    if (c.top_k == 0) return;
    for (int64_t j = 0; j < count; ++j) grad[j] = latents[j] != 0 ? grad[j] : 0;
}

void add_bias(MatrixView y, const Tensor& bias, int64_t col) {
    if (bias.size() == 0) return;
    for (int64_t i = 0; i < y.rows; ++i) {
        Real* out = y.data + i * y.stride;
        for (int64_t j = 0; j < y.cols; ++j) out[j] += bias.data[col + j];
    }
}

}  // namespace

void encode_rows(const Sae& sae, ConstMatrixView x, MatrixView pre_acts, MatrixView latents) {
    const SaeConfig& c = sae.config;

    // pre_acts = x W_enc + b_enc, and the activation while a tile is in the cache.
    matmul(x, c.tied ? sae.W_dec.matrix() : sae.W_enc.matrix(), pre_acts, {.transpose_b = c.tied},
           [&](MatrixView tile, int64_t row, int64_t col) {
               add_bias(tile, sae.b_enc, col);
               for (int64_t i = 0; i < tile.rows; ++i) {
                   activate(c.activation, tile.cols, tile.data + i * tile.stride,
                            latents.data + (row + i) * latents.stride + col);
               }
           });

    // Keep the largest latents of every row.
    if (c.top_k == 0) return;
    parallel_ranges(x.rows, row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            std::span<Real> row(latents.data + i * latents.stride, static_cast<size_t>(c.n_latent));
            keep_top_k(row, c.top_k, c.keep_ties);
        }
    });
}

void decode_rows(const Sae& sae, ConstMatrixView latents, MatrixView recon) {
    matmul(latents, sae.W_dec.matrix(), recon, {},
           [&](MatrixView tile, int64_t, int64_t col) { add_bias(tile, sae.b_dec, col); });
}

void subtract(MatrixView recon, ConstMatrixView x) {
    for (int64_t i = 0; i < x.rows; ++i) {
        Real* out = recon.data + i * recon.stride;
        const Real* in = x.data + i * x.stride;
        for (int64_t j = 0; j < x.cols; ++j) out[j] -= in[j];
    }
}

void scale(MatrixView m, Real factor) {
    for (int64_t i = 0; i < m.rows; ++i) {
        for (int64_t j = 0; j < m.cols; ++j) m.data[i * m.stride + j] *= factor;
    }
}

void backward_rows(const Sae& sae, ConstMatrixView x, ConstMatrixView pre_acts,
                   ConstMatrixView latents, ConstMatrixView grad_recon, const Penalties& penalties,
                   MatrixView grad_pre, SaeGradients& grad) {
    const SaeConfig& c = sae.config;

    // Undo recon = latents W_dec + b_dec for the weights.
    matmul(latents, grad_recon, grad.W_dec.matrix(), {.transpose_a = true, .accumulate = true});
    add_column_sums(grad_recon, grad.b_dec);

    // Undo it for the latents; then, while a tile is in the cache, latents = keep(act(pre_acts)).
    matmul(grad_recon, sae.W_dec.matrix(), grad_pre, {.transpose_b = true},
           [&](MatrixView tile, int64_t row, int64_t col) {
               for (int64_t i = 0; i < tile.rows; ++i) {
                   Real* g = tile.data + i * tile.stride;
                   const Real* z = latents.data + (row + i) * latents.stride + col;
                   const Real* pre = pre_acts.data + (row + i) * pre_acts.stride + col;
                   const Real* extra = penalties.grad_latents;
                   if (extra != nullptr) extra += (row + i) * c.n_latent + col;
                   activate_backward(c, penalties, tile.cols, pre, z, extra, g);
               }
           });

    // Undo pre_acts = x W_enc + b_enc. A tied weight gets this on top of what it got as decoder.
    if (c.tied) {
        matmul(grad_pre, x, grad.W_dec.matrix(), {.transpose_a = true, .accumulate = true});
    } else {
        matmul(x, grad_pre, grad.W_enc.matrix(), {.transpose_a = true, .accumulate = true});
    }
    add_column_sums(grad_pre, grad.b_enc);
}

}  // namespace vimach
