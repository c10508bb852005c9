// Measures and controls against SciPy's and Newcombe's numbers, and by simulation: how often a 95 %
// interval holds the true value, how often a comparison sees a difference where there is none.
// Beside each stands what 100,000 trials gave; here are fewer. Bounds allow three standard errors.
#include "show/measure.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/parallel.h"
#include "core/rng.h"
#include "support.h"

using namespace vimach;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr int64_t n_trial = 8000, few_trials = 2000;  // where each trial draws hundreds of samples

using Sample = std::vector<double>;

/// The share of trials, each with random numbers of its own, of which something is so.
double share(int64_t n, const std::function<bool(Rng&)>& is_so) {
    std::vector<char> so(static_cast<size_t>(n));
    parallel_for(n, [&](int64_t i) {
        Rng rng(run_seed(1, i));
        so[i] = is_so(rng);
    });
    return static_cast<double>(std::ranges::count(so, 1)) / static_cast<double>(n);
}

void check_within(double value, double low, double high, const std::string& what) {
    bool within = value >= low && value <= high;
    CHECK_MESSAGE(within, what << ": " << value << ", not from " << low << " to " << high);
}

Sample normals(Rng& rng, int64_t n, double mean = 0) {
    Sample x;
    for (int64_t i = 0; i < n; ++i) x.push_back(mean + rng.normal());
    return x;
}

Outcomes outcomes(Rng& rng, int64_t n, double p) {
    Outcomes x;
    for (int64_t i = 0; i < n; ++i) x.push_back(rng.uniform() < p);
    return x;
}

double any_share(Rng& rng) { return 0.05 + 0.9 * rng.uniform(); }

bool holds(const Measure& m, double truth) {
    return m.interval.low <= truth && truth <= m.interval.high;
}

/// Whether a comparison sees a difference, on either side.
bool differs(const Control& c) { return c.difference.low > 0 || c.difference.high < 0; }
bool lies_outside(const Control& null, double value) {
    return value < null.measure.interval.low || value > null.measure.interval.high;
}

Measure bootstrap_mean(const Sample& x, int64_t n_draw, uint64_t seed) {
    auto statistic = [&](std::span<const int64_t> units) {
        double total = 0;
        for (int64_t i : units) total += x[i];
        return total / static_cast<double>(units.size());
    };
    return bootstrap_measure(std::ssize(x), statistic, n_draw, seed);
}

/// Chapter 5's contrast: log10 of the ratio of two mean squares over the same units.
Measure bootstrap_ratio(const Sample& a, const Sample& b, int64_t n_draw, uint64_t seed) {
    auto statistic = [&](std::span<const int64_t> units) {
        double of_a = 0, of_b = 0;
        for (int64_t i : units) {
            of_a += a[i] * a[i];
            of_b += b[i] * b[i];
        }
        return std::log10(of_a / of_b);
    };
    return bootstrap_measure(std::ssize(a), statistic, n_draw, seed);
}

/// The area under the ROC curve of two scores of the same units.
Measure bootstrap_auc(const Sample& high, const Sample& low, int64_t n_draw, uint64_t seed) {
    // Walk through all scores from the lowest on, the second half of which are `high`.
    Sample scores = low;
    scores.insert(scores.end(), high.begin(), high.end());
    size_t n = low.size();
    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](size_t i) { return scores[i]; });
    auto statistic = [&](std::span<const int64_t> units) {
        std::vector<int> times(n);
        for (int64_t i : units) ++times[i];
        double below = 0, wins = 0;
        for (size_t i : order) i < n ? below += times[i] : wins += times[i - n] * below;
        return wins / static_cast<double>(n * n);
    };
    return bootstrap_measure(std::ssize(low), statistic, n_draw, seed);
}

/// Student's t with five degrees of freedom, scaled to no particular variance.
double heavy_tailed(Rng& rng) {
    double square = 0;
    for (int i = 0; i < 5; ++i) square += std::pow(rng.normal(), 2);
    return rng.normal() / std::sqrt(square);
}

void check_interval(const Interval& found, double low, double high) {
    CHECK(found.low == doctest::Approx(low).epsilon(1e-4));
    CHECK(found.high == doctest::Approx(high).epsilon(1e-4));
}

}  // namespace

// --- against published and recorded numbers -----------------------------------------------------

