// Lists of active latents and the loops over them; see lens/sae_sparse.h.
// Two kernels do the arithmetic: a sum of scaled rows, held in registers, and a dot product.
#include "lens/sae_sparse.h"

#include <algorithm>

#include "core/parallel.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

constexpr int64_t latent_block = 256;  // latents whose decoder rows stay in the cache together
constexpr int64_t piece_latents = 128;

/// 64 bytes: one register of AVX-512, two of AVX2.
typedef Real Vec __attribute__((vector_size(64), may_alias));
/// The same in memory that need not be aligned.
typedef Real LooseVec __attribute__((vector_size(64), aligned(sizeof(Real)), may_alias));
constexpr int64_t n_lane = 64 / sizeof(Real);
constexpr int n_vec = 8;
constexpr int64_t strip = n_vec * n_lane;

// --- strips -------------------------------------------------------------------------------------

/// A matrix cut into strips of columns, each stored row after row: what a loop over one strip
/// touches lies together. The last strip is filled up with zeros; rows begin on cache lines.
struct Strips {
    int64_t rows, cols;
    std::vector<Real> memory;

    Strips(int64_t n_row, int64_t n_col)
        : rows(n_row), cols(n_col), memory(static_cast<size_t>(n_row * count() * strip + n_lane)) {}

    int64_t count() const { return (cols + strip - 1) / strip; }
    Real* row(int64_t s, int64_t i) { return base() + (s * rows + i) * strip; }
    const Real* row(int64_t s, int64_t i) const { return const_cast<Strips*>(this)->row(s, i); }
    /// Columns of strip s.
    int64_t width(int64_t s) const { return std::min(strip, cols - s * strip); }

private:
    Real* base() {
        auto address = reinterpret_cast<uintptr_t>(memory.data());
        return memory.data() + (64 - address % 64) % 64 / sizeof(Real);
    }
};

Strips into_strips(ConstMatrixView m) {
    Strips out(m.rows, m.cols);
    parallel_for(out.count(), [&](int64_t s) {
        for (int64_t i = 0; i < m.rows; ++i) {
            std::copy_n(m.data + i * m.stride + s * strip, out.width(s), out.row(s, i));
        }
    });
    return out;
}

// --- kernels ------------------------------------------------------------------------------------

/// Rows of a strip, counted from `first`, and what to scale each with.
struct Scaled {
    int64_t count, first;
    const int32_t* row;
    const Real* scale;
};

/// out[0 ... strip) += sum_i scale[i] * m[row[i] - first]: the sum stays in registers.
void add_scaled_rows(const Scaled& s, const Real* m, Real* out) {
    Vec sum[n_vec];
    Vec* to = reinterpret_cast<Vec*>(out);
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) sum[k] = to[k];
    for (int64_t i = 0; i < s.count; ++i) {
        const Vec* from = reinterpret_cast<const Vec*>(m + (s.row[i] - s.first) * strip);
        Real scale = s.scale[i];
#pragma GCC unroll 16
        for (int k = 0; k < n_vec; ++k) sum[k] += scale * from[k];
    }
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) to[k] = sum[k];
}

