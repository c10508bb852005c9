// Means, shares and nulls with their intervals; see show/measure.h.
// A measure does not depend on those taken before it.
#include "show/measure.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/rng.h"

namespace vimach {

Measure exact_measure(double value) { return {value, {value, value}}; }

Measure share_measure(int64_t count, int64_t n) {
    ensure(n >= 1 && count >= 0 && count <= n, "needs a part of a whole", "share_measure",
           "pass 0 <= count <= n");
    constexpr double z = 1.959964;  // of the normal distribution's central 95 %
    auto size = static_cast<double>(n);
    double p = static_cast<double>(count) / size, z2 = z * z / size;
    double centre = (p + z2 / 2) / (1 + z2);
    double half = z / (1 + z2) * std::sqrt(p * (1 - p) / size + z2 / (4 * size));
    return {p, {std::max(centre - half, 0.0), std::min(centre + half, 1.0)}};
}

Measure mean_measure(const std::vector<double>& sample, int64_t n_bootstrap, uint64_t seed) {
    ensure(!sample.empty(), "the sample is empty", "mean_measure", "pass a number");
    Rng rng(seed);
    std::vector<double> means, drawn(sample.size());
    for (int64_t i = 0; i < n_bootstrap; ++i) {
        for (double& value : drawn) value = sample[rng.below(static_cast<int64_t>(sample.size()))];
        means.push_back(mean(drawn));
    }
    return {mean(sample), central_95(means)};
}

Measure sign_flip_null(const std::vector<double>& differences, int64_t n_draw, uint64_t seed) {
    Rng rng(seed);
    std::vector<double> means, flipped(differences.size());
    for (int64_t i = 0; i < n_draw; ++i) {
        for (size_t j = 0; j < differences.size(); ++j) {
            flipped[j] = rng.below(2) == 0 ? differences[j] : -differences[j];
        }
        means.push_back(mean(flipped));
    }
    return {mean(means), central_95(means)};
}

}  // namespace vimach
