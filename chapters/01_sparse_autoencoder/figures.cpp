// The figures of chapter 1; see figures.h.
// A share on the horizontal axis lets arms with different numbers of trainings lie side by side.
#include "figures.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/stats.h"
#include "show/heatmap.h"
#include "show/plot.h"

namespace vimach::ch01 {

namespace {

constexpr int64_t n_shown = 650;  // samples: one and a half periods of the sine

Series over_samples(const std::string& name, const std::vector<double>& signal) {
    Series series = {name, {}, {}};
    for (int64_t i = 0; i < std::min(n_shown, std::ssize(signal)); ++i) {
        series.x.push_back(static_cast<double>(i));
        series.y.push_back(signal[i]);
    }
    return series;
}

Figure two_signals(const std::string& title, const std::vector<std::string>& names,
                   const Matrix& m) {
    Series both[] = {over_samples(names[0], column(m, 0)), over_samples(names[1], column(m, 1))};
    return draw_lines({.title = title, .x_label = "sample", .y_label = "value"}, both);
}

/// A latent moved, scaled and, where r is negative, turned over so that it lies on its source.
std::vector<double> laid_over(std::vector<double> latent, const std::vector<double>& source) {
    double r = correlation(latent, source), middle = mean(latent), aim = mean(source);
    double spread = std::sqrt(variance(latent));
    double scale = spread > 0 ? std::copysign(std::sqrt(variance(source)) / spread, r) : 0;
    for (double& value : latent) value = aim + scale * (value - middle);
    return latent;
}

Figure latent_over_source(const char* name, int64_t latent, const std::vector<double>& values,
                          const std::vector<double>& source) {
    Series both[] = {over_samples(name, source),
                     over_samples(format("latent %ld", latent), laid_over(values, source))};
    return draw_lines({.title = format("%s, r = %.4f", name, correlation(values, source)),
                       .x_label = "sample",
                       .y_label = "value"},
                      both);
}

Figure two_histograms(const std::string& title, const std::vector<std::string>& names,
                      const Matrix& m) {
    Range range;
    for (double value : m.data) range.add(value, false);
    Interval whole = {range.low, range.high > range.low ? range.high : range.low + 1};
    Series both[] = {histogram(names[0], column(m, 0), whole, 30),
                     histogram(names[1], column(m, 1), whole, 30)};
    return draw_lines({.title = title, .x_label = "value", .y_label = "samples"}, both);
}

Figure correlations(const Arm& arm) {
    const Matrix& together = arm.runs[0].score.together;
    Heatmap map = {.values = together.data,
                   .scale = {.low = -1, .high = 1, .diverging = true, .label = "r"}};
    for (double& r : map.values) r = std::clamp(r, -1.0, 1.0);  // rounding goes a little beyond
    for (int64_t i = 0; i < together.rows; ++i) map.rows.push_back(std::to_string(i));
    map.columns = map.rows;
    return draw_heatmap(
        {.title = format("%s: mean |r| %.3f", arm.name.c_str(), arm.runs[0].score.redundancy),
         .x_label = "latent",
         .y_label = "latent"},
        map);
}

/// Scores in ascending order against the share of trainings that score no more.
Series sorted_scores(const Arm& arm) {
    Series series = {arm.name, {}, {}};
    for (const Run& run : arm.runs) series.y.push_back(run.score.weaker());
    std::ranges::sort(series.y);
    for (size_t i = 0; i < arm.runs.size(); ++i) {
        series.x.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(arm.runs.size()));
    }
    return series;
}

}  // namespace

Figure data_figure(const Matrix& sources, const Matrix& mixed) {
    Figure parts[] = {two_signals("The sources", {"sine", "step"}, sources),
                      two_signals("What the SAE sees", {"first", "second"}, mixed)};
    return panels({.title = "Sources and mixtures",
                   .caption = "Each mixture is a weighted sum of both sources: it jumps with the "
                              "step and swings with the sine."},
                  parts);
}

