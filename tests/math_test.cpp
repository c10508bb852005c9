// The math room and the layers one by one: products against a plain triple loop, the vectorised
// exponential against the library's, gelu, layer norm and cross-entropy against their formulas.
// Whole forward passes are compared with PyTorch in gpt2_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <thread>
#include <vector>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/adam.h"
#include "math/blas.h"
#include "math/stats.h"
#include "math/vector_ops.h"
#include "model/layers.h"

using namespace vimach;

namespace {

constexpr bool is_float = sizeof(Real) == 4;

Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed) {
    Tensor t(std::move(shape));
    Rng rng(seed);
    for (Real& value : t.data) value = static_cast<Real>(rng.normal());
    return t;
}

/// How many threads this process has.
int count_threads() {
    return static_cast<int>(
        std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

/// Largest |C - expected| of a product of random matrices, in units of sqrt(k) roundings.
double product_error(int64_t m, int64_t n, int64_t k, const MatmulOptions& options, bool serial) {
    auto shape = [](bool transposed, int64_t rows, int64_t cols) {
        return transposed ? std::vector<int64_t>{cols, rows} : std::vector<int64_t>{rows, cols};
    };
    Tensor a = random_tensor(shape(options.transpose_a, m, k), 1);
    Tensor b = random_tensor(shape(options.transpose_b, k, n), 2);
    Tensor before = random_tensor({m, n}, 3), c = before;
    if (serial) {
        matmul_serial(a.matrix(), b.matrix(), c.matrix(), options);
    } else {
        matmul(a.matrix(), b.matrix(), c.matrix(), options);
    }

    double worst = 0;
    for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            long double sum = 0;  // the reference must not round like the tested code
            for (int64_t l = 0; l < k; ++l) {
                double left = options.transpose_a ? a.data[l * m + i] : a.data[i * k + l];
                double right = options.transpose_b ? b.data[j * k + l] : b.data[l * n + j];
                sum += static_cast<long double>(left) * right;
            }
            auto expected = static_cast<double>(options.alpha * sum +
                                                (options.accumulate ? before.row(i)[j] : 0));
            worst = std::max(worst, std::abs(c.row(i)[j] - expected));
        }
    }
    double rounding = is_float ? 6e-8 : 1.2e-16;
    return worst / (rounding * std::sqrt(static_cast<double>(k)) * 3);
}

}  // namespace

