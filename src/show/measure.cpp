// Intervals and controls; see show/measure.h.
// A measure does not depend on those taken before it: each call has a generator of its own.
#include "show/measure.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/ensure.h"
#include "core/rng.h"

namespace vimach {

namespace {

constexpr double normal_factor = 1.959964;  // of the normal distribution's central 95 %
constexpr double infinite = std::numeric_limits<double>::infinity();

/// Student's interval around a mean with this standard error.
Interval around(double value, double error, double freedom) {
    double half = student_factor(freedom) * error;
    return {value - half, value + half};
}

/// The interval of a difference of two shares from the limits of each, the two of which correlate
/// by `phi`: how far each reaches is added as the sides of a triangle are.
Interval share_difference(const Measure& a, const Measure& b, double phi) {
    auto length = [&](double x, double y) { return std::sqrt(x * x - 2 * phi * x * y + y * y); };
    double value = a.value - b.value;
    return {value - length(a.value - a.interval.low, b.interval.high - b.value),
            value + length(a.interval.high - a.value, b.value - b.interval.low)};
}

/// How two lists of outcomes correlate, with the continuity correction of Newcombe's method 10.
double outcome_correlation(const Outcomes& x, const Outcomes& y) {
    double both = 0, first = 0, second = 0, neither = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        (x[i] ? (y[i] ? both : first) : (y[i] ? second : neither)) += 1;
    }
    double margins = (both + first) * (second + neither) * (both + second) * (first + neither);
    double product = both * neither - first * second;
    if (product > 0) product = std::max(product - static_cast<double>(x.size()) / 2, 0.0);
    return margins > 0 ? product / std::sqrt(margins) : 0;
}

/// The central part of a distribution from draws, so that one more draw lies beyond either end with
/// probability `tail` (Hyndman & Fan 1996, definition 6) or, where the draws are too few for that,
/// 1 / (n + 1). NaN where a draw is.
Interval central(const std::vector<double>& draws, double tail) {
    auto n = static_cast<double>(draws.size());
    double share = n > 1 ? std::max((tail * (n + 1) - 1) / (n - 1), 0.0) : 0;  // of definition 7
    return {quantile(draws, share), quantile(draws, 1 - share)};
}

/// What the statistic comes to on lists of units drawn with replacement.
std::vector<double> resampled(int64_t n_unit, const Statistic& statistic, int64_t n_draw,
                              uint64_t seed) {
    Rng rng(seed);
    std::vector<int64_t> units(static_cast<size_t>(n_unit));
    std::vector<double> drawn;
    for (int64_t i = 0; i < n_draw; ++i) {
        for (int64_t& unit : units) unit = rng.below(n_unit);
        drawn.push_back(statistic(units));
    }
    return drawn;
}

std::vector<double> flipped_means(std::span<const double> differences, int64_t n_draw,
                                  uint64_t seed) {
    Rng rng(seed);
    std::vector<double> means, flipped(differences.size());
    for (int64_t i = 0; i < n_draw; ++i) {
        for (size_t j = 0; j < differences.size(); ++j) {
            flipped[j] = rng.below(2) == 0 ? differences[j] : -differences[j];
        }
        means.push_back(mean(flipped));
    }
    return means;
}

}  // namespace

// --- measures -----------------------------------------------------------------------------------

Measure exact_measure(double value) { return {value, {value, value}}; }

Measure not_measurable(const std::string& why) { return {nan, {nan, nan}, why}; }

Measure share_measure(int64_t count, int64_t n) {
    ensure(n >= 1 && count >= 0 && count <= n, "needs a part of a whole", "share_measure",
           "pass 0 <= count <= n");
    auto size = static_cast<double>(n);
    double p = static_cast<double>(count) / size, z2 = normal_factor * normal_factor / size;
    double centre = (p + z2 / 2) / (1 + z2);
    double half = normal_factor / (1 + z2) * std::sqrt(p * (1 - p) / size + z2 / (4 * size));
    return {p,
            {std::max(centre - half, 0.0), std::min(centre + half, 1.0)},
            format("%ld of %ld", count, n)};
}

Measure share_measure(const Outcomes& outcomes) {
    return share_measure(std::ranges::count(outcomes, true), std::ssize(outcomes));
}

