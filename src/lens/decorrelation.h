// The penalty on latents that vary together: D = sum_{i != j} C_ij^2, C the covariance of the
// latents Z [n_row, n_latent] over rows. With Zc the centred latents and n = n_row - 1:
//   C = Zc^T Zc / n,  grad_Z = 4/n Zc (C off the diagonal)               costs n_latent^2
//   K = Zc Zc^T / n,  D = |K|^2 - sum C_jj^2,  grad_Z = 4/n (K Zc - Zc diag(C))  costs n_row^2
// since |Zc^T Zc| = |Zc Zc^T|. Centring passes gradients on unchanged: the columns of grad_Z sum
// to 0 already.
#pragma once

#include "core/tensor.h"

namespace vimach {

/// The rows without their columns' means, which are summed in double; n_row >= 2.
Tensor centred_columns(const Tensor& rows);

struct Decorrelation {
    double value = 0;
    Tensor grad_latents;  ///< [n_row, n_latent]
};

/// The cheaper of the two forms; n_row >= 2.
Decorrelation decorrelation(const Tensor& latents);

/// Each form by itself; for the test that both agree.
Decorrelation decorrelation_by_covariance(const Tensor& latents);
Decorrelation decorrelation_by_gram(const Tensor& latents);

}  // namespace vimach
