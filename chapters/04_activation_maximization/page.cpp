// The figures of chapter 4; see page.h.
// Histograms are lines over the middles of equal bins.
#include "page.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "show/html.h"

namespace vimach::climbing {

namespace {

constexpr int64_t n_bin = 40;

/// The share of the values in each bin from low to high.
Series histogram(const std::string& name, const std::vector<double>& values, double low,
                 double high) {
    std::vector<double> counts(n_bin);
    double width = (high - low) / n_bin;
    for (double value : values) {
        auto bin = static_cast<int64_t>((value - low) / width);
        counts[std::clamp<int64_t>(bin, 0, n_bin - 1)] += 1;
    }
    Series series = {name, {}, {}};
    for (int64_t bin = 0; bin < n_bin; ++bin) {
        series.x.push_back(low + (static_cast<double>(bin) + 0.5) * width);
        series.y.push_back(counts[bin] / static_cast<double>(values.size()));
    }
    return series;
}

std::vector<Series> histograms(const std::vector<double>& before,
                               const std::vector<double>& after) {
    double low = std::min(std::ranges::min(before), std::ranges::min(after));
    double high = std::max(std::ranges::max(before), std::ranges::max(after));
    if (high <= low) high = low + 1;
    return {histogram("before", before, low, high), histogram("after", after, low, high)};
}

Series by_step(const std::string& name, const std::vector<double>& y) {
    Series series = {name, {}, y};
    for (size_t i = 0; i < y.size(); ++i) series.x.push_back(static_cast<double>(i));
    return series;
}

/// Values in ascending order against the share that is no larger.
Series sorted_values(const char* name, std::vector<double> values) {
    std::ranges::sort(values);
    Series series = {name, {}, {}};
    for (size_t i = 0; i < values.size(); ++i) {
        series.x.push_back(values[i]);
        series.y.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(values.size()));
    }
    return series;
}

/// The mean of several searches, which all take the same steps.
Series mean_search(const char* name, const std::vector<SearchResult>& searches) {
    Series series = {name, searches[0].passes, {}};
    for (size_t i = 0; i < searches[0].values.size(); ++i) {
        std::vector<double> values;
        for (const SearchResult& search : searches) values.push_back(search.values[i]);
        series.y.push_back(mean(values));
        series.low.push_back(std::ranges::min(values));
        series.high.push_back(std::ranges::max(values));
    }
    return series;
}

/// The mean over positions of every coordinate but the target's, for all starts.
std::vector<double> other_coordinates(const Tensor& tap, const Target& target) {
    std::vector<double> means;
    for (int64_t first = 0; first < tap.rows(); first += target.n_token) {
        for (int64_t j = 0; j < tap.cols(); ++j) {
            double total = 0;
            for (int64_t i = 0; i < target.n_token; ++i) total += tap.row(first + i)[j];
            if (j != target.dim) means.push_back(total / static_cast<double>(target.n_token));
        }
    }
    return means;
}

}  // namespace

void draw_activations(Report& report, const std::vector<NamedClimb>& climbs) {
    std::vector<Series> series;
    for (const NamedClimb& named : climbs) {
        Series curve = by_step(named.name, {});
        for (const std::vector<double>& starts : named.climb->activation) {
            curve.x.push_back(static_cast<double>(curve.x.size()));
            curve.y.push_back(mean(starts));
            if (&named != climbs.data()) continue;
            curve.low.push_back(std::ranges::min(starts));
            curve.high.push_back(std::ranges::max(starts));
        }
        series.push_back(curve);
    }
    report.line_plot({.title = "The activation climbs",
                      .x_label = "step",
                      .y_label = "activation",
                      .caption = "Means over starts; the band of the first holds all its starts."},
                     series);
}

void draw_gradients(Report& report, const Climb& climb) {
    Series norm[] = {by_step("|gradient|", climb.gradient_norm)};
    report.line_plot({.title = "Length of the loss's gradient",
                      .x_label = "step",
                      .y_label = "length",
                      .caption = "Adam divides by it: a step is about as long at any length."},
                     norm);
}

