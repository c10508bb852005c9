// PCA, shrinkage and generalized eigendecomposition; see lens/ged.h.
// Notation: Z holds both centred samples, one above the other, so that Z^T Z sums their scatter.
#include "lens/ged.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/blas.h"
#include "math/stats.h"

namespace vimach {

namespace {

constexpr double rank_tolerance = 1e-9;  // float activations leave noise near 1e-14

/// Both samples, each scaled so that the rows' scatter is the average of the two covariances.
Matrix stack_scaled(const Matrix& a, const Matrix& b) {
    ensure(a.cols == b.cols, "the samples differ in width", "average_pca",
           "pass [n, d] and [m, d]");
    ensure(a.rows >= 2 && b.rows >= 2, "a sample is too small", "average_pca",
           "pass two rows or more of each");
    Matrix z(a.rows + b.rows, a.cols);
    double scale_a = std::sqrt(0.5 / static_cast<double>(a.rows - 1));
    double scale_b = std::sqrt(0.5 / static_cast<double>(b.rows - 1));
    for (int64_t i = 0; i < z.rows; ++i) {
        std::span<const double> from = i < a.rows ? a.row(i) : b.row(i - a.rows);
        double scale = i < a.rows ? scale_a : scale_b;
        std::transform(from.begin(), from.end(), z.row(i).begin(),
                       [scale](double value) { return scale * value; });
    }
    return z;
}

}  // namespace

Pca average_pca_direct(const Matrix& a, const Matrix& b) {
    Matrix z = stack_scaled(a, b);
    Eigen eigen = symmetric_eigen(product(z, z, true));
    int64_t rank = numerical_rank(eigen.values);
    eigen.values.resize(static_cast<size_t>(rank));
    return {eigen.values, first_rows(eigen.vectors, rank)};
}

Pca average_pca(const Matrix& a, const Matrix& b) {
    if (a.rows + b.rows >= a.cols) return average_pca_direct(a, b);

    // Solve the small problem, then carry its eigenvectors over: v = Z^T u / sqrt(lambda).
    Matrix z = stack_scaled(a, b);
    Eigen eigen = symmetric_eigen(product(z, z, false, true));
    int64_t rank = numerical_rank(eigen.values);
    eigen.values.resize(static_cast<size_t>(rank));
    Matrix components = product(first_rows(eigen.vectors, rank), z);
    for (int64_t i = 0; i < rank; ++i) {
        for (double& value : components.row(i)) value /= std::sqrt(eigen.values[i]);
    }
    fix_signs(components);
    return {eigen.values, components};
}

int64_t components_for_share(std::span<const double> variances, double share, ShareRule rule) {
    double total = 0, sum = 0;
    for (double value : variances) total += value;
    int64_t below = 0;
    for (double value : variances) {
        sum += value;
        if (sum > share * total) break;
        ++below;
    }
    bool met = rule == ShareRule::stay_below || below == static_cast<int64_t>(variances.size());
    int64_t least = std::min<int64_t>(1, std::ssize(variances));
    return std::max(met ? below : below + 1, least);
}

int64_t numerical_rank(std::span<const double> eigenvalues) {
    if (eigenvalues.empty()) return 0;
    double largest = *std::max_element(eigenvalues.begin(), eigenvalues.end());
    return std::count_if(eigenvalues.begin(), eigenvalues.end(),
                         [&](double value) { return value > rank_tolerance * largest; });
}

Matrix shrunk(const Matrix& r, double gamma) {
    ensure(r.rows == r.cols && r.rows > 0, "needs a square matrix", "shrunk", "pass [k, k]");
    double trace = 0;
    for (int64_t i = 0; i < r.rows; ++i) trace += r.at(i, i);
    Matrix out = r;
    for (double& value : out.data) value *= 1 - gamma;
    for (int64_t i = 0; i < r.rows; ++i) {
        out.at(i, i) += gamma * trace / static_cast<double>(r.rows);
    }
    return out;
}

Matrix patterns(const Matrix& filters, const Matrix& s) { return product(filters, s); }

GedFit fit_ged(const Matrix& a, const Matrix& b, const GedSettings& settings) {
    // Find the components that both classes use, each centred on its own mean.
    GedFit fit;
    fit.mean_a = column_means(a);
    fit.mean_b = column_means(b);
    Matrix centred_a = centred(a, fit.mean_a), centred_b = centred(b, fit.mean_b);
    fit.pca = average_pca(centred_a, centred_b);
    ensure(!fit.pca.variances.empty(), "neither sample varies", "fit_ged",
           "pass rows that are not all equal");
    int64_t n_kept = components_for_share(fit.pca.variances, settings.share, settings.rule);
    fit.components = first_rows(fit.pca.components, n_kept);

    // Compare the covariances in their space, both ways, the one below shrunk.
    fit.cov_a = covariance(product(centred_a, fit.components, false, true));
    fit.cov_b = covariance(product(centred_b, fit.components, false, true));
    GeneralizedEigen forward = generalized_eigen(fit.cov_a, shrunk(fit.cov_b, settings.gamma));
    GeneralizedEigen back = generalized_eigen(fit.cov_b, shrunk(fit.cov_a, settings.gamma));
    if (forward.info != 0 || back.info != 0) {
        fail(format("the shrunk covariance is still singular (info %d)",
                    std::max(forward.info, back.info)),
             "fit_ged", "use a larger gamma, and samples that both vary");
    }
    fit.a_over_b = forward.eigen;
    fit.b_over_a = back.eigen;
    return fit;
}

Matrix projected(const GedFit& fit, const Matrix& x, bool centre) {
    std::vector<double> middle(fit.mean_a.size());
    for (size_t j = 0; centre && j < middle.size(); ++j) {
        middle[j] = (fit.mean_a[j] + fit.mean_b[j]) / 2;
    }
    return product(centred(x, middle), fit.components, false, true);
}

std::vector<double> along(const Matrix& x, std::span<const double> w) {
    ensure(static_cast<int64_t>(w.size()) == x.cols, "the filter has another size", "along",
           "pass as many weights as columns");
    std::vector<double> out(static_cast<size_t>(x.rows));
    for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t k = 0; k < x.cols; ++k) out[i] += x.at(i, k) * w[k];
    }
    return out;
}

}  // namespace vimach
