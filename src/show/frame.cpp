// Layout of a plot; see show/frame.h.
// From left to right: y label, tick numbers, plot, names. From top: labels of vertical marks, plot,
// tick numbers, x label, names where they are not on the right.
#include "show/frame.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/ensure.h"

namespace vimach {

namespace {

constexpr double small = 11, normal = 12;  // font sizes, as in the style sheet
constexpr double line_height = 16;
constexpr double sample_begin = 12, sample_length = 22, sample_gap = 6;  // right of the plot
constexpr double plot_height = 250, numbers_height = 48;
constexpr double name_turn = 40;  // degrees by which names on the x axis are turned
constexpr int name_columns = 24;  // longer names are cut; the hover text has them whole

/// Where the label of a vertical mark stands.
struct MarkPlace {
    double begin;
    int row;  ///< above the plot, 0 is the lowest
};

double label_width(const std::string& label) {
    return text_width(shorten(label, name_columns), small);
}

/// Places labels from the right, so that lines run to the left of the labels below their own.
std::vector<MarkPlace> place_marks(const Frame& frame, std::span<const PlotMark> marks) {
    std::vector<MarkPlace> places;
    for (const PlotMark& mark : marks) {
        double latest = layout_width(frame.layout) - label_width(mark.label);
        places.push_back({.begin = std::min(frame.at_x(mark.at) - 3, latest), .row = 0});
    }
    std::vector<size_t> order(marks.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order,
                             [&](size_t a, size_t b) { return places[a].begin > places[b].begin; });

    // Take the lowest row in which the label ends before the others begin.
    std::vector<double> begins;
    for (size_t i : order) {
        double end = places[i].begin + label_width(marks[i].label) + 8;
        auto free = std::ranges::find_if(begins, [&](double begin) { return end <= begin; });
        places[i].row = static_cast<int>(free - begins.begin());
        if (free == begins.end()) begins.push_back(0);
        begins[places[i].row] = places[i].begin;
    }
    return places;
}

/// Ticks with names at 0, 1, ...
Axis named_axis(const std::vector<std::string>& names) {
    Axis axis = {
        .low = -0.5, .high = static_cast<double>(names.size()) - 0.5, .log = false, .ticks = {}};
    for (const std::string& name : names) {
        axis.ticks.push_back({static_cast<double>(axis.ticks.size()), shorten(name, name_columns)});
    }
    return axis;
}

Axis fit_axis(Range range, const AxisOptions& options) {
    if (range.empty()) range = {.low = 1, .high = 10};
    return make_axis(range.low, range.high, options);
}

/// How many ticks share one label, so that labels do not touch.
size_t label_stride(const Frame& frame) {
    double widest = 0, least_gap = frame.right - frame.left;
    for (size_t i = 0; i < frame.x.ticks.size(); ++i) {
        const Tick& tick = frame.x.ticks[i];
        widest = std::max(widest, text_width(tick.label, small));
        if (i == 0) continue;
        double gap = frame.at_x(tick.value) - frame.at_x(frame.x.ticks[i - 1].value);
        least_gap = std::min(least_gap, gap);
    }
    return 1 + static_cast<size_t>((widest + 6) / std::max(least_gap, 1.0));
}

/// Moves heights in ascending order as little as possible (in least squares) so that each is
/// `line_height` below the one before it and all lie within top ... bottom. Pool adjacent violators
/// (Barlow et al. 1972) on the heights less what the lines above take up.
void spread(std::vector<LegendEntry>& entries, double top, double bottom) {
    struct Pool {
        double sum;
        size_t count;
        double mean() const { return sum / static_cast<double>(count); }
    };
    std::vector<Pool> pools;
    for (size_t i = 0; i < entries.size(); ++i) {
        Pool pool = {entries[i].y - static_cast<double>(i) * line_height, 1};
        while (!pools.empty() && pools.back().mean() > pool.mean()) {
            pool = {pool.sum + pools.back().sum, pool.count + pools.back().count};
            pools.pop_back();
        }
        pools.push_back(pool);
    }

    size_t i = 0;
    double room = bottom - top - static_cast<double>(entries.size()) * line_height;
    for (const Pool& pool : pools) {
        double offset = std::clamp(pool.mean(), top, top + std::max(room + line_height, 0.0));
        for (size_t end = i + pool.count; i < end; ++i) {
            entries[i].y = offset + static_cast<double>(i) * line_height;
        }
    }
}

}  // namespace

void Range::add(double value, bool log) {
    if (!has_place(value, log)) return;
    low = std::min(low, value);
    high = std::max(high, value);
}

Frame make_frame(Layout layout, const PlotText& text, const PlotOptions& options,
                 const FrameContent& content) {
    Range x = content.x, y = content.y;
    for (const PlotMark& mark : options.vertical) x.add(mark.at, options.log_x);
    for (const PlotMark& mark : options.horizontal) y.add(mark.at, options.log_y);
    Frame frame = {.layout = layout,
                   .left = 0,
                   .right = 0,
                   .top = 12,
                   .bottom = 0,
                   .height = 0,
                   .x_axis_height = numbers_height,
                   .x = options.x_names.empty()
                            ? fit_axis(x, {.log = options.log_x, .tight = content.tight_x})
                            : named_axis(options.x_names),
                   .y = fit_axis(y, {.log = options.log_y})};

    // Leave room for the numbers on the left and for the names on the right.
    double numbers = 0, widest = 0;
    for (const Tick& tick : frame.y.ticks) {
        numbers = std::max(numbers, text_width(tick.label, small));
    }
    for (const std::string& name : content.names) {
        widest = std::max(widest, text_width(shorten(name, name_columns), normal));
    }
    bool beside = layout == Layout::broad && widest > 0;
    frame.left = 34 + numbers;
    frame.right =
        layout_width(layout) - (beside ? sample_begin + sample_length + sample_gap + widest : 20);

    // Leave room for the labels of vertical marks above the plot and for names beside or below it.
    int n_row = 0;
    for (const MarkPlace& place : place_marks(frame, options.vertical)) {
        n_row = std::max(n_row, place.row + 1);
    }
    frame.top += n_row * line_height + y_label_room(plot_height, text.y_label);
    double longest = 0;
    for (const std::string& name : options.x_names) {
        longest = std::max(longest, text_width(shorten(name, name_columns), small));
    }
    frame.x_axis_height += longest * std::sin(name_turn * std::numbers::pi / 180);
    double names_height = static_cast<double>(content.names.size()) * line_height;
    frame.bottom = frame.top + (beside ? std::max(plot_height, names_height) : plot_height);
    frame.height = frame.bottom + frame.x_axis_height + (beside ? 0 : names_height);
    return frame;
}

std::string axes_svg(const Frame& frame, const PlotText& text, bool named) {
    // Draw a faint line across the plot and a number for every tick of y.
    std::string grid, numbers;
    for (const Tick& tick : frame.y.ticks) {
        double y = frame.at_y(tick.value);
        grid += format("M%.1f %.1fH%.1f", frame.left, y, frame.right);
        numbers +=
            svg_text(frame.left - 8, y + 4, "class=\"small\" text-anchor=\"end\"", tick.label);
    }

    // Draw the line of x, its ticks, and as many numbers as fit.
    std::string ticks = format("M%.1f %.1fH%.1f", frame.left, frame.bottom, frame.right);
    size_t stride = named ? 1 : label_stride(frame);
    for (size_t i = 0; i < frame.x.ticks.size(); ++i) {
        double x = frame.at_x(frame.x.ticks[i].value);
        ticks += format("M%.1f %.1fv5", x, frame.bottom);
        if (i % stride != 0) continue;
        double y = frame.bottom + (named ? 14 : 19);
        std::string place = "class=\"small\" text-anchor=\"middle\"";
        if (named) {
            place =
                format("class=\"small\" text-anchor=\"end\" transform=\"rotate(-%.0f %.1f %.1f)\"",
                       name_turn, x, y);
        }
        numbers += svg_text(x, y, place, frame.x.ticks[i].label);
    }

    // Name both axes.
    double page = layout_width(frame.layout), middle = (frame.left + frame.right) / 2;
    return "<path class=\"grid\" d=\"" + grid + "\"/>\n<path class=\"axis\" d=\"" + ticks +
           "\"/>\n" + numbers +
           x_label_svg(middle, frame.bottom + frame.x_axis_height - 7, page, text.x_label) +
           y_label_svg(frame.top, frame.bottom, page, text.y_label);
}

std::string marks_svg(const Frame& frame, const PlotOptions& options) {
    std::string out;
    auto places = place_marks(frame, options.vertical);
    for (size_t i = 0; i < places.size(); ++i) {
        const PlotMark& mark = options.vertical[i];
        double label_y = frame.top - 10 - places[i].row * line_height;
        out += format("<path %s d=\"M%.1f %.1fV%.1f\"><title>", reference_style,
                      frame.at_x(mark.at), label_y + 4, frame.bottom) +
               escape_text(mark.label) + ": " + number_text(mark.at, 6) + "</title></path>\n";
    }
    for (size_t i = 0; i < places.size(); ++i) {
        double label_y = frame.top - 10 - places[i].row * line_height;
        out += svg_text(places[i].begin, label_y, "class=\"small halo\"",
                        shorten(options.vertical[i].label, name_columns));
    }
    for (const PlotMark& mark : options.horizontal) {
        out += format("<path %s d=\"M%.1f %.1fH%.1f\"><title>", reference_style, frame.left,
                      frame.at_y(mark.at), frame.right) +
               escape_text(mark.label) + ": " + number_text(mark.at, 6) + "</title></path>\n";
    }
    return out;
}

std::string legend_svg(const Frame& frame, std::vector<LegendEntry> entries) {
    // Remember where each line ends; then move the names apart, or list them below the plot.
    bool beside = frame.layout == Layout::broad;
    std::ranges::stable_sort(entries, {}, &LegendEntry::y);
    std::vector<double> ends;
    for (const LegendEntry& entry : entries) ends.push_back(entry.y);
    if (beside) spread(entries, frame.top, frame.bottom);
    for (size_t i = 0; i < entries.size() && !beside; ++i) {
        entries[i].y =
            frame.bottom + frame.x_axis_height + (static_cast<double>(i) + 0.5) * line_height;
    }

    // Draw leader, sample, marker and name.
    std::string out;
    double begin = beside ? frame.right + sample_begin : frame.left;
    for (size_t i = 0; i < entries.size(); ++i) {
        const LegendEntry& entry = entries[i];
        if (entry.joined && beside && std::fabs(entry.y - ends[i]) > 1) {
            out += format("<path class=\"leader\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", frame.right + 1,
                          ends[i], begin - 1, entry.y);
        }
        if (!entry.sample.empty()) {
            out += format("<path %s d=\"M%.1f %.1fh%.1f\"/>\n", entry.sample.c_str(), begin,
                          entry.y, sample_length);
        }
        if (!entry.marker.empty()) {
            out += format("<g transform=\"translate(%.1f %.1f)\"><path %s/></g>\n",
                          begin + sample_length / 2, entry.y, entry.marker.c_str());
        }
        out += "<g><title>" + escape_text(entry.name) + "</title>" +
               svg_text(begin + sample_length + sample_gap, entry.y + 4, "",
                        shorten(entry.name, name_columns)) +
               "</g>\n";
    }
    return out;
}

}  // namespace vimach
