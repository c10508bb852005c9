// Lists of live latents and the loops over them; see lens/sae_sparse.h.
// Two kernels do the arithmetic: a sum of scaled rows, held in registers, and a dot product.
#include "lens/sae_sparse.h"

#include <algorithm>

#include "core/parallel.h"

namespace vimach {

namespace {

constexpr int64_t latent_block = 256;  // latents whose decoder rows stay in the cache together
constexpr int64_t piece_latents = 128;
constexpr int64_t piece_inputs = 256;  // columns of x and of the error that stay in the cache
constexpr int64_t row_group = 256;     // rows of the reconstruction that do

// --- kernels ------------------------------------------------------------------------------------

/// 64 bytes: one register of AVX-512, two of AVX2. Its memory need not be aligned.
typedef Real Vec __attribute__((vector_size(64), aligned(sizeof(Real)), may_alias));
constexpr int64_t n_lane = 64 / sizeof(Real);
constexpr int n_vec = 8;
constexpr int64_t strip = n_vec * n_lane;

/// Numbers `scale` and the rows of a matrix they belong to.
struct Scaled {
    int64_t count;
    const int32_t* row;
    const Real* scale;
};

/// out[0 ... strip) += sum_i scale[i] * m[row[i]][0 ... strip): the sum stays in registers.
void add_strip(const Scaled& s, const Real* m, int64_t stride, Real* out) {
    Vec sum[n_vec];
    Vec* to = reinterpret_cast<Vec*>(out);
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) sum[k] = to[k];
    for (int64_t i = 0; i < s.count; ++i) {
        const Vec* from = reinterpret_cast<const Vec*>(m + s.row[i] * stride);
        Real scale = s.scale[i];
#pragma GCC unroll 16
        for (int k = 0; k < n_vec; ++k) sum[k] += scale * from[k];
    }
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) to[k] = sum[k];
}

/// The same for any width.
void add_scaled_rows(const Scaled& s, ConstMatrixView m, Real* out) {
    int64_t j = 0;
    for (; j + strip <= m.cols; j += strip) add_strip(s, m.data + j, m.stride, out + j);
    for (int64_t i = 0; i < s.count && j < m.cols; ++i) {
        const Real* from = m.data + s.row[i] * m.stride;
        Real scale = s.scale[i];
        for (int64_t c = j; c < m.cols; ++c) out[c] += scale * from[c];
    }
}

Real dot(const Real* a, const Real* b, int64_t n) {
    // Keep four vectors of partial sums, then add them up in pairs.
    Vec sum[4] = {};
    int64_t j = 0;
    for (; j + 4 * n_lane <= n; j += 4 * n_lane) {
        const Vec* x = reinterpret_cast<const Vec*>(a + j);
        const Vec* y = reinterpret_cast<const Vec*>(b + j);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) sum[k] += x[k] * y[k];
    }
    Vec all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    Real lane[n_lane];
    for (int64_t k = 0; k < n_lane; ++k) lane[k] = all[k];
    for (int64_t half = n_lane / 2; half >= 1; half /= 2) {
        for (int64_t k = 0; k < half; ++k) lane[k] += lane[k + half];
    }
    for (; j < n; ++j) lane[0] += a[j] * b[j];
    return lane[0];
}

}  // namespace

// --- lists by row -------------------------------------------------------------------------------

int64_t RowLists::n_block() const { return (n_latent + latent_block - 1) / latent_block; }

void append_rows(RowLists& lists, ConstMatrixView latents) {
    constexpr int64_t grain = 8;
    int64_t n_block = lists.n_block(), first = lists.n_row, n_old = lists.segment.back();
    lists.n_row += latents.rows;

    // Count the entries of every segment, then add up to where each begins.
    std::vector<int64_t>& segment = lists.segment;
    segment.resize(static_cast<size_t>(lists.n_row * n_block + 1));
    parallel_ranges(latents.rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t s = begin * n_block; s < end * n_block; ++s) {
            int64_t from = s % n_block * latent_block;
            const Real* z = latents.data + s / n_block * latents.stride + from;
            int64_t n = std::min(latent_block, latents.cols - from);
            int32_t count = 0;
            for (int64_t j = 0; j < n; ++j) count += z[j] != 0;
            segment[first * n_block + s + 1] = count;
        }
    });
    int64_t total = n_old;
    for (size_t s = static_cast<size_t>(first * n_block) + 1; s < segment.size(); ++s) {
        segment[s] = total += segment[s];
    }

    // Fill them in: every number is written, and stays where it is not 0.
    lists.latent.resize(static_cast<size_t>(total));
    lists.value.resize(static_cast<size_t>(total));
    parallel_ranges(latents.rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const Real* z = latents.data + i * latents.stride;
            int64_t at = segment[(first + i) * n_block], last = segment[(first + i + 1) * n_block];
            for (int64_t j = 0; at < last; ++j) {
                lists.latent[at] = static_cast<int32_t>(j);
                lists.value[at] = z[j];
                at += z[j] != 0;
            }
        }
    });
}

