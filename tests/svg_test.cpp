// Axes and colours of show/svg: ticks are round and cover the range whatever it is; colours order
// values by lightness, and what is written on them can be read.
#include "show/svg.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/ensure.h"
#include "core/rng.h"
#include "show/document.h"
#include "show/plot.h"

using namespace vimach;

namespace {

bool contains(const std::string& text, const char* part) { return text.find(part) != text.npos; }

std::string between(const std::string& text, const std::string& begin, const char* end, size_t at) {
    size_t from = text.find(begin, at) + begin.size();
    return text.substr(from, text.find(end, from) - from);
}

double luminance(unsigned colour) {
    double sum = 0, weights[] = {0.2126, 0.7152, 0.0722};
    for (int k = 0; k < 3; ++k) {
        double c = (colour >> (16 - 8 * k) & 0xFF) / 255.0;
        sum += weights[k] * (c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

double contrast(unsigned a, unsigned b) {
    double light = std::max(luminance(a), luminance(b)),
           dark = std::min(luminance(a), luminance(b));
    return (light + 0.05) / (dark + 0.05);
}

/// The page's custom colour of a name, light or dark.
unsigned page_colour(const std::string& page, const std::string& name, bool dark) {
    size_t at = dark ? page.find("prefers-color-scheme") : 0;
    std::string digits = between(page, "--" + name + ": #", ";", at);
    if (digits.size() == 3) {
        digits = {digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]};
    }
    return static_cast<unsigned>(std::strtoul(digits.c_str(), nullptr, 16));
}

/// Whether the difference of two ticks is 1, 2 or 5 times a power of ten.
bool is_round(double step) {
    double mantissa = step / std::pow(10, std::floor(std::log10(step * (1 + 1e-9))));
    return std::fabs(mantissa - 1) < 1e-4 || std::fabs(mantissa - 2) < 1e-4 ||
           std::fabs(mantissa - 5) < 1e-4;
}

}  // namespace

// --- axes ---------------------------------------------------------------------------------------

TEST_CASE("ticks are round, ascending, and cover the range") {
    Rng rng(2);
    for (int trial = 0; trial < 2000; ++trial) {
        double size = std::pow(10, 40 * rng.uniform() - 20);
        double low = size * rng.normal(), high = low + size * rng.uniform() + size / 1e4;
        CAPTURE(low);
        CAPTURE(high);
        Axis axis = make_axis(low, high);
        REQUIRE(axis.ticks.size() >= 3);
        CHECK(axis.ticks.size() <= 12);
        CHECK(axis.low <= low + 1e-6 * (high - low));
        CHECK(axis.high >= high - 1e-6 * (high - low));
        CHECK(axis.low == axis.ticks.front().value);
        CHECK(axis.high == axis.ticks.back().value);
        for (size_t i = 1; i < axis.ticks.size(); ++i) {
            CHECK(is_round(axis.ticks[i].value - axis.ticks[i - 1].value));
            CHECK(axis.ticks[i].label != axis.ticks[i - 1].label);
        }
    }
}

TEST_CASE("tick labels say the tick's value") {
    auto labels = [](double low, double high) {
        std::string all;
        for (const Tick& tick : make_axis(low, high, {.n_tick = 4}).ticks) all += tick.label + " ";
        return all;
    };
    CHECK(labels(-1, 1) == "−1.0 −0.5 0 0.5 1.0 ");
    CHECK(labels(0, 40) == "0 10 20 30 40 ");
    CHECK(labels(0, 2e-5) == "0 5×10⁻⁶ 1.0×10⁻⁵ 1.5×10⁻⁵ 2.0×10⁻⁵ ");
    CHECK(labels(1e7, 1.2e7) == "1.00×10⁷ 1.05×10⁷ 1.10×10⁷ 1.15×10⁷ 1.20×10⁷ ");
}

TEST_CASE("logarithmic ticks cover the range and stay positive") {
    Rng rng(3);
    for (int trial = 0; trial < 2000; ++trial) {
        double low = std::pow(10, 80 * rng.uniform() - 40);
        double high = low * std::pow(10, 12 * rng.uniform() * rng.uniform());
        CAPTURE(low);
        CAPTURE(high);
        Axis axis = make_axis(low, high, {.log = true});
        CHECK(axis.low > 0);
        CHECK(axis.low <= low * (1 + 1e-6));
        CHECK(axis.high >= high * (1 - 1e-6));
        CHECK(axis.ticks.size() >= 2);
        CHECK(axis.ticks.size() <= 12);
        CHECK(axis.fraction(std::sqrt(axis.low) * std::sqrt(axis.high)) == doctest::Approx(0.5));
        CHECK(make_axis(low, high, {.log = true, .tight = true}).high <= axis.high);
    }
}

TEST_CASE("axes without extent or of extreme extent are still axes") {
    for (double value : {0.0, 5.0, -3e-200, 9e299, 1e-320}) {
        Axis axis = make_axis(value, value, {.tight = true});
        CHECK(axis.low < axis.high);
        CHECK(axis.fraction(value) == doctest::Approx(0.5).epsilon(0.2));
    }
    CHECK(make_axis(2, 2, {.log = true}).low > 0);
    CHECK(make_axis(3.1, 3.9, {.log = true}).ticks.size() >= 4);
    CHECK(make_axis(-9e299, 9e299).fraction(0) == doctest::Approx(0.5));
    CHECK(make_axis(1e9, 1e9 + 1e-7).ticks.size() >= 3);
    CHECK(make_axis(0, 1).fraction(NAN) == 0);
    CHECK(make_axis(0, 1).fraction(7) == 1);
    CHECK(make_axis(3, 11, {.tight = true}).low == 3);
    CHECK(make_axis(3, 11, {.tight = true}).ticks.front().value >= 3);
    CHECK_THROWS_AS(make_axis(2, 1), Error);
    CHECK_THROWS_AS(make_axis(0, 1, {.log = true}), Error);
    CHECK_THROWS_AS(make_axis(0, INFINITY), Error);
}

// --- colours ------------------------------------------------------------------------------------

TEST_CASE("colours order values by lightness, growing away from the page") {
    for (bool dark : {false, true}) {
        double sign = dark ? 1 : -1;
        for (int step = 1; step < n_colour; ++step) {
            double change = luminance(colour_value(false, dark, step)) -
                            luminance(colour_value(false, dark, step - 1));
            CHECK(sign * change > 0);
            double outwards = luminance(colour_value(true, dark, step)) -
                              luminance(colour_value(true, dark, step - 1));
            CHECK(sign * outwards * (step > n_colour / 2 ? 1 : -1) > 0);
        }
    }
}

TEST_CASE("text on colours and colours on the page can be read") {
    for (bool dark : {false, true}) {
        std::string rules = colour_rules(dark);
        CHECK(std::ranges::count(rules, '\n') == 2 * n_colour);
        for (size_t at = rules.find("{fill:#"); at != rules.npos;
             at = rules.find("{fill:#", at + 1)) {
            auto fill = std::strtoul(rules.c_str() + at + 7, nullptr, 16);
            bool black = between(rules, ";color:", "}", at) == "#000";
            CHECK(contrast(static_cast<unsigned>(fill), black ? 0 : 0xFFFFFF) >= 4.5);
        }

        std::string page = html_document("", "");
        CHECK(contains(page, rules.c_str()));
        CHECK((page.find(rules) > page.find("prefers-color-scheme")) == dark);
        unsigned paper = page_colour(page, "page", dark);
        for (int k = 0; k < 6; ++k) {
            CHECK(contrast(page_colour(page, format("s%d", k), dark), paper) >= 4.5);
        }
        CHECK(contrast(page_colour(page, "ink", dark), paper) >= 7);
        CHECK(contrast(page_colour(page, "soft", dark), paper) >= 4.5);
    }
}

TEST_CASE("a colour scale fits the finite values") {
    std::vector<double> values = {2, NAN, -3, INFINITY, 1};
    ColourScale scale = fit_scale({}, values);
    CHECK(scale.low == -3);
    CHECK(scale.high == 2);
    CHECK(colour_step(scale, -3) == 0);
    CHECK(colour_step(scale, 2) == n_colour - 1);
    CHECK(colour_step(scale, INFINITY) == n_colour - 1);
    CHECK(colour_step(scale, -1e308) == 0);
    CHECK(colour_class(scale, 4) == "q4");

    ColourScale signed_scale = fit_scale({.diverging = true}, values);
    CHECK(signed_scale.low == -3);
    CHECK(signed_scale.high == 3);
    CHECK(colour_step(signed_scale, 0) == n_colour / 2);
    CHECK(colour_class(signed_scale, 4) == "d4");

    std::vector<double> same = {7, 7}, none = {NAN};
    CHECK(fit_scale({}, same).low < fit_scale({}, same).high);
    CHECK(fit_scale({}, none).low < fit_scale({}, none).high);
    CHECK(fit_scale({.diverging = true}, none).high > 0);
    CHECK(fit_scale({.low = 9}, same).high >= 9);
    CHECK_THROWS_WITH_AS(fit_scale({.low = 2, .high = 1, .label = "loss"}, same),
                         doctest::Contains("(loss)"), Error);
}

TEST_CASE("a legend names the ends of its scale and what goes beyond") {
    std::vector<double> inside = {0, 4, 8}, outside = {-1, 9, NAN};
    ColourScale scale = {.low = 0, .high = 8, .label = "loss, nats"};
    std::string html = colour_legend(scale, inside);
    CHECK(contains(html, "loss, nats"));
    CHECK(contains(html, "<span>0 <svg"));
    CHECK(contains(html, "</svg> 8</span>"));
    CHECK(!contains(html, "no value"));
    html = colour_legend(scale, outside);
    CHECK(contains(html, "<span>≤ 0 <svg"));
    CHECK(contains(html, "</svg> ≥ 8</span>"));
    CHECK(contains(html, "no value"));
}

TEST_CASE("a figure as a file is one drawing with its style") {
    std::vector<Series> series = {{.name = "a < b", .x = {1, 2, 3}, .y = {3, 1, 2}}};
    std::string svg = svg_file(draw_lines({.title = "loss"}, series, {}));
    CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(svg.find("<svg", 1) == svg.npos);
    CHECK(svg.find("<div") == svg.npos);
    CHECK(contains(svg, "a &lt; b"));
    CHECK(svg.find("<style>") < svg.find("<desc>"));
    CHECK(contains(svg, "prefers-color-scheme: dark"));
    CHECK_THROWS_AS(svg_file({}), Error);
}
