// Profiles and their shapes; see profiles.h.
// Nothing here is random.
#include "profiles.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/stats.h"

namespace vimach::ch03 {

namespace {

/// Layers as depth from -1 to 1.
std::vector<double> depths(const Layers& layers) {
    auto span = static_cast<double>(layers.back() - layers.front());
    std::vector<double> out;
    for (int64_t layer : layers) {
        out.push_back(span > 0 ? 2 * static_cast<double>(layer - layers.front()) / span - 1 : 0);
    }
    return out;
}

/// Whether every layer has a value.
bool is_whole(Values values) {
    return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

/// Whether every layer has a value, and not all of them the same.
bool is_profile(Values values) {
    return is_whole(values) && !values.empty() &&
           std::ranges::min(values) < std::ranges::max(values);
}

}  // namespace

std::string Profiles::untested(int64_t size) const {
    if (n_layer != size)
        return format("it speaks of %ld layers, this model has %ld", size, n_layer);
    if (std::ssize(layers) == n_layer) return "";
    return format("it speaks of all %ld layers, this run leaves some out", n_layer);
}

Profiles gather(const Store& store, Profiles p) {
    for (int arm = 0; arm < n_arm; ++arm) {
        auto& of = p.of[arm];
        for (size_t f = 0; f < std::size(result_fields); ++f) {
            of[f] = store.profile({static_cast<Arm>(arm), p.l1, 0, p.first_seed}, p.layers,
                                  p.n_seed, result_fields[f]);
        }
        of[loss] = of[mse];
        for (size_t i = 0; i < of[loss].data.size(); ++i) {
            of[loss].data[i] += p.l1_in_loss * of[l1].data[i];
        }
    }
    return p;
}

std::string missing(const Profile& profile, const Layers& layers, const std::string& name) {
    for (int64_t i = 0; i < profile.cols; ++i) {
        if (is_whole(column(profile, i))) continue;
        return format("layer %ld does not vary: it has no ", layers[i]) + name;
    }
    return profile.cols < 2 ? "there is one layer only" : "";
}

std::string saturation(const Profile& density, double ceiling) {
    for (double value : density.data) {
        if (ceiling == 0 || std::abs(value - ceiling) > 1e-3) return "";
    }
    return format("density is k / n_latent = %.4f in every layer", ceiling);
}

// --- shapes -------------------------------------------------------------------------------------

double order_of(Values values, const Layers& layers) {
    return is_whole(values) ? kendall_tau(depths(layers), values) : nan;
}

double rise_of(Values values, const Layers& layers) {
    double unit = mean(values);
    return unit > 0 ? 2 * slope(depths(layers), values) / unit : nan;
}

double line_of(Values values, const Layers& layers) {
    if (!is_profile(values)) return nan;
    double r = correlation(depths(layers), values);
    return r * r;
}

double curve_of(Values values, const Layers& layers) {
    std::vector<double> logs;
    for (double value : values) logs.push_back(value > 0 ? std::log(value) : nan);
    return curvature(depths(layers), logs);
}

double ends_of(Values values) {
    if (values.size() < 3 || !is_whole(values)) return nan;
    double highest = std::ranges::max(values.subspan(1, values.size() - 2));
    return highest > 0 ? std::min(values.front(), values.back()) / highest : nan;
}

double lowest_of(Values values, const Layers& layers) {
    if (!is_profile(values)) return nan;
    return static_cast<double>(layers[std::ranges::min_element(values) - values.begin()]);
}

Middle middle_of(int64_t n_layer) {
    if (n_layer == 36) return {15, 5};
    return {n_layer / 2, std::max<int64_t>(n_layer / 12, 1)};
}

double early_of(Values values, const Layers& layers, const Middle& middle) {
    double total = 0, count = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
        if (!middle.holds(layers[i])) continue;
        total += values[i];
        ++count;
    }
    return count > 0 && total > 0 ? values.front() / (total / count) : nan;
}

}  // namespace vimach::ch03
