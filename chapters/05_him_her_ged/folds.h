// Pairs of samples, and GED on parts of them: folds that leave pairs out, samples in which him and
// her are swapped, resampled lists of pairs. Pairs of one group (whose sentences are the
// same up to the pronoun) always stay together.
#pragma once

#include <vector>

#include "lens/ged.h"
#include "show/measure.h"

namespace vimach::ch05 {

/// Two samples [n, d], row i of both a pair, and the group of each pair: 0 ... n_group - 1.
struct Pairs {
    Matrix him, her;
    std::vector<int64_t> group;
};
int64_t count_groups(const std::vector<int64_t>& group);

/// The mean of him less that of her: [d].
std::vector<double> mean_difference(const Pairs& pairs);

/// How many random draws the controls make, and from which seed.
struct Draws {
    int64_t n_swap = 0;       ///< paired swaps of the in-sample eigenvalue and angles
    int64_t n_null = 0;       ///< swapped samples taken through the whole cross-validation
    int64_t n_bootstrap = 0;  ///< resampled lists of groups
    int64_t n_random = 0;     ///< random directions over whole sentences
    int64_t n_noise = 0;      ///< samples of white noise
    int64_t n_rival = 0;      ///< swapped samples on which GED is compared with its rivals
    int64_t n_patch = 0;      ///< random directions that are written into the model
    int64_t n_sae_step = 0;   ///< steps of every autoencoder's training
    int64_t n_fold = 0;       ///< fewer where there are fewer groups
    uint64_t seed = 1;
};

// --- swaps --------------------------------------------------------------------------------------

/// For every group, whether him and her are swapped: each with probability 1/2.
std::vector<bool> draw_swaps(int64_t n_group, uint64_t seed);

/// Copies of both samples in which the groups marked are swapped.
Pairs swap_groups(const Pairs& pairs, const std::vector<bool>& swap);

/// The same of samples centred per class, so that swaps do not see the difference of the means.
Pairs swapped(const Pairs& pairs, uint64_t seed);

// --- folds --------------------------------------------------------------------------------------

/// PCA, shrinkage and GED of the training pairs alone.
struct FoldFit {
    std::vector<int64_t> train, test;  ///< pairs
    GedFit fit;
};

/// Deals the groups to n_fold folds in random order (one a group where there are fewer groups) and
/// fits each. Every pair is left out once.
std::vector<FoldFit> fit_folds(const Pairs& pairs, const GedSettings& settings, int64_t n_fold,
                               uint64_t seed);

/// The largest eigenvalue's filter of him over her, and of her over him; [k].
std::span<const double> him_over_her(const GedFit& fit);
std::span<const double> her_over_him(const GedFit& fit);

/// The mean of him minus that of her in the space of the components; [k].
std::vector<double> mean_difference(const GedFit& fit);

/// Rows of both samples less the means given, in the space of the components: [n, k].
Matrix in_components(const GedFit& fit, const Matrix& x, std::span<const double> centre);

// --- bootstrap ----------------------------------------------------------------------------------

/// A bootstrap over groups of a statistic of a list of pairs.
Measure over_groups(const std::vector<int64_t>& group, const Statistic& of_pairs,
                    int64_t n_bootstrap, uint64_t seed);

}  // namespace vimach::ch05
