// Lists of active latents and the loops over them; see lens/sae_sparse.h.
// Two kernels do the arithmetic: a sum of scaled rows, held in registers, and the products of rows
// with one that is.
#include "lens/sae_sparse.h"

#include <algorithm>
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

/// Rows of a strip, and what to scale each with.
struct Scaled {
    int64_t count;
    const int32_t* row;
    const Real* scale;
};

/// out[0 ... strip) += sum_i scale[i] * m[row[i]]: the sum stays in registers.
void add_scaled_rows(const Scaled& s, const Real* m, Real* out) {
    Vec sum[n_vec];
    Vec* to = reinterpret_cast<Vec*>(out);
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) sum[k] = to[k];
    for (int64_t i = 0; i < s.count; ++i) {
        const Vec* from = reinterpret_cast<const Vec*>(m + s.row[i] * strip);
        Real scale = s.scale[i];
#pragma GCC unroll 16
        for (int k = 0; k < n_vec; ++k) sum[k] += scale * from[k];
    }
#pragma GCC unroll 16
    for (int k = 0; k < n_vec; ++k) to[k] = sum[k];
}

/// A sum that is still spread over the lanes.
struct Sum {
    Vec lanes;
};

/// sums[i] += m[row[i]] * with, lane by lane: `with`, a row of a strip, stays in registers.
void add_products(const Scaled& s, const Real* m, const Real* with, Sum* sums) {
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

const int64_t* RowLists::tile(int64_t chunk, int64_t block) const {
    int64_t rows = first_row[chunk + 1] - first_row[chunk];
    return &segment[first_row[chunk] * n_block() + block * rows];
}

void append_rows(RowLists& lists, ConstMatrixView latents) {
    // Cut the rows into chunks.
    int64_t n_block = lists.n_block(), first = lists.n_row(), first_chunk = lists.n_chunk();
    for (int64_t i = 0; i < latents.rows; i += lists.side) {
        lists.first_row.push_back(first + std::min(i + lists.side, latents.rows));
    }
    int64_t n_new = lists.n_chunk() - first_chunk;

    // Calls work(z, n, at) for each row's piece in a block: its n numbers, its segment.
    auto each_segment = [&](const auto& work) {
        parallel_for(n_new * n_block, [&](int64_t t) {
            int64_t chunk = first_chunk + t / n_block, from = t % n_block * lists.side;
            int64_t row = lists.first_row[chunk], rows = lists.first_row[chunk + 1] - row;
            int64_t at = row * n_block + t % n_block * rows;
            for (int64_t i = 0; i < rows; ++i) {
                work(latents.data + (row - first + i) * latents.stride + from,
                     std::min(lists.side, latents.cols - from), at + i);
            }
        });
    };

    // Count the entries of every segment, then add up to where each begins.
    std::vector<int64_t>& segment = lists.segment;
    segment.resize(static_cast<size_t>(lists.n_row() * n_block + 1));
    each_segment([&](const Real* z, int64_t n, int64_t at) {
        int32_t count = 0;
        for (int64_t j = 0; j < n; ++j) count += z[j] != 0;
        segment[at + 1] = count;
    });
    for (size_t s = static_cast<size_t>(first * n_block) + 1; s < segment.size(); ++s) {
        segment[s] += segment[s - 1];
    }

    // Fill them in: every number is written, and stays where it is not 0.
    lists.latent.resize(static_cast<size_t>(segment.back()));
    lists.value.resize(static_cast<size_t>(segment.back()));
    each_segment([&](const Real* z, int64_t, int64_t at) {
        int64_t to = segment[at], last = segment[at + 1];
        for (int32_t j = 0; to < last; ++j) {
            lists.latent[to] = j;
            lists.value[to] = z[j];
            to += z[j] != 0;
        }
    });
}

// --- decoder ------------------------------------------------------------------------------------

namespace {

/// Entries of one segment.
Scaled entries(const RowLists& lists, const int64_t* segment) {
    return {segment[1] - segment[0], lists.latent.data() + segment[0],
            lists.value.data() + segment[0]};
}

/// error = latents W_dec + b_dec - x, for the chunks [begin, end) of strip s. The decoder's rows
/// are copied together block by block, and serve all these rows while they lie in the cache.
void decode_strip(const RowLists& lists, const Sae& sae, const Strips& x, int64_t s, int64_t begin,
                  int64_t end, Strips& error) {
    int64_t col = s * strip, width = x.width(s);
    for (int64_t i = lists.first_row[begin]; i < lists.first_row[end]; ++i) {
        Real* out = error.row(s, i);
        const Real* in = x.row(s, i);
        for (int64_t c = 0; c < width; ++c) out[c] = -in[c];
        for (int64_t c = 0; c < width && sae.config.bias; ++c) out[c] += sae.b_dec.data[col + c];
    }
    Strips W(lists.side, strip);
    for (int64_t b = 0; b < lists.n_block(); ++b) {
        int64_t first = b * lists.side, n = std::min(lists.side, lists.n_latent - first);
        for (int64_t j = 0; j < n; ++j) {
            std::copy_n(&sae.W_dec.data[(first + j) * x.cols + col], width, W.row(0, j));
        }
        for (int64_t c = begin; c < end; ++c) {
            const int64_t* segment = lists.tile(c, b);
            for (int64_t i = lists.first_row[c]; i < lists.first_row[c + 1]; ++i, ++segment) {
                add_scaled_rows(entries(lists, segment), W.row(0, 0), error.row(s, i));
            }
        }
    }
}

/// Decodes, and turns the error into the gradient of mse = mean (recon - x)^2, with its column sums
/// for b_dec. Returns the sum of squared errors.
double decode_and_compare(const RowLists& lists, const Sae& sae, const Strips& x, Strips& error,
                          Tensor& grad_b_dec) {
    // Cut the rows as well where there are few strips.
    int64_t n_group = std::min<int64_t>((x.count() + 3) / x.count() * 2, lists.n_chunk());
    int64_t chunks = (lists.n_chunk() + n_group - 1) / n_group;
    parallel_for(x.count() * n_group, [&](int64_t task) {
        int64_t begin = std::min(task / x.count() * chunks, lists.n_chunk());
        decode_strip(lists, sae, x, task % x.count(), begin,
                     std::min(begin + chunks, lists.n_chunk()), error);
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

/// The entries of the same tiles sorted by latent, with the gradients of the latents. Those of
/// latent j in chunk c begin at begin[c * n_latent + j].
struct LatentLists {
    std::vector<int64_t> begin;
    std::vector<int32_t> row;  ///< counted from the chunk's first
    std::vector<Real> value, grad;
};

/// Sorts the entries of one tile. `begin`: of each of its latents; `to`: where each entry now is.
void sort_tile(const RowLists& lists, std::span<const int64_t> tile, std::span<int64_t> begin,
               LatentLists& out, std::vector<int64_t>& to) {
    // Count the entries of each latent, then add up to where they begin.
    std::vector<int64_t> next(begin.size() + 1);
    next[0] = tile.front();
    for (int64_t e = tile.front(); e < tile.back(); ++e) ++next[lists.latent[e] + 1];
    for (size_t j = 0; j < begin.size(); ++j) next[j + 1] += next[j];
    std::copy_n(next.begin(), begin.size(), begin.begin());

    to.clear();
    for (size_t i = 0; i + 1 < tile.size(); ++i) {
        for (int64_t e = tile[i]; e < tile[i + 1]; ++e) {
            to.push_back(next[lists.latent[e]]++);
            out.row[to.back()] = static_cast<int32_t>(i);
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
        std::vector<int32_t>(n_entry), std::vector<Real>(n_entry), std::vector<Real>(n_entry)};
    out.begin.back() = static_cast<int64_t>(n_entry);
    parallel_for(lists.n_block(), [&](int64_t b) {
        int64_t first = b * lists.side, n = std::min(lists.side, lists.n_latent - first);
        Strips W = into_strips(row_range(W_dec.matrix(), first, n));
        std::vector<int64_t> to;
        std::vector<Sum> sums;
        for (int64_t c = 0; c < lists.n_chunk(); ++c) {
            // Take the products of the chunk's rows with the block's, strip after strip.
            int64_t row = lists.first_row[c], n_row = lists.first_row[c + 1] - row;
            std::span<const int64_t> tile(lists.tile(c, b), static_cast<size_t>(n_row + 1));
            sums.assign(static_cast<size_t>(tile.back() - tile.front()), Sum{});
            for (int64_t s = 0; s < W.count(); ++s) {
                for (int64_t i = 0; i < n_row; ++i) {
                    add_products(entries(lists, &tile[i]), W.row(s, 0), grad_recon.row(s, row + i),
                                 sums.data() + (tile[i] - tile[0]));
                }
            }

            int64_t* begin = &out.begin[c * lists.n_latent + first];
            sort_tile(lists, tile, {begin, static_cast<size_t>(n)}, out, to);
            for (size_t e = 0; e < to.size(); ++e) out.grad[to[e]] = l1 + sum_lanes(sums[e].lanes);
        }
    });
    return out;
}

/// Undoes recon = latents W_dec for W_dec, and pre_acts = x W_enc for W_enc transposed. A tied
/// weight gets both.
void weight_gradients(const RowLists& tiles, const LatentLists& lists, const Strips& x,
                      const Strips& grad_recon, bool tied, const PieceWork& decoder,
                      const PieceWork& encoder) {
    constexpr int64_t piece_latents = 256;
    int64_t n_down = (tiles.n_latent + piece_latents - 1) / piece_latents;
    parallel_for(n_down * x.count(), [&](int64_t task) {
        // Go down the latents first: the strips of x and of the error stay in the cache.
        int64_t first = task % n_down * piece_latents, s = task / n_down;
        int64_t n = std::min(piece_latents, tiles.n_latent - first);
        Strips sums(n, strip);
        auto add = [&](const std::vector<Real>& factor, const Strips& rows) {
            for (int64_t c = 0; c < tiles.n_chunk(); ++c) {
                const int64_t* begin = &lists.begin[c * tiles.n_latent + first];
                for (int64_t j = 0; j < n; ++j) {
                    Scaled active = {begin[j + 1] - begin[j], lists.row.data() + begin[j],
                                     factor.data() + begin[j]};
                    add_scaled_rows(active, rows.row(s, tiles.first_row[c]), sums.row(0, j));
                }
            }
        };
        MatrixView grad = {sums.row(0, 0), n, x.width(s), strip};
        add(lists.value, grad_recon);
        if (!tied) {
            decoder(grad, first, s * strip);
            std::fill_n(sums.row(0, 0), n * strip, Real(0));
        }
        add(lists.grad, x);
        (tied ? decoder : encoder)(grad, first, s * strip);
    });
}

/// Undoes the bias inside the activation: the sums of the latents' gradients.
void add_latent_sums(const LatentLists& lists, Tensor& grad_b_enc) {
    for (size_t i = 0; i + 1 < lists.begin.size(); ++i) {
        Real& sum = grad_b_enc.data[i % grad_b_enc.data.size()];
        for (int64_t e = lists.begin[i]; e < lists.begin[i + 1]; ++e) sum += lists.grad[e];
    }
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
    if (c.bias) add_latent_sums(back, grad.b_enc);
    weight_gradients(lists, back, x, error, c.tied, decoder, encoder);
    return squares;
}

}  // namespace vimach
