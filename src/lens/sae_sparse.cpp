// Lists of active latents and the loops over them; see lens/sae_sparse.h.
// Two kernels do the arithmetic: a sum of scaled rows that stays in registers, and products of many
// rows with one row that does.
#include "lens/sae_sparse.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "core/parallel.h"
#include "math/vector_ops.h"

namespace vimach {

namespace {

/// 64 bytes: one register of AVX-512, two of AVX2.
typedef Real Vec __attribute__((vector_size(64), may_alias));
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

/// Rows of a strip, and a number for each.
struct Entries {
    int64_t count;
    const uint8_t* row;
    const Real* value;
};

/// out[0 ... strip) += sum_i value[i] * m[row[i]]: the sum stays in registers.
void add_scaled_rows(const Entries& s, const Real* m, Real* out) {
    Vec sum[n_vec];
    Vec* to = reinterpret_cast<Vec*>(out);
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) sum[k] = to[k];
    for (int64_t i = 0; i < s.count; ++i) {
        const Vec* from = reinterpret_cast<const Vec*>(m + s.row[i] * strip);
        Real scale = s.value[i];
#pragma GCC unroll 16
        for (int k = 0; k < n_vec; ++k) sum[k] += scale * from[k];
    }
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) to[k] = sum[k];
}

/// A sum that is still spread over the lanes. (A struct, for a template argument would lose Vec's
/// attributes.)
struct Sum {
    Vec lanes;
};

/// sums[i] += m[row[i]] * with, lane by lane: `with`, a row of a strip, stays in registers.
void add_products(const Entries& s, const Real* m, const Real* with, Sum* sums) {
    Vec own[n_vec];
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) own[k] = reinterpret_cast<const Vec*>(with)[k];
    for (int64_t i = 0; i < s.count; ++i) {
        const Vec* from = reinterpret_cast<const Vec*>(m + s.row[i] * strip);
        Vec sum = sums[i].lanes;
#pragma GCC unroll 16
        for (int k = 0; k < n_vec; ++k) sum += own[k] * from[k];
        sums[i].lanes = sum;
    }
}

/// The sum of all lanes, added up in pairs.
Real sum_lanes(const Vec& v) {
    Real lane[n_lane];
    for (int64_t k = 0; k < n_lane; ++k) lane[k] = v[k];
    for (int64_t half = n_lane / 2; half >= 1; half /= 2) {
        for (int64_t k = 0; k < half; ++k) lane[k] += lane[k + half];
    }
    return lane[0];
}

}  // namespace

// --- lists by row -------------------------------------------------------------------------------

int64_t side_of_tiles(double active_share) { return active_share > 0.125 ? 64 : 256; }

int64_t RowLists::tile(int64_t chunk, int64_t block) const {
    int64_t row = chunk * side;
    return row * n_block() + block * std::min(side, n_row - row);
}

RowLists list_rows(ConstMatrixView latents, int64_t side) {
    RowLists lists = {.n_latent = latents.cols, .n_row = latents.rows, .side = side};
    lists.segment.resize(static_cast<size_t>(lists.n_row * lists.n_block() + 1));
    auto each_segment = [&](const auto& work) {
        parallel_for(lists.n_chunk() * lists.n_block(), [&](int64_t t) {
            int64_t chunk = t / lists.n_block(), block = t % lists.n_block();
            int64_t first = block * side, n = std::min(side, latents.cols - first);
            int64_t at = lists.tile(chunk, block);
            for (int64_t i = chunk * side; i < std::min((chunk + 1) * side, latents.rows); ++i) {
                work(latents.data + i * latents.stride + first, n, at++);
            }
        });
    };

    // Count the entries of every segment, then add up to where each begins.
    each_segment([&](const Real* z, int64_t n, int64_t at) {
        int32_t count = 0;
        for (int64_t j = 0; j < n; ++j) count += z[j] != 0;
        lists.segment[at + 1] = count;
    });
    std::partial_sum(lists.segment.begin(), lists.segment.end(), lists.segment.begin());

    // Fill them in: every number is written, and stays where it is not 0.
    lists.latent.resize(static_cast<size_t>(lists.segment.back()));
    lists.value.resize(static_cast<size_t>(lists.segment.back()));
    each_segment([&](const Real* z, int64_t, int64_t at) {
        int64_t to = lists.segment[at], last = lists.segment[at + 1];
        for (int64_t j = 0; to < last; ++j) {
            lists.latent[to] = static_cast<uint8_t>(j);
            lists.value[to] = z[j];
            to += z[j] != 0;
        }
    });
    return lists;
}

// --- decoder ------------------------------------------------------------------------------------

