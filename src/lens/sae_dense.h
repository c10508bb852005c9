// One block of rows through an SAE and back, by dense products: each backward line stands against
// the forward line that it undoes. Sums over rows are added to what the caller has already.
#pragma once

#include "core/tensor.h"
#include "lens/sae_weights.h"

namespace vimach {

/// Gradients of the weights; empty where the Sae's tensor is.
struct SaeGradients {
    Tensor W_enc = {}, b_enc = {}, W_dec = {}, b_dec = {};
};

/// latents = keep(act(x W_enc + b_enc)) for rows [n_row, d_in]. `pre_acts`, what stands inside
/// act, may be the same memory.
void encode_rows(const Sae& sae, ConstMatrixView x, MatrixView pre_acts, MatrixView latents);

/// recon = latents W_dec + b_dec.
void decode_rows(const Sae& sae, ConstMatrixView latents, MatrixView recon);

/// recon -= x.
void subtract(MatrixView recon, ConstMatrixView x);

/// m *= factor.
void scale(MatrixView m, Real factor);

/// What the loss says about latents beside what it says about recon.
struct Penalties {
    Real l1 = 0;                         ///< derivative by a latent above 0; its negative below
    Real decorrelation = 0;              ///< weight of the next
    const Real* grad_latents = nullptr;  ///< [n_row, n_latent], or none
};

/// Adds to `grad` what the loss gives by recon, grad_recon [n_row, d_in], and by its penalties.
/// pre_acts is read where the activation is gelu; grad_pre [n_row, n_latent] is a buffer for the
/// gradient of pre_acts.
void backward_rows(const Sae& sae, ConstMatrixView x, ConstMatrixView pre_acts,
                   ConstMatrixView latents, ConstMatrixView grad_recon, const Penalties& penalties,
                   MatrixView grad_pre, SaeGradients& grad);

}  // namespace vimach
