// Loops over contiguous numbers that a compiler turns into SIMD code without -ffast-math:
// sums keep 16 partial sums (a fixed order, so the same digits everywhere the same kernels run),
// and exp is a polynomial instead of a library call. tests/math_test.cpp bounds its error.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace vimach {

/// e^x. Float: relative error below 2.5e-7 for x in [-87, 88], clamped to that range outside
/// (Cody & Waite's reduction x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial in r). Double:
/// the library's.
inline float vector_exp(float x) {
    constexpr float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    constexpr float round_to_int = 12582912.0f;  // 1.5 * 2^23: adding it leaves n in the low bits
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;

    // Split off the power of two.
    float shifted = x * log2_e + round_to_int;
    float n = shifted - round_to_int;
    float r = (x - n * ln2_high) - n * ln2_low;

    // Sum e^r = 1 + r + r^2/2! + ... + r^7/7! from its smallest term.
    float sum = 1.0f / 5040;
    sum = sum * r + 1.0f / 720;
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * r + 1.0f;
    sum = sum * r + 1.0f;

    // Multiply by 2^n, built as the bits of a float: (n + 127) in the exponent.
    return sum * std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + 127u) << 23);
}
inline double vector_exp(double x) { return std::exp(x); }

/// The standard normal distribution at x: Phi(x) and its derivative phi(x).
struct Normal {
    Real cdf, density;
};

/// Float: Phi(-|x|) = e^(-x^2/2) p(t) with t = 1 / (1 + 0.3 |x|), p a minimax polynomial of degree
/// 8 fitted to the scaled complementary error function; relative error below 5e-6 for x > -12.6.
/// Double: the library's.
inline Normal vector_normal(float x) {
    // Below e^-80 the products leave the range of normal numbers, where a processor is slow.
    float half_square = 0.5f * x * x, bell = vector_exp(half_square < 80.0f ? -half_square : -80);
    float size = x < 0 ? -x : x, t = 1 / (1 + 0.3f * size);
    float sum = 0.0359317376f;
    sum = sum * t - 0.158276009f;
    sum = sum * t + 0.208206619f;
    sum = sum * t - 0.0553938564f;
    sum = sum * t + 0.129469205f;
    sum = sum * t + 0.0996374921f;
    sum = sum * t + 0.120798359f;
    sum = sum * t + 0.11962639f;
    float tail = bell * sum * t;
    return {x < 0 ? tail : 1 - tail, 0.398942280f * bell};
}
inline Normal vector_normal(double x) {
    return {static_cast<Real>(0.5 * std::erfc(-x * 0.70710678118654752)),
            static_cast<Real>(0.39894228040143268 * std::exp(-0.5 * x * x))};
}

/// Sum of x.
Real sum(std::span<const Real> x);

/// Sum of a * b, element by element; b is as long as a.
Real dot(std::span<const Real> a, std::span<const Real> b);

/// Sum of x^2, and of |x|.
Real sum_of_squares(std::span<const Real> x);
Real sum_of_sizes(std::span<const Real> x);

/// Sum of (x - mean)^2.
Real sum_squared_deviations(std::span<const Real> x, Real mean);

/// Largest element; x must not be empty.
Real maximum(std::span<const Real> x);

/// The places of the n largest elements (of all, where there are fewer), largest first; of equal
/// ones the first one first.
std::vector<int> largest(std::span<const Real> x, int64_t n);

/// Replaces x by e^(x - shift) and returns the sum of the results.
Real exp_and_sum(std::span<Real> x, Real shift);

/// The sum that exp_and_sum returns, leaving x as it is.
Real sum_of_exp(std::span<const Real> x, Real shift);

/// y += x, element by element; as long as each other.
void add(std::span<const Real> x, std::span<Real> y);

/// sums[j] += the sum of column j; nothing where there are no sums.
void add_column_sums(ConstMatrixView x, Tensor& sums);

}  // namespace vimach
