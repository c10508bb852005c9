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

/// Active latents of a batch, row after row, in the order of their indices. Latents are cut into
/// blocks; the entries of row r in block b are segment[r * n_block + b] ... up to the next.
struct RowLists {
    int64_t n_latent = 0, n_row = 0;
    std::vector<int64_t> segment = {0};
    std::vector<int32_t> latent = {};
    std::vector<Real> value = {};

    int64_t n_block() const;
};

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
