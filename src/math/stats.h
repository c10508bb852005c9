// Statistics of small samples: moments, separation of two samples, quantiles, permutation tests.
// Everything is double and summed in the order given. A number that a sample does not give is NaN,
// and so is what is made of a NaN; of an empty sample nothing is asked: it is an Error.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "math/matrix.h"

namespace vimach {

/// What a number is that a sample does not give.
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A range of values, both ends included.
struct Interval {
    double low = 0, high = 0;
};

double mean(std::span<const double> x);

/// Unbiased variance: divides by n - 1; n >= 2.
double variance(std::span<const double> x);

/// Pearson's correlation; 0 where one sample does not vary but for rounding.
double correlation(std::span<const double> x, std::span<const double> y);

/// Kendall's rank correlation tau-b: concordant minus discordant pairs, over all pairs that are not
/// tied; 1 where y always rises with x. NaN where one sample does not vary.
double kendall_tau(std::span<const double> x, std::span<const double> y);

/// Of the straight line of least squares through the points: how much y rises with x. NaN where
/// x does not vary but for rounding.
double slope(std::span<const double> x, std::span<const double> y);

/// Of the parabola of least squares: the coefficient of x^2. NaN where there are not three x.
double curvature(std::span<const double> x, std::span<const double> y);

/// Cosine of the angle between two vectors; 0 where one is zero.
double cosine(std::span<const double> x, std::span<const double> y);

/// Probability that a random element of `high` exceeds a random one of `low`, ties counted half:
/// the area under the ROC curve, Mann & Whitney's U / (n m).
double auc(std::span<const double> high, std::span<const double> low);

/// The value below which a share `q` in [0, 1] of the sample lies, interpolated (Hyndman & Fan
/// 1996, definition 7).
double quantile(std::vector<double> x, double q);

/// The central 95 % of a sample.
Interval central_95(const std::vector<double>& x);

/// p = (1 + number of null values >= observed) / (1 + number of null values): never 0, and valid
/// at any number of permutations (Phipson & Smyth 2010). What differs by rounding alone is equal.
double permutation_p(double observed, std::span<const double> null_values);

/// Whether the rows of a sample differ by more than floats round; those with a NaN do.
bool varies(const Matrix& x);

/// Mean of every column.
std::vector<double> column_means(const Matrix& x);

/// x with its column means (or `means`) taken off.
Matrix centred(const Matrix& x);
Matrix centred(const Matrix& x, std::span<const double> means);

/// X^T X / (n - 1) of a centred X [n, d]: [d, d].
Matrix covariance(const Matrix& centred_x);

}  // namespace vimach
