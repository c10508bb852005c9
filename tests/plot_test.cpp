// Line and scatter plots (show/plot): what a histogram counts, and what the axes must hold. How
// series look, and what becomes of values that cannot be drawn: document_test.cpp.
#include "show/plot.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace vimach;

namespace {

/// The heights of a histogram's bins, from its outline: up and down at the edges of each.
std::vector<double> counts_of(const Series& outline) {
    std::vector<double> counts;
    for (size_t i = 1; i + 1 < outline.y.size(); i += 2) counts.push_back(outline.y[i]);
    return counts;
}

bool has_tick(const Figure& figure, const std::string& label) {
    return figure.html.find(">" + label + "</text>") != std::string::npos;
}

}  // namespace

TEST_CASE("histogram: every value within the range counts once, both ends included") {
    std::vector<double> values = {0, 0, 0.9, 1, 2.5, 4, 4, 4, -0.1, 4.1};
    Series outline = histogram("h", values, {0, 4}, 4);
    CHECK(counts_of(outline) == std::vector<double>{3, 1, 1, 3});
    CHECK(outline.x.front() == 0);
    CHECK(outline.x.back() == 4);
    CHECK(outline.y.front() == 0);
    CHECK(outline.y.back() == 0);
}

TEST_CASE("plot: an interval without ends has dashes for them") {
    double inf = std::numeric_limits<double>::infinity();
    Series one[] = {{"one run", {0}, {2}, {-inf}, {inf}}};
    Figure figure = draw_lines({.title = "t", .x_label = "x", .y_label = "y"}, one);
    CHECK(figure.data.rows[0] == std::vector<std::string>{"0", "2", "-", "-"});
}

TEST_CASE("plot: the axis holds both ends of every interval") {
    std::vector<Series> series = {{.name = "up", .x = {1, 2}, .y = {1, 2}}};
    series[0].low = {0, 1};
    series[0].high = {2, 100};
    CHECK(has_tick(draw_lines({.title = "t"}, series), "100"));
    CHECK(has_tick(draw_points({.title = "t"}, series), "100"));
    series[0].low = {-100, 1};
    series[0].high = {2, 3};
    CHECK(has_tick(draw_lines({.title = "t"}, series), "−100"));
    CHECK(has_tick(draw_points({.title = "t"}, series), "−100"));
}
