// Chapter 3's controls: data that share a layer's first two moments but nothing else, a layer in
// units of its own, the first token of a window, and how a profile over layers is tested for a
// straight rise and for a U. A profile is [n_seed, n_layer]: one number for every seed and layer.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"
#include "lens/sae.h"
#include "math/matrix.h"
#include "show/old_claims.h"

namespace vimach::laminar {

/// What the SAEs of a profile were trained on: the trained model's layers as they are, scaled to
/// unit mean square, as Gaussian data of the same mean and covariance; and those of random weights,
/// also scaled, since their own units mean nothing.
enum Arm { trained, unit_scale, gaussian, random_weights, n_arm };
constexpr const char* arm_names[n_arm] = {"trained", "unit scale", "Gaussian", "random weights"};

/// One number for every seed and layer.
using Profile = Matrix;

/// What came of one SAE after its last epoch, over all rows.
struct LayerResult {
    double density = 0;   ///< share of all latents and rows that are live
    double alive = 0;     ///< share of latents that are live on one row or more
    double mse = 0;       ///< mean (recon - x)^2, in the layer's own units
    double l1 = 0;        ///< mean |latents|, in the layer's own units
    double fvu = 0;       ///< fraction of the variance unexplained
    double l0 = 0;        ///< live latents of a row
    double together = 0;  ///< mean over latents of density x activation, each scaled to 0 ... 1
};

/// Mean over latents of density x activation, each scaled so that it runs from 0 to 1.
double density_times_activation(const SaeSummary& summary);

/// One of LayerResult's numbers, by its name.
struct ResultField {
    const char* name;
    double LayerResult::*value;
};
constexpr ResultField result_fields[] = {{"density", &LayerResult::density},
                                         {"alive", &LayerResult::alive},
                                         {"MSE", &LayerResult::mse},
                                         {"L1", &LayerResult::l1},
                                         {"FVU", &LayerResult::fvu},
                                         {"L0", &LayerResult::l0},
                                         {"density x activation", &LayerResult::together}};

// --- what the SAEs are trained on ---------------------------------------------------------------

/// Divides by the root of the mean square, which it returns (1 where all is zero).
double scale_to_unit(Tensor& x);

/// Replaces the rows of x by Gaussian ones with their mean and covariance C, times `unit`:
///   unit * (mean + g R),  g standard normal,  R = diag(sqrt(l)) V  with  C = V^T diag(l) V.
void make_gaussian(Tensor& x, double unit, uint64_t seed);

/// Norm of a window's first row over the median norm of its other rows; 0 for a single row.
double first_row_ratio(ConstMatrixView window);

// --- how profiles are tested --------------------------------------------------------------------

/// The shape of a profile over the layers at hand. Intervals resample layers and seeds together, so
/// that a shape which one layer or one seed makes is not taken for one of the network.
struct Trend {
    Measure rise;      ///< slope of the line times its length, in means of the profile
    Measure line;      ///< share of the variance over layers that the line explains, R^2
    Measure curve;     ///< coefficient of t^2 in ln(profile), depth t from -1 to 1; a U has > 0
    Measure minimum;   ///< layer of the smallest mean; interval: seeds apart, each layer left out
    double tau = 0;    ///< Kendall's tau between layer and mean
    double tau_p = 1;  ///< of as large a tau in a random order of the layers
};

/// How many random draws the tests make.
struct Draws {
    int64_t n_bootstrap = 1000, n_permutation = 9999;
};
Trend measure_trend(const Profile& profile, const std::vector<int64_t>& layers, const Draws& draws,
                    uint64_t seed);

// --- verdicts -----------------------------------------------------------------------------------

/// Thresholds of the verdicts, chosen before any run.
struct Criteria {
    double rise = 0.5;         ///< from first to last layer by half of the mean: seen in any plot
    double line = 0.8;         ///< most of what varies over the layers is the line
    double curve = 0.1;        ///< the ends a tenth above the middle, on a logarithmic scale
    double small_middle = 6;   ///< of the document's 5 to 7
    double small_within = 1;   ///< layers from that middle
    double large_middle = 15;  ///< of its 10 to 20
    double large_within = 5;
    double first_token = 3;  ///< three times the norm of its neighbours
};

/// The numbers on which the verdicts rest.
struct Findings {
    int64_t n_layer = 0;  ///< of the model
    bool whole = false;   ///< whether every layer has its SAE; else nothing is said of profiles
    Trend density[n_arm], mse[n_arm], fvu[n_arm];
    Measure first_token = {}, first_token_control = {};
    std::string saturated = {};  ///< the constant that sets the density of every layer, or nothing
};

/// What sets the density where top-k is full: "" unless every number of the profile is the ceiling
/// k / n_latent, but for rounding. 0 stands for no ceiling.
std::string saturation(const Profile& density, double ceiling);

/// Claims 3a (rise, line) and 3b (curve and minimum of MSE and of FVU) for either size, and 3c.
/// The control of each is that of random weights or that of Gaussian data, whichever comes nearer.
std::vector<OldClaim> judge(const Findings& findings, const Criteria& criteria);

// --- published profiles -------------------------------------------------------------------------

/// SAEs of GPT-2 small that others trained to the end, on much more text: live latents of a token
/// and, for the MLP's output, the fraction of the variance unexplained. See docs/sources.md.
constexpr double published_resid_l0[] = {10, 10, 18, 23, 31, 41, 51, 54, 60, 70, 52, 56};
constexpr double published_mlp_l0[] = {15, 21, 137, 54, 74, 76, 40, 52, 36, 49, 167, 170};
constexpr double published_mlp_fvu[] = {0.001, 0.43, 0.45, 0.43, 0.56, 0.48,
                                        0.492, 0.47, 0.54, 0.51, 0.78, 0.41};

/// The trend of such a list, as if it were a profile of one seed.
Trend published_trend(std::span<const double> values, const Draws& draws, uint64_t seed);

}  // namespace vimach::laminar
