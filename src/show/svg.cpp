// Axes, colour scales and elements; see show/svg.h.
// Round steps: Heckbert 1990, "Nice numbers for graph labels", Graphics Gems.
#include "show/svg.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/ensure.h"

namespace vimach {

namespace {

constexpr double letter_width = 7.44;  // of a letter at 12 px, in a wide font

// --- ticks --------------------------------------------------------------------------------------

/// 1, 2 or 5 times a power of ten, whichever is about `step`.
double round_step(double step) {
    double power = std::pow(10, std::floor(std::log10(step)));
    double factor = step / power;
    return power * (factor < 1.5 ? 1 : factor < 3 ? 2 : factor < 7.5 ? 5 : 10);
}

int exponent_of(double value) {
    return value == 0 ? 0 : static_cast<int>(std::floor(std::log10(std::fabs(value)) + 1e-9));
}

/// "12.5", or "1.25×10⁻⁷" where plain digits would be long; exact to `step`.
std::string tick_label(double value, double step, double largest) {
    static const char* const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    std::string sign = value < 0 ? "−" : "";
    double size = std::fabs(value);
    if (size < step / 1e6) return "0";
    if (largest < 1e6 && step > 0.9e-4) {
        return sign + format("%.*f", std::max(0, -exponent_of(step)), size);
    }

    int exponent = exponent_of(size);
    int digits = std::clamp(exponent - exponent_of(step), 0, 9);
    std::string mantissa = format("%.*f", digits, size / std::pow(10, exponent));
    std::string power = exponent < 0 ? "⁻" : "";
    for (char digit : std::to_string(std::abs(exponent))) power += raised[digit - '0'];
    return sign + (mantissa == "1" ? "" : mantissa + "×") + "10" + power;
}

/// Multiples of a round step from the last at or below `low` to the first at or above `high`.
std::vector<Tick> linear_ticks(double low, double high, int n_tick) {
    double step = round_step(high / n_tick - low / n_tick);
    double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
    double largest = std::max(std::fabs(first), std::fabs(last)) * step;
    std::vector<Tick> ticks;
    for (int k = 0; k <= static_cast<int>(last - first); ++k) {
        double value = (first + k) * step;
        ticks.push_back({value, tick_label(value, step, largest)});
    }
    return ticks;
}

/// The same for 0 < low < high: powers of ten, with 2 and 5 times them where they are few.
std::vector<Tick> log_ticks(double low, double high, int n_tick) {
    if (high / low < 3) return linear_ticks(low, high, std::max(n_tick, 6));  // all above 0
    int first = exponent_of(low), last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
    int stride = 1 + (last - first) / (n_tick + 2);
    bool fine = last - first <= 2;

    std::vector<Tick> ticks;
    for (int power = first; power < last + stride; power += stride) {
        for (double factor : {1.0, 2.0, 5.0}) {
            double value = factor * std::pow(10, power);
            bool needed = (factor == 1 || fine) && std::isfinite(value);
            if (needed) ticks.push_back({value, tick_label(value, value, value)});
        }
    }

    // Leave out what lies more than one tick beyond the range.
    while (ticks.size() > 2 && ticks[1].value <= low * (1 + 1e-9)) ticks.erase(ticks.begin());
    while (ticks.size() > 2 && ticks[ticks.size() - 2].value >= high * (1 - 1e-9)) {
        ticks.pop_back();
    }
    return ticks;
}

// --- colours ------------------------------------------------------------------------------------

using Stops = std::array<unsigned, 5>;

// Lightness runs one way along each sequential scale and both ways from the middle of each
// diverging one; blue and orange are told apart with every common colour vision.
constexpr Stops light_sequential = {0xF4F1E1, 0xBFDAC2, 0x5FA9B5, 0x2B6699, 0x1A2759};
constexpr Stops dark_sequential = {0x232A36, 0x27506F, 0x2F8793, 0x8CC8A0, 0xF6F1C4};
constexpr Stops light_diverging = {0x143F7D, 0x6FA8D8, 0xF3F3F0, 0xEB9A56, 0x863605};
constexpr Stops dark_diverging = {0xB5D7FF, 0x3C78B8, 0x262A31, 0xBB6326, 0xFFCF9E};

double linear_light(unsigned byte) {
    double c = byte / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

/// Relative luminance, WCAG 2.2.
double luminance(unsigned colour) {
    return 0.2126 * linear_light(colour >> 16) + 0.7152 * linear_light(colour >> 8 & 0xFF) +
           0.0722 * linear_light(colour & 0xFF);
}

/// Black or white, whichever reads better on a colour: they contrast equally at 0.179.
const char* text_on(unsigned colour) { return luminance(colour) > 0.179 ? "#000" : "#fff"; }

}  // namespace

// --- axes ---------------------------------------------------------------------------------------

double Axis::fraction(double value) const {
    if (std::isnan(value)) return 0;
    if (value <= low) return 0;
    if (value >= high) return 1;
    if (log) return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
    return (value - low) / (high - low);
}

bool has_place(double value, bool log) {
    return std::fabs(value) < 1e300 && (!log || value > 1e-300);
}

Axis make_axis(double low, double high, const AxisOptions& options) {
    ensure(has_place(low, options.log) && has_place(high, options.log) && low <= high,
           "no axis runs over such a range", "make_axis", "pass finite ends, the lower one first");

    // Widen what has no extent: by a tenth, or to -1 ... 1 around zero.
    double size = std::max(std::fabs(low), std::fabs(high));
    bool tight = options.tight;
    if (high - low <= std::max(1e-9 * size, 1e-290)) {
        double margin = size > 1e-280 ? size / 10 : options.log ? low / 10 : 1;
        low -= margin;
        high += margin;
        tight = false;
    }

    auto ticks = options.log ? log_ticks(low, high, options.n_tick)
                             : linear_ticks(low, high, options.n_tick);
    if (!tight) return {ticks.front().value, ticks.back().value, options.log, ticks};
    std::erase_if(ticks, [&](const Tick& tick) { return tick.value < low || tick.value > high; });
    return {low, high, options.log, ticks};
}

// --- colours ------------------------------------------------------------------------------------

ColourScale fit_scale(const ColourScale& scale, std::span<const double> values) {
    double low = scale.low, high = scale.high, least = 1e300, most = -1e300;
    for (double value : values) {
        if (!has_place(value, false)) continue;
        least = std::min(least, value);
        most = std::max(most, value);
    }
    if (least > most) least = 0, most = 1;
    if (!std::isfinite(low)) low = least;
    if (!std::isfinite(high)) high = std::max(most, low);
    if (low > high) {
        fail(format("the colour scale runs from %g down to %g", low, high), scale.label,
             "pass its lower end first");
    }

    ColourScale fitted = scale;
    fitted.low = low;
    fitted.high = high;
    double size = std::max(std::fabs(low), std::fabs(high));
    if (scale.diverging) {
        fitted.high = size > 0 ? size : 1;
        fitted.low = -fitted.high;
    } else if (high - low <= 1e-9 * size) {
        fitted.high = low + std::max(size / 10, 1e-3);
    }
    return fitted;
}

int colour_step(const ColourScale& scale, double value) {
    Axis axis = {.low = scale.low, .high = scale.high, .log = false, .ticks = {}};
    return static_cast<int>(std::lround(axis.fraction(value) * (n_colour - 1)));
}

std::string colour_class(const ColourScale& scale, int step) {
    return format("%c%d", scale.diverging ? 'd' : 'q', step);
}

unsigned colour_value(bool diverging, bool dark, int step) {
    const Stops& stops = diverging ? (dark ? dark_diverging : light_diverging)
                                   : (dark ? dark_sequential : light_sequential);
    double at = 4.0 * step / (n_colour - 1);
    int stop = std::min(static_cast<int>(at), 3);
    unsigned colour = 0;
    for (int shift : {16, 8, 0}) {
        double from = stops[stop] >> shift & 0xFF, to = stops[stop + 1] >> shift & 0xFF;
        colour |= static_cast<unsigned>(std::lround(from + (at - stop) * (to - from))) << shift;
    }
    return colour;
}

std::string colour_rules(bool dark) {
    std::string rules;
    for (bool diverging : {false, true}) {
        for (int step = 0; step < n_colour; ++step) {
            unsigned colour = colour_value(diverging, dark, step);
            rules += format(".%c%d{fill:#%06x;background:#%06x;color:%s}\n", diverging ? 'd' : 'q',
                            step, colour, colour, text_on(colour));
        }
    }
    return rules;
}

std::string colour_legend(const ColourScale& scale, std::span<const double> values) {
    bool below = std::ranges::any_of(values, [&](double v) { return v < scale.low; });
    bool above = std::ranges::any_of(values, [&](double v) { return v > scale.high; });
    std::string low = (below ? "≤ " : "") + number_text(scale.low, 3);
    std::string high = (above ? "≥ " : "") + number_text(scale.high, 3);

    std::string out = "<p class=\"legend\">";
    if (!scale.label.empty()) out += "<span>" + escape_text(local(scale.label)) + "</span> ";
    out += "<span>" + low + " ";
    out += format("<svg width=\"%d\" height=\"12\" role=\"img\" aria-label=\"%s\">", 4 * n_colour,
                  local("from " + low + " to " + high).c_str());
    for (int step = 0; step < n_colour; ++step) {
        out += format("<rect class=\"%s\" x=\"%d\" width=\"4\" height=\"12\"/>",
                      colour_class(scale, step).c_str(), 4 * step);
    }
    out += "</svg> " + high + "</span>";
    if (std::ranges::any_of(values, [](double v) { return std::isnan(v); })) {
        out +=
            " <span><svg width=\"14\" height=\"12\" aria-hidden=\"true\"><rect class=\"blank\" "
            "width=\"14\" height=\"12\"/></svg> " +
            local("no value") + "</span>";
    }
    return out + "</p>\n";
}

// --- elements -----------------------------------------------------------------------------------

PlotText local(const PlotText& text) {
    return {local(text.title), local(text.x_label), local(text.y_label), text.caption};
}

Figure panels(const PlotText& text, std::span<const Figure> parts) {
    Figure out = {.title = text.title, .caption = text.caption, .html = "<div class=\"panels\">\n"};
    for (const Figure& part : parts) {
        out.html += "<div>\n<p class=\"panel\">" + escape_text(local(part.title)) + "</p>\n" +
                    part.html + "</div>\n";
        out.note += out.note.empty() || part.note.empty() ? part.note : " " + part.note;
        bool first = out.data.header.empty();
        if (first) out.data.header.push_back("panel");
        for (const std::string& name : part.data.header) {
            if (first) out.data.header.push_back(name);
        }
        for (std::vector<std::string> row : part.data.rows) {
            row.insert(row.begin(), part.title);
            add_row(out.data, row);
        }
    }
    out.html += "</div>\n";
    return out;
}

double layout_width(Layout layout) { return layout == Layout::broad ? 640 : 358; }

std::string svg_figure(Layout layout, double width, double height, const PlotText& text,
                       const std::string& description, const std::string& content) {
    const char* kind = layout == Layout::broad ? "broad" : "narrow";
    double least = width > layout_width(layout) ? width : 0.8 * width;
    std::string name = " aria-label=\"" + escape_text(text.title) + "\"";
    return format("<div class=\"scroll %s\" role=\"region\" tabindex=\"0\"", kind) + name + ">\n" +
           format(
               "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" style=\"min-width:"
               "%.0fpx\" role=\"img\"",
               width, height, width, height, least) +
           name + ">\n<desc>" + escape_text(description) + "</desc>\n" + content +
           "</svg>\n</div>\n";
}

std::string svg_text(double x, double y, const std::string& attributes, const std::string& text) {
    return format("<text x=\"%.1f\" y=\"%.1f\"%s%s>", x, y, attributes.empty() ? "" : " ",
                  attributes.c_str()) +
           escape_text(text) + "</text>\n";
}

const char* svg_shared() {
    return "<svg class=\"shared\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>"
           "<pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
           "<path d=\"M-1 1l2 -2M0 5l5 -5M4 6l2 -2\"/></pattern></defs></svg>\n";
}

std::string x_label_svg(double x, double y, double page, const std::string& label) {
    std::string shown = shorten(label, static_cast<int>(page / letter_width));
    double half = text_width(shown, 12) / 2;
    return svg_text(std::clamp(x, half, std::max(half, page - half)), y, "text-anchor=\"middle\"",
                    shown);
}

double y_label_room(double height, const std::string& label) {
    return text_width(label, 12) > height ? 20 : 0;
}

std::string y_label_svg(double top, double bottom, double page, const std::string& label) {
    if (y_label_room(bottom - top, label) > 0) {
        return svg_text(2, 12, "", shorten(label, static_cast<int>(page / letter_width)));
    }
    double middle = (top + bottom) / 2;
    return svg_text(12, middle,
                    format("text-anchor=\"middle\" transform=\"rotate(-90 12 %.1f)\"", middle),
                    label);
}

double text_width(const std::string& text, double font_size) {
    return letter_width / 12 * font_size * text_columns(text);
}

}  // namespace vimach
