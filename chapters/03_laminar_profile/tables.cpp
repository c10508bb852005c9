// Tables and sentences of chapter 3; see tables.h.
// Nothing is measured here that a claim rests on.
#include "tables.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "published.h"
#include "show/claims.h"

namespace vimach::ch03 {

namespace {

constexpr size_t n_shown_field = ablated;  // costs have a table of their own
constexpr const char* no_variance = "a layer that does not vary has no FVU";
constexpr const char* no_shape = "too few layers, or nothing in them that differs";

std::string number(double value) { return number_cell("%.4f", value); }

std::string tau_text(double tau) { return std::isnan(tau) ? "none" : format("%.2f", tau); }

/// The measure; without its interval where one run has none.
std::string measured(const Measure& m) {
    return std::isfinite(m.interval.low) ? measure_text(m) : number(m.value);
}

/// A published list as the profile of one seed.
Profile published(std::span<const double> values) {
    Profile profile(1, static_cast<int64_t>(values.size()));
    std::ranges::copy(values, profile.data.begin());
    return profile;
}

Layers all_layers(const Profile& profile) {
    Layers layers;
    for (int64_t i = 0; i < profile.cols; ++i) layers.push_back(i);
    return layers;
}

/// The layer of the lowest mean; and, where they differ, the range of those of single seeds.
std::string lowest(const Profile& profile, const Layers& layers) {
    double of_means = lowest_of(column_means(profile), layers);
    auto low = static_cast<double>(layers.back()), high = static_cast<double>(layers.front());
    for (int64_t s = 0; s < profile.rows; ++s) {
        double layer = lowest_of(profile.row(s), layers);
        low = std::min(low, layer), high = std::max(high, layer);
    }
    if (std::isnan(of_means)) return "-";
    std::string text = format("%.0f", of_means);
    return low == high ? text : text + format(" (%.0f to %.0f)", low, high);
}

}  // namespace

std::string windows_text(const std::vector<std::vector<Window>>& windows, uint64_t first_seed) {
    std::string text =
        plural(std::ssize(windows[0]), "window") + format(" of %zu.", windows[0][0].size());
    for (size_t i = 0; i < windows.size(); ++i) {
        text += format(" Seed %lu: %ld different tokens of the page in its windows.",
                       first_seed + i, coverage(windows[i]));
    }
    if (windows.size() > 1) return text;
    return text + " One seed gives no interval over seeds: claims about profiles stay undecided.";
}

Table result_table(const Profiles& p) {
    Table table = {.header = {"layer"}};
    for (size_t f = 0; f < n_shown_field; ++f) table.header.emplace_back(result_fields[f].name);
    for (size_t i = 0; i < p.layers.size(); ++i) {
        std::vector<std::string> cells = {format("%ld", p.layers[i])};
        for (size_t f = 0; f < n_shown_field; ++f) {
            cells.push_back(number(column_means(p.of[trained][f])[i]));
        }
        add_row(table, cells);
    }
    explain_dashes(table, no_variance);
    return table;
}

Table compared_table(const Profiles& p, Field field) {
    Table table = {.header = {"layer"}};
    for (const char* arm : arm_names) table.header.emplace_back(arm);
    for (size_t i = 0; i < p.layers.size(); ++i) {
        std::vector<std::string> cells = {format("%ld", p.layers[i])};
        for (const auto& arm : p.of) cells.push_back(number(column_means(arm[field])[i]));
        add_row(table, cells);
    }
    explain_dashes(table, no_variance);
    return table;
}

Table long_table(const Profiles& p) {
    Table table = {.header = {"arm", "seed", "layer"}};
    for (const ResultField& field : result_fields) table.header.emplace_back(field.name);
    auto n_layer = std::ssize(p.layers);
    for (int arm = 0; arm < n_arm; ++arm) {
        for (int64_t at = 0; at < p.n_seed * n_layer; ++at) {
            uint64_t seed = p.first_seed + static_cast<uint64_t>(at / n_layer);
            std::vector<std::string> cells = {arm_names[arm], format("%lu", seed),
                                              format("%ld", p.layers[at % n_layer])};
            for (size_t f = 0; f < std::size(result_fields); ++f) {
                cells.push_back(number_cell("%.9g", p.of[arm][f].data[at]));
            }
            add_row(table, cells);
        }
    }
    return table;
}

Table sweep_table(const Store& store, std::vector<double> weights, const Job& job) {
    Table table = {.header = {"L1 weight", "density", "L0", "FVU"}};
    if (std::ranges::find(weights, job.l1) == weights.end()) weights.push_back(job.l1);
    std::ranges::sort(weights);
    for (double l1_weight : weights) {
        const LayerResult& r = *store.find({job.arm, l1_weight, job.layer, job.seed});
        add_row(table, {format("%g", l1_weight), number(r.density), number(r.l0), number(r.fvu)});
    }
    explain_dashes(table, no_variance);
    return table;
}

Table rise_table(const Profiles& p, const Draws& draws) {
    Table table = {.header = {"density", "rise over depth", "line, R^2", "tau", "p"}};
    auto add = [&](const char* name, const Profile& profile, const Layers& layers) {
        add_row(table, {name, measured(over_seeds(profile, layers, rise_of)),
                        measured(over_seeds(profile, layers, line_of)),
                        measured(over_seeds(profile, layers, order_of)),
                        number(order_p(profile, layers, draws))});
    };
    for (int arm = 0; arm < n_arm; ++arm) add(arm_names[arm], p.of[arm][density], p.layers);
    Profile resid = published(published_resid_l0), mlp = published(published_mlp_l0);
    add("published L0, stream", resid, all_layers(resid));
    add("published L0, MLP", mlp, all_layers(mlp));
    explain_dashes(table, no_shape);
    return table;
}

const char* const gaussian_note =
    "Rise: along the straight line, over the mean. p: the share of random orders of the layers "
    "with a tau as large. Gaussian rows show what each layer's mean and covariance explain. Those "
    "are the network's own: where Gaussian rows rise too, the covariance explains the rise, but "
    "the rise is real. So they decide no verdict.";

Table curve_table(const Profiles& p) {
    Table table = {.header = {"error", "curve", "lowest layer", "ends / highest between"}};
    auto ends = [](Values values, const Layers&) { return ends_of(values); };
    auto add = [&](const std::string& name, const Profile& profile, const Layers& layers) {
        add_row(table, {name, measured(over_seeds(profile, layers, curve_of)),
                        lowest(profile, layers), measured(over_seeds(profile, layers, ends))});
    };
    for (Field field : {loss, fvu}) {
        std::string name = field == loss ? loss_name(p) : "FVU";
        for (int arm = 0; arm < n_arm; ++arm) {
            add(name + ", " + arm_names[arm], p.of[arm][field], p.layers);
        }
    }
    Profile mlp = published(published_mlp_fvu);
    add("FVU, published, MLP", mlp, all_layers(mlp));
    explain_dashes(table, no_shape);
    return table;
}

const char* const recovered_note =
    "What is added where the layer's mean, or the reconstruction, replaces the MLP's output. "
    "Recovered: the share of the mean's loss that the reconstruction avoids. There is none where "
    "the mean adds no loss; where it adds little, the share means little.";

Table recovered_table(const Profiles& p) {
    Table table = {.header = {"layer", "mean", "reconstruction", "recovered", "before training",
                              "Gaussian SAE"}};
    const auto& here = p.of[trained];
    std::vector<double> most = column_means(here[ablated]), cost = column_means(here[spliced]),
                        share = recovered(here[spliced], here[ablated]),
                        before = recovered(here[untrained], here[ablated]),
                        of_gaussian = recovered(p.of[gaussian][spliced], here[ablated]);
    for (size_t i = 0; i < p.layers.size(); ++i) {
        add_row(table, {format("%ld", p.layers[i]), number(most[i]), number(cost[i]),
                        number(share[i]), number(before[i]), number(of_gaussian[i])});
    }
    return table;
}

Table first_token_table(const FirstTokens& first, const Draws& draws) {
    Table table = {.header = {"layer", "first token / others", "random weights"}};
    for (size_t i = 0; i < first.trained.size(); ++i) {
        add_row(table, {format("%zu", i), measure_text(over_windows(first.trained[i], draws)),
                        measure_text(over_windows(first.random[i], draws))});
    }
    explain_dashes(table, "the other tokens are 0");
    return table;
}

std::string loss_name(const Profiles& p) { return p.l1_in_loss > 0 ? "MSE + L1" : "MSE"; }

namespace {

/// What density does over depth, and where both errors are lowest; nothing of what has no number.
std::string profile_text(const Profiles& p) {
    auto tau = [&](Arm arm) { return over_seeds(p.of[arm][density], p.layers, order_of).value; };
    std::string text;
    if (!std::isnan(tau(trained))) {
        text = format(
            "Kendall's tau between layer and density is %.2f (Gaussian rows of the same "
            "covariance %s, random weights %s). ",
            tau(trained), tau_text(tau(gaussian)).c_str(), tau_text(tau(random_weights)).c_str());
    }
    double by_loss = lowest_of(column_means(p.of[trained][loss]), p.layers),
           by_fvu = lowest_of(column_means(p.of[trained][fvu]), p.layers);
    std::string name = loss_name(p);
    if (std::isnan(by_loss)) return text + "There is no lowest " + name + ".";
    text += format("The %s is lowest in layer %.0f", name.c_str(), by_loss);
    return text + (std::isnan(by_fvu) ? "." : format(", the FVU in layer %.0f.", by_fvu));
}

}  // namespace

std::string answer(const Profiles& p) {
    std::string text = p.layers.size() < 2 ? "One layer has no profile." : profile_text(p);
    double share = loss_recovered(p).measured.value;
    if (std::isnan(share)) return text;
    return text + format(
                      " Of the loss that the layers' means would add, the reconstructions avoid "
                      "%.0f %%.",
                      100 * share);
}

}  // namespace vimach::ch03
