// The weights of a sparse autoencoder and the settings of its loss.
// Rows of W_dec belong to latents: row j is what latent j writes.
#pragma once

#include <cstdint>

#include "core/rng.h"
#include "core/tensor.h"

namespace vimach {

enum class Activation { relu, gelu };  ///< gelu is the exact one: v * Phi(v)

struct SaeConfig {
    int64_t d_in = 0, n_latent = 0;
    bool tied = false;  ///< W_enc is W_dec transposed
    bool bias = true;
    Activation activation = Activation::relu;
    int64_t top_k = 0;           ///< largest latents kept in every row; 0 keeps all
    bool keep_ties = false;      ///< keep all that equal the k-th; else the lowest indices
    double l1 = 0;               ///< weight of mean |latents|
    double decorrelation = 0;    ///< weight of the squared covariances between latents
    double sparse_below = 0.35;  ///< lists are taken where no more than this share is active

    int64_t n_parameter() const;
};

/// The weights. Without biases b_enc and b_dec are empty; tied, W_enc is empty, since W_dec alone
/// is stored: row j of W_dec is what latent j writes.
struct Sae {
    SaeConfig config;
    Tensor W_enc, b_enc;  ///< [d_in, n_latent], [n_latent]
    Tensor W_dec, b_dec;  ///< [n_latent, d_in], [d_in]
};

/// Weights and biases uniform in +-1/sqrt(fan_in), as PyTorch's nn.Linear begins; the one weight
/// of a tied pair begins as an encoder.
Sae random_sae(const SaeConfig& config, Rng& rng);

/// Throws unless the config is that of an SAE and the weights have its shapes.
void check_sae(const Sae& sae);

}  // namespace vimach