TEST_CASE("matmul: agrees with a plain loop in every combination") {
    struct Extents {
        int64_t m, n, k;
    };
    // Shapes below and above one tile, with ragged edges, and few rows beside a large matrix.
    std::vector<Extents> all = {{1, 1, 1},      {3, 5, 7},      {1, 300, 64},    {300, 1, 64},
                                {1100, 40, 17}, {130, 900, 70}, {2, 8, 300'000}, {1, 1, 4'000'001}};
    for (int64_t m = 1; m <= 9; ++m) all.push_back({m, 519, 511});
    for (Extents e : all) {
        for (int mask = 0; mask < 8; ++mask) {
            MatmulOptions options = {.transpose_a = (mask & 1) != 0,
                                     .transpose_b = (mask & 2) != 0,
                                     .alpha = Real(0.5),
                                     .accumulate = (mask & 4) != 0};
            // Kernels add sums of some 400 products to a running one; each of these additions errs
            // by a rounding of all that came before, so the error grows faster than sqrt(k).
            double most = 10 + std::sqrt(static_cast<double>(e.k) / 400) / 2;
            CHECK(product_error(e.m, e.n, e.k, options, false) < most);
            CHECK(product_error(e.m, e.n, e.k, options, true) < most);
        }
    }
}

TEST_CASE("matmul: few rows give the same digits on any number of threads") {
    Tensor a = random_tensor({3, 1024}, 1), b = random_tensor({1024, 1024}, 2);
    int before = thread_count();
    for (bool transposed : {false, true}) {
        set_thread_count(1);
        Tensor one = product(a, b, {.transpose_b = transposed});
        set_thread_count(3);
        CHECK(product(a, b, {.transpose_b = transposed}).data == one.data);
    }
    set_thread_count(before);
}

TEST_CASE("matmul: finish sees every element of C once, in its place") {
    Tensor a = random_tensor({700, 90}, 1), b = random_tensor({90, 1000}, 2);
    Tensor c({700, 1000}), seen({700, 1000});
    matmul(a.matrix(), b.matrix(), c.matrix(), {}, [&](MatrixView tile, int64_t row, int64_t col) {
        for (int64_t i = 0; i < tile.rows; ++i) {
            for (int64_t j = 0; j < tile.cols; ++j) {
                CHECK(tile.data + i * tile.stride + j == &c.row(row + i)[col + j]);
                seen.row(row + i)[col + j] += 1;
            }
        }
    });
    CHECK(std::all_of(seen.data.begin(), seen.data.end(), [](Real n) { return n == 1; }));
}

TEST_CASE("matmul: shapes that do not fit are refused by name") {
    Tensor a({2, 3}), b({4, 5}), c({2, 5});
    CHECK_THROWS_WITH_AS(matmul(a.matrix(), b.matrix(), c.matrix()), doctest::Contains("matmul: B"),
                         Error);
    Tensor d({3, 5});
    CHECK_THROWS_WITH_AS(matmul(a.matrix(), d.matrix(), d.matrix()), doctest::Contains("matmul: A"),
                         Error);
}

TEST_CASE("matmul: the same digits from several threads at once, whatever OpenBLAS was built for") {
    Tensor a = random_tensor({128, 128}, 1), b = random_tensor({128, 128}, 2);
    Tensor alone({128, 128});
    matmul_serial(a.matrix(), b.matrix(), alone.matrix());
    std::atomic<int> n_wrong = 0, n_thread_before = count_threads(), n_thread_most = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            Tensor c({128, 128});
            for (int i = 0; i < 500; ++i) {
                matmul_serial(a.matrix(), b.matrix(), c.matrix());
                n_wrong += c.data != alone.data;
                if (i % 100 == 0) n_thread_most = std::max<int>(n_thread_most, count_threads());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(n_wrong == 0);
    CHECK(n_thread_most <= n_thread_before + 4);  // no product starts others
}

TEST_CASE("vector_exp: within 2.5e-7 of the library over the whole range") {
    double worst = 0;
    for (double x = -87; x <= 88; x += 0.000731) {
        Real argument = static_cast<Real>(x);
        double exact = std::exp(static_cast<double>(argument));
        worst = std::max(worst, std::abs(vector_exp(argument) / exact - 1));
    }
    CHECK(worst < (is_float ? 2.5e-7 : 1e-15));
    CHECK(vector_exp(Real(0)) == 1);
    CHECK(vector_exp(Real(-1000)) < 1e-37);
    CHECK(std::isnan(vector_exp(std::nanf(""))));
    CHECK(std::isfinite(vector_exp(1000.0f)));
}

TEST_CASE("vector_normal: within 5e-6 of the library where it says so, tiny beyond") {
    double worst = 0;
    for (double x = -12.6; x <= 12.6; x += 0.00173) {
        auto argument = static_cast<Real>(x);
        double exact = 0.5 * std::erfc(-static_cast<double>(argument) * std::sqrt(0.5));
        Normal at = vector_normal(argument);
        worst = std::max(worst, std::abs(at.cdf / exact - 1));
        double square = static_cast<double>(argument) * static_cast<double>(argument);
        double density = std::exp(-square / 2) / std::sqrt(2 * std::acos(-1.0));
        worst = std::max(worst, std::abs(at.density / density - 1));
    }
    CHECK(worst < (is_float ? 5e-6 : 1e-12));
    CHECK(std::abs(vector_normal(Real(-100)).cdf) < 1e-34);
    CHECK(vector_normal(Real(100)).cdf == 1);
    CHECK(std::isnan(vector_normal(std::numeric_limits<Real>::quiet_NaN()).cdf));
}

TEST_CASE("vector_ops: sums and maxima of every length") {
    for (size_t n : {1, 2, 15, 16, 17, 31, 33, 100}) {
        Tensor t = random_tensor({static_cast<int64_t>(n)}, n);
        double expected = std::accumulate(t.data.begin(), t.data.end(), 0.0), squares = 0, exps = 0;
        for (Real value : t.data) {
            squares += (value - 0.25) * (value - 0.25);
            exps += std::exp(value - 1.0);
        }
        CHECK(sum(t.data) == doctest::Approx(expected).epsilon(1e-5));
        CHECK(sum_squared_deviations(t.data, Real(0.25)) == doctest::Approx(squares).epsilon(1e-5));
        CHECK(maximum(t.data) == *std::max_element(t.data.begin(), t.data.end()));
        CHECK(sum_of_exp(t.data, 1) == doctest::Approx(exps).epsilon(1e-5));
        CHECK(exp_and_sum(t.data, 1) == doctest::Approx(exps).epsilon(1e-5));
        CHECK(sum(t.data) == doctest::Approx(exps).epsilon(1e-5));
    }
}

TEST_CASE("gelu: the tanh formula, from -20 to 20") {
    Tensor x({1, 4001}), y({1, 4001});
    for (int i = 0; i <= 4000; ++i) x.data[i] = static_cast<Real>((i - 2000) / 100.0);
    gelu(x.matrix(), y.matrix());
    double worst = 0;
    for (size_t i = 0; i < x.data.size(); ++i) {
        double v = x.data[i];
        double u = std::sqrt(2 / std::acos(-1.0)) * (v + 0.044715 * v * v * v);
        worst = std::max(worst, std::abs(y.data[i] - v / 2 * (1 + std::tanh(u))));
    }
    CHECK(worst < (is_float ? 1e-6 : 1e-14));

    // What is no number stays none, forwards and back.
    Tensor none({1, 1}), grad({1, 1});
    none.data[0] = std::numeric_limits<Real>::quiet_NaN(), grad.data[0] = 1;
    gelu_backward(none.matrix(), grad.matrix());
    gelu(none.matrix(), none.matrix());
    CHECK(std::isnan(none.data[0]));
    CHECK(std::isnan(grad.data[0]));
}

TEST_CASE("layer_norm: rows have mean 0 and variance 1 before gain and bias") {
    Tensor x = random_tensor({5, 48}, 4), gain = random_tensor({48}, 5);
    Tensor bias = random_tensor({48}, 6), y({5, 48});
    for (Real& value : x.data) value = value * 3 + 10;
    layer_norm(x.matrix(), gain, bias, y.matrix());
    for (int64_t i = 0; i < 5; ++i) {
        double mean = 0, variance = 0;
        for (Real value : x.row(i)) mean += value / 48.0;
        for (Real value : x.row(i)) variance += (value - mean) * (value - mean) / 48;
        for (int64_t j = 0; j < 48; ++j) {
            double normed = (x.row(i)[j] - mean) / std::sqrt(variance + 1e-5);
            CHECK(y.row(i)[j] ==
                  doctest::Approx(normed * gain.data[j] + bias.data[j]).epsilon(1e-4));
        }
    }
    CHECK_THROWS_AS(layer_norm(x.matrix(), Tensor({47}), bias, y.matrix()), Error);
}

TEST_CASE("cross_entropy: in nats, safe against overflow") {
    Tensor logits({3, 4});
    logits.row(1)[2] = 1000;
    logits.row(2)[0] = static_cast<Real>(std::log(3.0));
    std::vector<double> losses = cross_entropy(logits.matrix(), std::vector<int>{3, 2, 0});
    CHECK(losses[0] == doctest::Approx(std::log(4.0)).epsilon(1e-6));
    CHECK(losses[1] == doctest::Approx(0));
    CHECK(losses[2] == doctest::Approx(std::log(2.0)).epsilon(1e-6));
    CHECK(cross_entropy(logits.matrix(), std::vector<int>{0, 0, 0})[1] == doctest::Approx(1000));
    CHECK_THROWS_AS(cross_entropy(logits.matrix(), std::vector<int>{0, 4, 0}), Error);
    CHECK_THROWS_AS(cross_entropy(logits.matrix(), std::vector<int>{0, 1}), Error);
}

TEST_CASE("matmul: no rows, no work") {
    Tensor a({0, 3}), b({3, 5}), c({0, 5});
    CHECK_NOTHROW(matmul(a.matrix(), b.matrix(), c.matrix()));
    CHECK_NOTHROW(matmul_serial(a.matrix(), b.matrix(), c.matrix()));
}

TEST_CASE("stats: Kendall's tau, slopes and curvatures of small samples") {
    // Against hand calculation: 6 pairs, 5 concordant, 1 discordant; then with a tie.
    double x[] = {1, 2, 3, 4}, y[] = {1, 3, 2, 4}, tied[] = {1, 1, 2, 3}, down[] = {4, 3, 2, 1};
    double same[] = {2, 2, 2, 2};
    CHECK(std::abs(kendall_tau(x, y) - 4.0 / 6) < 1e-15);
    CHECK(std::abs(kendall_tau(x, tied) - 5 / std::sqrt(6.0 * 5)) < 1e-15);
    CHECK(kendall_tau(x, down) == -1);
    CHECK(std::isnan(kendall_tau(x, same)));
    CHECK(std::isnan(kendall_tau(same, x)));
    CHECK(std::abs(kendall_tau(tied, x) - 5 / std::sqrt(6.0 * 5)) < 1e-15);
    CHECK(std::abs(kendall_tau(tied, tied) - 1) < 1e-15);

    double parabola[] = {3 * 1 + 2 - 1, 3 * 4 + 4 - 1, 3 * 9 + 6 - 1, 3 * 16 + 8 - 1};
    CHECK(std::abs(slope(x, y) - 0.8) < 1e-15);
    CHECK(std::isnan(slope(same, y)));
    CHECK(slope(x, same) == 0);
    CHECK(std::abs(curvature(x, parabola) - 3) < 1e-12);
    CHECK(std::abs(curvature(x, x)) < 1e-12);
    double two[] = {1, 1, 2, 2};
    CHECK(std::isnan(curvature(two, parabola)));
    CHECK(std::isnan(curvature(same, parabola)));
}

TEST_CASE("vector_ops: the maximum of numbers that are all negative is one of them") {
    for (size_t n : {1, 2, 15, 16, 17, 40}) {
        std::vector<Real> x(n, Real(-200));
        x[n / 2] = -100;
        CHECK(maximum(x) == -100);
    }
}

TEST_CASE("adam: the first step is g / (|g| + epsilon) of the learning rate, however small g is") {
    for (double g : {1.0, 1e-7, -1e-8}) {
        Tensor weights({1}), grad({1});
        grad.data[0] = static_cast<Real>(g);
        AdamMoments moments;
        adam_step(weights, grad, moments, 1, {.learning_rate = 0.5});
        CHECK(weights.data[0] == doctest::Approx(-0.5 * g / (std::abs(g) + 1e-8)).epsilon(1e-4));
    }
}
