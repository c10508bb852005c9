// Lists of active latents and the loops over them; see lens/sae_sparse.h.
// Two kernels do the arithmetic: a sum of scaled rows, held in registers, and the products of rows
// with one that is.
#include "lens/sae_sparse.h"

#include <algorithm>

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

/// The same entries with the gradients of the latents: one block of latents after the other, in
/// each chunk after chunk, in each tile latent after latent.
struct LatentLists {
    /// Where the entries of latent j of block b begin in chunk c: [b * side * n_chunk + c * n + j],
    /// n the block's latents.
    std::vector<int64_t> begin;
    std::vector<int32_t> row;  ///< counted from the chunk's first
    std::vector<Real> value, grad;
};

/// Sorts the entries of one tile by latent, with room for their gradients; `to` says for each where
/// it stands now. They begin at `at`; returns where they end.
int64_t sort_tile(const RowLists& lists, const int64_t* tile, int64_t n_row, int64_t n_latent,
                  int64_t at, int64_t* begin, LatentLists& out, std::vector<int64_t>& to) {
    std::vector<int64_t> next(static_cast<size_t>(n_latent + 1));
    next[0] = at;
    for (int64_t e = tile[0]; e < tile[n_row]; ++e) ++next[lists.latent[e] + 1];
    for (int64_t j = 0; j < n_latent; ++j) next[j + 1] += next[j];
    int64_t end = next[n_latent];
    std::copy_n(next.begin(), n_latent, begin);
    to.clear();
    for (int64_t i = 0; i < n_row; ++i) {
        for (int64_t e = tile[i]; e < tile[i + 1]; ++e) {
            to.push_back(next[lists.latent[e]]++);
            out.row[to.back()] = static_cast<int32_t>(i);
            out.value[to.back()] = lists.value[e];
        }
    }
    return end;
}

/// Undoes recon = latents W_dec for the latents: grad = W_dec[latent] . grad_recon[row] + l1.
LatentLists latent_gradients(const RowLists& lists, const Tensor& W_dec, const Strips& grad_recon,
                             Real l1) {
    // Find where each block's entries begin.
    int64_t n_chunk = lists.n_chunk(), n_block = lists.n_block();
    auto rows_of = [&](int64_t c) { return lists.first_row[c + 1] - lists.first_row[c]; };
    std::vector<int64_t> block_begin(static_cast<size_t>(n_block + 1));
    for (int64_t b = 0; b < n_block; ++b) {
        block_begin[b + 1] = block_begin[b];
        for (int64_t c = 0; c < n_chunk; ++c) {
            const int64_t* tile = lists.tile(c, b);
            block_begin[b + 1] += tile[rows_of(c)] - tile[0];
        }
    }

    auto n_entry = lists.latent.size();
    LatentLists out = {std::vector<int64_t>(static_cast<size_t>(lists.n_latent * n_chunk + 1)),
                       std::vector<int32_t>(n_entry), std::vector<Real>(n_entry),
                       std::vector<Real>(n_entry)};
    out.begin.back() = static_cast<int64_t>(n_entry);
    parallel_for(n_block, [&](int64_t b) {
        int64_t first = b * lists.side, n = std::min(lists.side, lists.n_latent - first);
        Strips W = into_strips(row_range(W_dec.matrix(), first, n));
        std::vector<int64_t> to;
        std::vector<Sum> sums;
        int64_t at = block_begin[b];
        for (int64_t c = 0; c < n_chunk; ++c) {
            // Take the products of the chunk's rows with the block's, strip after strip.
            const int64_t* tile = lists.tile(c, b);
            sums.assign(static_cast<size_t>(tile[rows_of(c)] - tile[0]), Sum{});
            for (int64_t s = 0; s < W.count(); ++s) {
                for (int64_t i = 0; i < rows_of(c); ++i) {
                    add_products(entries(lists, tile + i), W.row(s, 0),
                                 grad_recon.row(s, lists.first_row[c] + i),
                                 sums.data() + (tile[i] - tile[0]));
                }
            }
            at = sort_tile(lists, tile, rows_of(c), n, at, &out.begin[first * n_chunk + c * n], out,
                           to);
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
    // Take some blocks of latents together, for a chunk's rows of x stay in the cache for them.
    constexpr int64_t piece_latents = 256;
    int64_t at_once = std::max<int64_t>(piece_latents / tiles.side, 1);
    int64_t n_piece = (tiles.n_block() + at_once - 1) / at_once;
    parallel_for(n_piece * x.count(), [&](int64_t task) {
        int64_t block = task % n_piece * at_once, s = task / n_piece;
        int64_t first = block * tiles.side;
        int64_t n_latent = std::min(at_once * tiles.side, tiles.n_latent - first);
        Strips sums(n_latent, strip);
        auto add = [&](const std::vector<Real>& factor, const Strips& rows) {
            for (int64_t c = 0; c < tiles.n_chunk(); ++c) {
                for (int64_t at = 0; at < n_latent; at += tiles.side) {
                    int64_t n = std::min(tiles.side, n_latent - at);
                    const int64_t* begin = &lists.begin[(first + at) * tiles.n_chunk() + c * n];
                    for (int64_t j = 0; j < n; ++j) {
                        Scaled active = {begin[j + 1] - begin[j], lists.row.data() + begin[j],
                                         factor.data() + begin[j]};
                        add_scaled_rows(active, rows.row(s, tiles.first_row[c]),
                                        sums.row(0, at + j));
                    }
                }
            }
        };
        MatrixView grad = {sums.row(0, 0), n_latent, x.width(s), strip};
        add(lists.value, grad_recon);
        if (!tied) {
            decoder(grad, first, s * strip);
            std::fill_n(sums.row(0, 0), n_latent * strip, Real(0));
        }
        add(lists.grad, x);
        (tied ? decoder : encoder)(grad, first, s * strip);
    });
}

/// Undoes the bias inside the activation: the sums of the latents' gradients.
void add_latent_sums(const RowLists& tiles, const LatentLists& lists, Tensor& grad_b_enc) {
    for (int64_t b = 0; b < tiles.n_block(); ++b) {
        int64_t first = b * tiles.side, n = std::min(tiles.side, tiles.n_latent - first);
        const int64_t* begin = &lists.begin[first * tiles.n_chunk()];
        for (int64_t c = 0; c < tiles.n_chunk(); ++c) {
            for (int64_t j = 0; j < n; ++j, ++begin) {
                for (int64_t e = begin[0]; e < begin[1]; ++e) {
                    grad_b_enc.data[first + j] += lists.grad[e];
                }
            }
        }
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
    if (c.bias) add_latent_sums(lists, back, grad.b_enc);
    weight_gradients(lists, back, x, error, c.tied, decoder, encoder);
    return squares;
}

}  // namespace vimach
