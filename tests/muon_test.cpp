// Muon (math/muon): what a step does to the singular values of a gradient that was built from them,
// the momentum, and what is refused.
#include "math/muon.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/ensure.h"

using namespace vimach;

namespace {

constexpr int64_t rows = 3, cols = 5;
constexpr double left[3][3] = {{0.6, 0.8, 0}, {-0.8, 0.6, 0}, {0, 0, 1}};
constexpr double right[3][5] = {{0, 1, 0, 0, 0}, {0.6, 0, 0, 0.8, 0}, {-0.8, 0, 0, 0.6, 0}};
constexpr double values[3] = {1, 0.3, 0.02};

/// The sum of values[k] left[k] right[k]^T, or its transpose.
Tensor gradient(bool tall) {
    Tensor grad(tall ? std::vector<int64_t>{cols, rows} : std::vector<int64_t>{rows, cols});
    for (int64_t at = 0; at < rows * cols; ++at) {
        int64_t i = tall ? at % rows : at / cols, j = tall ? at / rows : at % cols;
        double g = 0;
        for (int k = 0; k < 3; ++k) g += values[k] * left[k][i] * right[k][j];
        grad.data[at] = static_cast<Real>(g);
    }
    return grad;
}

/// left[k]^T change right[l], with change = from - weights.
double along(const Tensor& weights, double from, bool tall, int k, int l) {
    double sum = 0;
    for (int64_t at = 0; at < rows * cols; ++at) {
        int64_t i = tall ? at % rows : at / cols, j = tall ? at / rows : at % cols;
        sum += left[k][i] * right[l][j] * (from - weights.data[at]);
    }
    return sum;
}

/// What five rounds of a s + b s^3 + c s^5 make of a singular value.
double levelled(double value) {
    double s = value / std::sqrt(1 + 0.3 * 0.3 + 0.02 * 0.02);
    for (int round = 0; round < 5; ++round) {
        s = 3.4445 * s - 4.7750 * std::pow(s, 3) + 2.0315 * std::pow(s, 5);
    }
    return s;
}

}  // namespace

TEST_CASE("muon: a step keeps the directions of a gradient and levels its singular values") {
    // The step adds 1e-12 to the norm, and five rounds make that 500 times as much.
    constexpr double tolerance = sizeof(Real) == 4 ? 1e-5 : 1e-9;
    for (int k = 0; k < 3; ++k) {
        CHECK(levelled(values[k]) > 0.65);
        CHECK(levelled(values[k]) < 1.25);
    }
    for (bool tall : {false, true}) {
        Tensor grad = gradient(tall), weights(grad.shape), m(grad.shape);
        std::ranges::fill(weights.data, Real(1));
        muon_update({.learning_rate = 0.5, .weight_decay = 0.2}, grad.matrix(), weights.matrix(),
                    m.matrix());
        for (int k = 0; k < 3; ++k) {
            for (int l = 0; l < 3; ++l) {
                double step = k == l ? 0.5 * 0.2 * std::sqrt(5.0) * levelled(values[k]) : 0;
                CHECK(std::abs(along(weights, 0.9, tall, k, l) - step) < tolerance);
            }
        }
    }
}

TEST_CASE("muon: the mean of the gradients is kept, and a step looks ahead of it") {
    Tensor grad = gradient(false), m(grad.shape), weights(grad.shape), zero(grad.shape);
    muon_update({.learning_rate = 0}, grad.matrix(), weights.matrix(), m.matrix());
    CHECK(m.data[1] == doctest::Approx(0.05 * grad.data[1]));
    muon_update({.learning_rate = 0}, zero.matrix(), weights.matrix(), m.matrix());
    CHECK(m.data[1] == doctest::Approx(0.95 * 0.05 * grad.data[1]));
    CHECK(weights.data == zero.data);

    // From m = -0.08 g the mean still points backwards after the step, what lies ahead forwards.
    for (size_t i = 0; i < m.data.size(); ++i) m.data[i] = Real(-0.08) * grad.data[i];
    muon_update({.learning_rate = 1}, grad.matrix(), weights.matrix(), m.matrix());
    CHECK(m.data[1] / grad.data[1] < 0);
    for (int k = 0; k < 3; ++k) CHECK(along(weights, 0, false, k, k) > 0.25);
}

TEST_CASE("muon: no gradient, no step; shapes that differ are refused") {
    Tensor zero({2, 2}), ones({2, 2}), m({2, 2}), other({2, 3});
    std::ranges::fill(ones.data, Real(1));
    muon_update({.learning_rate = 1}, zero.matrix(), ones.matrix(), m.matrix());
    for (Real value : ones.data) CHECK(value == 1);
    CHECK_THROWS_AS(muon_update({}, zero.matrix(), other.matrix(), m.matrix()), Error);
    CHECK_THROWS_AS(muon_update({}, zero.matrix(), ones.matrix(), other.matrix()), Error);
}
