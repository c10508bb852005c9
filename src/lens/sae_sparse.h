// An SAE's step where few latents are live: lists of the live ones instead of dense products. Lists
// by row serve the decoder and the latents' gradients, lists by latent the weights' gradients; what
// a loop reads again and again is cut so that it stays in the L2 cache. Sums have a fixed order.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/tensor.h"

namespace vimach {

/// Live latents of a batch, row after row, in the order of their indices. Latents are cut into
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

/// recon = latents W_dec + b_dec.
void decode_lists(const RowLists& lists, const Tensor& W_dec, const Tensor& b_dec,
                  MatrixView recon);

/// The same entries latent after latent, in the order of their rows, with the gradients of the
/// latents: those of latent j are begin[j] ... begin[j + 1].
struct LatentLists {
    std::vector<int64_t> begin;
    std::vector<int32_t> row;
    std::vector<Real> value, grad;
};

/// Undoes recon = latents W_dec for the latents: grad = W_dec[latent] . grad_recon[row] + l1.
LatentLists latent_gradients(const RowLists& lists, const Tensor& W_dec, ConstMatrixView grad_recon,
                             Real l1);

/// A finished piece of a gradient by latents: [some latents, some inputs], from (latent, input) on.
using PieceWork = std::function<void(MatrixView grad, int64_t latent, int64_t input)>;

/// Undoes recon = latents W_dec for W_dec, and pre_acts = x W_enc for W_enc transposed (both of
/// them into `decoder` where the weight is one: `encoder` is empty). Every piece is handed over
/// once, while it is in the cache.
void weight_gradients(const LatentLists& lists, ConstMatrixView x, ConstMatrixView grad_recon,
                      const PieceWork& decoder, const PieceWork& encoder);

}  // namespace vimach
