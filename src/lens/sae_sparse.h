// An SAE's step where few latents are active: lists of the active ones instead of dense products.
// Lists by row serve the decoder and the latents' gradients, lists by latent the weights'
// gradients; what a loop reads again and again is cut so that it stays in the L2 cache. Sums have a
// fixed order.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/tensor.h"
#include "lens/sae_dense.h"

namespace vimach {

/// Active latents of a batch in tiles: of some rows, their entries in one block of latents after
/// the other, in each block row after row.
struct RowLists {
    int64_t n_latent = 0;
    int64_t side = 256;                    ///< latents in a block, and rows in a chunk
    std::vector<int64_t> first_row = {0};  ///< of each chunk, and one more
    /// Where the entries of row i of chunk c in block b begin: [first_row[c] * n_block + b * rows +
    /// i].
    std::vector<int64_t> segment = {0};
    std::vector<int32_t> latent = {};  ///< counted from the block's first
    std::vector<Real> value = {};

    int64_t n_row() const { return first_row.back(); }
    int64_t n_chunk() const { return static_cast<int64_t>(first_row.size()) - 1; }
    int64_t n_block() const { return (n_latent + side - 1) / side; }
    /// The segments of a tile, one for each of its rows, and where the last of them ends.
    const int64_t* tile(int64_t chunk, int64_t block) const;
};

/// RowLists::side where a share of the latents is active: what a tile's loops read fits the L1
/// cache where there is enough to do in it, else the L2 cache.
int64_t side_of_tiles(double active_share);

/// Adds rows of latents [n_row, n_latent]: their entries that are not 0.
void append_rows(RowLists& lists, ConstMatrixView latents);

/// A finished piece of a gradient by latents: [some latents, some inputs], from (latent, input) on.
using PieceWork = std::function<void(MatrixView grad, int64_t latent, int64_t input)>;

/// Everything after the encoder, for relu without decorrelation: adds the gradients of the biases
/// to `grad`, and hands those of W_dec and of W_enc (transposed) over piece by piece, each once,
/// while it is in the cache. A tied weight's contributions come together, to `decoder`. Returns the
/// sum of squared errors.
double step_on_lists(const Sae& sae, ConstMatrixView x, const RowLists& lists, SaeGradients& grad,
                     const PieceWork& decoder, const PieceWork& encoder);

}  // namespace vimach
