// Sums and maxima in 16 lanes; see math/vector_ops.h.
// Every function walks whole groups of 16 first, then the rest into lane 0, 1, 2, ...
#include "math/vector_ops.h"

#include <algorithm>
#include <numeric>

#include "core/parallel.h"

namespace vimach {

namespace {

constexpr size_t n_lane = 16;

struct Lanes {
    Real lane[n_lane] = {};

    /// Adds the lanes in pairs: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
    Real total() const {
        Real partial[n_lane];
        std::copy(lane, lane + n_lane, partial);
        for (size_t half = n_lane / 2; half >= 1; half /= 2) {
            for (size_t i = 0; i < half; ++i) partial[i] += partial[i + half];
        }
        return partial[0];
    }
};

}  // namespace

Real sum(std::span<const Real> x) {
    Lanes lanes;
    size_t i = 0;
    for (; i + n_lane <= x.size(); i += n_lane) {
        for (size_t l = 0; l < n_lane; ++l) lanes.lane[l] += x[i + l];
    }
    for (size_t l = 0; i < x.size(); ++i, ++l) lanes.lane[l] += x[i];
    return lanes.total();
}

Real dot(std::span<const Real> a, std::span<const Real> b) {
    Lanes lanes;
    size_t i = 0;
    for (; i + n_lane <= a.size(); i += n_lane) {
        for (size_t l = 0; l < n_lane; ++l) lanes.lane[l] += a[i + l] * b[i + l];
    }
    for (size_t l = 0; i < a.size(); ++i, ++l) lanes.lane[l] += a[i] * b[i];
    return lanes.total();
}

Real sum_of_squares(std::span<const Real> x) { return sum_squared_deviations(x, 0); }

Real sum_of_sizes(std::span<const Real> x) {
    Lanes lanes;
    size_t i = 0;
    for (; i + n_lane <= x.size(); i += n_lane) {
        for (size_t l = 0; l < n_lane; ++l) lanes.lane[l] += std::abs(x[i + l]);
    }
    for (size_t l = 0; i < x.size(); ++i, ++l) lanes.lane[l] += std::abs(x[i]);
    return lanes.total();
}

Real sum_squared_deviations(std::span<const Real> x, Real mean) {
    Lanes lanes;
    size_t i = 0;
    for (; i + n_lane <= x.size(); i += n_lane) {
        for (size_t l = 0; l < n_lane; ++l) {
            Real deviation = x[i + l] - mean;
            lanes.lane[l] += deviation * deviation;
        }
    }
    for (size_t l = 0; i < x.size(); ++i, ++l) lanes.lane[l] += (x[i] - mean) * (x[i] - mean);
    return lanes.total();
}

Real maximum(std::span<const Real> x) {
    Real lane[n_lane];
    std::fill(lane, lane + n_lane, x[0]);
    size_t i = 0;
    for (; i + n_lane <= x.size(); i += n_lane) {
        for (size_t l = 0; l < n_lane; ++l) lane[l] = lane[l] < x[i + l] ? x[i + l] : lane[l];
    }
    for (size_t l = 0; i < x.size(); ++i, ++l) lane[l] = std::max(lane[l], x[i]);
    return *std::max_element(lane, lane + n_lane);
}

std::vector<int> largest(std::span<const Real> x, int64_t n) {
    std::vector<int> order(x.size());
    std::iota(order.begin(), order.end(), 0);
    n = std::min(n, std::ssize(order));
    std::partial_sort(order.begin(), order.begin() + n, order.end(),
                      [&](int a, int b) { return x[a] != x[b] ? x[a] > x[b] : a < b; });
    order.resize(static_cast<size_t>(n));
    return order;
}

Real exp_and_sum(std::span<Real> x, Real shift) {
    Lanes lanes;
    size_t i = 0;
    for (; i + n_lane <= x.size(); i += n_lane) {
        for (size_t l = 0; l < n_lane; ++l)
            lanes.lane[l] += x[i + l] = vector_exp(x[i + l] - shift);
    }
    for (size_t l = 0; i < x.size(); ++i, ++l) lanes.lane[l] += x[i] = vector_exp(x[i] - shift);
    return lanes.total();
}

Real sum_of_exp(std::span<const Real> x, Real shift) {
    Lanes lanes;
    size_t i = 0;
    for (; i + n_lane <= x.size(); i += n_lane) {
        for (size_t l = 0; l < n_lane; ++l) lanes.lane[l] += vector_exp(x[i + l] - shift);
    }
    for (size_t l = 0; i < x.size(); ++i, ++l) lanes.lane[l] += vector_exp(x[i] - shift);
    return lanes.total();
}

void add(std::span<const Real> x, std::span<Real> y) {
    for (size_t i = 0; i < x.size(); ++i) y[i] += x[i];
}

void add_column_sums(ConstMatrixView x, Tensor& sums) {
    if (sums.size() == 0) return;
    require_shape(sums, {x.cols}, "add_column_sums: sums");
    constexpr int64_t column_grain = 64;
    parallel_ranges(x.cols, column_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < x.rows; ++i) {
            const Real* row = x.data + i * x.stride;
            for (int64_t j = begin; j < end; ++j) sums.data[j] += row[j];
        }
    });
}

}  // namespace vimach
