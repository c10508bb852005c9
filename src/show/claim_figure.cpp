// Drawing a claim; see show/claim_figure.h.
// One row a number: its name, its interval as a line, its value as a dot. What a null distribution
// does is a bar, since its range is no uncertainty of a value.
#include "show/claim_figure.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "show/frame.h"

namespace vimach {

namespace {

constexpr double row_height = 24, axis_height = 30, head_height = 22, font = 12;
constexpr int name_columns = 30;

struct Row {
    std::string name;
    Measure measure;
    const char* kind;  ///< "s0" for the measure, "s5" for what it is compared with
    bool is_null;
};

std::vector<Row> rows_of(const Claim& claim) {
    std::vector<Row> rows = {{local("this run"), claim.measured, "s0", false}};
    for (const Control& c : claim.controls) {
        rows.push_back({local(c.name), c.measure, "s5", c.kind == Control::Kind::null});
    }
    return rows;
}

Axis axis_of(const std::vector<Row>& rows, double threshold) {
    Range range;
    range.add(threshold, false);
    for (const Row& row : rows) {
        for (double value :
             {row.measure.value, row.measure.interval.low, row.measure.interval.high}) {
            range.add(value, false);
        }
    }
    return make_axis(range.low, range.high, {.n_tick = 5});
}

/// Where the drawing's parts stand: names left of the plot, or above each row where it is narrow.
struct Place {
    Axis axis;
    double left, right, top, height;  ///< of the plot; `height` of one row
    double at(double value) const { return left + axis.fraction(value) * (right - left); }
};

std::string row_svg(const Place& p, const Row& row, size_t i, bool beside) {
    double top = p.top + p.height * static_cast<double>(i), y = top + p.height - row_height / 2;
    std::string name = shorten(row.name, name_columns);
    std::string out = beside ? svg_text(p.left - 12, y + 4, "text-anchor=\"end\"", name)
                             : svg_text(p.left, top + 12, "", name);
    const Interval& interval = row.measure.interval;
    if (!has_place(row.measure.value, false)) return out;
    double low = std::isfinite(interval.low) ? p.at(interval.low) : p.left;
    double high = std::isfinite(interval.high) ? p.at(interval.high) : p.right;
    std::string title =
        "<title>" + escape_text(row.name + ": " + local(measure_text(row.measure))) + "</title>";
    if (row.is_null) {
        out += format("<path class=\"band %s\" d=\"M%.1f %.1fH%.1fv10H%.1fz\">", row.kind, low,
                      y - 5, high, low) +
               title + "</path>\n";
    } else {
        out += format("<path class=\"line %s\" d=\"M%.1f %.1fH%.1f\"/>\n", row.kind, low, y, high);
    }
    return out +
           format("<circle class=\"mark %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\">", row.kind,
                  p.at(row.measure.value), y) +
           title + "</circle>\n";
}

/// The claimed side as a tint, the threshold as a line with its words above.
std::string threshold_svg(const Place& p, const ClaimText& text, double bottom) {
    double x = p.at(text.threshold), end = text.at_least ? p.right : p.left;
    std::string words = local(text.needed());
    double room = text_width(words, font) / 2;
    double middle = std::clamp(x, p.left + room, std::max(p.left + room, p.right - room));
    return format("<path class=\"claimed\" d=\"M%.1f %.1fH%.1fV%.1fH%.1fz\"/>\n", x, p.top, end,
                  bottom, x) +
           format("<path class=\"reference\" d=\"M%.1f %.1fV%.1f\"/>\n", x, p.top, bottom) +
           svg_text(middle, p.top - 7, "class=\"small\" text-anchor=\"middle\"", words);
}

std::string axis_svg(const Place& p, double bottom) {
    std::string ticks = format("M%.1f %.1fH%.1f", p.left, bottom, p.right), out;
    double free_from = p.left - 100;
    for (const Tick& tick : p.axis.ticks) {
        double x = p.at(tick.value), half = text_width(tick.label, 11) / 2;
        ticks += format("M%.1f %.1fv4", x, bottom);
        if (x - half < free_from) continue;
        free_from = x + half + 6;
        out += svg_text(x, bottom + 17, "class=\"small\" text-anchor=\"middle\"", tick.label);
    }
    return "<path class=\"axis\" d=\"" + ticks + "\"/>\n" + out;
}

std::string description(const std::vector<Row>& rows, const ClaimText& text) {
    std::string out = local("Needed:") + " " + local(text.needed()) + ".";
    for (const Row& row : rows)
        out += " " + row.name + ": " + local(measure_text(row.measure)) + ".";
    return out;
}

}  // namespace

std::string claim_figure(const Claim& claim) {
    if (!claim.not_tested.empty()) return "";
    std::vector<Row> rows = rows_of(claim);
    double widest = 0;
    for (const Row& row : rows) {
        widest = std::max(widest, text_width(shorten(row.name, name_columns), font));
    }

    std::string html;
    for (Layout layout : {Layout::broad, Layout::narrow}) {
        bool beside = layout == Layout::broad;
        Place place = {.axis = axis_of(rows, claim.text.threshold),
                       .left = beside ? widest + 16 : 14,
                       .right = layout_width(layout) - 18,
                       .top = head_height,
                       .height = beside ? row_height : row_height + 14};
        double bottom = place.top + place.height * static_cast<double>(rows.size()) + 4;
        std::string content = threshold_svg(place, claim.text, bottom);
        for (size_t i = 0; i < rows.size(); ++i) content += row_svg(place, rows[i], i, beside);
        html += svg_figure(layout, layout_width(layout), bottom + axis_height,
                           {.title = local("Claim") + " " + claim.text.id},
                           description(rows, claim.text), content + axis_svg(place, bottom));
    }
    return html;
}

}  // namespace vimach