void draw_norms(Report& report, const std::vector<NamedClimb>& climbs) {
    std::vector<Series> series;
    for (const NamedClimb& named : climbs) {
        series.push_back(by_step(named.name, named.climb->square_norm));
    }
    report.line_plot({.title = "What the L2 term does to the vectors",
                      .x_label = "step",
                      .y_label = "|theta|^2",
                      .caption = "Means over starts, by lambda."},
                     series);
}

void draw_embeddings(Report& report, const Tensor& starts, const Climb& climb) {
    std::vector<double> before(starts.data.begin(), starts.data.end()),
        after(climb.theta.data.begin(), climb.theta.data.end());
    report.line_plot({.title = "The numbers of the vectors",
                      .x_label = "value",
                      .y_label = "share",
                      .caption = "All starts and positions, in 40 bins."},
                     histograms(before, after));
}

void draw_others(Report& report, const Climb& climb, const Target& target) {
    std::vector<double> before = other_coordinates(climb.before, target),
                        after = other_coordinates(climb.after, target);
    report.line_plot(
        {.title = "The target against all other dimensions",
         .x_label = "mean over positions",
         .y_label = "share",
         .caption = "Every other dimension of every start; the target's mean after the climb is "
                    "the vertical line."},
        histograms(before, after),
        {.vertical = {{mean(climb.activation.back()), format("dimension %ld", target.dim)}}});
}

void draw_cosines(Report& report, const std::vector<double>& optimised,
                  const std::vector<double>& isotropic, const std::vector<double>& matched) {
    Series curves[] = {sorted_values("optimised", optimised), sorted_values("random", isotropic),
                       sorted_values("random, like W_E", matched)};
    report.line_plot({.title = "Best cosine with any token",
                      .x_label = "best cosine of a window",
                      .y_label = "share at most as high",
                      .caption = "Random vectors: of equal variance in every direction, and with "
                                 "the mean and covariance of the embedding matrix."},
                     curves);
}

std::string tokens_text(const Tokenizer& tokenizer, const std::vector<int>& ids) {
    std::string text;
    for (int id : ids) {
        text += (text.empty() ? "" : " | ") + visible_text(tokenizer.token_bytes(id));
    }
    return text;
}

void add_decoding(Report& report, const Tokenizer& tokenizer,
                  const std::vector<std::vector<Neighbour>>& nearest, int64_t n_token) {
    // Show the first start in full.
    Table first = {.header = {"position", "1", "2", "3", "4", "5"}};
    for (int64_t i = 0; i < n_token; ++i) {
        std::vector<std::string> cells = {format("%ld", i)};
        for (const Neighbour& token : nearest[i]) {
            cells.push_back(visible_text(tokenizer.token_bytes(token.id)) +
                            format(" (%.2f)", token.cosine));
        }
        add_row(first, cells);
    }
    report.table("The first start, decoded", first,
                 "The five nearest tokens of each position, with their cosines.");

    // Show the nearest tokens of all.
    Table all = {.header = {"start", "nearest tokens", "best cosine"}};
    for (size_t begin = 0; begin < nearest.size(); begin += static_cast<size_t>(n_token)) {
        std::vector<int> ids;
        double best = -1;
        for (size_t i = begin; i < begin + static_cast<size_t>(n_token); ++i) {
            ids.push_back(nearest[i][0].id);
            best = std::max(best, nearest[i][0].cosine);
        }
        add_row(all, {format("%zu", begin / static_cast<size_t>(n_token)),
                      tokens_text(tokenizer, ids), format("%.3f", best)});
    }
    report.table("Every start, decoded", all);
}

void draw_search(Report& report, const std::vector<SearchResult>& guided,
                 const std::vector<SearchResult>& blind, double best_text, double optimised) {
    Series curves[] = {mean_search("guided", guided), mean_search("random", blind)};
    report.line_plot({.title = "Searching for real tokens",
                      .x_label = "passes",
                      .y_label = "activation",
                      .caption = "Swaps proposed by the gradient or at random, each evaluated. "
                                 "Means; bands hold all searches."},
                     curves,
                     {.horizontal = {{best_text, "best of the text"}, {optimised, "optimised"}}});
}

}  // namespace vimach::climbing