TEST_CASE("measure: Student's factor is SciPy's") {
    // scipy.stats.t.ppf(0.975, freedom)
    constexpr double factors[][2] = {
        {1, 12.706204736432095},   {2, 4.302652729911275},    {2.5, 3.5746548420118773},
        {3, 3.182446305284263},    {4, 2.7764451051977987},   {5, 2.5705818366147395},
        {9, 2.2621571627409915},   {19, 2.093024054408263},   {53, 2.0057459935369497},
        {100, 1.9839715184496334}, {1000, 1.9623390808264074}};
    for (auto [freedom, factor] : factors) {
        double error = freedom < 4 ? 2e-5 : 1e-7;
        check_within(student_factor(freedom) / factor, 1 - error, 1 + error,
                     format("freedom %g", freedom));
    }
    check_within(student_factor(1.5) / 6.016663107990447, 0.99, 1.011, "freedom 1.5");
    CHECK_THROWS_AS(student_factor(0.9), Error);
}

TEST_CASE("measure: the interval of a mean is SciPy's") {
    // scipy.stats.t.interval(0.95, 3, 2.5, scipy.stats.sem([1, 2, 3, 4]))
    Measure m = mean_measure(Sample{1, 2, 3, 4});
    CHECK(m.value == 2.5);
    check_interval(m.interval, 0.445739743239121, 4.554260256760879);
    // scipy.stats.ttest_rel([3, 5, 4, 9], [1, 2, 3, 4]).confidence_interval()
    Control c = paired_control("c", Sample{3, 5, 4, 9}, Sample{1, 2, 3, 4});
    CHECK(c.kind == Control::Kind::sample);
    CHECK(c.measure.value == 2.5);
    check_interval(c.difference, 0.03246911620351067, 5.467530883796489);

    m = mean_measure(Sample{0.5});
    CHECK(m.value == 0.5);
    CHECK(m.interval.high - m.interval.low == infinite);
    CHECK(m.detail == "1 run");
    CHECK_THROWS_AS(mean_measure(Sample{}), Error);
    CHECK_THROWS_AS(paired_control("c", Sample{1, 2}, Sample{1}), Error);
}

TEST_CASE("measure: the interval of a share is Wilson's") {
    // scipy.stats.binomtest(count, n).proportion_ci(method="wilson")
    Measure m = share_measure(19, 20);
    CHECK(m.value == doctest::Approx(0.95));
    CHECK(m.detail == "19 of 20");
    check_interval(m.interval, 0.763868806553258, 0.9911185511992047);
    check_interval(share_measure(Outcomes{true, false, true}).interval, 0.20765960080204782,
                   0.9385080552796038);
    m = share_measure(0, 6);
    CHECK(m.interval.low == 0);
    CHECK(m.interval.high == doctest::Approx(0.390334).epsilon(1e-4));
    CHECK(share_measure(6, 6).interval.high == 1);
    for (auto [count, n] : {std::pair{-1, 3}, {4, 3}, {0, 0}}) {
        CHECK_THROWS_AS(share_measure(count, n), Error);
    }
}

TEST_CASE("measure: the intervals of differences of shares are Newcombe's") {
    // Newcombe 1998, Statistics in Medicine 17: 873-890, table II, 56/70 against 48/80.
    Measure a = share_measure(56, 70), b = share_measure(48, 80);
    Control c = share_control("c", a, b);
    CHECK(c.difference.low == doctest::Approx(0.0524).epsilon(1e-3));
    CHECK(c.difference.high == doctest::Approx(0.3339).epsilon(1e-3));

    // Newcombe 1998, 17: 2635-2650, table III: both 36, only the first 12, only the second 2.
    Outcomes first, second;
    auto add = [&](int n, bool of_first, bool of_second) {
        first.insert(first.end(), static_cast<size_t>(n), of_first);
        second.insert(second.end(), static_cast<size_t>(n), of_second);
    };
    add(36, true, true);
    add(12, true, false);
    add(2, false, true);
    c = paired_control("c", first, second);
    CHECK(c.measure.value == doctest::Approx(38. / 50));
    CHECK(c.difference.low == doctest::Approx(0.0569).epsilon(1e-3));
    CHECK(c.difference.high == doctest::Approx(0.3404).epsilon(1e-3));
    add(7, false, false);
    CHECK_THROWS_AS(paired_control("c", first, Outcomes{true}), Error);
}

TEST_CASE("measure: a control that nothing makes uncertain leaves the measure's own interval") {
    Control c = exact_control("c", share_measure(19, 20), 0.5);
    CHECK(c.kind == Control::Kind::sample);
    check_interval(c.difference, 0.7639 - 0.5, 0.9911 - 0.5);
    CHECK(exact_control("c", exact_measure(3), 1).difference.low == 2);
    CHECK(reference("c", exact_measure(3)).kind == Control::Kind::reference);
    CHECK(std::isnan(not_measurable("why").interval.low));
}

