// An SAE's step where few latents are active: lists of the active ones instead of dense products.
// Lists by row serve the decoder and the latents' gradients, lists by latent the weights'
// gradients; both are cut into tiles, so that what a loop reads again and again stays in the L1 or
// L2 cache. Sums have a fixed order.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/tensor.h"
#include "lens/sae_dense.h"

namespace vimach {

/// Active latents of some rows, tile by tile. A tile is a chunk of `side` rows by a block of `side`
/// latents. Tiles go chunk by chunk, in a chunk block by block; in a tile entries go row by row.
struct RowLists {
    int64_t n_latent = 0, n_row = 0, side = 0;  // side: at most 256
    std::vector<int64_t> segment = {};  ///< where each row's entries in each block begin; see tile
    std::vector<uint8_t> latent = {};   ///< counted from the block's first
    std::vector<Real> value = {};

    int64_t n_chunk() const { return (n_row + side - 1) / side; }
    int64_t n_block() const { return (n_latent + side - 1) / side; }
    /// The number of a tile's first segment. There is one for each of its rows, and after the last
    /// comes the next tile's.
    int64_t tile(int64_t chunk, int64_t block) const;
};

/// Side of the tiles where this share of the latents is active. 64: a tile's decoder rows, 32 KB a
/// strip, fit the L1 cache. 256 where few are active: a small tile would have too little to do.
int64_t side_of_tiles(double active_share);

/// The entries of latents [n_row, n_latent] that are not 0.
RowLists list_rows(ConstMatrixView latents, int64_t side);

/// Takes a finished piece of a gradient: of W_dec or of W_enc, from (row, col) on.
enum class Weight { encoder, decoder };
using PieceWork = std::function<void(Weight of, ConstMatrixView grad, int64_t row, int64_t col)>;

/// Everything after the encoder, for relu without decorrelation, of some rows of a batch of n_row:
/// adds the gradients of the biases to `grad`, and hands those of W_dec and W_enc over piece by
/// piece, each once, while it is in the cache. A tied weight's contributions come together, to the
/// decoder. Returns the sum of squared errors.
double step_on_lists(const Sae& sae, ConstMatrixView x, int64_t n_row, const RowLists& lists,
                     SaeGradients& grad, const PieceWork& work);

}  // namespace vimach
