// The figures of chapter 4; see figures.h.
// A histogram's counts are divided by the sample's size.
#include "figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ensure.h"
#include "show/heatmap.h"
#include "show/html.h"
#include "show/plot.h"

namespace vimach::ch04 {

namespace {

constexpr int n_bin = 40;

std::vector<double> numbers_of(const Tensor& m) { return {m.data.begin(), m.data.end()}; }

/// The share of the values in each bin; what lies beyond the range is left out.
Series shares(const std::string& name, const std::vector<double>& values, Interval range) {
    Series series = histogram(name, values, range, n_bin);
    auto n = static_cast<double>(std::max<size_t>(values.size(), 1));
    for (double& count : series.y) count /= n;
    return series;
}

/// The smallest to the largest of all values.
Interval range_of(const std::vector<std::vector<double>>& samples) {
    Range range;
    for (const std::vector<double>& sample : samples) {
        for (double value : sample) range.add(value, false);
    }
    if (range.empty()) return {0, 1};
    double least = range.low + std::max(1.0, std::abs(range.low));
    return {range.low, range.high > range.low ? range.high : least};
}

Series by_step(const std::string& name, const std::vector<double>& y) {
    Series series = {name, {}, y};
    for (size_t i = 0; i < y.size(); ++i) series.x.push_back(static_cast<double>(i));
    return series;
}

/// Values in ascending order against the share that is no larger.
Series sorted_values(const std::string& name, std::vector<double> values) {
    std::ranges::sort(values);
    Series series = {name, {}, {}};
    for (size_t i = 0; i < values.size(); ++i) {
        series.x.push_back(values[i]);
        series.y.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(values.size()));
    }
    return series;
}

/// A climb's activation, with the range over starts where it is wanted.
Series activation_of(const Arm& arm, bool with_range) {
    Series curve = by_step(arm.name, {});
    for (const std::vector<double>& starts : arm.climb.activation) {
        curve.x.push_back(static_cast<double>(curve.x.size()));
        curve.y.push_back(mean(starts));
        if (!with_range) continue;
        curve.low.push_back(std::ranges::min(starts));
        curve.high.push_back(std::ranges::max(starts));
    }
    return curve;
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

// --- the climb ----------------------------------------------------------------------------------

Figure climb_figure(const Arms& arms) {
    Series curves[] = {activation_of(arms.own, true), activation_of(arms.directions, false),
                       activation_of(arms.weights, false), activation_of(arms.bare, false)};
    return draw_lines({.title = "The activation climbs",
                       .x_label = "step",
                       .y_label = "activation",
                       .caption = "Means over starts; the band of the first holds all its starts. "
                                  "Look at where a curve begins: how many times it grows is "
                                  "decided there."},
                      curves);
}

Figure gradient_figure(const Arm& own) {
    Series norm[] = {by_step("|gradient|", own.climb.gradient_norm)};
    return draw_lines({.title = "Length of the loss's gradient",
                       .x_label = "step",
                       .y_label = "length",
                       .caption = "Adam divides by it: a step is about as long at any length."},
                      norm);
}

Figure image_figure(const Arm& own) {
    // Stack the first start's rows, before and after.
    struct Part {
        const char* name;
        const Tensor* vectors;
    };
    Heatmap map;
    for (const Part& part : {Part{"before", &own.starts}, Part{"after", &own.climb.theta}}) {
        for (int64_t i = 0; i < std::min<int64_t>(own.target.n_token, 16); ++i) {
            std::span<const Real> row = part.vectors->row(i);
            map.rows.push_back(format("%s, %ld", part.name, i));
            map.values.insert(map.values.end(), row.begin(), row.end());
        }
    }
    for (int64_t j = 0; j < own.starts.cols(); ++j) map.columns.push_back(std::to_string(j));
    map.scale = {.diverging = true, .label = "value"};
    return draw_heatmap({.title = "The vectors of the first start, before and after",
                         .x_label = "dimension of the embedding",
                         .y_label = "position",
                         .caption = "Columns of one colour after the climb: there the positions "
                                    "have come to agree."},
                        map);
}

Figure numbers_figure(const Arm& own, const Tensor& W_E) {
    std::vector<double> before = numbers_of(own.starts), after = numbers_of(own.climb.theta),
                        matrix = numbers_of(W_E);
    Interval range = range_of({before, after});
    Series curves[] = {shares("embedding matrix", matrix, range), shares("before", before, range),
                       shares("after", after, range)};
    return draw_lines({.title = "The numbers of the vectors",
                       .x_label = "value",
                       .y_label = "share",
                       .caption = "All starts and positions, in 40 bins. The starts have the "
                                  "matrix's standard deviation, but not its shape."},
                      curves);
}

Figure dimensions_figure(const Arms& arms) {
    std::vector<double> dims = orders_of_growth(arms.dims), own = orders_of_growth(arms.own);
    Interval range = range_of({dims, {mean(own), 2}});
    PlotOptions options = {.vertical = {{2, "the claim"}}};
    PlotMark dimension = {mean(own), format("dimension %ld", arms.own.target.dim)};
    if (std::isfinite(dimension.at)) options.vertical.insert(options.vertical.begin(), dimension);
    Series bars[] = {histogram(arms.dims.name, dims, range, 20)};
    return draw_lines({.title = "How many orders each dimension grows",
                       .x_label = "log10 of |end| over the median |start|",
                       .y_label = "dimensions",
                       .caption = "The document's dimension is one of many; the claim asks for 2."},
                      bars, options);
}

Figure neighbours_figure(const Arm& own) {
    // Draw the target and each neighbour, and the mean of all others.
    int64_t dim = own.target.dim, width = own.target.width;
    std::vector<Series> curves = {by_step(format("dimension %ld", dim), {}),
                                  by_step("mean of all others", {})};
    for (int64_t j = dim - n_neighbour; j <= dim + n_neighbour; ++j) {
        if (j >= 0 && j < width && j != dim) curves.push_back(by_step(format("%ld", j), {}));
    }
    for (const std::vector<double>& size : own.climb.sizes) {
        std::vector<double> others;
        size_t next = 2;
        for (int64_t j = 0; j < width; ++j) {
            bool is_near = std::abs(j - dim) <= n_neighbour;
            if (!is_near) others.push_back(size[j]);
            if (is_near && j != dim) curves[next++].y.push_back(size[j]);
        }
        curves[0].y.push_back(size[dim]);
        curves[1].y.push_back(others.empty() ? std::nan("") : mean(others));
    }
    for (Series& curve : curves) curve = by_step(curve.name, curve.y);
    return draw_lines({.title = "The target, its neighbours and all other dimensions",
                       .x_label = "step",
                       .y_label = "mean |value|",
                       .caption = "The five dimensions to either side, one by one. Suppressed "
                                  "neighbours would sink, and sink below the others."},
                      curves);
}

Figure others_figure(const Arm& own) {
    std::vector<double> before = other_coordinates(own.climb.before, own.target),
                        after = other_coordinates(own.climb.after, own.target);
    Interval range = range_of({before, after});
    Series curves[] = {shares("before", before, range), shares("after", after, range)};
    return draw_lines(
        {.title = "The target against all other dimensions",
         .x_label = "mean over positions",
         .y_label = "share",
         .caption = "Every other dimension of every start; the vertical line is the target's mean "
                    "after the climb."},
        curves, {.vertical = {{mean(own.ends()), format("dimension %ld", own.target.dim)}}});
}

Figure norms_figure(const std::vector<const Arm*>& arms) {
    std::vector<Series> series;
    for (const Arm* arm : arms) {
        series.push_back(by_step(format("lambda %g", arm->lambda), arm->climb.square_norm));
    }
    return draw_lines(
        {.title = format("The length of the vectors at the rate %g", arms[0]->learning_rate),
         .x_label = "step",
         .y_label = "|theta|^2",
         .caption = "Means over starts, by the weight of the L2 term."},
        series, {.log_y = true});
}

// --- decoding -----------------------------------------------------------------------------------

namespace {

/// Cosines in descending order against their rank; of neighbouring ranks only some are drawn.
Series ranked(const std::string& name, std::vector<double> cosines) {
    std::ranges::sort(cosines, std::greater<>());
    Series series = {name, {}, {}};
    for (size_t rank = 1; rank <= cosines.size(); rank = std::max(rank + 1, rank * 23 / 20)) {
        series.x.push_back(static_cast<double>(rank));
        series.y.push_back(cosines[rank - 1]);
    }
    return series;
}

}  // namespace

Figure strip_figure(const Arm& own, const Tensor& W_E, const Tokenizer& tokenizer) {
    // Name each curve by its best token.
    std::vector<Series> curves;
    for (int64_t i = 0; i < std::min<int64_t>(own.target.n_token, 5); ++i) {
        std::vector<double> cosines = token_cosines(W_E, own.climb.theta.row(i));
        auto best = static_cast<int>(std::ranges::max_element(cosines) - cosines.begin());
        std::string token = visible_text(tokenizer.token_bytes(best));
        curves.push_back(ranked(format("%ld: %s", i, token.c_str()), cosines));
    }
    curves.push_back(ranked("0 before the climb", token_cosines(W_E, own.starts.row(0))));
    return draw_lines({.title = "The cosine with every token, position by position",
                       .x_label = "rank of the token",
                       .y_label = "cosine",
                       .caption = "All tokens in the order of their cosine with a vector of the "
                                  "first start. The name is that of the first, which decoding "
                                  "takes. A token that stood for its vector would stand out from "
                                  "those that follow."},
                      curves, {.log_x = true});
}

Figure cosines_figure(const Cosines& cosines) {
    Series curves[] = {sorted_values("optimised", cosines.optimised),
                       sorted_values("random", cosines.isotropic),
                       sorted_values("random, like W_E", cosines.matched)};
    return draw_lines({.title = "Cosines with the nearest token",
                       .x_label = "best cosine of a window",
                       .y_label = "share at most as high",
                       .caption = "Random vectors: of equal variance in every direction, and with "
                                  "the mean and covariance of the embedding matrix."},
                      curves);
}

// --- tokens put in ------------------------------------------------------------------------------

namespace {

/// The mean of several searches, which all take the same steps.
Series mean_search(const std::string& name, const std::vector<SearchResult>& searches) {
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

}  // namespace

Figure search_figure(const Reached& r) {
    Series curves[] = {mean_search("guided", r.found.guided), mean_search("random", r.found.blind)};
    return draw_lines(
        {.title = "Searching for real tokens",
         .x_label = "passes",
         .y_label = "activation",
         .caption = "Swaps proposed by the gradient or at random, each evaluated. "
                    "Means; bands hold all searches."},
        curves,
        {.horizontal = {{r.text.best, "best of the text"}, {mean(r.optimised), "optimised"}}});
}

Figure losses_figure(const Losses& losses) {
    std::vector<Series> curves;
    if (!losses.decoded.empty()) {
        curves = {sorted_values("decoded", losses.decoded), sorted_values("random", losses.random),
                  sorted_values("drawn from a text", losses.drawn),
                  sorted_values("real text", losses.text)};
    }
    return draw_lines({.title = "How surprising the model finds each window",
                       .x_label = "nats per token",
                       .y_label = "share at most as high",
                       .caption = "The model's own loss, window by window. Tokens that make sense "
                                  "lie to the left, with the real text."},
                      curves);
}

Figure reached_figure(const Reached& r) {
    struct Input {
        const char* name;
        std::vector<double> values;
    };
    const Input inputs[] = {{"the vectors", r.optimised},
                            {"nearest tokens", r.decoded},
                            {"random tokens", r.random},
                            {"parts of a text", r.text.parts},
                            {"random search", values_of(r.found.blind)},
                            {"guided search", values_of(r.found.guided)}};
    Series dots = {"", {}, {}};
    PlotOptions options;
    for (const Input& input : inputs) {
        Interval range = central_95(input.values);
        dots.x.push_back(static_cast<double>(options.x_names.size()));
        dots.y.push_back(mean(input.values));
        dots.low.push_back(range.low);
        dots.high.push_back(range.high);
        options.x_names.push_back(input.name);
    }
    return draw_points({.title = "Activation by what is put in",
                        .x_label = "",
                        .y_label = "activation",
                        .caption = "Means; bars hold the central 95 % of the windows. How much of "
                                   "what the vectors gain over random tokens do their nearest "
                                   "tokens keep?"},
                       {&dots, 1}, options);
}

}  // namespace vimach::ch04
