// Measures and controls of claims 5a to 5c and 5f: what the same arithmetic finds where there is
// nothing to find, and what holds on pairs that the filter has not seen.
#pragma once

#include <string>
#include <vector>

#include "folds.h"
#include "sentences.h"
#include "show/measure.h"
#include "show/table.h"

namespace vimach::ch05 {

// --- 5a, 5b: what makes R singular --------------------------------------------------------------

/// How many pairs there are, how many begin like another, and into how many folds they go where
/// there are too few groups for all.
std::string pairs_text(const Pairs& pairs, const Words& words, const Draws& draws);

/// The rank of her covariance, with all sentences and with those that differ up to the pronoun.
std::string rank_text(const Pairs& pairs);

/// How many components carry variance, and how many the share takes by either reading.
std::string components_text(const Pca& pca, const GedSettings& settings);

/// 1 where LAPACK refuses S w = lambda R w, or answers with an eigenvalue that only a pivot of
/// rounding noise can give; else 0.
Measure refused(const Matrix& s, const Matrix& r);

/// An exact number beside the same where R is shrunk; or, where `forced_by` says why, forced.
Finding beside_shrunk(const Measure& measured, const Measure& when_shrunk,
                      const std::string& forced_by);

/// Why n samples cannot span n_dim dimensions; empty where they can.
std::string singular_by(int64_t n_sample, int64_t n_dim);

/// 5b few: the components kept, as a share of those that carry variance.
Measure kept_share(const Pca& pca, const GedSettings& settings);

/// The same for two samples of white noise of the size of `x`.
Control noise_share(const Matrix& x, const GedSettings& settings, const Draws& draws);

/// 5b rank: how many dimensions a covariance leaves empty.
Measure missing_rank(const Matrix& covariance);

// --- 5c: in sample ------------------------------------------------------------------------------

/// "eigenvalues 1, 2, 3" of both directions, and the variance of S and of R along the first.
Table spectrum_table(const Eigen& for_him, const Eigen& for_her, const Matrix& s, const Matrix& r);

/// The largest eigenvalue for weights of the shrinkage: where the product stays the same, the
/// shrinkage has set it.
Table shrinkage_table(const Matrix& s, const Matrix& r);
inline const char* const shrinkage_note =
    "Where the last column stays the same, shrinkage has set the eigenvalue.";

/// Paired swaps: him and her swapped in every group with probability 1/2, centred per class first
/// (or the difference of the means would enter both covariances), the components kept.
struct SwapTest {
    std::vector<double> for_him, for_her;  ///< largest eigenvalue of every swapped sample
    std::vector<double> angles;            ///< mean_cosine of its him > her filters
    Eigen one_for_him, one_for_her;        ///< the spectra of the first one
};
SwapTest swap_test(const Pairs& pairs, const Matrix& components, double gamma, const Draws& draws);

Control labels_swapped(const std::vector<double>& values);

/// "p = 0.0050": of the observed value among those of the swaps.
std::string p_text(double observed, const std::vector<double>& of_swaps);

/// The eigenvalues of the swaps, and p of both directions.
std::string swaps_text(const SwapTest& swaps, const Eigen& for_him, const Eigen& for_her);

// --- 5c: on pairs left out ----------------------------------------------------------------------

/// Squared projections of the pairs left out, centred on the training means of their class.
struct Squares {
    std::vector<double> him_forward, her_forward, him_back, her_back;
};
Squares left_out_squares(const Pairs& pairs, const std::vector<FoldFit>& folds);

/// log10 of the variance of him over that of her along him > her, and of her over him along
/// her > him; the smaller of the two, because the claim needs both. NaN where a variance is 0.
double contrast(const Squares& squares, std::span<const int64_t> pairs);
Measure contrast_measure(const Squares& squares, const std::vector<int64_t>& group,
                         const Draws& draws);

/// The contrast of samples whose groups were swapped, each through all folds.
Control swapped_contrast(const Pairs& pairs, const GedSettings& settings, const Draws& draws);

/// The contrast of an untrained model on the same pairs, through the same folds.
Control untrained_contrast(const Squares& trained, const Pairs& untrained,
                           const GedSettings& settings, const Draws& draws);

/// What GED finds in it, in sample.
std::string untrained_text(const Pairs& untrained, const GedSettings& settings);

// --- 5f -----------------------------------------------------------------------------------------

/// Mean |cos| between every two of the first ten rows.
double mean_cosine(const Matrix& filters);

/// 5f: that of filters, and that of PCA's components beside it.
Measure filter_cosine(const Matrix& filters);
Control pca_cosine(const Matrix& components);

/// The same for the filters of two samples of white noise of the size of `x`.
Control noise_cosine(const Matrix& x, const GedSettings& settings, const Draws& draws);

/// Cosines of the first filter with that of the other direction, and with components 1, 2, 3.
std::string cosines_text(const Eigen& for_him, const Eigen& for_her);

}  // namespace vimach::ch05