TEST_CASE("measure: ends of a bootstrap and of a null distribution") {
    // The places of 2.5 % among 39 values are the ends, among 79 the second from either end.
    Sample values(79);
    std::iota(values.begin(), values.end(), 1);
    Control null = null_control("n", values);
    CHECK(null.kind == Control::Kind::null);
    CHECK(null.measure.value == 40);
    check_interval(null.measure.interval, 2, 78);
    values.resize(39);
    check_interval(null_control("n", values).measure.interval, 1, 39);
    values.resize(20);
    check_interval(null_control("n", values).measure.interval, 1, 20);
    CHECK(null_control("n", {0, 0, 3}).measure.value == 1);  // the mean

    // A statistic uniform from 0 to 1 shows the tails: scipy's norm.cdf(-t.ppf(.975, 4)
    // * 1.25**.5).
    auto uniform = [](std::span<const int64_t> units) {
        double value = 0;
        for (int64_t unit : units) value = (value + static_cast<double>(unit)) / 5;
        return value;
    };
    Interval tails = bootstrap_measure(5, uniform, 20000, 1).interval;
    check_within(tails.low, 0.00045, 0.00145, "lower tail");
    check_within(tails.high, 0.99855, 0.9995, "upper tail");

    // Few units say nothing, a value that is not a number spoils the interval, a seed repeats it.
    CHECK(bootstrap_mean({7}, 50, 1).interval.high == infinite);
    CHECK(bootstrap_mean({7, 7, 8, 9}, 50, 1).interval.low == -infinite);
    CHECK(bootstrap_mean({7, 7, 7, 7, 7}, 50, 1).interval.high == 7);
    CHECK(std::isnan(bootstrap_mean({1, 2, NAN, 3, 4}, 50, 1).interval.low));
    CHECK(std::isnan(null_control("n", {1, NAN, 2}).measure.interval.high));
    const Sample x = {1, 2, 3, 4, 5, 6};
    Interval once = bootstrap_mean(x, 50, 3).interval;
    CHECK(bootstrap_mean(x, 50, 3).interval.low == once.low);
    CHECK(bootstrap_mean(x, 50, 4).interval.low != once.low);
}

// --- coverage -----------------------------------------------------------------------------------

TEST_CASE("measure: Student's interval holds the mean") {
    // 0.950, 0.950, 0.950, 0.948
    for (int64_t n : {3, 5, 6, 20}) {
        double held =
            share(n_trial, [&](Rng& rng) { return holds(mean_measure(normals(rng, n)), 0); });
        check_within(held, 0.94, 0.96, format("mean of %ld", n));
    }
}

TEST_CASE("measure: Wilson's interval holds the share") {
    // 0.955, 0.953, 0.951, 0.951, 0.950
    for (int64_t n : {6, 20, 54, 200, 600}) {
        double held = share(n_trial, [&](Rng& rng) {
            double p = any_share(rng);
            return holds(share_measure(outcomes(rng, n, p)), p);
        });
        check_within(held, 0.94, 0.965, format("share of %ld", n));
    }
}

TEST_CASE("measure: the bootstrap's interval holds the mean") {
    // 0.949 and 0.951. The plain central 95 % of the draws held 0.916 and 0.933.
    for (int64_t n : {20, 54}) {
        double held = share(few_trials, [&](Rng& rng) {
            Sample x = normals(rng, n);
            return holds(bootstrap_mean(x, 200, rng.bits()), 0);
        });
        check_within(held, 0.935, 0.965, format("bootstrap of %ld", n));
    }
}

TEST_CASE("measure: the bootstrap's interval holds chapter 5's contrast") {
    // 0.945 with normal values, 0.931 with the heavy tails of Student's t.
    for (bool heavy : {false, true}) {
        double held = share(few_trials, [&](Rng& rng) {
            Sample a, b;
            for (int i = 0; i < 54; ++i) {
                a.push_back(3 * (heavy ? heavy_tailed(rng) : rng.normal()));
                b.push_back(heavy ? heavy_tailed(rng) : rng.normal());
            }
            return holds(bootstrap_ratio(a, b, 200, rng.bits()), std::log10(9));
        });
        check_within(held, heavy ? 0.914 : 0.93, 0.96, heavy ? "heavy tails" : "normal");
    }
}

TEST_CASE("measure: the bootstrap's interval holds an area under the curve") {
    // 0.954 and 0.947; 0.915 at 0.97, where many samples are nearly without an error.
    constexpr double cases[][4] = {{0.75, 0.953873, 0.94, 0.968},
                                   {0.9, 1.812388, 0.932, 0.962},
                                   {0.97, 2.659844, 0.896, 0.934}};
    for (auto [area, distance, low, high] : cases) {
        double held = share(few_trials, [&](Rng& rng) {
            Sample her = normals(rng, 54), him = normals(rng, 54, distance);
            return holds(bootstrap_auc(him, her, 200, rng.bits()), area);
        });
        check_within(held, low, high, format("area %g", area));
    }
}

