// Chapter 3's profiles, one number for every seed and layer, and what is asked of their shape: does
// it rise, does it rise on a line, is it highest at the ends, where is it lowest, is it a U? Each
// question has a number as its answer, for one profile [n_layer] at a time, or NaN where there is
// none: too few layers, a layer without a value, nothing that differs.
#pragma once

#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "store.h"

namespace vimach::ch03 {

using Layers = std::vector<int64_t>;

/// The profiles of a run, one for every arm and number.
struct Profiles {
    Layers layers;        ///< those that have SAEs
    int64_t n_layer = 0;  ///< of the model
    uint64_t first_seed = 1;
    int64_t n_seed = 0;
    double l1 = 0;          ///< weight of the penalty
    double l1_in_loss = 0;  ///< weight of L1 in what is plotted as the loss; 0: MSE alone
    double ceiling = 0;     ///< the density that top-k allows; 0: any
    Profile of[n_arm][loss + 1] = {};

    /// Why this run says nothing about a model of so many layers, or nothing.
    std::string untested(int64_t size) const;
};

/// Why there is no profile of a number, "layer 3 does not vary: it has no FVU", or nothing.
std::string missing(const Profile& profile, const Layers& layers, const std::string& name);

/// Fills in the profiles: every SAE of the run but those of the sweep.
Profiles gather(const Store& store, Profiles profiles);

/// What sets the density where top-k is full: "" unless every number of the profile is the ceiling
/// k / n_latent, but for rounding. 0 stands for no ceiling.
std::string saturation(const Profile& density, double ceiling);

// --- shapes -------------------------------------------------------------------------------------

using Values = std::span<const double>;

/// Kendall's tau between layer and value.
double order_of(Values values, const Layers& layers);

/// From one end of the line of least squares to the other, in units of the mean.
double rise_of(Values values, const Layers& layers);

/// The share of the variance over the layers that the line explains, R^2.
double line_of(Values values, const Layers& layers);

/// The coefficient of t^2 in ln(value), depth t from -1 to 1; above 0 for a U.
double curve_of(Values values, const Layers& layers);

/// The lower of the two ends over the highest value between them.
double ends_of(Values values);

/// The layer of the smallest value.
double lowest_of(Values values, const Layers& layers);

/// The middle layers that the document names, centre +- reach: 5 to 7 of 12, 10 to 20 of 36.
struct Middle {
    int64_t centre, reach;
    bool holds(int64_t layer) const { return std::abs(layer - centre) <= reach; }
};
Middle middle_of(int64_t n_layer);

/// The first value over the mean of those in the middle.
double early_of(Values values, const Layers& layers, const Middle& middle);

}  // namespace vimach::ch03
