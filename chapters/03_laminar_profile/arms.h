// Chapter 3's arms: what the SAEs of a layer are trained on, and what comes of each. Beside the
// trained model's layers stand data that share a layer's first two moments but nothing else, a
// layer in units of its own, and a network that has learnt nothing.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "lens/sae.h"

namespace vimach::ch03 {

/// The trained model's layers as they are, scaled to unit mean square, as Gaussian data of the same
/// mean and covariance; and those of random weights, also scaled, since their own units mean
/// nothing.
enum Arm : int { trained, unit_scale, gaussian, random_weights, n_arm };
constexpr const char* arm_names[n_arm] = {"trained", "unit scale", "Gaussian", "random weights"};

/// What came of one SAE after its last epoch, over all rows; the last three are losses of the
/// model in nats a token, above that of the model as it is (see splice.h).
struct LayerResult {
    double density = 0;      ///< share of all latents and rows that are active
    double ever_active = 0;  ///< share of latents that are active on one row or more
    double mse = 0;          ///< mean (recon - x)^2, in the layer's own units
    double l1 = 0;           ///< mean |latents|, in the layer's own units
    double fvu = 0;          ///< fraction of the variance unexplained; NaN where there is none
    double l0 = 0;           ///< active latents of a row
    double together = 0;     ///< mean over latents of density x activation, each scaled to 0 ... 1
    double ablated = 0;      ///< with the mean of the MLP's output in its place
    double spliced = 0;      ///< with the reconstruction in place of what the SAE reads
    double untrained = 0;    ///< the same before the first step
};

/// LayerResult's numbers in the order of its members, and one made of two of them: what a plot of
/// the loss shows, MSE or MSE + L1.
enum Field { density, ever_active, mse, l1, fvu, l0, together, ablated, spliced, untrained, loss };
struct ResultField {
    const char* name;
    double LayerResult::*value;
};
constexpr ResultField result_fields[] = {{"density", &LayerResult::density},
                                         {"ever active", &LayerResult::ever_active},
                                         {"MSE", &LayerResult::mse},
                                         {"L1", &LayerResult::l1},
                                         {"FVU", &LayerResult::fvu},
                                         {"L0", &LayerResult::l0},
                                         {"density x act.", &LayerResult::together},
                                         {"ablated", &LayerResult::ablated},
                                         {"spliced", &LayerResult::spliced},
                                         {"untrained", &LayerResult::untrained}};

/// What a trained SAE does, as a result without costs.
LayerResult result_of(const SaeSummary& summary);

/// Mean over latents of density x activation, each scaled so that it runs from 0 to 1. A latent's
/// activation is its mean where it is active, and 0 where it never is.
double density_times_activation(const SaeSummary& summary);

/// Divides by the root of the mean square, which it returns (1 where all is zero).
double scale_to_unit(Tensor& x);

/// Replaces the rows of x by Gaussian ones with their mean and covariance C, times `unit`:
///   unit * (mean + g R),  g standard normal,  R = diag(sqrt(l)) V  with  C = V^T diag(l) V.
void make_gaussian(Tensor& x, double unit, uint64_t seed);

/// Norm of a window's first row over the median norm of its other rows; NaN where those are 0, or
/// none.
double first_row_ratio(ConstMatrixView window);

}  // namespace vimach::ch03
