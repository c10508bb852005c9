// The figures of chapter 2; see figures.h.
// Thousands of latents are thinned out for a curve; none is left out of a scatter plot.
#include "figures.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/stats.h"
#include "show/heatmap.h"
#include "show/plot.h"

namespace vimach::ch02 {

namespace {

constexpr int64_t n_imaged = 120;  // latents in the image

/// Values in descending order against the share of latents that have as much.
Series sorted(const char* name, std::vector<double> values) {
    std::ranges::sort(values, std::greater());
    Series series = {name, {}, {}};
    auto n = static_cast<double>(values.size());
    for (size_t j = 0; j < values.size(); j += std::max<size_t>(values.size() / 512, 1)) {
        series.x.push_back((static_cast<double>(j) + 0.5) / n);
        series.y.push_back(values[j]);
    }
    return series;
}

std::vector<double> of_latents(const Examined& e, double Tested::*member) {
    std::vector<double> out;
    for (const Tested& t : e.tested) out.push_back(t.*member);
    return out;
}

Figure response_curves(const Examined& trained, const Examined& untrained) {
    auto counts = [](const char* name, const Examined& e) {
        return sorted(name, {e.summary.n_active.begin(), e.summary.n_active.end()});
    };
    Series curves[] = {counts("trained", trained), counts("untrained", untrained)};
    return draw_lines({.title = "Tokens on which latents are active",
                       .x_label = "share of latents, the busiest first",
                       .y_label = "tokens"},
                      curves);
}

Figure activation_curves(const Examined& trained, const Examined& untrained) {
    Series curves[] = {sorted("trained", of_latents(trained, &Tested::mean)),
                       sorted("untrained", of_latents(untrained, &Tested::mean))};
    return draw_lines({.title = "Mean activation of every latent",
                       .x_label = "share of latents, the strongest first",
                       .y_label = "mean over all tokens"},
                      curves);
}

Figure activation_by_density(const Examined& e) {
    Series points = {"active latents", {}, {}};
    for (const Tested& t : e.tested) {
        if (!(t.density > 0)) continue;
        points.x.push_back(t.density);
        points.y.push_back(t.mean);
    }
    Series one[] = {points};
    return draw_points({.title = "Activation against density",
                        .x_label = "share of tokens on which a latent is active",
                        .y_label = "mean over all tokens"},
                       one, {.log_x = true, .log_y = true});
}

/// How many active latents have which density, each bin twice as wide as the one before: active on
/// 1 token, on 2 or 3, on 4 to 7 ...
Figure density_histogram(const Examined& trained, const Examined& untrained) {
    auto n_token = static_cast<double>(trained.latents.rows());
    auto n_bin = static_cast<int>(std::floor(std::log2(n_token))) + 1;
    auto outline = [&](const char* name, const Examined& e) {
        std::vector<double> logs;
        for (int64_t n : e.summary.n_active) {
            if (n > 0) logs.push_back(std::log2(static_cast<double>(n)));
        }
        Series series = histogram(name, logs, {0, static_cast<double>(n_bin)}, n_bin);
        for (double& x : series.x) x = std::min(std::exp2(x) / n_token, 1.0);
        return series;
    };
    Series both[] = {outline("trained", trained), outline("untrained", untrained)};
    return draw_lines({.title = "Density of all active latents",
                       .x_label = "share of tokens on which a latent is active",
                       .y_label = "latents"},
                      both, {.log_x = true});
}

/// What random sets come to as a histogram, the topic as a line.
Figure null_figure(const Group& group, std::vector<double> Examined::*of_sets,
                   const PlotText& text) {
    std::vector<double> means((group[0].*of_sets).size());
    for (const Examined& e : group) {
        for (size_t set = 0; set < means.size(); ++set) {
            means[set] += (e.*of_sets)[set] / static_cast<double>(group.size());
        }
    }
    Interval range = {*std::ranges::min_element(means), *std::ranges::max_element(means)};
    if (range.low == range.high) range.high += 1;
    Series sets[] = {histogram("random sets", std::span(means).subspan(1), range, 40)};
    return draw_lines(text, sets, {.vertical = {{means[0], "geography"}}});
}

}  // namespace

Figure loss_figure(const Training& t) {
    auto curve = [&](const char* name, auto&& number) {
        Series series = {name, {}, {}};
        for (size_t i = 0; i < t.losses.size(); ++i) {
            series.x.push_back(static_cast<double>(i));
            series.y.push_back(number(t.losses[i]));
        }
        return series;
    };
    std::vector<Series> terms = {curve("MSE", [](const SaeLosses& l) { return l.mse; }),
                                 curve("L1", [](const SaeLosses& l) { return l.l1; })};
    if (t.config.l1 > 0 || t.config.decorrelation > 0) {
        terms.push_back(
            curve("whole loss", [&](const SaeLosses& l) { return total_loss(t.config, l); }));
    }
    if (t.config.decorrelation > 0) {
        terms.push_back(curve("decorrelation", [](const SaeLosses& l) { return l.decorrelation; }));
    }
    return draw_lines(
        {.title = "The loss of the first SAE",
         .x_label = "epoch",
         .y_label = "loss",
         .caption = t.config.l1 > 0 ? "The whole loss has the penalties with their weights, its "
                                      "terms are without."
                                    : "MSE is the whole loss of this preset. L1 has no weight; it "
                                      "is shown to compare."},
        terms, {.log_y = true});
}

Figure image_figure(const Examined& e) {
    std::vector<int64_t> order = best_by(e.tested, &Tested::density, std::ssize(e.tested));
    std::vector<int64_t> shown;
    for (int64_t i = 0; i < std::min(n_imaged, std::ssize(order)); ++i) {
        shown.push_back(order[i * std::ssize(order) / std::min(n_imaged, std::ssize(order))]);
    }
    Heatmap map = {.scale = {.low = 0, .label = "activation"}};
    for (int64_t j : shown) map.columns.push_back(std::to_string(j));
    for (int64_t i = 0; i < e.latents.rows(); ++i) {
        map.rows.push_back(std::to_string(i));
        for (int64_t j : shown) map.values.push_back(e.latents.row(i)[j]);
    }
    return draw_heatmap(
        {.title = format("Tokens and %zu of the %zu active latents", shown.size(), order.size()),
         .x_label = "latent, the densest first",
         .y_label = "token",
         .caption = "As in the lecture: a row is a token, a column a latent. Columns that are dark "
                    "from top to bottom would be latents that fire on everything."},
        map);
}

Figure latents_figure(const Examined& trained, const Examined& untrained) {
    Figure parts[] = {response_curves(trained, untrained), density_histogram(trained, untrained),
                      activation_curves(trained, untrained), activation_by_density(trained)};
    return panels({.title = "How often latents are active, and how strong they are",
                   .caption = "Where a curve reaches 0, the latents to its right are active on no "
                              "token. Compare how much of it training has changed; and whether "
                              "strong latents are those that are active often."},
                  parts);
}

Figure words_figure(const Group& trained) {
    Figure parts[] = {
        null_figure(trained, &Examined::high,
                    {.title = "Claim 2d: latents with a ratio of 2 or more",
                     .x_label = "share of the active latents",
                     .y_label = "random sets"}),
        null_figure(trained, &Examined::filler,
                    {.title = "Claim 2e: the ten best by ratio",
                     .x_label = "share of their activation on punctuation and function words",
                     .y_label = "random sets"})};
    return panels({.title = "Geography among random sets of content words",
                   .caption = "Mean over the trained SAEs. Where the line lies within the "
                              "histogram, geography is nothing special."},
                  parts);
}

Figure scores_figure(const Examined& e) {
    Series points = {"active latents", {}, {}};
    for (const Tested& t : e.tested) {
        if (!(t.density > 0) || std::isinf(t.ratio)) continue;
        points.x.push_back(t.auc);
        points.y.push_back(t.ratio);
    }
    Series one[] = {points};
    return draw_points(
        {.title = "Two scores for geography",
         .x_label = "AUC",
         .y_label = "ratio of means",
         .caption =
             "One point per active latent. AUC: how often a geography token has more of it "
             "than another token. A latent that is silent on geography has the ratio 0, which "
             "has no place on this axis. The line: the largest ratio that any latent has "
             "for any random set of content words."},
        one, {.log_y = true, .horizontal = {{e.best_random, "random sets"}}});
}

}  // namespace vimach::ch02
