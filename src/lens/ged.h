// Generalized eigendecomposition (GED): directions along which one sample varies much and another
// little, S w = lambda R w (Cohen 2022, doi:10.1016/j.neuroimage.2021.118809). With fewer samples
// than dimensions R is singular; the cure is to keep few principal components first and to shrink
// R towards a multiple of the identity.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "math/lapack.h"
#include "math/matrix.h"

namespace vimach {

/// Principal components of the average of two covariance matrices, all that carry variance.
struct Pca {
    std::vector<double> variances;  ///< largest first; those above 1e-9 of the largest
    Matrix components;              ///< [variances.size(), d], orthonormal rows
};

/// PCA of (cov(a) + cov(b)) / 2 for centred samples a [n, d] and b [m, d]. Where n + m < d it goes
/// by the Gram matrix of the rows: if G u = l u with G = Z Z^T, then Z^T u / sqrt(l) is an
/// eigenvector of Z^T Z for the same l.
Pca average_pca(const Matrix& a, const Matrix& b);

/// The same, always by the d x d matrix; for the test that both agree.
Pca average_pca_direct(const Matrix& a, const Matrix& b);

/// How many components make up a share of the variance: the smallest count that reaches it, or the
/// last count that does not exceed it (one fewer, unless it is met exactly). At least one, where
/// there is one.
enum class ShareRule { reach, stay_below };
int64_t components_for_share(std::span<const double> variances, double share, ShareRule rule);

/// How many eigenvalues exceed 1e-9 of the largest: the rank, but for rounding.
int64_t numerical_rank(std::span<const double> eigenvalues);

/// (1 - gamma) R + gamma alpha I with alpha = trace(R) / n, the mean eigenvalue
/// (Ledoit & Wolf 2004, eq. 14, with a fixed weight).
Matrix shrunk(const Matrix& r, double gamma);

/// The pattern of a filter w: S w, what the filter's source looks like in the data that vary along
/// it, which a filter itself does not show (Haufe et al. 2014, eq. 6). One row per filter.
Matrix patterns(const Matrix& filters, const Matrix& s);

struct GedSettings {
    double share = 0.99;  ///< of the variance that the components keep
    ShareRule rule = ShareRule::reach;
    double gamma = 0.01;  ///< weight of the identity in the shrunk R
};

/// Everything from two samples to the filters that tell them apart. Both must vary.
struct GedFit {
    std::vector<double> mean_a, mean_b;  ///< [d]
    Pca pca;
    Matrix components;         ///< the kept ones, [k, d]
    Matrix cov_a, cov_b;       ///< in their space, [k, k]
    Eigen a_over_b, b_over_a;  ///< filters in their space, rows; the second R is cov_a
};
GedFit fit_ged(const Matrix& a, const Matrix& b, const GedSettings& settings);

/// Rows of x [n, d] in the space of the kept components, [n, k]. Centred between the two classes,
/// so that neither is favoured, or as they are.
Matrix projected(const GedFit& fit, const Matrix& x, bool centre = true);

/// x w: every row of x [n, k] along a filter w [k].
std::vector<double> along(const Matrix& x, std::span<const double> w);

}  // namespace vimach
