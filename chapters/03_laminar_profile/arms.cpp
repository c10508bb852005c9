// Chapter 3's arms; see arms.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "arms.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/lapack.h"
#include "math/stats.h"

namespace vimach::ch03 {

LayerResult result_of(const SaeSummary& summary) {
    return {.density = summary.density(),
            .ever_active = summary.ever_active(),
            .mse = summary.losses.mse,
            .l1 = summary.losses.l1,
            .fvu = summary.fvu,
            .l0 = summary.l0,
            .together = density_times_activation(summary)};
}

double density_times_activation(const SaeSummary& summary) {
    // Take each latent's mean over the rows on which it is active.
    std::vector<double> active = summary.mean_latent;
    for (size_t j = 0; j < active.size(); ++j) {
        auto n_active = static_cast<double>(summary.n_active[j]);
        active[j] = n_active > 0 ? active[j] * static_cast<double>(summary.n_row) / n_active : 0;
    }

    // Scale both to 0 ... 1 and multiply.
    auto [least, most] = std::ranges::minmax(summary.n_active);
    auto [low, high] = std::ranges::minmax(active);
    if (least == most || low == high) return 0;
    double total = 0;
    for (size_t j = 0; j < active.size(); ++j) {
        total += static_cast<double>(summary.n_active[j] - least) * (active[j] - low);
    }
    return total / static_cast<double>(most - least) / (high - low) /
           static_cast<double>(active.size());
}

double scale_to_unit(Tensor& x) {
    double total = 0;
    for (Real value : x.data) total += double{value} * double{value};
    double unit = std::sqrt(total / static_cast<double>(std::max<int64_t>(x.size(), 1)));
    if (unit == 0) return 1;
    for (Real& value : x.data) value = static_cast<Real>(value / unit);
    return unit;
}

namespace {

/// Takes the column means off, and returns them.
std::vector<double> centre(Tensor& x) {
    std::vector<double> means(static_cast<size_t>(x.cols()));
    for (int64_t i = 0; i < x.rows(); ++i) {
        for (int64_t j = 0; j < x.cols(); ++j) means[j] += x.row(i)[j];
    }
    for (double& value : means) value /= static_cast<double>(x.rows());
    for (int64_t i = 0; i < x.rows(); ++i) {
        for (int64_t j = 0; j < x.cols(); ++j) x.row(i)[j] -= static_cast<Real>(means[j]);
    }
    return means;
}

/// R with R^T R = the covariance of centred rows. Products that differ by rounding in their two
/// halves are no problem to LAPACK, which reads one of them.
Tensor covariance_root(const Tensor& centred_x) {
    int64_t d = centred_x.cols();
    Tensor root({d, d});
    matmul(centred_x.matrix(), centred_x.matrix(), root.matrix(), {.transpose_a = true});
    Eigen eigen = symmetric_eigen(to_matrix(root));
    for (int64_t i = 0; i < d; ++i) {
        double l = std::max(eigen.values[i], 0.0) / static_cast<double>(centred_x.rows() - 1);
        for (int64_t j = 0; j < d; ++j) {
            root.row(i)[j] = static_cast<Real>(std::sqrt(l) * eigen.vectors.at(i, j));
        }
    }
    return root;
}

}  // namespace

void make_gaussian(Tensor& x, double unit, uint64_t seed) {
    constexpr int64_t n_block_row = 256;
    ensure(x.rows() >= 2, "needs two rows", "make_gaussian", "pass [n_row, width]");
    std::vector<double> means = centre(x);
    Tensor root = covariance_root(x), g({std::min(n_block_row, x.rows()), x.cols()});
    Rng rng(seed);
    for (int64_t first = 0; first < x.rows(); first += n_block_row) {
        int64_t n = std::min(n_block_row, x.rows() - first);
        for (Real& value : g.data) value = static_cast<Real>(rng.normal());
        matmul(row_range(g.matrix(), 0, n), root.matrix(), row_range(x.matrix(), first, n));
        for (int64_t i = first; i < first + n; ++i) {
            for (int64_t j = 0; j < x.cols(); ++j) {
                x.row(i)[j] = static_cast<Real>(unit * (x.row(i)[j] + means[j]));
            }
        }
    }
}

double first_row_ratio(ConstMatrixView window) {
    if (window.rows < 2) return nan;
    std::vector<double> norms;
    for (int64_t i = 0; i < window.rows; ++i) {
        double total = 0;
        for (int64_t j = 0; j < window.cols; ++j) {
            double value = window.data[i * window.stride + j];
            total += value * value;
        }
        norms.push_back(std::sqrt(total));
    }
    double first = norms.front(), median = quantile({norms.begin() + 1, norms.end()}, 0.5);
    return median > 0 ? first / median : nan;
}

}  // namespace vimach::ch03
