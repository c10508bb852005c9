// The figures of chapter 1; see page.h.
// A share on the horizontal axis lets arms with different numbers of seeds lie side by side.
#include "page.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"

namespace vimach::unmixing {

namespace {

constexpr int64_t n_shown = 650;  // samples: one and a half periods of the sine

Series over_samples(const char* name, const Matrix& m, int64_t column) {
    Series series = {name, {}, {}};
    for (int64_t i = 0; i < std::min(n_shown, m.rows); ++i) {
        series.x.push_back(static_cast<double>(i));
        series.y.push_back(m.at(i, column));
    }
    return series;
}

double weaker(const Score& score) {
    return std::min(std::abs(score.r[sine]), std::abs(score.r[step]));
}

/// Scores in ascending order against the share of seeds that score no more.
Series sorted_scores(const char* name, const std::vector<Score>& scores) {
    Series series = {name, {}, {}};
    for (const Score& score : scores) series.y.push_back(weaker(score));
    std::ranges::sort(series.y);
    auto n = static_cast<double>(scores.size());
    for (size_t i = 0; i < scores.size(); ++i) {
        series.x.push_back((static_cast<double>(i) + 0.5) / n);
    }
    return series;
}

}  // namespace

void draw_data(Report& report, const Matrix& sources, const Matrix& mixed) {
    Series two[] = {over_samples("sine", sources, sine), over_samples("step", sources, step)};
    report.line_plot({.title = "The sources", .x_label = "sample", .y_label = "value"}, two);
    Series observed[] = {over_samples("first", mixed, 0), over_samples("second", mixed, 1)};
    report.line_plot({.title = "What the autoencoder sees",
                      .x_label = "sample",
                      .y_label = "value",
                      .caption = "Each is a weighted sum of both sources."},
                     observed);
}

void draw_losses(Report& report, const Run& run) {
    auto curve = [](const char* name, const std::vector<double>& y) {
        Series series = {name, {}, y};
        for (size_t i = 0; i < y.size(); ++i) series.x.push_back(static_cast<double>(i));
        return series;
    };
    Series terms[] = {curve("MSE", run.mse), curve("L1", run.l1),
                      curve("decorrelation", run.decorrelation)};
    report.line_plot({.title = "The terms of the loss, without their weights",
                      .x_label = "epoch",
                      .y_label = "term",
                      .caption = "The first training with both penalties."},
                     terms, {.log_y = true});
}

void draw_found(Report& report, const Run& run) {
    Series found[] = {over_samples("sine's", run.found, sine),
                      over_samples("step's", run.found, step)};
    report.line_plot({.title = "The latents that follow the sources",
                      .x_label = "sample",
                      .y_label = "latent",
                      .caption = format("The first training with both penalties: r %.4f and %.4f. "
                                        "Scale and sign are free.",
                                        run.score.r[sine], run.score.r[step])},
                     found);
}

void draw_seeds(Report& report, const std::vector<Arm>& arms, const std::vector<Score>& untrained,
                double threshold) {
    std::vector<Series> curves, points;
    for (const Arm& arm : arms) {
        std::vector<Score> scores;
        Series dots = {arm.name, {}, {}};
        for (const Run& run : arm.runs) {
            scores.push_back(run.score);
            dots.x.push_back(weaker(run.score));
            dots.y.push_back(run.score.redundancy);
        }
        curves.push_back(sorted_scores(arm.name, scores));
        points.push_back(dots);
    }
    curves.push_back(sorted_scores("untrained", untrained));
    report.line_plot({.title = "How well both sources are followed, seed by seed",
                      .x_label = "share of seeds",
                      .y_label = "weaker of the two |r|",
                      .caption = "Seeds in the order of their score. The claim asks for 0.95."},
                     curves, {.horizontal = {{threshold, "0.95"}}});
    report.scatter({.title = "Redundancy against recovery",
                    .x_label = "weaker of the two |r|",
                    .y_label = "mean |r| between live latents",
                    .caption = "One point a training."},
                   points);
}

}  // namespace vimach::unmixing
