// The figures of chapter 5; see figures.h.
// Nothing is computed here but what a figure needs.
#include "figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ensure.h"
#include "math/blas.h"
#include "show/heatmap.h"
#include "show/plot.h"

namespace vimach::ch05 {

namespace {

constexpr int64_t most_neurons = 512, most_axes = 64;

Series counted(const char* name, std::span<const double> y) {
    Series series = {name, {}, {y.begin(), y.end()}};
    for (size_t i = 0; i < y.size(); ++i) series.x.push_back(static_cast<double>(i + 1));
    return series;
}

/// Rows and columns `which` of a square matrix, as a heatmap.
Figure square_heatmap(const std::string& title, const Matrix& m, const std::vector<int64_t>& which,
                      const PlotText& text) {
    Heatmap map = {.scale = {.diverging = true, .label = "covariance"}};
    for (int64_t i : which) {
        map.rows.push_back(std::to_string(i));
        map.columns.push_back(std::to_string(i));
        for (int64_t j : which) map.values.push_back(m.at(i, j));
    }
    return draw_heatmap({.title = title, .x_label = text.x_label, .y_label = text.y_label}, map);
}

/// A measure of log10 as a ratio.
Measure as_ratio(const Measure& log10_measure) {
    auto power = [](double x) { return std::pow(10, x); };
    return {power(log10_measure.value),
            {power(log10_measure.interval.low), power(log10_measure.interval.high)}};
}

}  // namespace

Figure activations_figure(const Pairs& pairs) {
    int64_t step = (pairs.him.cols + most_neurons - 1) / most_neurons;
    Heatmap map = {.scale = {.diverging = true, .label = "mlp_pre"}};
    for (int64_t j = 0; j < pairs.him.cols; j += step) map.columns.push_back(std::to_string(j));
    for (const Matrix* sample : {&pairs.him, &pairs.her}) {
        for (int64_t i = 0; i < sample->rows; ++i) {
            map.rows.push_back(format("%s %ld", sample == &pairs.him ? "him" : "her", i + 1));
            for (int64_t j = 0; j < sample->cols; j += step) {
                map.values.push_back(sample->at(i, j));
            }
        }
    }
    std::string every = step == 1 ? "every neuron" : format("one neuron in %ld", step);
    return draw_heatmap({.title = "Activations at the pronoun",
                         .x_label = "neuron",
                         .y_label = "sentence",
                         .caption = "Sentences with him above, the same with her below; " + every +
                                    ". A column of one colour is a neuron that does not mind the "
                                    "sentence; one that changes half way down tells him from her."},
                        map);
}

Figure covariances_figure(const Matrix& s, const Matrix& r, const PlotText& text) {
    // Take the axes of largest variance, and show them in their own order.
    std::vector<int64_t> axes(static_cast<size_t>(s.rows));
    std::iota(axes.begin(), axes.end(), 0);
    auto total = [&](int64_t i) { return s.at(i, i) + r.at(i, i); };
    std::ranges::stable_sort(axes, [&](int64_t a, int64_t b) { return total(a) > total(b); });
    axes.resize(static_cast<size_t>(std::min(s.rows, most_axes)));
    std::ranges::sort(axes);

    Matrix difference = s;
    for (size_t k = 0; k < r.data.size(); ++k) difference.data[k] -= r.data[k];
    std::string by = ", by " + text.x_label;
    const Figure parts[] = {square_heatmap("him" + by, s, axes, text),
                            square_heatmap("her" + by, r, axes, text),
                            square_heatmap("him - her" + by, difference, axes, text)};
    PlotText whole = {.title = text.title,
                      .caption =
                          "Each panel has a colour scale of its own. What the filters can "
                          "use is in the difference."};
    if (s.rows > most_axes) {
        whole.caption += format(" The %ld axes of largest variance of %ld.", most_axes, s.rows);
    }
    return panels(whole, parts);
}

Figure cumulative_figure(const Pca& pca, double share) {
    std::vector<double> sums(pca.variances.size());
    std::partial_sum(pca.variances.begin(), pca.variances.end(), sums.begin());
    for (double& sum : sums)
        sum /= std::accumulate(pca.variances.begin(), pca.variances.end(), 0.0);
    Series line[] = {counted("variance", sums)};
    auto cut = [&](ShareRule rule) {
        return static_cast<double>(components_for_share(pca.variances, share, rule));
    };
    return draw_lines(
        {.title = "Variance that the first components carry",
         .x_label = "components",
         .y_label = "share of the variance",
         .caption = "The document keeps the first count that reaches the share, the notebook the "
                    "last one that stays below it."},
        line,
        {.vertical = {{cut(ShareRule::stay_below), "stays below"},
                      {cut(ShareRule::reach), "reached"}},
         .horizontal = {{share, format("%.0f %%", 100 * share)}}});
}

Figure spectra_figure(const Eigen& for_him, const Eigen& for_her, const SwapTest& swaps) {
    Series spectra[] = {counted("him > her", for_him.values), counted("her > him", for_her.values),
                        counted("him > her, swapped", swaps.one_for_him.values),
                        counted("her > him, swapped", swaps.one_for_her.values)};
    return draw_lines({.title = "Eigenspectra, in sample",
                       .x_label = "filter",
                       .y_label = "eigenvalue",
                       .caption = "How far the lines stand out from those of one random swap of "
                                  "him and her within pairs; the rest of their shape comes from "
                                  "the number of sentences."},
                      spectra, {.log_y = true});
}

Figure sentences_figure(const Pairs& pairs, const Matrix& V, const BothWays& filters, bool centre) {
    std::vector<double> middle = column_means(pairs.him), her_mean = column_means(pairs.her);
    for (size_t j = 0; j < middle.size(); ++j) {
        middle[j] = centre ? (middle[j] + her_mean[j]) / 2 : 0;
    }
    Matrix him = product(centred(pairs.him, middle), V, false, true),
           her = product(centred(pairs.her, middle), V, false, true);
    auto panel = [&](const char* title, std::span<const double> w) {
        Series both[] = {counted("him", along(him, w)), counted("her", along(her, w))};
        return draw_points({.title = title, .x_label = "sentence", .y_label = "projection"}, both);
    };
    const Figure parts[] = {panel("along him > her", filters.for_him.vectors.row(0)),
                            panel("along her > him", filters.for_her.vectors.row(0))};
    return panels({.title = "The sentences along both filters, in sample",
                   .caption = "The document's picture: him is to spread along him > her and her "
                              "not, and the reverse along her > him. The filters were made from "
                              "these sentences."},
                  parts);
}

Figure pair_figure(const std::vector<std::string>& tokens, const TokenPair& pair,
                   std::span<const double> direction) {
    // Each token has its place on the axis; the first one is an outlier in every text.
    std::vector<double> along_him = along(pair.him, direction),
                        along_her = along(pair.her, direction);
    Series him = {.name = "him", .x = {}, .y = {}}, her = {.name = "her", .x = {}, .y = {}};
    PlotOptions options;
    for (size_t t = 1; t < tokens.size(); ++t) {
        him.x.push_back(static_cast<double>(t - 1));
        him.y.push_back(along_him[t]);
        her.y.push_back(along_her[t]);
        him.low.push_back(std::min(along_him[t], along_her[t]));
        him.high.push_back(std::max(along_him[t], along_her[t]));
        options.x_names.push_back(tokens[t]);
    }
    her.x = him.x;
    options.vertical = {{static_cast<double>(pair.pronoun - 1), "the pronoun"}};
    const Series both[] = {him, her};
    return draw_points(
        {.title = "A pair of sentences along him > her, on a pair left out",
         .x_label = "token",
         .y_label = "projection",
         .caption = "Bars join him and her. In front of the pronoun both are the "
                    "same; the document expects a bar at the pronoun alone, from one "
                    "end of the axis to the other. The first token is left out."},
        both, options);
}

Figure patterns_figure(std::span<const double> him, std::span<const double> her) {
    Series neurons[] = {{"", {him.begin(), him.end()}, {her.begin(), her.end()}}};
    return draw_points(
        {.title = format("Patterns of both filters, r = %.4f", correlation(him, her)),
         .x_label = "pattern of him > her",
         .y_label = "pattern of her > him",
         .caption = "A pattern is what the source of a filter looks like in the "
                    "neurons (S w). The nearer the points lie to a line through 0, "
                    "the more of the same both filters read."},
        neurons);
}

std::string answer_text(const Eigen& for_him, const SwapTest& swaps, const Measure& left_out,
                        const Control& untrained) {
    double largest = for_him.values[0];
    std::string text = format(
        "in the sentences that the filter was made from, his variance along it is %.1f "
        "times hers (%s under swaps); on pairs left out it ",
        largest, p_text(largest, swaps.for_him).c_str());
    Measure ratio = as_ratio(left_out);
    if (!std::isfinite(ratio.value)) return text + "cannot be measured.";
    text +=
        format("is %.2f times [%.2f, %.2f]", ratio.value, ratio.interval.low, ratio.interval.high);
    double other = as_ratio(untrained.measure).value;
    if (!std::isfinite(other)) return text + ".";
    return text + format(", and %.2f times in an untrained model.", other);
}

Figure ratios_figure(const Eigen& for_him, const Eigen& for_her, const SwapTest& swaps,
                     const Measure& left_out, const std::vector<Control>& controls) {
    std::vector<std::pair<std::string, Measure>> rows = {
        {"him > her", exact_measure(for_him.values[0])},
        {"her > him", exact_measure(for_her.values[0])},
        {"swapped", labels_swapped(swaps.for_him).measure},
        {"left out", as_ratio(left_out)}};
    for (const Control& control : controls) {
        bool null = control.kind == Control::Kind::null;
        rows.emplace_back(null ? "left out, swapped" : "left out, untrained",
                          as_ratio(control.measure));
    }
    Series ratios = {.name = "", .x = {}, .y = {}};
    PlotOptions options = {.log_y = true, .horizontal = {{10, "needed: 10"}, {1, "equal"}}};
    for (const auto& [name, ratio] : rows) {
        ratios.x.push_back(static_cast<double>(options.x_names.size()));
        ratios.y.push_back(ratio.value);
        ratios.low.push_back(ratio.interval.low);
        ratios.high.push_back(ratio.interval.high);
        options.x_names.push_back(name);
    }
    const Series all[] = {ratios};
    return draw_points(
        {.title = "How many times the variance of the other pronoun",
         .x_label = "",
         .y_label = "ratio of variances",
         .caption = "On the left in sample: the largest eigenvalue of either filter, "
                    "and of him > her where labels are swapped. On the right what "
                    "is left on pairs left out, the smaller of both directions. "
                    "Bars: 95 % intervals; of swaps, their central 95 %."},
        all, options);
}

}  // namespace vimach::ch05