void decode_lists(const RowLists& lists, const Tensor& W_dec, const Tensor& b_dec,
                  MatrixView recon) {
    int64_t n_block = lists.n_block();
    int64_t n_group = std::max<int64_t>((recon.rows + row_group - 1) / row_group, 2);
    int64_t rows = (recon.rows + n_group - 1) / n_group;
    int64_t n_piece = (recon.cols + piece_inputs - 1) / piece_inputs;
    parallel_for(n_group * n_piece, [&](int64_t task) {
        int64_t begin = std::min(task / n_piece * rows, recon.rows);
        int64_t end = std::min(begin + rows, recon.rows), col = task % n_piece * piece_inputs;
        int64_t n_col = std::min(piece_inputs, recon.cols - col);
        for (int64_t i = begin; i < end; ++i) {
            Real* out = recon.data + i * recon.stride + col;
            if (b_dec.size() > 0) std::copy_n(b_dec.data.data() + col, n_col, out);
            if (b_dec.size() == 0) std::fill_n(out, n_col, Real(0));
        }
        ConstMatrixView W = columns(W_dec.matrix(), col, n_col);
        for (int64_t b = 0; b < n_block; ++b) {
            for (int64_t i = begin; i < end; ++i) {
                int64_t from = lists.segment[i * n_block + b];
                Scaled s = {lists.segment[i * n_block + b + 1] - from, &lists.latent[from],
                            &lists.value[from]};
                add_scaled_rows(s, W, recon.data + i * recon.stride + col);
            }
        }
    });
}

// --- lists by latent ----------------------------------------------------------------------------

LatentLists latent_gradients(const RowLists& lists, const Tensor& W_dec, ConstMatrixView grad_recon,
                             Real l1) {
    // Find where the entries of every block of latents begin.
    int64_t n_block = lists.n_block();
    std::vector<int64_t> block_begin(static_cast<size_t>(n_block + 1));
    for (int64_t s = 0; s < lists.n_row * n_block; ++s) {
        block_begin[s % n_block + 1] += lists.segment[s + 1] - lists.segment[s];
    }
    for (int64_t b = 0; b < n_block; ++b) block_begin[b + 1] += block_begin[b];

    auto total = static_cast<size_t>(block_begin[n_block]);
    LatentLists out = {std::vector<int64_t>(static_cast<size_t>(lists.n_latent + 1)),
                       std::vector<int32_t>(total), std::vector<Real>(total),
                       std::vector<Real>(total)};
    out.begin[lists.n_latent] = block_begin[n_block];
    parallel_for(n_block, [&](int64_t b) {
        // Count the block's entries by latent.
        int64_t first = b * latent_block, n = std::min(latent_block, lists.n_latent - first);
        int64_t next[latent_block + 1] = {};
        auto each_row = [&](auto&& work) {
            for (int64_t i = 0; i < lists.n_row; ++i) {
                for (int64_t e = lists.segment[i * n_block + b];
                     e < lists.segment[i * n_block + b + 1]; ++e) {
                    work(i, e);
                }
            }
        };
        each_row([&](int64_t, int64_t e) { ++next[lists.latent[e] - first + 1]; });
        next[0] = block_begin[b];
        for (int64_t j = 0; j < n; ++j) next[j + 1] += next[j];
        std::copy_n(next, n, &out.begin[first]);

        // Take the entries over in the order of the rows, each with its gradient.
        each_row([&](int64_t i, int64_t e) {
            int64_t latent = lists.latent[e], to = next[latent - first]++;
            out.row[to] = static_cast<int32_t>(i);
            out.value[to] = lists.value[e];
            out.grad[to] = l1 + dot(&W_dec.data[latent * W_dec.cols()],
                                    grad_recon.data + i * grad_recon.stride, W_dec.cols());
        });
    });
    return out;
}

void weight_gradients(const LatentLists& lists, ConstMatrixView x, ConstMatrixView grad_recon,
                      const PieceWork& decoder, const PieceWork& encoder) {
    auto n_latent = static_cast<int64_t>(lists.begin.size()) - 1;
    int64_t n_down = (n_latent + piece_latents - 1) / piece_latents;
    int64_t n_across = (x.cols + piece_inputs - 1) / piece_inputs;
    parallel_for(n_down * n_across, [&](int64_t task) {
        // Go down the latents first: the columns of x and of the error stay where they are.
        int64_t latent = task % n_down * piece_latents, col = task / n_down * piece_inputs;
        int64_t n = std::min(piece_latents, n_latent - latent);
        int64_t n_col = std::min(piece_inputs, x.cols - col);
        ConstMatrixView error = columns(grad_recon, col, n_col), in = columns(x, col, n_col);
        std::vector<Real> sums(static_cast<size_t>(n * n_col));
        MatrixView grad = {sums.data(), n, n_col, n_col};
        auto add = [&](const std::vector<Real>& scale, ConstMatrixView rows) {
            for (int64_t j = 0; j < n; ++j) {
                int64_t from = lists.begin[latent + j];
                Scaled s = {lists.begin[latent + j + 1] - from, lists.row.data() + from,
                            scale.data() + from};
                add_scaled_rows(s, rows, grad.data + j * n_col);
            }
        };
        add(lists.value, error);
        if (encoder) {
            decoder(grad, latent, col);
            std::ranges::fill(sums, Real(0));
        }
        add(lists.grad, in);
        (encoder ? encoder : decoder)(grad, latent, col);
    });
}

}  // namespace vimach
