// Statistics; see math/stats.h.
// Samples are small here (tens to thousands), so plain loops say what the formulas say.
#include "math/stats.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/blas.h"

namespace vimach {

namespace {

/// Whether squared deviations, summed, are more than what rounding leaves of equal numbers whose
/// squares add up to `size`.
bool is_scatter(double deviations, double size) { return deviations > 1e-24 * size; }

bool has_nan(std::span<const double> x) {
    return std::ranges::any_of(x, [](double value) { return std::isnan(value); });
}

double sum_of_products(std::span<const double> x, std::span<const double> y) {
    double total = 0;
    for (size_t i = 0; i < x.size(); ++i) total += x[i] * y[i];
    return total;
}

}  // namespace

double mean(std::span<const double> x) {
    ensure(!x.empty(), "the sample is empty", "mean", "pass at least one value");
    double total = 0;
    for (double value : x) total += value;
    return total / static_cast<double>(x.size());
}

double variance(std::span<const double> x) {
    ensure(x.size() >= 2, "the sample is too small", "variance", "pass at least two values");
    double centre = mean(x), total = 0;
    for (double value : x) total += (value - centre) * (value - centre);
    return total / static_cast<double>(x.size() - 1);
}

double correlation(std::span<const double> x, std::span<const double> y) {
    ensure(x.size() == y.size(), "the samples differ in length", "correlation", "pass pairs");
    double mean_x = mean(x), mean_y = mean(y), xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    bool both = is_scatter(xx, sum_of_products(x, x)) && is_scatter(yy, sum_of_products(y, y));
    return both ? xy / std::sqrt(xx * yy) : 0;
}

double kendall_tau(std::span<const double> x, std::span<const double> y) {
    ensure(x.size() == y.size(), "the samples differ in length", "kendall_tau", "pass pairs");
    int64_t agree = 0, n_x = 0, n_y = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
            int up_x = (x[i] > x[j]) - (x[i] < x[j]), up_y = (y[i] > y[j]) - (y[i] < y[j]);
            agree += up_x * up_y;
            n_x += up_x != 0;
            n_y += up_y != 0;
        }
    }
    if (n_x == 0 || n_y == 0) return nan;
    return static_cast<double>(agree) /
           std::sqrt(static_cast<double>(n_x) * static_cast<double>(n_y));
}

double slope(std::span<const double> x, std::span<const double> y) {
    ensure(x.size() == y.size(), "the samples differ in length", "slope", "pass pairs");
    double mean_x = mean(x), mean_y = mean(y), xy = 0, xx = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        xx += (x[i] - mean_x) * (x[i] - mean_x);
    }
    return is_scatter(xx, sum_of_products(x, x)) ? xy / xx : nan;
}

double curvature(std::span<const double> x, std::span<const double> y) {
    // What the parabola adds to the line is the part of x^2 that no line explains.
    ensure(x.size() == y.size(), "the samples differ in length", "curvature", "pass pairs");
    std::vector<double> centred_x, square;
    double mean_x = mean(x), size = 0;
    for (double value : x) {
        centred_x.push_back(value - mean_x);
        square.push_back(centred_x.back() * centred_x.back());
        size += square.back() * square.back();
    }
    double mean_square = mean(square), tilt = slope(centred_x, square), rest = 0;
    if (std::isnan(tilt)) return nan;
    for (size_t i = 0; i < x.size(); ++i) {
        square[i] -= mean_square + tilt * centred_x[i];
        rest += square[i] * square[i];
    }
    return rest > 1e-18 * size ? slope(square, y) : nan;
}

double cosine(std::span<const double> x, std::span<const double> y) {
    ensure(x.size() == y.size(), "the vectors differ in length", "cosine", "pass equal lengths");
    double xy = sum_of_products(x, y), xx = sum_of_products(x, x), yy = sum_of_products(y, y);
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

double auc(std::span<const double> high, std::span<const double> low) {
    ensure(!high.empty() && !low.empty(), "a sample is empty", "auc", "pass two samples");
    if (has_nan(high) || has_nan(low)) return nan;
    double wins = 0;
    for (double a : high) {
        for (double b : low) wins += a > b ? 1 : a == b ? 0.5 : 0;
    }
    return wins / static_cast<double>(high.size() * low.size());
}

double quantile(std::vector<double> x, double q) {
    ensure(!x.empty() && q >= 0 && q <= 1, "needs values and a share from 0 to 1", "quantile",
           "pass both");
    if (has_nan(x)) return nan;
    std::sort(x.begin(), x.end());
    double place = q * static_cast<double>(x.size() - 1);
    auto below = static_cast<size_t>(place);
    size_t above = std::min(below + 1, x.size() - 1);
    return x[below] + (place - static_cast<double>(below)) * (x[above] - x[below]);
}

Interval central_95(const std::vector<double>& x) {
    return {quantile(x, 0.025), quantile(x, 0.975)};
}

double permutation_p(double observed, std::span<const double> null_values) {
    if (std::isnan(observed) || has_nan(null_values)) return nan;
    double least = std::isinf(observed) ? observed : observed - 1e-9 * std::abs(observed);
    auto reached = std::count_if(null_values.begin(), null_values.end(),
                                 [&](double value) { return value >= least; });
    return static_cast<double>(1 + reached) / static_cast<double>(1 + null_values.size());
}

bool varies(const Matrix& x) {
    constexpr double rounding = 1e-6;  // windows of other lengths round floats in other ways
    double size = 0, spread = 0;
    for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t j = 0; j < x.cols; ++j) {
            size = std::max(size, std::abs(x.at(i, j)));
            double gap = std::abs(x.at(i, j) - x.at(0, j));
            spread = gap > spread || std::isnan(gap) ? gap : spread;
        }
    }
    return !(spread <= rounding * size);
}

std::vector<double> column_means(const Matrix& x) {
    ensure(x.rows > 0, "the matrix has no rows", "column_means", "pass at least one row");
    std::vector<double> means(static_cast<size_t>(x.cols));
    for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t j = 0; j < x.cols; ++j) means[j] += x.at(i, j);
    }
    for (double& value : means) value /= static_cast<double>(x.rows);
    return means;
}

Matrix centred(const Matrix& x) { return centred(x, column_means(x)); }

Matrix centred(const Matrix& x, std::span<const double> means) {
    ensure(static_cast<int64_t>(means.size()) == x.cols, "means and columns differ in number",
           "centred", "pass one mean a column");
    Matrix out = x;
    for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t j = 0; j < x.cols; ++j) out.at(i, j) -= means[j];
    }
    return out;
}

Matrix covariance(const Matrix& centred_x) {
    ensure(centred_x.rows >= 2, "the sample is too small", "covariance", "pass two rows or more");
    Matrix c = product(centred_x, centred_x, true);
    for (double& value : c.data) value /= static_cast<double>(centred_x.rows - 1);
    return c;
}

}  // namespace vimach
