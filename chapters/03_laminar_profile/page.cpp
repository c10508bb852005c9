// The tables and figures of chapter 3; see page.h.
// The intervals in figures run from the lowest to the highest seed.
#include "page.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/stats.h"

namespace vimach::laminar {

namespace {

enum Field { density, alive, mse, l1, fvu, l0, together };

/// Values by layer; low and high are left empty where there is one seed.
Series series_of(const std::string& name, const Profile& profile,
                 const std::vector<int64_t>& layers) {
    Series series = {name, {}, {}};
    for (int64_t i = 0; i < profile.cols; ++i) {
        std::vector<double> values;
        for (int64_t s = 0; s < profile.rows; ++s) values.push_back(profile.at(s, i));
        series.x.push_back(static_cast<double>(layers[i]));
        series.y.push_back(mean(values));
        if (profile.rows == 1) continue;
        series.low.push_back(std::ranges::min(values));
        series.high.push_back(std::ranges::max(values));
    }
    return series;
}

void draw(Report& report, const Profiles& p, Field field, const PlotText& text,
          const PlotOptions& options = {}) {
    std::vector<Series> all;
    for (int arm = 0; arm < n_arm; ++arm) {
        all.push_back(series_of(arm_names[arm], p.of[arm][field], p.layers));
    }
    report.line_plot(text, all, options);
}

std::string number(double value) { return format("%.4f", value); }

}  // namespace

Profiles gather(const Store& store, double l1_weight, const std::vector<int64_t>& layers,
                uint64_t first_seed, int64_t n_seed) {
    Profiles p = {.layers = layers, .of = {}};
    for (int arm = 0; arm < n_arm; ++arm) {
        for (size_t f = 0; f < std::size(result_fields); ++f) {
            p.of[arm][f] = store.profile(static_cast<Arm>(arm), l1_weight, layers, first_seed,
                                         n_seed, result_fields[f]);
        }
    }
    return p;
}

FirstTokens first_tokens(const Ratios (&ratios)[2], const Draws& draws, uint64_t seed) {
    FirstTokens first;
    for (bool is_random : {false, true}) {
        for (const std::vector<double>& of_windows : ratios[is_random]) {
            if (of_windows.empty()) continue;
            (is_random ? first.random : first.trained)
                .push_back(mean_measure(of_windows, draws.n_bootstrap, seed));
        }
    }
    return first;
}

Table arm_table(const Profiles& p, Arm arm) {
    Table table = {.header = {"layer"}};
    for (const ResultField& field : result_fields) table.header.emplace_back(field.name);
    for (size_t i = 0; i < p.layers.size(); ++i) {
        std::vector<std::string> cells = {format("%ld", p.layers[i])};
        for (const Profile& profile : p.of[arm]) cells.push_back(number(column_means(profile)[i]));
        add_row(table, cells);
    }
    return table;
}

Table compared_table(const Profiles& p) {
    Table table = {.header = {"layer"}};
    for (const char* name : {"density", "FVU"}) {
        for (const char* arm : arm_names) table.header.push_back(format("%s, %s", name, arm));
    }
    for (size_t i = 0; i < p.layers.size(); ++i) {
        std::vector<std::string> cells = {format("%ld", p.layers[i])};
        for (Field field : {density, fvu}) {
            for (const auto& arm : p.of) cells.push_back(number(column_means(arm[field])[i]));
        }
        add_row(table, cells);
    }
    return table;
}

Table long_table(const Profiles& p, uint64_t first_seed) {
    Table table = {.header = {"arm", "seed", "layer"}};
    for (const ResultField& field : result_fields) table.header.emplace_back(field.name);
    auto n_layer = static_cast<int64_t>(p.layers.size());
    for (int arm = 0; arm < n_arm; ++arm) {
        for (int64_t at = 0; at < p.of[arm][density].rows * n_layer; ++at) {
            uint64_t seed = first_seed + static_cast<uint64_t>(at / n_layer);
            std::vector<std::string> cells = {arm_names[arm], format("%lu", seed),
                                              format("%ld", p.layers[at % n_layer])};
            for (const Profile& profile : p.of[arm]) {
                cells.push_back(format("%.9g", profile.data[at]));
            }
            add_row(table, cells);
        }
    }
    return table;
}

Table sweep_table(const Store& store, std::vector<double> weights, int64_t layer, uint64_t seed) {
    Table table = {.header = {"L1 weight", "density", "L0", "FVU"}};
    std::ranges::sort(weights);
    for (double l1 : weights) {
        const LayerResult& r = *store.find({trained, l1, layer, seed});
        add_row(table, {format("%g", l1), number(r.density), number(r.l0), number(r.fvu)});
    }
    return table;
}

Table rise_table(const Trend (&trends)[n_arm], const Trend& resid, const Trend& mlp) {
    Table table = {.header = {"density", "rise", "line, R^2", "tau", "p"}};
    auto add = [&](const char* name, const Trend& t) {
        add_row(table,
                {name, measure_text(t.rise), measure_text(t.line), number(t.tau), number(t.tau_p)});
    };
    for (int arm = 0; arm < n_arm; ++arm) add(arm_names[arm], trends[arm]);
    add("published, stream", resid);
    add("published, MLP", mlp);
    return table;
}

Table curve_table(const Trend (&mse_trends)[n_arm], const Trend (&fvu_trends)[n_arm],
                  const Trend& mlp_fvu) {
    Table table = {.header = {"error", "curve", "lowest layer"}};
    auto add = [&](const std::string& name, const Trend& t) {
        const Measure& low = t.minimum;
        add_row(table,
                {name, measure_text(t.curve),
                 format("%.0f [%.0f, %.0f]", low.value, low.interval.low, low.interval.high)});
    };
    for (int arm = 0; arm < n_arm; ++arm) add(format("MSE, %s", arm_names[arm]), mse_trends[arm]);
    for (int arm = 0; arm < n_arm; ++arm) add(format("FVU, %s", arm_names[arm]), fvu_trends[arm]);
    add("FVU, published, MLP", mlp_fvu);
    return table;
}

Table first_token_table(const FirstTokens& first) {
    Table table = {.header = {"layer", "first token / others", "random weights"}};
    for (size_t i = 0; i < first.trained.size(); ++i) {
        add_row(table,
                {format("%zu", i), measure_text(first.trained[i]), measure_text(first.random[i])});
    }
    return table;
}

void draw_profiles(Report& report, const Profiles& p, double ceiling) {
    PlotOptions with_ceiling;
    if (ceiling > 0) with_ceiling.horizontal = {{ceiling, "k / n_latent"}};
    std::string seeds = " Bars: from the lowest to the highest seed.";
    draw(report, p, density,
         {.title = "Density by layer",
          .x_label = "layer",
          .y_label = "share of latents that are live",
          .caption = "Three of the four lines are controls: the same network with every layer in "
                     "its own unit, Gaussian data with each layer's mean and covariance, and a "
                     "network that has learnt nothing." +
                     seeds},
         with_ceiling);
    draw(report, p, mse,
         {.title = "Reconstruction error by layer",
          .x_label = "layer",
          .y_label = "MSE",
          .caption = "In each layer's own units, but for the line in unit scale: where a layer "
                     "writes large numbers, its error is large." +
                     seeds},
         {.log_y = true});
    draw(report, p, fvu,
         {.title = "Fraction of the variance unexplained",
          .x_label = "layer",
          .y_label = "FVU",
          .caption = "The error in units of the layer's own variance: 1 is what predicting the "
                     "mean would leave." +
                     seeds});
    draw(report, p, alive,
         {.title = "Latents that are ever live",
          .x_label = "layer",
          .y_label = "share of latents",
          .caption = "Live on at least one row." + seeds});
    draw(report, p, together,
         {.title = "Density times activation",
          .x_label = "layer",
          .y_label = "mean over latents",
          .caption = "Both scaled to 0 ... 1 within the layer: whether the latents that are live "
                     "often are also the strong ones." +
                     seeds});
}

void draw_first_tokens(Report& report, const FirstTokens& first) {
    auto series = [](const char* name, const std::vector<Measure>& measures) {
        Series s = {name, {}, {}};
        for (const Measure& m : measures) {
            s.x.push_back(static_cast<double>(s.x.size()));
            s.y.push_back(m.value);
            s.low.push_back(m.interval.low);
            s.high.push_back(m.interval.high);
        }
        return s;
    };
    Series both[] = {series("trained", first.trained), series("random weights", first.random)};
    report.line_plot({.title = "The first token of a window",
                      .x_label = "layer",
                      .y_label = "norm, others = 1",
                      .caption = "Norm of the first token's activation over the median norm of "
                                 "its window. Bars: 95 % over windows."},
                     both, {.log_y = true, .horizontal = {{1, "like any other"}}});
}

void draw_published(Report& report) {
    Series live[] = {{"residual stream", {}, {}}, {"MLP output", {}, {}}};
    Series error[] = {{"MLP output", {}, {}}};
    for (size_t i = 0; i < std::size(published_mlp_l0); ++i) {
        for (Series* s : {&live[0], &live[1], &error[0]}) s->x.push_back(static_cast<double>(i));
        live[0].y.push_back(published_resid_l0[i]);
        live[1].y.push_back(published_mlp_l0[i]);
        error[0].y.push_back(published_mlp_fvu[i]);
    }
    report.line_plot({.title = "Published: live latents by layer of GPT-2 small",
                      .x_label = "layer",
                      .y_label = "L0",
                      .caption = "SAEs that others trained on far more text. Each was tuned by "
                                 "itself, so their sparsity is a choice as well."},
                     live);
    report.line_plot({.title = "Published: fraction unexplained by layer of GPT-2 small",
                      .x_label = "layer",
                      .y_label = "FVU",
                      .caption = "SAEs of the MLP's output."},
                     error);
}

}  // namespace vimach::laminar
