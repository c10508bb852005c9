// Line plots and scatter plots; see show/plot.h.
// A series is drawn as its band, its line and its markers, in this order.
#include "show/plot.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"

namespace vimach {

namespace {

constexpr size_t n_style = 6;         // colours, dashes and markers before they combine anew
constexpr size_t most_markers = 40;   // markers on lines of at most so many points
constexpr size_t most_titles = 2000;  // points with a hover text of their own

constexpr const char* dashes[n_style] = {"", "7 4", "2 3", "10 3 2 3", "14 4", "5 2 1 2 1 2"};
constexpr const char* markers[n_style] = {"m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
                                          "m-2.7 -2.7h5.4v5.4h-5.4z",
                                          "m0 -3.4l3.3 5.8h-6.6z",
                                          "m0 -3.8l3.4 3.8l-3.4 3.8l-3.4 -3.8z",
                                          "m-3.5 0h7m-3.5 -3.5v7",
                                          "m-2.7 -2.7l5.4 5.4m0 -5.4l-5.4 5.4"};

/// Attributes of the line of series i: its dashes move on by one with each round of colours.
std::string line_style(size_t i, const Series& s) {
    std::string dash = dashes[(i + i / n_style) % n_style];
    const char* kind = s.x.size() > most_titles ? "thin line" : "line";
    return format("class=\"%s s%zu\"", kind, i % n_style) +
           (dash.empty() ? "" : " stroke-dasharray=\"" + dash + "\"");
}

std::string marker_path(size_t i, double x, double y) {
    return format("M%.1f %.1f", x, y) + markers[(i + i / n_style) % n_style];
}

/// One plot in the making.
struct Plot {
    const PlotText& text;
    std::span<const Series> series;
    const PlotOptions& options;
    bool lines;  ///< or points alone
    Frame frame;
    size_t n_point;
    bool nothing;  ///< no point can be drawn

