// Figure primitives: axes with round ticks, colour scales, text. Ticks are multiples of 1, 2 or 5
// times a power of ten, linear or logarithmic; colours are classes of the page's style sheet, so
// that one drawing serves the light and the dark scheme.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "show/html.h"
#include "show/language.h"

namespace vimach {

struct PlotText {
    std::string title, x_label = {}, y_label = {}, caption = {};
};

/// What a drawing shows of it, in the language of the page; figure_html translates the caption.
PlotText local(const PlotText& text);

/// A script of a page, and its SHA-256 in base 64, by which a browser knows that it may run.
struct Script {
    std::string text = {}, hash = {};
};

/// One finished figure: what is drawn, remarks on what could not be, and the numbers behind it.
struct Figure {
    std::string title = {}, caption = {};
    std::string html = {};
    std::string note = {};
    Table data = {};
    std::string invitation = {};  ///< a link to it at the top of the page, or none
    Script script = {};
};

/// Figures side by side under one title and caption, each with its own title above it. Their
/// numbers, tables with the same columns, follow each other under a first column "panel".
Figure panels(const PlotText& text, std::span<const Figure> parts);

// --- axes ---------------------------------------------------------------------------------------

struct Tick {
    double value;
    std::string label;
};

struct Axis {
    double low, high;  ///< low < high; 0 < low on a logarithmic axis
    bool log;
    std::vector<Tick> ticks;

    /// Where a value lies, 0 at `low` and 1 at `high`; values beyond lie at the nearer end.
    double fraction(double value) const;
};

struct AxisOptions {
    bool log = false;
    bool tight = false;  ///< end at low and high instead of at the ticks around them
    int n_tick = 6;      ///< about how many ticks
};

/// Whether a value can stand on an axis: finite, below 1e300 in size; above 1e-300 where `log`.
bool has_place(double value, bool log);

/// An axis over low <= high, both with a place. Where they are (almost) equal it is widened.
Axis make_axis(double low, double high, const AxisOptions& options = {});

// --- colours ------------------------------------------------------------------------------------

constexpr int n_colour = 33;  ///< steps of a colour scale; odd, so that one stands for zero

/// Values from `low` to `high` as colours that grow away from the page; where `diverging`, from
/// blue over the page's colour at zero to orange, as far to one side as to the other.
struct ColourScale {
    double low = std::numeric_limits<double>::quiet_NaN();  ///< NaN: the smallest finite value
    double high = std::numeric_limits<double>::quiet_NaN();
    bool diverging = false;
    std::string label = {};  ///< what the colour shows, with its unit
};

/// Fills in the ends that are NaN; makes a diverging scale symmetric. Throws where low > high.
ColourScale fit_scale(const ColourScale& scale, std::span<const double> values);

/// Step 0 ... n_colour - 1 of a value (not NaN) on a fitted scale.
int colour_step(const ColourScale& scale, double value);

/// The class of a step: "q0" ... or, diverging, "d0" ...
std::string colour_class(const ColourScale& scale, int step);

/// The colour of a step as 0xRRGGBB.
unsigned colour_value(bool diverging, bool dark, int step);

/// The style sheet's rules for all classes: fill, background and readable text.
std::string colour_rules(bool dark);

/// A legend for a fitted scale with numbers at its ends. Ends that values go beyond say so, and
/// blanks are explained where there are any.
std::string colour_legend(const ColourScale& scale, std::span<const double> values);

// --- elements -----------------------------------------------------------------------------------

/// Every figure is drawn twice, in the width of the text column and in that of a phone; the style
/// sheet shows the one that fits.
enum class Layout { broad, narrow };
double layout_width(Layout layout);

/// A drawing in a box of its own, in which it scrolls where it is wider than the page, named and
/// described for those who do not see it. `content` is its elements.
std::string svg_figure(Layout layout, double width, double height, const PlotText& text,
                       const std::string& description, const std::string& content);

/// What the drawings of a page share, once per page: the hatching of blank cells.
const char* svg_shared();

/// A text at (x, y); `attributes` go into the tag as they are.
std::string svg_text(double x, double y, const std::string& attributes, const std::string& text);

/// The name of an x axis around `x`, moved or cut so that it stays on a page of that width.
std::string x_label_svg(double x, double y, double page, const std::string& label);

/// The name of a y axis: upright beside top ... bottom where it fits, else above `top`, where it
/// takes y_label_room.
std::string y_label_svg(double top, double bottom, double page, const std::string& label);
double y_label_room(double height, const std::string& label);

/// The estimated width of a text of the given font size, on the wide side.
double text_width(const std::string& text, double font_size);

}  // namespace vimach
