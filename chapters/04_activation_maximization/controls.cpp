// Chapter 4's claims; see controls.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/rng.h"

namespace vimach::ch04 {

namespace {

constexpr int64_t n_draw = 1000;  // of a null distribution
constexpr const char* no_logarithm = "an activation of 0 has no logarithm";

/// Means of sets of `n` of some values, drawn with replacement.
std::vector<double> means_of_sets(const std::vector<double>& values, size_t n, uint64_t seed) {
    Rng rng(seed);
    std::vector<double> means;
    for (int64_t draw = 0; draw < n_draw; ++draw) {
        double total = 0;
        for (size_t i = 0; i < n; ++i) total += values[rng.below(std::ssize(values))];
        means.push_back(total / static_cast<double>(n));
    }
    return means;
}

std::vector<double> moved(std::vector<double> values, double by, double scale = 1) {
    for (double& value : values) value = (value - by) / scale;
    return values;
}

/// The mean over starts, or why there is none.
Measure mean_or(const std::vector<double>& values, const char* why) {
    return std::isfinite(mean(values)) ? mean_measure(values) : not_measurable(why);
}

Measure spread_of(const std::vector<double>& values) {
    if (values.empty()) return not_measurable(no_logarithm);
    return {mean(values), central_95(values),
            format("quartiles %.2f, %.2f, %.2f", quantile(values, 0.25), quantile(values, 0.5),
                   quantile(values, 0.75))};
}

}  // namespace

// --- the climb ----------------------------------------------------------------------------------

Finding grows_by_orders(const Arms& arms) {
    std::vector<double> own = orders_of_growth(arms.own);
    auto against = [&](const Arm& arm) {
        return paired_control(arm.name, own, orders_of_growth(arm));
    };
    std::vector<double> dims = finite(orders_of_growth(arms.dims));
    return {mean_or(own, no_logarithm),
            {against(arms.directions), against(arms.weights),
             reference(arms.dims.name, spread_of(dims))}};
}

Finding neighbours_fall(const Arm& own, uint64_t seed) {
    // Part the dimensions into neighbours of the target and the rest.
    Matrix shares = falls(own);
    std::vector<int64_t> near, far;
    for (int64_t j = 0; j < shares.cols; ++j) {
        int64_t distance = std::abs(j - own.target.dim);
        if (distance > 0) (distance <= n_neighbour ? near : far).push_back(j);
    }
    auto share_of = [&](int64_t start, const std::vector<int64_t>& dims) {
        double total = 0;
        for (int64_t j : dims) total += shares.at(start, j);
        return total / static_cast<double>(dims.size());
    };
    std::vector<double> by_start;
    for (int64_t start = 0; start < shares.rows; ++start) by_start.push_back(share_of(start, near));

    // Draw as many of the rest, again and again.
    Rng rng(seed);
    std::vector<double> drawn;
    for (int64_t i = 0; i < n_draw; ++i) {
        std::vector<int64_t> order = rng.permutation(std::ssize(far)), set;
        for (size_t j = 0; j < std::min(near.size(), far.size()); ++j) set.push_back(far[order[j]]);
        double total = 0;
        for (int64_t start = 0; start < shares.rows; ++start) total += share_of(start, set);
        drawn.push_back(total / static_cast<double>(shares.rows));
    }
    return {mean_or(by_start, "the target has no neighbours"),
            {null_control("other dimensions", drawn)}};
}

double growth_bound(const Arm& arm) {
    double reach = arm.learning_rate * static_cast<double>(arm.climb.activation.size() - 1);
    double bound = 0;
    int64_t n_token = arm.target.n_token;
    for (int64_t first = 0; first < arm.starts.rows(); first += n_token) {
        double before = 0, after = 0;
        for (int64_t row = first; row < first + n_token; ++row) {
            for (Real value : arm.starts.row(row)) {
                before += double{value} * value;
                after += std::pow(std::abs(value) + reach, 2);
            }
        }
        bound = std::max(bound, std::sqrt(after / before));
    }
    return bound;
}

Finding explodes_without_term(const Arm& free, const Arm& with) {
    std::vector<double> growth = growth_of_norm(free);
    double bound = growth_bound(free);
    std::string forced_by;
    if (bound < exploding) {
        forced_by = format(
            "%zu steps of Adam at the rate %g move a number by at most about %g: no vector grows "
            "more than %.1f times",
            free.climb.activation.size() - 1, free.learning_rate,
            free.learning_rate * static_cast<double>(free.climb.activation.size() - 1), bound);
    }
    if (free.lambda == with.lambda) forced_by = "the term has the weight 0, so both climbs are one";
    return {mean_measure(growth),
            {paired_control(format("lambda %g", with.lambda), growth, growth_of_norm(with))},
            forced_by};
}

// --- decoding -----------------------------------------------------------------------------------

Finding cosine_above_chance(const Cosines& cosines, uint64_t seed) {
    // The margin is what single windows reach by chance: it does not shrink with more starts.
    double chance = central_95(cosines.isotropic).high;
    Measure measured = mean_measure(moved(cosines.optimised, chance));
    measured.detail =
        format("the cosine is %.4f, chance reaches %.4f", mean(cosines.optimised), chance);
    std::vector<double> like_tokens =
        means_of_sets(cosines.matched, cosines.optimised.size(), seed);
    return {measured, {null_control("vectors spread like W_E", moved(like_tokens, chance))}};
}

Finding gain_kept(const Reached& reached) {
    std::vector<double> kept = reached.kept(reached.decoded),
                        text = reached.kept(reached.text.parts),
                        found = reached.kept(values_of(reached.found.guided));
    const char* no_gain = "the vectors gain nothing over random tokens";
    return {mean_or(kept, no_gain),
            {paired_control("best of parts of a text", kept, text),
             reference("guided search", mean_or(found, no_gain))}};
}

// --- reading ------------------------------------------------------------------------------------

Finding makes_no_sense(const Losses& losses, uint64_t seed) {
    if (losses.decoded.empty()) return {not_measurable("a window of one token has no next one")};
    double zero = mean(losses.text), one = mean(losses.random) - zero;
    bool apart = mean_measure(losses.random).interval.low > mean_measure(losses.text).interval.high;
    if (!apart) return {not_measurable("random tokens cost the model no more than real text")};
    std::vector<double> text = means_of_sets(losses.text, losses.decoded.size(), seed);
    std::vector<double> random = means_of_sets(losses.random, losses.decoded.size(), seed + 1);
    return {mean_measure(moved(losses.decoded, zero, one)),
            {null_control("real text", moved(text, zero, one)),
             reference("tokens drawn from a text", mean_measure(moved(losses.drawn, zero, one))),
             reference("random tokens", {1, central_95(moved(random, zero, one))})}};
}

}  // namespace vimach::ch04