    bool drawable(const Series& s, size_t i) const {
        return has_place(s.x[i], options.log_x) && has_place(s.y[i], options.log_y);
    }
    bool has_interval(const Series& s, size_t i) const {
        return !s.low.empty() && drawable(s, i) && has_place(s.low[i], false) &&
               has_place(s.high[i], options.log_y);
    }
};

// --- checks -------------------------------------------------------------------------------------

void check_series(const PlotText& text, std::span<const Series> series) {
    for (const Series& s : series) {
        bool band = !s.low.empty() || !s.high.empty();
        bool whole = s.low.size() == s.y.size() && s.high.size() == s.y.size();
        if (s.x.size() == s.y.size() && (!band || whole)) continue;
        fail(format("series '%s' has %zu x, %zu y, %zu low and %zu high", s.name.c_str(),
                    s.x.size(), s.y.size(), s.low.size(), s.high.size()),
             "figure '" + text.title + "'", "pass vectors of equal length, or no low and high");
    }
}

void check_marks(const PlotText& text, std::span<const PlotMark> marks, bool log) {
    for (const PlotMark& mark : marks) {
        if (has_place(mark.at, log)) continue;
        fail(format("the mark '%s' at %g has no place on its axis", mark.label.c_str(), mark.at),
             "figure '" + text.title + "'",
             log ? "pass a positive, finite number" : "pass a finite number");
    }
}

/// Says what could not be drawn.
std::string note_on_gaps(const Plot& plot) {
    size_t not_finite = 0, not_positive = 0, open_bands = 0;
    for (const Series& s : plot.series) {
        for (size_t i = 0; i < s.x.size(); ++i) {
            bool finite = has_place(s.x[i], false) && has_place(s.y[i], false);
            not_finite += !finite;
            not_positive += finite && !plot.drawable(s, i);
        }
        for (double low : s.low) open_bands += plot.options.log_y && low <= 0;
    }

    auto points = [](size_t n) {
        return n == 1 ? std::string("1 point not drawn: ") : format("%zu points not drawn: ", n);
    };
    std::string note;
    if (not_finite) note += points(not_finite) + "not a finite number. ";
    if (not_positive) note += points(not_positive) + "not positive, on a logarithmic axis. ";
    if (open_bands) note += "Intervals that reach 0 or below end at the edge of the plot. ";
    if (!note.empty()) note.pop_back();
    return note;
}

// --- drawing ------------------------------------------------------------------------------------

/// The band over points [begin, end): along the upper edge and back along the lower one. A single
/// point, or any point of a scatter plot, gets a bar.
std::string interval_svg(const Plot& plot, size_t number, size_t begin, size_t end) {
    const Series& s = plot.series[number];
    const Frame& f = plot.frame;
    if (end - begin == 1) {
        return format("<path class=\"bar s%zu\" d=\"M%.1f %.1fV%.1f\"/>\n", number % n_style,
                      f.at_x(s.x[begin]), f.at_y(s.low[begin]), f.at_y(s.high[begin]));
    }
    std::string path;
    for (size_t i = begin; i < end; ++i) {
        path += format("%c%.1f %.1f", i == begin ? 'M' : 'L', f.at_x(s.x[i]), f.at_y(s.high[i]));
    }
    for (size_t i = end; i-- > begin;) {
        path += format("L%.1f %.1f", f.at_x(s.x[i]), f.at_y(s.low[i]));
    }
    return format("<path class=\"band s%zu\" d=\"", number % n_style) + path + "z\"/>\n";
}

std::string intervals_svg(const Plot& plot, size_t number) {
    const Series& s = plot.series[number];
    std::string out;
    for (size_t begin = 0; begin < s.x.size(); ++begin) {
        size_t end = begin;
        while (end < s.x.size() && plot.has_interval(s, end) && (plot.lines || end == begin)) ++end;
        if (end == begin) continue;
        out += interval_svg(plot, number, begin, end);
        begin = end - 1;
    }
    return out;
}

std::string line_svg(const Plot& plot, size_t number) {
    const Series& s = plot.series[number];
    std::string path;
    bool pen_down = false;
    for (size_t i = 0; i < s.x.size(); ++i) {
        bool here = plot.drawable(s, i);
        if (here) {
            path += format("%c%.1f %.1f", pen_down ? 'L' : 'M', plot.frame.at_x(s.x[i]),
                           plot.frame.at_y(s.y[i]));
        }
        pen_down = here;
    }
    return "<path " + line_style(number, s) + " d=\"" + path + "\"><title>" + escape_text(s.name) +
           "</title></path>\n";
}

/// "series: step 3, loss 0.5"; names on the x axis stand for themselves.
std::string hover_text(const Plot& plot, const Series& s, size_t i) {
    const std::vector<std::string>& names = plot.options.x_names;
    bool named = s.x[i] >= 0 && s.x[i] < static_cast<double>(names.size());
    std::string where =
        named ? names[static_cast<size_t>(s.x[i])] : plot.text.x_label + " " + number_text(s.x[i]);
    return (s.name.empty() ? "" : s.name + ": ") + where + ", " + plot.text.y_label + " " +
           number_text(s.y[i]);
}

/// Markers for all points of a short line, for points without neighbours, for scatter plots.
std::string markers_svg(const Plot& plot, size_t number) {
    const Series& s = plot.series[number];
    bool all = !plot.lines || s.x.size() <= most_markers;
    std::string begin = format("<path class=\"mark s%zu\" d=\"", number % n_style), out, together;
    for (size_t i = 0; i < s.x.size(); ++i) {
        bool joined =
            (i > 0 && plot.drawable(s, i - 1)) || (i + 1 < s.x.size() && plot.drawable(s, i + 1));
        if (!plot.drawable(s, i) || (!all && joined)) continue;
        std::string path = marker_path(number, plot.frame.at_x(s.x[i]), plot.frame.at_y(s.y[i]));
        if (plot.n_point > most_titles) {
            together += path;
            continue;
        }
        out +=
            begin + path + "\"><title>" + escape_text(hover_text(plot, s, i)) + "</title></path>\n";
    }
    if (together.empty()) return out;
    return begin + together + "\"><title>" + escape_text(s.name) + "</title></path>\n";
}

std::vector<LegendEntry> legend_entries(const Plot& plot) {
    const Frame& f = plot.frame;
    std::vector<LegendEntry> entries;
    for (size_t i = 0; i < plot.series.size(); ++i) {
        const Series& s = plot.series[i];
        if (s.name.empty()) continue;
        size_t last = s.x.size();
        while (last > 0 && !plot.drawable(s, last - 1)) --last;
        bool ends = plot.lines && last > 0;
        bool marked = !plot.lines || s.x.size() <= most_markers;
        entries.push_back({.y = ends ? f.at_y(s.y[last - 1]) : f.top,
                           .joined = ends && f.at_x(s.x[last - 1]) > f.right - 8,
                           .sample = plot.lines ? line_style(i, s) : "",
                           .marker = marked ? format("class=\"mark s%zu\" d=\"", i % n_style) +
                                                  marker_path(i, 0, 0) + "\""
                                            : "",
                           .name = s.name});
    }
    for (const PlotMark& mark : plot.options.horizontal) {
        entries.push_back({.y = f.at_y(mark.at),
                           .joined = true,
                           .sample = reference_style,
                           .marker = "",
                           .name = mark.label});
    }
    return entries;
}

/// What the figure shows, for those who do not see it.
std::string description(const Plot& plot) {
    std::string out = local(plot.lines ? "Line plot" : "Scatter plot") + ": " + plot.text.y_label +
                      " (y)" +
                      (plot.text.x_label.empty() ? "" : ", " + plot.text.x_label + " (x)") + ".";
    for (const Series& s : plot.series) {
        Range y;
        for (size_t i = 0; i < s.x.size(); ++i) {
            if (plot.drawable(s, i)) y.add(s.y[i], plot.options.log_y);
        }
        out += s.name.empty() ? " " : " " + s.name + ": ";
        out += y.empty() ? local("no values")
                         : local("from " + number_text(y.low) + " to " + number_text(y.high));
        out += ".";
    }
    return out;
}

// --- data ---------------------------------------------------------------------------------------

/// "-" for what cannot be drawn, such as the ends of an interval of one run.
std::string data_number(double value) { return std::isfinite(value) ? number_text(value, 6) : "-"; }

/// One row per point of each series.
Table long_table(std::span<const Series> series, const std::string& x, const std::string& y) {
    Table table = {.header = {"series", x, y, "low", "high"}, .rows = {}};
    for (const Series& s : series) {
        for (size_t i = 0; i < s.x.size(); ++i) {
            table.rows.push_back({s.name, data_number(s.x[i]), data_number(s.y[i]),
                                  s.low.empty() ? "" : data_number(s.low[i]),
                                  s.low.empty() ? "" : data_number(s.high[i])});
        }
    }

    // Leave out the intervals where there are none.
    if (std::ranges::any_of(series, [](const Series& s) { return !s.low.empty(); })) return table;
    table.header.resize(3);
    for (auto& row : table.rows) row.resize(3);
    return table;
}

/// One column per series, for series with the same x.
Table wide_table(std::span<const Series> series, const std::string& x, const std::string& y) {
    Table table = {.header = {x}, .rows = {}};
    for (double value : series[0].x) table.rows.push_back({data_number(value)});
    auto add_column = [&](const std::string& name, const std::vector<double>& values) {
        if (values.empty()) return;
        table.header.push_back(name);
        for (size_t i = 0; i < values.size(); ++i) {
            table.rows[i].push_back(data_number(values[i]));
        }
    };
    for (const Series& s : series) {
        add_column(s.name.empty() ? y : s.name, s.y);
        add_column(s.name + " low", s.low);
        add_column(s.name + " high", s.high);
    }
    return table;
}

Table data_of(const PlotText& text, std::span<const Series> series, bool lines) {
    std::string x = text.x_label.empty() ? "x" : text.x_label;
    std::string y = text.y_label.empty() ? "y" : text.y_label;
    bool shared = std::ranges::all_of(series, [&](const Series& s) { return s.x == series[0].x; });
    bool wide = lines && shared && !series.empty() && !series[0].x.empty();
    return wide ? wide_table(series, x, y) : long_table(series, x, y);
}

// --- the whole ----------------------------------------------------------------------------------

FrameContent frame_content(const Plot& plot) {
    FrameContent content = {.x = {}, .y = {}, .tight_x = plot.lines, .names = {}};
    for (const Series& s : plot.series) {
        for (size_t i = 0; i < s.x.size(); ++i) {
            if (!plot.drawable(s, i)) continue;
            content.x.add(s.x[i], plot.options.log_x);
            content.y.add(s.y[i], plot.options.log_y);
            if (s.low.empty()) continue;
            content.y.add(s.low[i], plot.options.log_y);
            content.y.add(s.high[i], plot.options.log_y);
        }
        if (!s.name.empty()) content.names.push_back(s.name);
    }
    for (const PlotMark& mark : plot.options.horizontal) content.names.push_back(mark.label);
    return content;
}

std::string plot_svg(const Plot& plot) {
    const Frame& frame = plot.frame;
    std::string content = axes_svg(frame, plot.text, !plot.options.x_names.empty());
    for (size_t i = 0; i < plot.series.size(); ++i) content += intervals_svg(plot, i);
    content += marks_svg(frame, plot.options);
    for (size_t i = 0; i < plot.series.size(); ++i) {
        if (plot.lines) content += line_svg(plot, i);
        content += markers_svg(plot, i);
    }
    content += legend_svg(frame, legend_entries(plot));
    if (plot.nothing) {
        content += svg_text((frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2,
                            "text-anchor=\"middle\"", local("no values to draw"));
    }
    return svg_figure(frame.layout, layout_width(frame.layout), frame.height, plot.text,
                      description(plot), content);
}

Figure draw(const PlotText& text, std::span<const Series> series, const PlotOptions& options,
            bool lines) {
    check_series(text, series);
    check_marks(text, options.vertical, options.log_x);
    check_marks(text, options.horizontal, options.log_y);

    // Draw in the language of the page; numbers go to their file in English.
    std::vector<Series> named(series.begin(), series.end());
    for (Series& s : named) s.name = local(s.name);
    PlotOptions marked = options;
    for (auto* marks : {&marked.vertical, &marked.horizontal}) {
        for (PlotMark& mark : *marks) mark.label = local(mark.label);
    }
    marked.x_names = local_if_all_known(marked.x_names);
    Plot plot = {.text = local(text),
                 .series = named,
                 .options = marked,
                 .lines = lines,
                 .frame = {},
                 .n_point = 0,
                 .nothing = false};
    for (const Series& s : series) plot.n_point += s.x.size();
    FrameContent content = frame_content(plot);
    plot.nothing = content.x.empty();

    std::string html;
    for (Layout layout : {Layout::broad, Layout::narrow}) {
        plot.frame = make_frame(layout, plot.text, marked, content);
        html += plot_svg(plot);
    }
    return {.title = text.title,
            .caption = text.caption,
            .html = html,
            .note = note_on_gaps(plot),
            .data = data_of(text, series, lines)};
}

}  // namespace

Series histogram(const std::string& name, std::span<const double> values, Interval range,
                 int n_bin) {
    ensure(range.low < range.high && n_bin >= 1, "needs a range and bins", "histogram",
           "pass low < high and one bin or more");
    std::vector<double> counts(static_cast<size_t>(n_bin));
    double width = (range.high - range.low) / n_bin;
    for (double value : values) {
        if (!(value >= range.low && value <= range.high)) continue;
        int bin = static_cast<int>((value - range.low) / width);
        counts[std::min(bin, n_bin - 1)] += 1;
    }

    // Go up and down at the edges of the bins.
    Series outline = {.name = name, .x = {range.low}, .y = {0}};
    for (int bin = 0; bin < n_bin; ++bin) {
        for (int edge : {bin, bin + 1}) {
            outline.x.push_back(range.low + edge * width);
            outline.y.push_back(counts[bin]);
        }
    }
    outline.x.push_back(range.high);
    outline.y.push_back(0);
    return outline;
}

Figure draw_lines(const PlotText& text, std::span<const Series> series,
                  const PlotOptions& options) {
    return draw(text, series, options, true);
}

Figure draw_points(const PlotText& text, std::span<const Series> series,
                   const PlotOptions& options) {
    return draw(text, series, options, false);
}

}  // namespace vimach
