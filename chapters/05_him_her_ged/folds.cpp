// Folds, swaps and resampling; see folds.h.
// Everything random comes from one seed per call, in a fixed order, so that runs repeat.
#include "folds.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"

namespace vimach::ch05 {

int64_t count_groups(const std::vector<int64_t>& group) {
    return group.empty() ? 0 : *std::ranges::max_element(group) + 1;
}

std::vector<double> mean_difference(const Pairs& pairs) {
    std::vector<double> difference = column_means(pairs.him), her = column_means(pairs.her);
    for (size_t j = 0; j < her.size(); ++j) difference[j] -= her[j];
    return difference;
}

// --- swaps --------------------------------------------------------------------------------------

std::vector<bool> draw_swaps(int64_t n_group, uint64_t seed) {
    Rng rng(seed);
    std::vector<bool> swap(static_cast<size_t>(n_group));
    for (size_t g = 0; g < swap.size(); ++g) swap[g] = rng.below(2) == 1;
    return swap;
}

Pairs swap_groups(const Pairs& pairs, const std::vector<bool>& swap) {
    Pairs out = pairs;
    for (int64_t i = 0; i < out.him.rows; ++i) {
        if (swap[out.group[i]]) std::ranges::swap_ranges(out.him.row(i), out.her.row(i));
    }
    return out;
}

Pairs swapped(const Pairs& pairs, uint64_t seed) {
    return swap_groups({centred(pairs.him), centred(pairs.her), pairs.group},
                       draw_swaps(count_groups(pairs.group), seed));
}

// --- folds --------------------------------------------------------------------------------------

std::vector<FoldFit> fit_folds(const Pairs& pairs, const GedSettings& settings, int64_t n_fold,
                               uint64_t seed) {
    int64_t n_group = count_groups(pairs.group);
    n_fold = std::min(n_fold, n_group);
    ensure(n_fold >= 3, "needs 3 folds", "fit_folds", "pass 3 folds and 3 groups or more");

    // Deal the groups to the folds in random order.
    std::vector<int64_t> fold_of(static_cast<size_t>(n_group));
    std::vector<int64_t> order = Rng(seed).permutation(n_group);
    for (int64_t i = 0; i < n_group; ++i) fold_of[order[i]] = i % n_fold;

    // Fit each on the pairs of all others.
    std::vector<FoldFit> folds(static_cast<size_t>(n_fold));
    parallel_for(n_fold, [&](int64_t f) {
        FoldFit& fold = folds[f];
        for (size_t i = 0; i < pairs.group.size(); ++i) {
            bool left_out = fold_of[pairs.group[i]] == f;
            (left_out ? fold.test : fold.train).push_back(static_cast<int64_t>(i));
        }
        Matrix him = take_rows(pairs.him, fold.train), her = take_rows(pairs.her, fold.train);
        if (!varies(him) || !varies(her)) {
            fail(format("the %zu training pairs of a fold do not vary", fold.train.size()),
                 "fit_folds", "add sentences that differ up to the word");
        }
        fold.fit = fit_ged(him, her, settings);
    });
    return folds;
}

std::span<const double> him_over_her(const GedFit& fit) { return fit.a_over_b.vectors.row(0); }

std::span<const double> her_over_him(const GedFit& fit) { return fit.b_over_a.vectors.row(0); }

std::vector<double> mean_difference(const GedFit& fit) {
    std::vector<double> difference(fit.mean_a.size());
    for (size_t j = 0; j < difference.size(); ++j) difference[j] = fit.mean_a[j] - fit.mean_b[j];
    return along(fit.components, difference);
}

Matrix in_components(const GedFit& fit, const Matrix& x, std::span<const double> centre) {
    return product(centred(x, centre), fit.components, false, true);
}

// --- bootstrap ----------------------------------------------------------------------------------

Measure over_groups(const std::vector<int64_t>& group, const Statistic& of_pairs,
                    int64_t n_bootstrap, uint64_t seed) {
    int64_t n_group = count_groups(group);
    auto of_groups = [&](std::span<const int64_t> groups) {
        std::vector<int64_t> times(static_cast<size_t>(n_group)), pairs;
        for (int64_t g : groups) ++times[g];
        for (size_t i = 0; i < group.size(); ++i) {
            pairs.insert(pairs.end(), static_cast<size_t>(times[group[i]]),
                         static_cast<int64_t>(i));
        }
        return of_pairs(pairs);
    };
    return bootstrap_measure(n_group, of_groups, n_bootstrap, seed);
}

}  // namespace vimach::ch05
