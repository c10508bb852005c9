// Chapter 3's controls; see controls.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/ensure.h"
#include "core/rng.h"

namespace vimach::ch03 {

namespace {

constexpr const char* mean_costs_nothing = "the mean in these layers' place costs nothing";

/// A number of one seed, where layer i has the values of layer order[i].
using Order = std::vector<int64_t>;
using Shape = std::function<double(int64_t seed, const Order& order)>;

/// A shape of the values of a profile.
using ValueShape = std::function<double(Values values)>;
Shape shape_of(const Profile& profile, const ValueShape& shape) {
    return [&profile, shape](int64_t seed, const Order& order) {
        std::vector<double> values;
        for (int64_t i : order) values.push_back(profile.at(seed, i));
        return shape(values);
    };
}

Order in_place(int64_t n_layer) {
    Order order(static_cast<size_t>(n_layer));
    std::iota(order.begin(), order.end(), 0);
    return order;
}

std::vector<double> by_seed(const Profile& profile, const Shape& shape) {
    Order order = in_place(profile.cols);
    std::vector<double> out;
    for (int64_t seed = 0; seed < profile.rows; ++seed) out.push_back(shape(seed, order));
    return out;
}

/// The mean over seeds where all of them have their layers in the same random order; orders that
/// have no such number are left out.
std::vector<double> in_random_order(const Profile& profile, const Shape& shape,
                                    const Draws& draws) {
    Rng rng(draws.seed);
    std::vector<double> means;
    for (int64_t draw = 0; draw < draws.n_permutation; ++draw) {
        Order order = rng.permutation(profile.cols);
        double total = 0;
        for (int64_t seed = 0; seed < profile.rows; ++seed) total += shape(seed, order);
        if (std::isfinite(total)) means.push_back(total / static_cast<double>(profile.rows));
    }
    if (means.empty()) means.push_back(nan);
    return means;
}

Control random_order(const Profile& profile, const Shape& shape, const Draws& draws) {
    return null_control("layers in random order", in_random_order(profile, shape, draws));
}

/// The mean over seeds, or why there is none.
Measure mean_over_seeds(const std::vector<double>& values, const std::string& why) {
    bool all = std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
    if (all) return mean_measure(values);
    return not_measurable(why.empty() ? "too few layers, or nothing in them that differs" : why);
}

/// A shape of the trained arm against random weights, seed by seed, beside the Gaussian rows.
Finding against_random_weights(const Profiles& p, Field field, const ValueShape& shape) {
    auto values = [&](Arm arm) {
        return by_seed(p.of[arm][field], shape_of(p.of[arm][field], shape));
    };
    std::vector<double> here = values(trained);
    std::string name = field == loss ? "loss" : result_fields[field].name;
    return {mean_over_seeds(here, missing(p.of[trained][field], p.layers, name)),
            {paired_control("random weights", here, values(random_weights)),
             reference("Gaussian, same covariance", mean_over_seeds(values(gaussian), ""))}};
}

/// The same, against chance as well.
Finding against_chance(const Profiles& p, Field field, const ValueShape& shape,
                       const Draws& draws) {
    Finding finding = against_random_weights(p, field, shape);
    const Profile& profile = p.of[trained][field];
    finding.controls.insert(finding.controls.begin(),
                            random_order(profile, shape_of(profile, shape), draws));
    return finding;
}

/// A shape of density, also of what the covariance leaves of it.
Finding of_density(const Profiles& p, const ValueShape& shape, const Draws& draws) {
    Finding finding = against_chance(p, density, shape, draws);
    Profile left = difference(p.of[trained][density], p.of[gaussian][density]);
    finding.controls.push_back(reference(
        "trained minus Gaussian", mean_over_seeds(by_seed(left, shape_of(left, shape)), "")));
    finding.forced_by = saturation(p.of[trained][density], p.ceiling);
    return finding;
}

/// The mean ratio of windows, those in `units`.
double mean_of(const std::vector<double>& ratios, std::span<const int64_t> units) {
    double total = 0;
    for (int64_t i : units) total += ratios[i];
    return total / static_cast<double>(units.size());
}

const std::vector<double>& largest(const std::vector<std::vector<double>>& layers) {
    // A layer that is 0 on all other tokens has no ratio.
    return *std::ranges::max_element(layers, {}, [](const auto& ratios) {
        double ratio = mean(ratios);
        return std::isnan(ratio) ? -1 : ratio;
    });
}

/// Of what mean ablation costs in some layers of a seed, the share that `cost` is less.
double recovered_share(const Profile& cost, const Profile& ablated, int64_t seed,
                       const Order& layers) {
    double paid = 0, most = 0;
    for (int64_t i : layers) {
        paid += cost.at(seed, i);
        most += ablated.at(seed, i);
    }
    return most > 0 ? 1 - paid / most : nan;
}

}  // namespace

Measure over_seeds(const Profile& profile, const Layers& layers, ShapeOf shape) {
    return mean_over_seeds(
        by_seed(profile, shape_of(profile, [&](Values values) { return shape(values, layers); })),
        "");
}

double order_p(const Profile& profile, const Layers& layers, const Draws& draws) {
    Shape shape = shape_of(profile, [&](Values values) { return order_of(values, layers); });
    return permutation_p(mean(by_seed(profile, shape)), in_random_order(profile, shape, draws));
}

Profile difference(const Profile& one, const Profile& other) {
    Profile out = one;
    for (size_t i = 0; i < out.data.size(); ++i) out.data[i] -= other.data[i];
    return out;
}

void state(Page& page, const Profiles& p, int64_t size, const std::string& id,
           const Finding& finding) {
    std::string why = p.untested(size);
    if (!why.empty()) return page.not_tested(id, why);
    page.claim(id, finding);
}

// --- 3a -----------------------------------------------------------------------------------------

Finding density_rises(const Profiles& p, const Draws& draws) {
    return of_density(
        p, [&](Values values) { return order_of(values, p.layers); }, draws);
}

Finding density_on_a_line(const Profiles& p, const Draws& draws) {
    return of_density(
        p, [&](Values values) { return line_of(values, p.layers); }, draws);
}

Finding early_layers_sparse(const Profiles& p) {
    Middle middle = middle_of(p.n_layer);
    Finding finding = against_random_weights(
        p, density, [&](Values values) { return early_of(values, p.layers, middle); });
    finding.forced_by = saturation(p.of[trained][density], p.ceiling);
    return finding;
}

// --- 3b -----------------------------------------------------------------------------------------

Finding ends_highest(const Profiles& p, Field field, const Draws& draws) {
    return against_chance(p, field, ends_of, draws);
}

Finding lowest_in_middle(const Profiles& p, Field field) {
    Middle middle = middle_of(p.n_layer);
    return against_random_weights(p, field, [&](Values values) {
        return std::abs(lowest_of(values, p.layers) - static_cast<double>(middle.centre));
    });
}

Finding u_shaped(const Profiles& p, Field field, const Draws& draws) {
    return against_chance(
        p, field, [&](Values values) { return curve_of(values, p.layers); }, draws);
}

// --- 3c -----------------------------------------------------------------------------------------

void FirstTokens::add(bool is_random, int64_t layer, const std::vector<double>& ratios) {
    auto& layers = is_random ? random : trained;
    if (std::ssize(layers) <= layer) layers.resize(static_cast<size_t>(layer) + 1);
    layers[layer].insert(layers[layer].end(), ratios.begin(), ratios.end());
}

Measure over_windows(const std::vector<double>& ratios, const Draws& draws) {
    auto statistic = [&](std::span<const int64_t> units) { return mean_of(ratios, units); };
    return bootstrap_measure(std::ssize(ratios), statistic, draws.n_bootstrap, draws.seed);
}

Finding first_token_stands_out(const FirstTokens& first, const Draws& draws) {
    const std::vector<double>&here = largest(first.trained), &there = largest(first.random);
    auto lead = [&](std::span<const int64_t> units) {
        return mean_of(here, units) - mean_of(there, units);
    };
    Measure difference = bootstrap_measure(std::ssize(here), lead, draws.n_bootstrap, draws.seed);
    Control control = {"random weights", Control::Kind::sample, over_windows(there, draws),
                       difference.interval};
    Measure measured = over_windows(here, draws);
    if (std::isnan(measured.value)) measured = not_measurable("all other tokens are 0");
    return {measured, {control}};
}

// --- 3d -----------------------------------------------------------------------------------------

std::vector<double> recovered(const Profile& cost, const Profile& ablated) {
    std::vector<double> paid = column_means(cost), most = column_means(ablated), out;
    for (size_t i = 0; i < paid.size(); ++i)
        out.push_back(most[i] > 0 ? 1 - paid[i] / most[i] : nan);
    return out;
}

Finding loss_recovered(const Profiles& p) {
    const Profile& most = p.of[trained][ablated];
    auto of = [&](const Profile& cost) {
        return by_seed(cost, [&](int64_t seed, const Order& order) {
            return recovered_share(cost, most, seed, order);
        });
    };
    std::vector<double> here = of(p.of[trained][spliced]);
    return {mean_over_seeds(here, mean_costs_nothing),
            {paired_control("before training", here, of(p.of[trained][untrained])),
             reference("SAEs of Gaussian rows", mean_over_seeds(of(p.of[gaussian][spliced]), ""))}};
}

Finding middle_recovered(const Profiles& p, const Draws& draws) {
    const Profile &cost = p.of[trained][spliced], &most = p.of[trained][ablated];
    Middle middle = middle_of(p.n_layer);
    Shape lead = [&](int64_t seed, const Order& order) {
        Order between;
        for (size_t i = 1; i + 1 < order.size(); ++i) {
            if (middle.holds(p.layers[i])) between.push_back(order[i]);
        }
        auto share = [&](const Order& layers) { return recovered_share(cost, most, seed, layers); };
        return share(between) - std::max(share({order.front()}), share({order.back()}));
    };
    std::string why = cost.cols < 3 ? "there is no layer between the ends" : mean_costs_nothing;
    return {mean_over_seeds(by_seed(cost, lead), why), {random_order(cost, lead, draws)}};
}

}  // namespace vimach::ch03
