// Statistics, eigenproblems and GED: against SciPy (tests/ged_reference.py records it), against
// definitions.
#include "lens/ged.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/stats.h"

using namespace vimach;

namespace {

Matrix random_matrix(int64_t rows, int64_t cols, Rng& rng) {
    Matrix m(rows, cols);
    for (double& value : m.data) value = rng.normal();
    return m;
}

Matrix read_matrix(std::istream& in, int64_t rows, int64_t cols) {
    Matrix m(rows, cols);
    for (double& value : m.data) in >> value;
    REQUIRE(in.good());
    return m;
}

double largest_gap(const Matrix& a, const Matrix& b) {
    REQUIRE(a.data.size() == b.data.size());
    double worst = 0;
    for (size_t i = 0; i < a.data.size(); ++i) {
        worst = std::max(worst, std::abs(a.data[i] - b.data[i]));
    }
    return worst;
}

}  // namespace

TEST_CASE("ged: covariances, shrinkage, eigenvalues and vectors agree with SciPy to 1e-8") {
    std::istringstream in(read_text(find_in_project("tests/fixtures/ged_scipy.txt")));
    int64_t n = 0, d = 0;
    double gamma = 0;
    in >> n >> d >> gamma;
    Matrix a = read_matrix(in, n, d), b = read_matrix(in, n, d);
    Matrix S = read_matrix(in, d, d), R = read_matrix(in, d, d), shrunk_R = read_matrix(in, d, d);
    Matrix values = read_matrix(in, 1, d), vectors = read_matrix(in, d, d);
    fix_signs(vectors);

    CHECK(largest_gap(covariance(centred(a)), S) < 1e-12);
    CHECK(largest_gap(covariance(centred(b)), R) < 1e-12);
    CHECK(largest_gap(shrunk(R, gamma), shrunk_R) < 1e-12);
    GeneralizedEigen solved = generalized_eigen(S, shrunk_R);
    REQUIRE(solved.info == 0);
    for (int64_t i = 0; i < d; ++i) {
        double scale = std::max(1.0, values.data[0]);
        CHECK(std::abs(solved.eigen.values[i] - values.data[i]) < 1e-8 * scale);

        // S w = lambda R w and w^T R w = 1.
        std::span<const double> w = solved.eigen.vectors.row(i);
        std::vector<double> Sw = along(S, w), Rw = along(shrunk_R, w);
        double residual = 0, norm = 0;
        for (int64_t j = 0; j < d; ++j) {
            double gap = Sw[j] - solved.eigen.values[i] * Rw[j];
            residual += gap * gap;
            norm += w[j] * Rw[j];
        }
        CHECK(std::sqrt(residual) < 1e-8);
        CHECK(std::abs(norm - 1) < 1e-8);
    }
    // S has rank n - 1: only the vectors of positive eigenvalues are determined.
    for (int64_t i = 0; i < n - 1; ++i) {
        double agreement = std::abs(cosine(solved.eigen.vectors.row(i), vectors.row(i)));
        CHECK(std::abs(agreement - 1) < 1e-8);
    }
}

TEST_CASE("ged: a singular R is refused by LAPACK, or answered with an absurd eigenvalue") {
    Rng rng(3);
    Matrix few = random_matrix(10, 20, rng), many = random_matrix(60, 20, rng);
    Matrix S = covariance(centred(many)), R = covariance(centred(few));
    GeneralizedEigen solved = generalized_eigen(S, R);
    CHECK((solved.info > 20 || std::abs(solved.eigen.values[0]) > 1e6));
    CHECK(generalized_eigen(R, S).info == 0);
    CHECK(numerical_rank(symmetric_eigen(R).values) == 9);
    CHECK_THROWS_AS(generalized_eigen(S, Matrix(3, 3)), Error);
}

TEST_CASE("ged: PCA by the small Gram matrix is PCA by the large one") {
    Rng rng(4);
    Matrix a = centred(random_matrix(12, 40, rng)), b = centred(random_matrix(9, 40, rng));
    Pca small = average_pca(a, b), large = average_pca_direct(a, b);
    REQUIRE(small.variances.size() == 19);
    REQUIRE(large.variances.size() == 19);
    for (size_t i = 0; i < 19; ++i) {
        CHECK(small.variances[i] == doctest::Approx(large.variances[i]).epsilon(1e-10));
    }
    CHECK(largest_gap(small.components, large.components) < 1e-8);
    Matrix identity = product(small.components, small.components, false, true);
    for (int64_t i = 0; i < 19; ++i) identity.at(i, i) -= 1;
    CHECK(largest_gap(identity, Matrix(19, 19)) < 1e-12);
}

TEST_CASE("ged: the two ways to count the components of a share") {
    std::vector<double> variances = {50, 30, 15, 4, 1};
    CHECK(components_for_share(variances, 0.9, ShareRule::reach) == 3);
    CHECK(components_for_share(variances, 0.9, ShareRule::stay_below) == 2);
    CHECK(components_for_share(variances, 0.8, ShareRule::stay_below) == 2);
    CHECK(components_for_share(variances, 1.0, ShareRule::reach) == 5);
    CHECK(components_for_share(variances, 0.1, ShareRule::stay_below) == 1);
}