Real dot(const Real* a, const Real* b, int64_t n) {
    // Keep four vectors of partial sums, then add them up in pairs.
    Vec sum[4] = {};
    int64_t j = 0;
    for (; j + 4 * n_lane <= n; j += 4 * n_lane) {
        const LooseVec* x = reinterpret_cast<const LooseVec*>(a + j);
        const LooseVec* y = reinterpret_cast<const LooseVec*>(b + j);
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

// --- decoder ------------------------------------------------------------------------------------

namespace {

/// error = latents W_dec + b_dec - x, for the rows [begin, end) of strip s. The decoder's rows are
/// copied together block by block, and serve all these rows while they lie in the cache.
void decode_strip(const RowLists& lists, const Sae& sae, const Strips& x, int64_t s, int64_t begin,
                  int64_t end, Strips& error) {
    int64_t col = s * strip, width = x.width(s), n_block = lists.n_block();
    for (int64_t i = begin; i < end; ++i) {
        Real* out = error.row(s, i);
        const Real* in = x.row(s, i);
        for (int64_t c = 0; c < width; ++c) out[c] = -in[c];
        for (int64_t c = 0; c < width && sae.config.bias; ++c) out[c] += sae.b_dec.data[col + c];
    }
    Strips W(latent_block, strip);
    for (int64_t b = 0; b < n_block; ++b) {
        int64_t first = b * latent_block, n = std::min(latent_block, lists.n_latent - first);
        for (int64_t j = 0; j < n; ++j) {
            std::copy_n(&sae.W_dec.data[(first + j) * x.cols + col], width, W.row(0, j));
        }
        for (int64_t i = begin; i < end; ++i) {
            int64_t from = lists.segment[i * n_block + b];
            Scaled active = {lists.segment[i * n_block + b + 1] - from, first,
                             lists.latent.data() + from, lists.value.data() + from};
            add_scaled_rows(active, W.row(0, 0), error.row(s, i));
        }
    }
}

/// Decodes, and turns the error into the gradient of mse = mean (recon - x)^2, with its column sums
/// for b_dec. Returns the sum of squared errors.
double decode_and_compare(const RowLists& lists, const Sae& sae, const Strips& x, Strips& error,
                          Tensor& grad_b_dec) {
    // Cut the rows as well where there are few strips.
    int64_t n_group = std::min<int64_t>((x.count() + 3) / x.count() * 2, x.rows);
    int64_t rows = (x.rows + n_group - 1) / n_group;
    parallel_for(x.count() * n_group, [&](int64_t task) {
        int64_t begin = std::min(task / x.count() * rows, x.rows);
        decode_strip(lists, sae, x, task % x.count(), begin, std::min(begin + rows, x.rows), error);
    });

    Real factor = static_cast<Real>(2 / static_cast<double>(x.rows * x.cols));
    std::vector<double> squares(static_cast<size_t>(x.count()));
    parallel_for(x.count(), [&](int64_t s) {
        for (int64_t i = 0; i < x.rows; ++i) {
            Real* row = error.row(s, i);
            squares[s] += double{sum_of_squares({row, strip})};
            for (int64_t c = 0; c < strip; ++c) row[c] *= factor;
            for (int64_t c = 0; c < x.width(s) && sae.config.bias; ++c) {
                grad_b_dec.data[s * strip + c] += row[c];
            }
        }
    });
    double total = 0;
    for (double value : squares) total += value;
    return total;
}

// --- lists by latent ----------------------------------------------------------------------------

/// The same entries latent after latent, in the order of their rows, with the gradients of the
/// latents: those of latent j are begin[j] ... begin[j + 1].
struct LatentLists {
    std::vector<int64_t> begin;
    std::vector<int32_t> row;
    std::vector<Real> value, grad;
};

/// Where the entries of every block of latents begin, latent after latent.
std::vector<int64_t> block_begins(const RowLists& lists) {
    int64_t n_block = lists.n_block();
    std::vector<int64_t> begin(static_cast<size_t>(n_block + 1));
    for (int64_t s = 0; s < lists.n_row * n_block; ++s) {
        begin[s % n_block + 1] += lists.segment[s + 1] - lists.segment[s];
    }
    for (int64_t b = 0; b < n_block; ++b) begin[b + 1] += begin[b];
    return begin;
}

/// Calls work(row, entry) for the entries of a block of latents, row after row.
void each_entry(const RowLists& lists, int64_t block,
                const std::function<void(int64_t row, int64_t begin, int64_t end)>& work) {
    for (int64_t i = 0; i < lists.n_row; ++i) {
        const int64_t* segment = &lists.segment[i * lists.n_block() + block];
        if (segment[0] < segment[1]) work(i, segment[0], segment[1]);
    }
}

/// Undoes recon = latents W_dec for the latents: grad = W_dec[latent] . grad_recon[row] + l1.
LatentLists latent_gradients(const RowLists& lists, const Tensor& W_dec, const Strips& grad_recon,
                             Real l1) {
    std::vector<int64_t> block_begin = block_begins(lists);
    auto total = static_cast<size_t>(block_begin.back());
    LatentLists out = {std::vector<int64_t>(static_cast<size_t>(lists.n_latent + 1)),
                       std::vector<int32_t>(total), std::vector<Real>(total),
                       std::vector<Real>(total)};
    out.begin[lists.n_latent] = block_begin.back();
    parallel_for(lists.n_block(), [&](int64_t b) {
        // Count the block's entries by latent.
        int64_t first = b * latent_block, n = std::min(latent_block, lists.n_latent - first);
        int64_t next[latent_block + 1] = {block_begin[b]};
        each_entry(lists, b, [&](int64_t, int64_t begin, int64_t end) {
            for (int64_t e = begin; e < end; ++e) ++next[lists.latent[e] - first + 1];
        });
        for (int64_t j = 0; j < n; ++j) next[j + 1] += next[j];
        std::copy_n(next, n, &out.begin[first]);

        // Take the entries over, each with its gradient; the error's row is put together once.
        std::vector<Real> error(static_cast<size_t>(grad_recon.count() * strip));
        each_entry(lists, b, [&](int64_t i, int64_t begin, int64_t end) {
            for (int64_t s = 0; s < grad_recon.count(); ++s) {
                std::copy_n(grad_recon.row(s, i), strip, &error[s * strip]);
            }
            for (int64_t e = begin; e < end; ++e) {
                int64_t latent = lists.latent[e], to = next[latent - first]++;
                out.row[to] = static_cast<int32_t>(i);
                out.value[to] = lists.value[e];
                out.grad[to] =
                    l1 + dot(&W_dec.data[latent * W_dec.cols()], error.data(), W_dec.cols());
            }
        });
    });
    return out;
}

/// Undoes recon = latents W_dec for W_dec, and pre_acts = x W_enc for W_enc transposed. A tied
/// weight gets both.
void weight_gradients(const LatentLists& lists, const Strips& x, const Strips& grad_recon,
                      bool tied, const PieceWork& decoder, const PieceWork& encoder) {
    auto n_latent = static_cast<int64_t>(lists.begin.size()) - 1;
    int64_t n_down = (n_latent + piece_latents - 1) / piece_latents;
    parallel_for(n_down * x.count(), [&](int64_t task) {
        // Go down the latents first: the strips of x and of the error stay in the cache.
        int64_t latent = task % n_down * piece_latents, s = task / n_down;
        int64_t n = std::min(piece_latents, n_latent - latent);
        Strips sums(n, strip);
        auto add = [&](const std::vector<Real>& factor, const Strips& rows) {
            for (int64_t j = 0; j < n; ++j) {
                int64_t from = lists.begin[latent + j];
                Scaled active = {lists.begin[latent + j + 1] - from, 0, lists.row.data() + from,
                                 factor.data() + from};
                add_scaled_rows(active, rows.row(s, 0), sums.row(0, j));
            }
        };
        MatrixView grad = {sums.row(0, 0), n, x.width(s), strip};
        add(lists.value, grad_recon);
        if (!tied) {
            decoder(grad, latent, s * strip);
            std::fill_n(sums.row(0, 0), n * strip, Real(0));
        }
        add(lists.grad, x);
        (tied ? decoder : encoder)(grad, latent, s * strip);
    });
}

}  // namespace

// --- one batch ----------------------------------------------------------------------------------

double step_on_lists(const Sae& sae, ConstMatrixView rows, const RowLists& lists,
                     SaeGradients& grad, const PieceWork& decoder, const PieceWork& encoder) {
    const SaeConfig& c = sae.config;
    Strips x = into_strips(rows), error(rows.rows, rows.cols);
    double squares = decode_and_compare(lists, sae, x, error, grad.b_dec);

    Real l1 = static_cast<Real>(c.l1 / static_cast<double>(x.rows * c.n_latent));
    LatentLists back = latent_gradients(lists, sae.W_dec, error, l1);
    for (int64_t j = 0; j < c.n_latent && c.bias; ++j) {
        for (int64_t e = back.begin[j]; e < back.begin[j + 1]; ++e) {
            grad.b_enc.data[j] += back.grad[e];
        }
    }
    weight_gradients(back, x, error, c.tied, decoder, encoder);
    return squares;
}

}  // namespace vimach
