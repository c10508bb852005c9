// Chapter 4's tables and figures; see 04_page.h.
// Histograms are drawn as lines, so that two of them can lie over each other.
#include "04_page.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/ensure.h"
#include "math/stats.h"

namespace vimach::actmax {

namespace {

/// The share of values in each of n bins from low to high.
Series histogram(const char* name, std::span<const Real> values, double low, double high) {
    constexpr int64_t n = 40;
    Series series = {name, {}, std::vector<double>(n)};
    for (int64_t i = 0; i < n; ++i) {
        series.x.push_back(low + (static_cast<double>(i) + 0.5) * (high - low) / n);
    }
    for (Real value : values) {
        auto bin = static_cast<int64_t>((value - low) / (high - low) * n);
        series.y[std::clamp<int64_t>(bin, 0, n - 1)] += 1 / static_cast<double>(values.size());
    }
    return series;
}

}  // namespace

Table way_table(const Climb& climb) {
    Table table = {.header = {"step", "activation", "gradient norm", "norm squared"}};
    auto last = static_cast<int64_t>(climb.a.size()) - 1;
    for (int64_t step : std::set<int64_t>{0, last / 16, last / 8, last / 4, last / 2, last}) {
        add_row(table,
                {std::to_string(step), format("%.4f", climb.a[step]),
                 format("%.4f", climb.gradient_norm[step]), format("%.2f", climb.squares[step])});
    }
    return table;
}

Table climb_table(const std::vector<NamedClimb>& climbs, const std::vector<double>& deviation,
                  int64_t n_start) {
    Table table = {.header = {"climb", "start", "end", "in deviations", "log10 growth",
                              "norm squared grows by"}};
    for (size_t i = 0; i < climbs.size(); ++i) {
        const Climb& climb = *climbs[i].climb;
        add_row(
            table,
            {climbs[i].name, format("%.4f", mean(climb.a_start)), format("%.4f", mean(climb.a_end)),
             format("%.2f", mean(deviations(climb, deviation[i]))),
             format("%.2f", mean(orders(climb))), format("%.3f", mean(growth(climb, n_start)))});
    }
    return table;
}

std::string tokens_text(const Tokenizer& tokenizer, std::span<const int> ids) {
    std::string out;
    for (int id : ids) {
        out += (out.empty() ? "" : "|") + visible_text(tokenizer.token_bytes(id), false);
    }
    return out;
}

Table decoded_table(const Tokenizer& tokenizer, const std::vector<Decoded>& decoded,
                    int64_t n_token, int64_t n_start) {
    Table table = {.header = {"start", "position", "nearest tokens, with their cosines"}};
    for (int64_t i = 0; i < n_start * n_token; ++i) {
        std::string text;
        for (size_t k = 0; k < decoded[i].ids.size(); ++k) {
            std::string_view token = tokenizer.token_bytes(decoded[i].ids[k]);
            text += (k ? ", " : "") + visible_text(token) + format(" %.3f", decoded[i].cosines[k]);
        }
        add_row(table, {std::to_string(i / n_token), std::to_string(i % n_token), text});
    }
    return table;
}

Table put_back_table(const std::vector<NamedActivations>& sets, double deviation) {
    Table table = {.header = {"put in", "mean", "highest", "highest in deviations", "example"}};
    for (const NamedActivations& set : sets) {
        double high = std::ranges::max(set.values);
        add_row(table, {set.name, format("%.4f", mean(set.values)), format("%.4f", high),
                        format("%.2f", high / deviation), set.example});
    }
    return table;
}

void draw_way(Report& report, const std::vector<NamedClimb>& climbs) {
    std::vector<Series> curves;
    for (const NamedClimb& named : climbs) {
        Series series = {named.name, {}, named.climb->a};
        for (size_t i = 0; i < series.y.size(); ++i) series.x.push_back(static_cast<double>(i));
        curves.push_back(series);
    }
    report.line_plot({.title = "The activation on the way up",
                      .x_label = "step",
                      .y_label = "activation",
                      .caption = "Means over starts."},
                     curves);
}

void draw_values(Report& report, const Climb& climb, const Tensor& W_E) {
    double high = 0;
    for (Real value : climb.theta.data) high = std::max(high, std::abs(double{value}));
    Series three[] = {histogram("tokens", W_E.data, -high, high),
                      histogram("start", climb.start.data, -high, high),
                      histogram("end", climb.theta.data, -high, high)};
    report.line_plot({.title = "The numbers of an embedding",
                      .x_label = "value",
                      .y_label = "share",
                      .caption = "Of all tokens, of the random starts, and of what the climb made "
                                 "of them."},
                     three);
}

void draw_dimensions(Report& report, const Climb& climb, int64_t dim) {
    auto means = [](const Tensor& hooked) {
        std::vector<Real> out(static_cast<size_t>(hooked.cols()));
        for (int64_t i = 0; i < hooked.rows(); ++i) {
            for (int64_t j = 0; j < hooked.cols(); ++j) {
                out[j] += hooked.row(i)[j] / static_cast<Real>(hooked.rows());
            }
        }
        return out;
    };
    std::vector<Real> before = means(climb.hooked_start), after = means(climb.hooked);
    auto [low, high] = std::ranges::minmax(after);
    Series two[] = {histogram("start", before, low, high), histogram("end", after, low, high)};
    report.line_plot({.title = "The target among all dimensions",
                      .x_label = "activation, mean over starts and tokens",
                      .y_label = "share of dimensions"},
                     two,
                     {.vertical = {{double{before[dim]}, "target, start"},
                                   {double{after[dim]}, "target, end"}}});
}

void draw_search(Report& report, const std::vector<double>& by_gradient, int64_t forward_per_step,
                 const std::vector<double>& at_random, int64_t forward_per_random_step) {
    auto curve = [](const char* name, const std::vector<double>& y, int64_t each) {
        Series series = {name, {}, y};
        for (size_t i = 0; i < y.size(); ++i) {
            series.x.push_back(static_cast<double>(static_cast<int64_t>(i + 1) * each));
        }
        return series;
    };
    Series two[] = {curve("guided by the gradient", by_gradient, forward_per_step),
                    curve("at random", at_random, forward_per_random_step)};
    report.line_plot({.title = "Search among real tokens",
                      .x_label = "windows run forward",
                      .y_label = "best activation",
                      .caption = "A gradient counts as three."},
                     two);
}

}  // namespace vimach::actmax