Figure loss_figure(const Arm& arm) {
    const Run& run = arm.runs[0];
    std::vector<Series> series = {{"whole loss", {}, {}}, {"MSE", {}, {}}};
    if (arm.l1 > 0) series.push_back({"L1", {}, {}});
    if (arm.decorrelation > 0) series.push_back({"decorrelation", {}, {}});
    for (size_t epoch = 0; epoch < run.losses.size(); ++epoch) {
        const SaeLosses& l = run.losses[epoch];
        std::vector<double> terms = {l.mse + arm.l1 * l.l1 + arm.decorrelation * l.decorrelation,
                                     l.mse};
        if (arm.l1 > 0) terms.push_back(l.l1);
        if (arm.decorrelation > 0) terms.push_back(l.decorrelation);
        for (size_t i = 0; i < series.size(); ++i) {
            series[i].x.push_back(static_cast<double>(epoch));
            series[i].y.push_back(terms[i]);
        }
    }
    return draw_lines({.title = "The loss of the first training",
                       .x_label = "epoch",
                       .y_label = "term",
                       .caption = "The whole loss has the penalties with their weights, its terms "
                                  "are without. Compare how far, and how early, MSE and L1 fall."},
                      series, {.log_y = true});
}

Figure found_figure(const Arm& arm, const Matrix& sources, const Matrix& mixed) {
    const Run& run = arm.runs[0];
    auto over = [&](const char* name, Source source) {
        return latent_over_source(name, run.score.latent[source], column(run.found, source),
                                  column(sources, source));
    };
    Figure parts[] = {over("sine", sine), over("step", step),
                      two_histograms("Histogram of the sources", {"sine", "step"}, sources),
                      two_histograms("Histogram of the mixtures", {"first", "second"}, mixed),
                      two_histograms("Histogram of the latents", {"sine's", "step's"}, run.found)};
    return panels({.title = "The latents that follow the sources, over the sources",
                   .caption = "The first training with both penalties. Latents are moved and "
                              "scaled to lie on their sources; the histograms show them as they "
                              "are. A latent that follows the step has two values, as the step "
                              "has."},
                  parts);
}

Figure together_figure(const Arms& arms) {
    Figure parts[] = {correlations(arms.both), correlations(arms.none),
                      correlations(arms.untrained)};
    return panels({.title = "How the latents correlate with each other",
                   .caption = "The same start with both penalties, with none, and untrained. Rows "
                              "and columns of latents that are never active are 0. Latents "
                              "that share nothing would leave a diagonal alone."},
                  parts);
}

Figure redundancy_figure(const Arms& arms) {
    std::vector<Series> points;
    for (const Arm* arm : arms.distinct()) {
        Series dots = {arm->name, {}, {}};
        for (const Run& run : arm->runs) {
            dots.x.push_back(run.score.weaker());
            dots.y.push_back(run.score.redundancy);
        }
        points.push_back(dots);
    }
    return draw_points({.title = "Redundancy against recovery",
                        .x_label = "weaker of the two |r|",
                        .y_label = "mean |r| between active latents",
                        .caption = "One point per training. Right of 0.95 both sources are found; "
                                   "the lower, the less redundant."},
                       points, {.vertical = {{follows, "0.95"}}});
}

Figure recovery_figure(const Arms& arms, const Arm& chance) {
    std::vector<Series> curves;
    for (const Arm* arm : arms.distinct()) {
        if (arm->trained) curves.push_back(sorted_scores(*arm));
    }
    curves.push_back(sorted_scores(chance));
    return draw_lines({.title = "How well both sources are followed, training by training",
                       .x_label = "share of trainings",
                       .y_label = "weaker of the two |r|",
                       .caption = "Trainings in the order of their score. The claim asks for 0.95: "
                                  "from where a curve crosses that line, its trainings succeed."},
                      curves, {.horizontal = {{follows, "0.95"}}});
}

}  // namespace vimach::ch01
