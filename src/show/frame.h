// What surrounds the points of a plot: axes with ticks and labels, reference lines, and the names
// of the series: in the right margin, each at the height where its line ends, or below the plot
// where the drawing is narrow.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "show/svg.h"

namespace vimach {

struct PlotMark {
    double at;
    std::string label;
};

struct PlotOptions {
    bool log_x = false, log_y = false;
    std::vector<PlotMark> vertical = {};    ///< lines at given x, e.g. the cut of a scree plot
    std::vector<PlotMark> horizontal = {};  ///< reference lines at given y
    std::vector<std::string> x_names = {};  ///< what stands at x = 0, 1, ... instead of numbers
};

/// The smallest and the largest value that an axis must hold.
struct Range {
    double low = 1e300, high = -1e300;

    /// Takes in a value that has a place on such an axis.
    void add(double value, bool log);
    bool empty() const { return low > high; }
};

/// A plot's rectangle inside its drawing, and its axes.
struct Frame {
    Layout layout;
    double left, right, top, bottom, height;  ///< `height` is that of the whole drawing
    double x_axis_height;                     ///< what stands below the plot, without names
    Axis x, y;

    double at_x(double value) const { return left + x.fraction(value) * (right - left); }
    double at_y(double value) const { return bottom - y.fraction(value) * (bottom - top); }
};

/// What a frame must hold.
struct FrameContent {
    Range x, y;                      ///< of all points
    bool tight_x;                    ///< whether the x axis ends where the points end
    std::vector<std::string> names;  ///< of series and horizontal marks
};

Frame make_frame(Layout layout, const PlotText& text, const PlotOptions& options,
                 const FrameContent& content);

/// Ticks, their numbers or (`named`, turned) names, and the axis labels.
std::string axes_svg(const Frame& frame, const PlotText& text, bool named = false);

/// Vertical lines with labels above the plot, and horizontal lines (legend_svg names those).
std::string marks_svg(const Frame& frame, const PlotOptions& options);

/// One name with a sample of its line.
struct LegendEntry {
    double y;            ///< wanted height
    bool joined;         ///< whether the line ends at the right edge, so that a leader is drawn
    std::string sample;  ///< attributes of the line's sample, or nothing
    std::string marker;  ///< attributes of the marker's path at the origin, or nothing
    std::string name;
};

/// Names as near to their wanted heights as they fit, or in that order below the plot.
std::string legend_svg(const Frame& frame, std::vector<LegendEntry> entries);

/// The attributes of reference lines and of their samples.
inline constexpr const char* reference_style = "class=\"reference\"";

}  // namespace vimach