// --- level --------------------------------------------------------------------------------------

TEST_CASE("measure: pairs of runs that nothing sets apart differ in one of twenty") {
    // 0.050, 0.050, 0.051
    for (int64_t n : {5, 6, 20}) {
        double level = share(n_trial, [&](Rng& rng) {
            Sample a = normals(rng, n), b = normals(rng, n);
            for (int64_t i = 0; i < n; ++i) {
                double start = rng.normal();
                a[i] += start;
                b[i] += start;
            }
            return differs(paired_control("c", a, b));
        });
        check_within(level, 0.04, 0.06, format("%ld pairs", n));
    }
}

TEST_CASE("measure: pairs of outcomes that nothing sets apart differ less often than that") {
    // 0.015, 0.018, 0.032, over all shares and correlations: where the runs of a pair mostly agree
    // few pairs decide, and n / 2 is taken off the correlation. By no share more than 0.06.
    constexpr double levels[][3] = {{6, 0.01, 0.02}, {20, 0.013, 0.023}, {54, 0.025, 0.039}};
    for (auto [n, low, high] : levels) {
        auto differing = [n = static_cast<int64_t>(n)](Rng& rng, double p, double agree) {
            Outcomes a = outcomes(rng, n, p), b = outcomes(rng, n, p);
            for (size_t i = 0; i < a.size(); ++i) {
                if (rng.uniform() < agree) b[i] = a[i];
            }
            return differs(paired_control("c", a, b));
        };
        double level = share(n_trial, [&](Rng& rng) {
            double p = any_share(rng);
            return differing(rng, p, rng.uniform());
        });
        check_within(level, low, high, format("%g pairs of outcomes", n));
        level = share(n_trial, [&](Rng& rng) { return differing(rng, 0.5, 0); });
        check_within(level, 0.04, 0.067, format("%g pairs of coins", n));
    }
}

TEST_CASE("measure: shares of separate runs that nothing sets apart differ in one of twenty") {
    // 0.047 and 0.044
    for (auto [n, m] : {std::pair{20, 600}, {6, 200}}) {
        double level = share(n_trial, [&](Rng& rng) {
            double p = any_share(rng);
            Measure own = share_measure(outcomes(rng, n, p));
            return differs(share_control("c", own, share_measure(outcomes(rng, m, p))));
        });
        check_within(level, 0.036, 0.055, format("%d against %d", n, m));
    }
}

TEST_CASE("measure: a value of the null distribution lies outside it in one of twenty") {
    // 0.050, 0.049, 0.050; 20 values reach no further than their ends: 2 of 21, found 0.096.
    constexpr double levels[][3] = {
        {20, 0.085, 0.107}, {39, 0.041, 0.059}, {200, 0.041, 0.059}, {1000, 0.035, 0.065}};
    for (auto [n_draw, low, high] : levels) {
        double level = share(n_draw > 500 ? few_trials : n_trial, [&](Rng& rng) {
            double value = rng.normal();
            return lies_outside(null_control("n", normals(rng, std::lround(n_draw))), value);
        });
        check_within(level, low, high, format("%g values", n_draw));
    }
}

TEST_CASE("measure: random signs let a mean of nothing pass in one of twenty at most") {
    // 0.009, 0.035, 0.052: of the 32 patterns of 5 signs the outermost alone has 3.1 %, more than
    // the 2.5 % of one side, so that 5 pairs are hardly ever beyond; with 6 it has 1.6 %.
    constexpr double levels[][4] = {
        {5, 1000, 0.003, 0.016}, {6, 1000, 0.022, 0.048}, {20, 200, 0.036, 0.066}};
    for (auto [n, n_draw, low, high] : levels) {
        double level = share(few_trials, [&](Rng& rng) {
            Sample x = normals(rng, std::lround(n));
            int64_t draws = std::lround(n_draw);
            return lies_outside(sign_flip_control("n", x, draws, rng.bits()), mean(x));
        });
        check_within(level, low, high, format("%g pairs", n));
    }
}

// --- power --------------------------------------------------------------------------------------

TEST_CASE("measure: a value beside its null sees what two intervals do not") {
    // 20 differences of half a standard deviation: 0.565 by the value, 0.018 by its interval.
    auto power = [](bool by_value) {
        return share(few_trials, [&](Rng& rng) {
            Sample x = normals(rng, 20, 0.5);
            Measure m = mean_measure(x), null = sign_flip_control("n", x, 200, rng.bits()).measure;
            return (by_value ? m.value : m.interval.low) > null.interval.high;
        });
    };
    check_within(power(true), 0.53, 0.6, "by value");
    check_within(power(false), 0.005, 0.04, "by both intervals");
}
