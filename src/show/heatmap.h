// Tables of numbers as colours: a grid with labelled rows and columns, and text whose tokens are
// tinted. Behind every colour stands its number, as hover text and in the figure's data.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "show/svg.h"

namespace vimach {

/// `values` row by row; NaN leaves a cell blank. Labels are raw bytes (tokens may be labels), one
/// per row and column. At most 300,000 cells; above 4,096 the hover text is the colour's range.
struct Heatmap {
    std::vector<std::string> rows = {}, columns = {};
    std::vector<double> values = {};
    ColourScale scale = {};
};

Figure draw_heatmap(const PlotText& text, const Heatmap& heatmap);

/// A piece of text with one value. `text` is raw bytes, whole characters; `detail` is what to say
/// about it beyond the value.
struct TokenCell {
    std::string text, detail;
    double value;
};

Figure draw_tokens(const PlotText& text, std::span<const TokenCell> cells,
                   const ColourScale& scale);

}  // namespace vimach