Measure mean_measure(std::span<const double> sample) {
    ensure(!sample.empty(), "the sample is empty", "mean_measure", "pass a number");
    double value = mean(sample);
    if (sample.size() == 1) return {value, {-infinite, infinite}, "1 run"};
    auto n = static_cast<double>(sample.size());
    return {value, around(value, std::sqrt(variance(sample) / n), n - 1)};
}

Measure bootstrap_measure(int64_t n_unit, const Statistic& statistic, int64_t n_draw,
                          uint64_t seed) {
    ensure(n_unit >= 1 && n_draw >= 1, "needs units and draws", "bootstrap_measure", "pass both");
    std::vector<int64_t> units(static_cast<size_t>(n_unit));
    std::iota(units.begin(), units.end(), 0);
    double value = statistic(units);
    if (std::isnan(value)) return {value, {value, value}};
    if (n_unit < fewest_units) {
        return {value, {-infinite, infinite}, format("%ld unit%s", n_unit, n_unit == 1 ? "" : "s")};
    }

    // Widen the tails as far as Student's distribution and the n / (n - 1) of a variance reach.
    auto n = static_cast<double>(n_unit);
    double reach = student_factor(n - 1) * std::sqrt(n / (n - 1));
    double tail = std::erfc(reach / std::numbers::sqrt2) / 2;
    return {value, central(resampled(n_unit, statistic, n_draw, seed), tail)};
}

double student_factor(double freedom) {
    ensure(freedom >= 1, "needs one degree of freedom", "student_factor", "pass two runs or more");
    constexpr double share = 0.05;  // in both tails together
    double n = freedom;
    if (n == 1) return 1 / std::tan(share * std::numbers::pi / 2);
    if (n == 2) return std::sqrt(2 / (share * (2 - share)) - 2);

    // Hill's expansion around the normal distribution, or in the far tail; names are his.
    double a = 1 / (n - 0.5), b = 48 / (a * a), c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
    double d = ((94.5 / (b + c) - 3) / b + 1) * std::sqrt(a * std::numbers::pi / 2) * n;
    double y = std::pow(d * share, 2 / n);
    if (y > 0.05 + a) {
        double x = -normal_factor;
        y = x * x;
        if (n < 5) c += 0.3 * (n - 4.5) * (x + 0.6);
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b;
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
        y = std::expm1(a * y * y);
    } else {
        double tail = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3);
        y = ((tail + 0.5 / (n + 4)) * y - 1) * (n + 1) / (n + 2) + 1 / y;
    }
    return std::sqrt(n * y);
}

// --- controls -----------------------------------------------------------------------------------

Control null_control(const std::string& name, const std::vector<double>& values) {
    return {name, Control::Kind::null, {mean(values), central(values, 0.025)}};
}

Control sign_flip_control(const std::string& name, std::span<const double> differences,
                          int64_t n_draw, uint64_t seed) {
    return null_control(name, flipped_means(differences, n_draw, seed));
}

Control paired_control(const std::string& name, std::span<const double> measured,
                       std::span<const double> control) {
    ensure(measured.size() == control.size(), "the runs are no pairs", "paired_control",
           "pass one control a run");
    std::vector<double> differences;
    for (size_t i = 0; i < measured.size(); ++i) differences.push_back(measured[i] - control[i]);
    return {name, Control::Kind::sample, mean_measure(control), mean_measure(differences).interval};
}

Control paired_control(const std::string& name, const Outcomes& measured, const Outcomes& control) {
    ensure(measured.size() == control.size(), "the runs are no pairs", "paired_control",
           "pass one control a run");
    Measure a = share_measure(measured), b = share_measure(control);
    double phi = outcome_correlation(measured, control);
    return {name, Control::Kind::sample, b, share_difference(a, b, phi)};
}

Control share_control(const std::string& name, const Measure& measured, const Measure& control) {
    return {name, Control::Kind::sample, control, share_difference(measured, control, 0)};
}

Control exact_control(const std::string& name, const Measure& measured, double value) {
    Interval difference = {measured.interval.low - value, measured.interval.high - value};
    return {name, Control::Kind::sample, exact_measure(value), difference};
}

Control reference(const std::string& name, const Measure& measure) {
    return {name, Control::Kind::reference, measure};
}

}  // namespace vimach
