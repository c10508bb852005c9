// Numbers with their uncertainty: what a verdict is computed from. Intervals are 95 %; those that
// are drawn come from a generator seeded per call.
#pragma once

#include <cstdint>
#include <vector>

#include "math/stats.h"

namespace vimach {

/// A number with its uncertainty: a confidence interval, or the central 95 % of a null.
struct Measure {
    double value = 0;
    Interval interval = {};
};

/// A number that nothing makes uncertain.
Measure exact_measure(double value);

/// A share and Wilson's interval for it (Wilson 1927, eq. 6); 0 <= count <= n, n >= 1.
Measure share_measure(int64_t count, int64_t n);

/// The mean of a sample and the interval of its bootstrap.
Measure mean_measure(const std::vector<double>& sample, int64_t n_bootstrap, uint64_t seed);

/// The mean of paired differences under random signs: what it does where nothing sets the two
/// members of a pair apart.
Measure sign_flip_null(const std::vector<double>& differences, int64_t n_draw, uint64_t seed);

}  // namespace vimach
