// Chapter 3's controls. Each claim is one function that returns a Finding: the measure, an interval
// over seeds (the layers of one network are fixed, and no sample), and what it is compared with:
// the layers in random order, which says how often chance gives such a shape, and random weights
// from the same seeds. What Gaussian rows of the same covariance give stands beside it: it says how
// much is in the covariance, but that is the network's, so it is no null.
#pragma once

#include <string>
#include <vector>

#include "profiles.h"
#include "show/page.h"

namespace vimach::ch03 {

/// How many random draws the controls make, and from which seed.
struct Draws {
    int64_t n_bootstrap = 1000, n_permutation = 9999;
    uint64_t seed = 1;
};

/// The mean over seeds of a shape of a profile.
using ShapeOf = double (*)(Values values, const Layers& layers);
Measure over_seeds(const Profile& profile, const Layers& layers, ShapeOf shape);

/// The share of random orders of the layers whose Kendall's tau is at least as large.
double order_p(const Profile& profile, const Layers& layers, const Draws& draws);

/// One arm's profile minus another's, layer by layer and seed by seed.
Profile difference(const Profile& one, const Profile& other);

/// States a claim about a model of so many layers, where this is one and all of them have SAEs.
void state(Page& page, const Profiles& p, int64_t size, const std::string& id,
           const Finding& finding);

// --- findings, one for each claim ---------------------------------------------------------------

/// 3a: Kendall's tau; how straight the rise is; the first layer over the middle ones, which no
/// random order can show: one layer in twelve comes first by chance. Forced where top-k sets the
/// density.
Finding density_rises(const Profiles& p, const Draws& draws);
Finding density_on_a_line(const Profiles& p, const Draws& draws);
Finding early_layers_sparse(const Profiles& p);

/// 3b, of `loss` or of `fvu`: the ends over all others; how far from the middle it is lowest, which
/// no random order of so few layers can show; the coefficient of depth squared.
Finding ends_highest(const Profiles& p, Field field, const Draws& draws);
Finding lowest_in_middle(const Profiles& p, Field field);
Finding u_shaped(const Profiles& p, Field field, const Draws& draws);

/// How far the first token of a window stands out: first_row_ratio of every layer and window.
struct FirstTokens {
    std::vector<std::vector<double>> trained = {}, random = {};
    void add(bool is_random, int64_t layer, const std::vector<double>& ratios);
};

/// The mean over windows, with the interval of its bootstrap.
Measure over_windows(const std::vector<double>& ratios, const Draws& draws);

/// 3c: in the layer where it is largest, against random weights where theirs is; window by window.
Finding first_token_stands_out(const FirstTokens& first, const Draws& draws);

/// 1 - cost / ablated by layer, costs summed over seeds; NaN where mean ablation costs nothing.
std::vector<double> recovered(const Profile& cost, const Profile& ablated);

/// 3d: the share of the loss recovered over all layers, against the SAEs before their training;
/// and how much more of it in the middle than at the better end.
Finding loss_recovered(const Profiles& p);
Finding middle_recovered(const Profiles& p, const Draws& draws);

}  // namespace vimach::ch03
