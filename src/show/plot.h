// Line plots and scatter plots. Series differ in colour, in dashes and in marker; their names
// stand beside them. What cannot be drawn (not a number, not positive on a logarithmic axis) is
// left out, and the figure's note says how much that was.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "math/stats.h"
#include "show/frame.h"

namespace vimach {

struct Series {
    std::string name;
    std::vector<double> x, y;
    std::vector<double> low = {}, high = {};  ///< an interval around every y, or nothing
};

/// The outline of a histogram, for draw_lines: how many of the values lie in each of n_bin bins of
/// equal width. Values outside the range are left out.
Series histogram(const std::string& name, std::span<const double> values, Interval range,
                 int n_bin);

/// Points joined by lines; a value that cannot be drawn interrupts its line.
Figure draw_lines(const PlotText& text, std::span<const Series> series,
                  const PlotOptions& options = {});

/// Points alone, with bars where there are intervals.
Figure draw_points(const PlotText& text, std::span<const Series> series,
                   const PlotOptions& options = {});

}  // namespace vimach