TEST_CASE("ged: a planted direction is found, and its pattern is not its filter") {
    // Class a varies along u = (1, 1, 0, ...) / sqrt 2; noise common to both lies on axis 1.
    Rng rng(6);
    Matrix a = random_matrix(300, 6, rng), b = random_matrix(300, 6, rng);
    for (int64_t i = 0; i < 300; ++i) {
        double source = 5 * rng.normal();
        a.at(i, 0) += source;
        a.at(i, 1) += source + 8 * rng.normal();
        b.at(i, 1) += 8 * rng.normal();
    }
    GedFit fit = fit_ged(a, b, {.share = 1, .gamma = 0.001});
    CHECK(fit.a_over_b.values[0] > 10);
    Matrix filter = product(fit.a_over_b.vectors, fit.components);
    Matrix pattern = product(patterns(fit.a_over_b.vectors, fit.cov_a), fit.components);
    std::vector<double> u = {1, 1, 0, 0, 0, 0}, axis = {1, 0, 0, 0, 0, 0};
    CHECK(std::abs(cosine(filter.row(0), axis)) > 0.99);
    CHECK(std::abs(cosine(pattern.row(0), u)) > 0.95);
}

TEST_CASE("ged: samples of unequal size weigh alike, and the two directions are twins") {
    Rng rng(12);
    Matrix a = random_matrix(40, 6, rng), b = random_matrix(15, 6, rng);
    for (int64_t i = 0; i < 40; ++i) a.at(i, 2) = 3 * a.at(i, 2) + 5;
    GedFit fit = fit_ged(a, b, {.share = 1}), back = fit_ged(b, a, {.share = 1});
    CHECK(largest_gap(fit.b_over_a.vectors, back.a_over_b.vectors) < 1e-9);
    CHECK(largest_gap(fit.a_over_b.vectors, back.b_over_a.vectors) < 1e-9);

    // The components' variances add up to the mean of the two total variances.
    double total = 0, expected = 0;
    for (double value : fit.pca.variances) total += value;
    Matrix cov_a = covariance(centred(a)), cov_b = covariance(centred(b));
    for (int64_t i = 0; i < 6; ++i) expected += (cov_a.at(i, i) + cov_b.at(i, i)) / 2;
    CHECK(total == doctest::Approx(expected));

    // Projections are centred on the middle between the two means: they mirror each other.
    std::vector<double> mean_a = column_means(projected(fit, a)),
                        mean_b = column_means(projected(fit, b));
    for (size_t k = 0; k < 6; ++k) CHECK(mean_a[k] == doctest::Approx(-mean_b[k]));
}

TEST_CASE("stats: definitions") {
    std::vector<double> x = {1, 2, 3, 4}, y = {2, 4, 6, 9}, flat = {1, 1, 1, 1};
    CHECK(mean(x) == 2.5);
    CHECK(variance(x) == doctest::Approx(5.0 / 3));
    CHECK(correlation(x, y) == doctest::Approx(0.994377));
    CHECK(correlation(x, flat) == 0);
    CHECK(cosine(x, x) == doctest::Approx(1));
    CHECK(auc(std::vector<double>{3, 4}, std::vector<double>{1, 3}) == 0.875);
    CHECK(quantile({4, 1, 3, 2}, 0.5) == 2.5);
    CHECK(quantile({4, 1, 3, 2}, 1) == 4);
    CHECK(permutation_p(3, x) == doctest::Approx(3.0 / 5));
    CHECK(permutation_p(9, x) == doctest::Approx(1.0 / 5));
    CHECK(permutation_p(4 + 1e-12, x) == doctest::Approx(2.0 / 5));  // equal but for rounding
    CHECK(permutation_p(0, std::vector<double>{0, -1, 0}) == doctest::Approx(3.0 / 4));
    CHECK_THROWS_AS(mean(std::vector<double>{}), Error);
    CHECK_THROWS_AS(variance(std::vector<double>{1}), Error);
}

TEST_CASE("stats: the central 95 % leave out a fortieth on either side") {
    std::vector<double> x;
    for (int i = 40; i >= 0; --i) x.push_back(i);
    Interval central = central_95(x);
    CHECK(central.low == doctest::Approx(1));
    CHECK(central.high == doctest::Approx(39));
}

TEST_CASE("lapack: the entry of largest size is positive in every eigenvector") {
    // Of entries of equal size the first one counts.
    Matrix rows(4, 3, {1, -3, 2, 0.5, -0.5, 0.1, -0.5, 0.5, 0, -1, 0, 4});
    fix_signs(rows);
    CHECK(rows.data == std::vector<double>{-1, 3, -2, 0.5, -0.5, 0.1, 0.5, -0.5, 0, -1, 0, 4});

    Rng rng(5);
    Matrix s = covariance(centred(random_matrix(30, 6, rng))),
           r = covariance(centred(random_matrix(30, 6, rng)));
    for (const Eigen& eigen : {symmetric_eigen(s), generalized_eigen(s, r).eigen}) {
        for (int64_t i = 0; i < 6; ++i) {
            auto [least, most] = std::ranges::minmax(eigen.vectors.row(i));
            CHECK(most >= -least);
        }
    }
}
