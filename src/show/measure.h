// Numbers with their uncertainty, and what they are compared with. A measure has a 95 % interval:
// Student's t for a mean over few runs, Wilson's for a share, the bootstrap's over some twenty
// independent units or more. A control is the same measure where the claim's cause is absent: a
// sample of its own, compared by the interval of the difference, or a null distribution, in whose
// central 95 % the measured value lies or not; the value's own interval is not used a second time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "math/stats.h"

namespace vimach {

// --- measures -----------------------------------------------------------------------------------

/// A number and its 95 % interval, or, of a null distribution, its mean and central 95 %.
struct Measure {
    double value = 0;
    Interval interval = {};
    std::string detail = {};  ///< "19 of 20", or why the value is NaN
};

/// A number that nothing makes uncertain.
Measure exact_measure(double value);

/// A measure that the data do not give, and why.
Measure not_measurable(const std::string& why);

/// Whether something is so, run by run.
using Outcomes = std::vector<bool>;

/// A share and Wilson's interval for it (Wilson 1927, eq. 6); 0 <= count <= n, n >= 1.
Measure share_measure(int64_t count, int64_t n);
Measure share_measure(const Outcomes& outcomes);

/// The mean of a few runs and Student's interval for it; one run has an infinite interval.
Measure mean_measure(std::span<const double> sample);

/// A statistic of independent units 0 ... n_unit - 1, each as often as a list says, and the central
/// part of what it comes to on lists drawn with replacement (Efron & Tibshirani 1993, ch. 13): 95 %
/// and as much more as few units take (the expanded percentile interval of Hesterberg 2015). Fewer
/// than fewest_units have an infinite interval: that of 3 would hold the truth in 74 % of cases.
constexpr int64_t fewest_units = 5;
using Statistic = std::function<double(std::span<const int64_t> units)>;
Measure bootstrap_measure(int64_t n_unit, const Statistic& statistic, int64_t n_draw,
                          uint64_t seed);

/// The factor of Student's distribution for a 95 % interval, for a degree of freedom of 1 or more
/// (Hill 1970, algorithm 396): 12.7062 at 1, 2.0930 at 19. To 1e-4, between 1 and 2.2 to 1e-2.
double student_factor(double freedom);

// --- controls -----------------------------------------------------------------------------------

struct Control {
    /// `reference` stands beside the measure for comparison and takes no part in the verdict.
    enum class Kind { sample, null, reference };
    std::string name;  ///< "untrained SAEs"
    Kind kind = Kind::sample;
    Measure measure = {};
    Interval difference = {};  ///< of a sample: 95 % interval of the measured value minus this one
};

/// A null distribution, from values drawn under it. One more value lies beyond either end of its
/// central 95 % with 2.5 %, which takes 39 values; beyond those of 20 it lies with 4.8 %.
Control null_control(const std::string& name, const std::vector<double>& values);

/// What the mean of paired differences comes to under random signs: what it would do where nothing
/// sets the two members of a pair apart.
Control sign_flip_control(const std::string& name, std::span<const double> differences,
                          int64_t n_draw, uint64_t seed);

/// The mean of other runs, run i of both from the same start: Student's interval of the difference.
Control paired_control(const std::string& name, std::span<const double> measured,
                       std::span<const double> control);

/// The share of other runs: run i of both from the same start, or runs of their own. Intervals of
/// the difference of shares from Wilson's limits (Newcombe 1998, method 10 of each paper).
Control paired_control(const std::string& name, const Outcomes& measured, const Outcomes& control);
Control share_control(const std::string& name, const Measure& measured, const Measure& control);

/// A number that nothing makes uncertain.
Control exact_control(const std::string& name, const Measure& measured, double value);

/// A number beside the measure that the verdict does not look at.
Control reference(const std::string& name, const Measure& measure);

/// What a run found about a claim: the measure, what it is compared with, or the constant that
/// decides it whatever the data.
struct Finding {
    Measure measured = {};
    std::vector<Control> controls = {};
    std::string forced_by = {};
};

}  // namespace vimach