namespace {

/// The entries of one segment.
Entries entries(const RowLists& lists, int64_t segment) {
    int64_t begin = lists.segment[segment];
    return {lists.segment[segment + 1] - begin, lists.latent.data() + begin,
            lists.value.data() + begin};
}

/// error = latents W_dec + b_dec - x, for the rows [begin, end) of strip s. The decoder's rows are
/// copied together block by block, and serve all these rows while they lie in the cache.
void decode_strip(const RowLists& lists, const Sae& sae, const Strips& x, int64_t s, int64_t begin,
                  int64_t end, Strips& error) {
    int64_t col = s * strip, width = x.width(s), side = lists.side;
    for (int64_t i = begin; i < end; ++i) {
        Real* out = error.row(s, i);
        const Real* in = x.row(s, i);
        for (int64_t c = 0; c < width; ++c) out[c] = -in[c];
        for (int64_t c = 0; c < width && sae.config.bias; ++c) out[c] += sae.b_dec.data[col + c];
    }
    Strips W(side, strip);
    for (int64_t b = 0; b < lists.n_block(); ++b) {
        for (int64_t j = b * side; j < std::min((b + 1) * side, lists.n_latent); ++j) {
            std::copy_n(&sae.W_dec.data[j * x.cols + col], width, W.row(0, j - b * side));
        }
        for (int64_t i = begin; i < end; ++i) {
            int64_t segment = lists.tile(i / side, b) + i % side;
            add_scaled_rows(entries(lists, segment), W.row(0, 0), error.row(s, i));
        }
    }
}

/// Decodes, and turns the error into the gradient of mse = mean (recon - x)^2 over a batch of
/// n_row, with its column sums for b_dec. Returns the sum of squared errors.
double decode_and_compare(const RowLists& lists, const Sae& sae, const Strips& x, int64_t n_row,
                          Strips& error, Tensor& grad_b_dec) {
    // Cut the rows too, into more groups the fewer strips there are.
    int64_t n_group = std::min<int64_t>((x.count() + 3) / x.count() * 2, x.rows);
    int64_t rows = (x.rows + n_group - 1) / n_group;
    parallel_for(x.count() * n_group, [&](int64_t task) {
        int64_t begin = std::min(task / x.count() * rows, x.rows);
        int64_t end = std::min(begin + rows, x.rows);
        if (begin < end) decode_strip(lists, sae, x, task % x.count(), begin, end, error);
    });

    Real factor = static_cast<Real>(2 / static_cast<double>(n_row * x.cols));
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

/// The entries of the same tiles sorted by latent, with the gradients of the latents. Those of
/// latent j in chunk c begin at begin[c * n_latent + j].
struct LatentLists {
    std::vector<int64_t> begin;
    std::vector<uint8_t> row;  ///< counted from the chunk's first
    std::vector<Real> value, grad;
};

/// Sorts the entries of one tile by latent. Sets `begin` to where each latent's entries begin, and
/// `to` to the new place of each entry, in the old order.
void sort_tile(const RowLists& lists, std::span<const int64_t> segments, std::span<int64_t> begin,
               LatentLists& out, std::vector<int64_t>& to) {
    std::vector<int64_t> next(begin.size() + 1);
    next[0] = segments.front();
    for (int64_t e = segments.front(); e < segments.back(); ++e) ++next[lists.latent[e] + 1];
    std::partial_sum(next.begin(), next.end(), next.begin());
    std::copy_n(next.begin(), begin.size(), begin.begin());

    to.clear();
    for (size_t i = 0; i + 1 < segments.size(); ++i) {
        for (int64_t e = segments[i]; e < segments[i + 1]; ++e) {
            to.push_back(next[lists.latent[e]]++);
            out.row[to.back()] = static_cast<uint8_t>(i);
            out.value[to.back()] = lists.value[e];
        }
    }
}

/// Undoes recon = latents W_dec for the latents: grad = W_dec[latent] . grad_recon[row] + l1.
LatentLists latent_gradients(const RowLists& lists, const Tensor& W_dec, const Strips& grad_recon,
                             Real l1) {
    auto n_entry = lists.latent.size();
    LatentLists out = {
        std::vector<int64_t>(static_cast<size_t>(lists.n_chunk() * lists.n_latent + 1)),
        std::vector<uint8_t>(n_entry), std::vector<Real>(n_entry), std::vector<Real>(n_entry)};
    out.begin.back() = static_cast<int64_t>(n_entry);
    parallel_for(lists.n_block(), [&](int64_t b) {
        int64_t first = b * lists.side, n = std::min(lists.side, lists.n_latent - first);
        Strips W = into_strips(row_range(W_dec.matrix(), first, n));
        std::vector<int64_t> to;
        std::vector<Sum> sums;
        for (int64_t c = 0; c < lists.n_chunk(); ++c) {
            // Take the products of the chunk's rows with the block's, strip after strip.
            int64_t tile = lists.tile(c, b), row = c * lists.side;
            int64_t n_row = std::min(lists.side, lists.n_row - row);
            std::span segments(&lists.segment[tile], static_cast<size_t>(n_row + 1));
            sums.assign(static_cast<size_t>(segments.back() - segments.front()), Sum{});
            for (int64_t s = 0; s < W.count(); ++s) {
                for (int64_t i = 0; i < n_row; ++i) {
                    add_products(entries(lists, tile + i), W.row(s, 0), grad_recon.row(s, row + i),
                                 sums.data() + (segments[i] - segments[0]));
                }
            }

            int64_t* begin = &out.begin[c * lists.n_latent + first];
            sort_tile(lists, segments, {begin, static_cast<size_t>(n)}, out, to);
            for (size_t e = 0; e < to.size(); ++e) out.grad[to[e]] = l1 + sum_lanes(sums[e].lanes);
        }
    });
    return out;
}

/// Latents whose gradients make one piece: fewer where there would not be work for many threads.
int64_t piece_latents(int64_t n_latent, int64_t n_strip) {
    int64_t n = 256;
    while (n > 64 && (n_latent + n - 1) / n * n_strip < 16) n /= 2;
    return n;
}

/// The transpose of a piece, in `memory`: 16 by 16 numbers at a time, whole cache lines.
ConstMatrixView transposed(ConstMatrixView piece, std::vector<Real>& memory) {
    constexpr int64_t side = 16;
    memory.resize(static_cast<size_t>(piece.rows * piece.cols));
    for (int64_t row = 0; row < piece.rows; row += side) {
        int64_t last = std::min(row + side, piece.rows);
        for (int64_t j = 0; j < piece.cols; ++j) {
            Real* to = memory.data() + j * piece.rows;
            for (int64_t i = row; i < last; ++i) to[i] = piece.data[i * piece.stride + j];
        }
    }
    return {memory.data(), piece.cols, piece.rows, piece.rows};
}

/// Undoes recon = latents W_dec for W_dec, and pre_acts = x W_enc for W_enc. A tied weight gets
/// both.
void weight_gradients(const RowLists& by_row, const LatentLists& by_latent, const Strips& x,
                      const Strips& grad_recon, bool tied, const PieceWork& work) {
    int64_t n_latent = by_row.n_latent, most = piece_latents(n_latent, x.count());
    int64_t n_down = (n_latent + most - 1) / most;
    parallel_for(n_down * x.count(), [&](int64_t task) {
        // Go down the latents first: the strips of x and of the error stay in the cache.
        int64_t first = task % n_down * most, s = task / n_down;
        int64_t n = std::min(most, n_latent - first);
        Strips sums(n, strip);
        auto add = [&](const std::vector<Real>& factor, const Strips& rows) {
            for (int64_t c = 0; c < by_row.n_chunk(); ++c) {
                const int64_t* begin = &by_latent.begin[c * n_latent + first];
                for (int64_t j = 0; j < n; ++j) {
                    Entries active = {begin[j + 1] - begin[j], by_latent.row.data() + begin[j],
                                      factor.data() + begin[j]};
                    add_scaled_rows(active, rows.row(s, c * by_row.side), sums.row(0, j));
                }
            }
        };
        MatrixView grad = {sums.row(0, 0), n, x.width(s), strip};
        add(by_latent.value, grad_recon);
        if (!tied) {
            work(Weight::decoder, grad, first, s * strip);
            std::fill_n(sums.row(0, 0), n * strip, Real(0));
        }
        add(by_latent.grad, x);
        if (tied) return work(Weight::decoder, grad, first, s * strip);
        std::vector<Real> memory;
        work(Weight::encoder, transposed(grad, memory), s * strip, first);
    });
}

/// Undoes the bias inside the activation: the sums of the latents' gradients.
void add_latent_sums(const LatentLists& lists, Tensor& grad_b_enc) {
    int64_t n_latent = grad_b_enc.size();
    for (int64_t i = 0; i + 1 < std::ssize(lists.begin); ++i) {
        Real& sum = grad_b_enc.data[i % n_latent];
        for (int64_t e = lists.begin[i]; e < lists.begin[i + 1]; ++e) sum += lists.grad[e];
    }
}

}  // namespace

// --- one step -----------------------------------------------------------------------------------

double step_on_lists(const Sae& sae, ConstMatrixView rows, int64_t n_row, const RowLists& lists,
                     SaeGradients& grad, const PieceWork& work) {
    const SaeConfig& c = sae.config;
    Strips x = into_strips(rows), error(rows.rows, rows.cols);
    double squares = decode_and_compare(lists, sae, x, n_row, error, grad.b_dec);

    Real l1 = static_cast<Real>(c.l1 / static_cast<double>(n_row * c.n_latent));
    LatentLists by_latent = latent_gradients(lists, sae.W_dec, error, l1);
    if (c.bias) add_latent_sums(by_latent, grad.b_enc);
    weight_gradients(lists, by_latent, x, error, c.tied, work);
    return squares;
}

}  // namespace vimach
