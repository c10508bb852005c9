// Sparse autoencoders: latents = sparse(act(x W_enc + b_enc)), recon = latents W_dec + b_dec, with
//   loss = mean (recon - x)^2 + l1 * mean |latents| + decorrelation * sum_{i != j} cov_ij^2,
// every gradient by hand (derivations: docs/01_sparse_autoencoder.md, docs/02_palinka_sae.md).
// Rows are worked off in blocks, so that memory beyond the weights does not grow with the data;
// where few latents are active, everything after the encoder touches only those (lens/sae_sparse).
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "lens/sae_dense.h"
#include "lens/sae_weights.h"
#include "math/adam.h"

namespace vimach {

// --- forward ------------------------------------------------------------------------------------

/// Rows [n_row, d_in] to latents [n_row, n_latent].
Tensor encode(const Sae& sae, ConstMatrixView x);

/// Latents [n_row, n_latent] back to rows [n_row, d_in].
Tensor decode(const Sae& sae, ConstMatrixView latents);

/// The terms of the loss, without their weights; a term whose weight is 0 is not computed, but l1.
struct SaeLosses {
    double mse = 0, l1 = 0, decorrelation = 0;
};
double total_loss(const SaeConfig& config, const SaeLosses& losses);

// --- backward -----------------------------------------------------------------------------------

struct SaeStep {
    SaeLosses losses = {};
    double active_share = 0;  ///< of the latents, over all rows
    SaeGradients grad = {};
};

/// Losses and gradients on a batch of rows [n_row, d_in].
SaeStep sae_forward_backward(const Sae& sae, ConstMatrixView x);

/// What the forward pass of a block of rows leaves behind. Where the activation is relu, the
/// latents tell all that the backward pass needs, and pre_acts has no memory of its own.
struct SaeForward {
    Tensor pre_acts = {}, latents = {};  ///< [n_row, n_latent]
    Tensor error = {};                   ///< recon - x, [n_row, d_in]
    Tensor grad_pre = {};                ///< buffer for the gradient of pre_acts, [n_row, n_latent]
};

/// Adam's memory for one Sae, and the buffers that each step leaves to the next.
struct SaeAdam {
    AdamSettings settings = {};
    int64_t n_step = 0;
    AdamMoments W_enc = {}, b_enc = {}, W_dec = {}, b_dec = {};
    SaeForward buffers = {};
};

/// One step of all weights.
void adam_step(Sae& sae, const SaeGradients& grad, SaeAdam& adam);

struct SaeTrained {
    SaeLosses losses = {};  ///< before the step
    double active_share = 0;
};

/// sae_forward_backward and adam_step at once: where latents are sparse, each latent's gradient is
/// made and used up in the cache, and never exists as a tensor.
SaeTrained sae_train_step(Sae& sae, ConstMatrixView x, SaeAdam& adam);

/// Rows of a batch that go through an SAE at a time: blocks of equal size, of at most about six
/// million latents.
int64_t sae_block_rows(int64_t n_row, int64_t n_latent);

// --- what a trained SAE does --------------------------------------------------------------------

/// Measured over all rows, without keeping latents.
struct SaeSummary {
    SaeLosses losses;  ///< without decorrelation
    int64_t n_row = 0;
    double fvu = 0;  ///< sum (recon - x)^2 / sum (x - column mean)^2; NaN where x does not vary
    double l0 = 0;   ///< active latents of a row, mean
    std::vector<int64_t> n_active = {};    ///< of every latent: rows on which it is above 0
    std::vector<double> mean_latent = {};  ///< of every latent, over all rows

    /// Share of all latents and rows that are active.
    double density() const;
    /// Share of latents that are active on one row or more.
    double ever_active() const;
};
SaeSummary summarise(const Sae& sae, ConstMatrixView x);

}  // namespace vimach
