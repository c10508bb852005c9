// Heatmaps; see show/heatmap.h.
// A large heatmap is one path per colour, so that 256 x 256 cells stay below 3 MB.
#include "show/heatmap.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/ensure.h"

namespace vimach {

namespace {

constexpr double small = 11;  // font size, as in the style sheet
constexpr size_t most_cells = 300000;
constexpr size_t most_titles = 4096;  // cells with a hover text of their own
constexpr int label_columns = 16;     // longer labels are cut; the data have them whole
constexpr double label_step = 12;     // least distance of two labels
constexpr size_t wide_columns = 256;  // so many columns may scroll instead of shrinking

/// Where everything stands.
struct Grid {
    Layout layout;
    size_t n_row, n_column;
    double left, top, cell_width, cell_height;
    size_t row_stride, column_stride;  ///< every so many rows and columns have a label
    bool turned;                       ///< whether column labels run upwards
    double label_height;               ///< of the column labels

    double right() const { return left + cell_width * static_cast<double>(n_column); }
    double bottom() const { return top + cell_height * static_cast<double>(n_row); }
    bool wide() const { return right() > layout_width(layout); }
};

std::string label_text(const std::string& label) {
    return shorten(visible_text(label), label_columns);
}

double widest(std::span<const std::string> labels) {
    double width = 0;
    for (const std::string& label : labels) {
        width = std::max(width, text_width(label_text(label), small));
    }
    return width;
}

bool all_numbers(std::span<const std::string> labels) {
    return std::ranges::all_of(labels, [](const std::string& label) {
        char* end = nullptr;
        std::strtod(label.c_str(), &end);
        return !label.empty() && *end == '\0';
    });
}

/// The smallest of 1, 2, 5, 10, 20, ... cells that is at least `distance` long.
size_t label_stride(double cell, double distance) {
    size_t stride = 1;
    for (size_t round = 0; static_cast<double>(stride) * cell < distance; ++round) {
        stride = round % 3 == 1 ? stride / 2 * 5 : stride * 2;
    }
    return stride;
}

Grid make_grid(const Heatmap& heatmap, const PlotText& text, Layout layout) {
    Grid grid = {.layout = layout,
                 .n_row = heatmap.rows.size(),
                 .n_column = heatmap.columns.size(),
                 .left = 38 + widest(heatmap.rows),
                 .top = 6,
                 .cell_width = 0,
                 .cell_height = 0,
                 .row_stride = 1,
                 .column_stride = 1,
                 .turned = false,
                 .label_height = 16};
    auto n_row = static_cast<double>(grid.n_row), n_column = static_cast<double>(grid.n_column);

    // Fill the page's width; where cells would be too narrow for labels, run over it or shrink.
    double page = layout_width(layout), fit = (page - grid.left - 8) / n_column;
    bool few_rows = grid.n_row <= 40;
    if (fit >= label_step)
        grid.cell_width = std::min(std::floor(fit), 44.0);
    else if (few_rows && grid.n_column <= wide_columns)
        grid.cell_width = label_step;
    else
        grid.cell_width = fit;
    grid.cell_height = few_rows ? std::clamp(grid.cell_width, 16.0, 32.0)
                                : std::min(grid.cell_width, page / n_row);
    grid.top += y_label_room(grid.cell_height * n_row, text.y_label);

    // Keep numbers upright and thin them out; turn other labels that do not fit.
    double label = widest(heatmap.columns);
    grid.turned = label + 4 > grid.cell_width && !all_numbers(heatmap.columns);
    grid.row_stride = label_stride(grid.cell_height, label_step);
    grid.column_stride = label_stride(grid.cell_width, grid.turned ? label_step : label + 4);
    if (grid.turned) grid.label_height = label + 6;
    return grid;
}

// --- drawing ------------------------------------------------------------------------------------

std::string column_label(const Grid& grid, const std::string& label, double x) {
    double y = grid.bottom() + (grid.turned ? 6 : 15);
    if (!grid.turned) return svg_text(x, y, "class=\"small\" text-anchor=\"middle\"", label);
    std::string turn = format("transform=\"rotate(-90 %.1f %.1f)\"", x + 4, y);
    return svg_text(x + 4, y, "class=\"small\" text-anchor=\"end\" " + turn, label);
}

std::string labels_svg(const Grid& grid, const Heatmap& heatmap, const PlotText& text) {
    std::string out;
    for (size_t i = 0; i < grid.n_row; i += grid.row_stride) {
        double y = grid.top + (static_cast<double>(i) + 0.5) * grid.cell_height + 4;
        std::string label = label_text(heatmap.rows[i]);
        out += svg_text(grid.left - 6, y, "class=\"small\" text-anchor=\"end\"", label);
        if (grid.wide()) out += svg_text(grid.right() + 6, y, "class=\"small\"", label);
    }
    for (size_t j = 0; j < grid.n_column; j += grid.column_stride) {
        out += column_label(grid, label_text(heatmap.columns[j]),
                            grid.left + (static_cast<double>(j) + 0.5) * grid.cell_width);
    }

    // Name the axes; on a drawing that runs over the page, where it begins.
    double y = grid.bottom() + grid.label_height + 18, page = layout_width(grid.layout);
    double x =
        grid.wide() ? grid.left + text_width(text.x_label, 12) / 2 : (grid.left + grid.right()) / 2;
    return out + x_label_svg(x, y, page, text.x_label) +
           y_label_svg(grid.top, grid.bottom(), page, text.y_label);
}

/// "M column row" and the cell's outline, in units of cells.
std::string cell_path(size_t row, size_t column) { return format("M%zu %zuh1v1h-1z", column, row); }

/// One path with its own hover text per cell.
std::string titled_cells(const Heatmap& heatmap, const ColourScale& scale) {
    std::string out;
    size_t n_column = heatmap.columns.size();
    for (size_t k = 0; k < heatmap.values.size(); ++k) {
        double value = heatmap.values[k];
        if (std::isnan(value)) continue;
        size_t i = k / n_column, j = k % n_column;
        out += "<path class=\"" + colour_class(scale, colour_step(scale, value)) + "\" d=\"" +
               cell_path(i, j) + "\"><title>" + escape_text(visible_text(heatmap.rows[i])) + ", " +
               escape_text(visible_text(heatmap.columns[j])) + ": " + number_text(value) +
               "</title></path>\n";
    }
    return out;
}

/// One path per colour, with the range of values that it stands for.
std::string merged_cells(const Heatmap& heatmap, const ColourScale& scale) {
    std::vector<std::string> paths(n_colour);
    std::vector<double> least(n_colour, INFINITY), most(n_colour, -INFINITY);
    for (size_t k = 0; k < heatmap.values.size(); ++k) {
        double value = heatmap.values[k];
        if (std::isnan(value)) continue;
        int step = colour_step(scale, value);
        paths[step] += cell_path(k / heatmap.columns.size(), k % heatmap.columns.size());
        least[step] = std::min(least[step], value);
        most[step] = std::max(most[step], value);
    }
    std::string out;
    for (int step = 0; step < n_colour; ++step) {
        if (paths[step].empty()) continue;
        out += "<path class=\"" + colour_class(scale, step) + "\" d=\"" + paths[step] +
               "\"><title>" +
               local("from " + number_text(least[step]) + " to " + number_text(most[step])) +
               "</title></path>\n";
    }
    return out;
}

/// The whole drawing; `cells` are in units of cells, over the hatching that stands for no value.
std::string grid_svg(const Grid& grid, const Heatmap& heatmap, const ColourScale& scale,
                     const PlotText& text, const std::string& cells) {
    std::string content = format(
        "<rect class=\"blank\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
        "height=\"%.1f\"/>\n",
        grid.left, grid.top, grid.right() - grid.left, grid.bottom() - grid.top);
    content += format("<g class=\"cells\" transform=\"translate(%.1f %.1f) scale(%.6g %.6g)\">\n",
                      grid.left, grid.top, grid.cell_width, grid.cell_height);
    content += cells + "</g>\n" + labels_svg(grid, heatmap, text);

    double beyond = grid.right() + 12 + widest(heatmap.rows);
    double width = grid.wide() ? beyond : layout_width(grid.layout);
    double height = grid.bottom() + grid.label_height + 26;
    std::string description =
        local(format("Heatmap of %zu by %zu cells, ", grid.n_row, grid.n_column) + "from " +
              number_text(scale.low) + " to " + number_text(scale.high) + ".");
    return svg_figure(grid.layout, width, height, text, description, content);
}

Table data_of(const PlotText& text, const Heatmap& heatmap) {
    Table table = {.header = {text.y_label + " \\ " + text.x_label}, .rows = {}};
    for (const std::string& label : heatmap.columns) table.header.push_back(visible_text(label));
    for (size_t i = 0; i < heatmap.rows.size(); ++i) {
        std::vector<std::string> row = {visible_text(heatmap.rows[i])};
        for (size_t j = 0; j < heatmap.columns.size(); ++j) {
            row.push_back(number_text(heatmap.values[i * heatmap.columns.size() + j], 6));
        }
        table.rows.push_back(row);
    }
    return table;
}

void check_heatmap(const PlotText& text, const Heatmap& heatmap) {
    size_t n_row = heatmap.rows.size(), n_column = heatmap.columns.size();
    if (n_row * n_column != heatmap.values.size()) {
        fail(format("%zu values do not fill %zu rows of %zu columns", heatmap.values.size(), n_row,
                    n_column),
             "figure '" + text.title + "'", "pass one value per cell, row by row");
    }
    if (heatmap.values.size() <= most_cells) return;
    fail(format("%zu cells are more than can be told apart", heatmap.values.size()),
         "figure '" + text.title + "'", "average neighbouring rows or columns");
}

}  // namespace

Figure draw_heatmap(const PlotText& text, const Heatmap& heatmap) {
    check_heatmap(text, heatmap);
    PlotText said = local(text);
    Heatmap shown = heatmap;
    shown.rows = local_if_all_known(shown.rows);
    shown.columns = local_if_all_known(shown.columns);
    Figure out = {.title = text.title, .caption = text.caption, .data = data_of(text, heatmap)};
    if (heatmap.values.empty()) {
        out.html = "<p>" + local("no values to draw") + "</p>\n";
        return out;
    }
    ColourScale scale = fit_scale(heatmap.scale, heatmap.values);
    std::string cells = heatmap.values.size() <= most_titles ? titled_cells(shown, scale)
                                                             : merged_cells(shown, scale);
    out.html = colour_legend(scale, heatmap.values);
    for (Layout layout : {Layout::broad, Layout::narrow}) {
        out.html += grid_svg(make_grid(shown, said, layout), shown, scale, said, cells);
    }
    return out;
}

Figure draw_tokens(const PlotText& text, std::span<const TokenCell> cells,
                   const ColourScale& scale) {
    std::vector<double> values;
    for (const TokenCell& cell : cells) values.push_back(cell.value);
    ColourScale fitted = fit_scale(scale, values);

    std::string html = colour_legend(fitted, values) + "<div class=\"tokens\" role=\"group\" " +
                       "aria-label=\"" + escape_text(local(text.title)) + "\">";
    std::string name = scale.label.empty() ? "value" : scale.label;
    Table data = {.header = {"index", "token", name, "detail"}, .rows = {}};
    for (size_t i = 0; i < cells.size(); ++i) {
        const TokenCell& cell = cells[i];
        std::string number = number_text(cell.value);
        std::string kind = std::isnan(cell.value)
                               ? "blank"
                               : colour_class(fitted, colour_step(fitted, cell.value));
        std::string hover = number + (cell.detail.empty() ? "" : " · " + local(cell.detail));
        html += "<span class=\"" + kind + "\" title=\"" + escape_text(hover) + "\">" +
                token_html(cell.text) + "</span>";
        data.rows.push_back({std::to_string(i), visible_text(cell.text), number, cell.detail});
    }
    if (cells.empty()) html += local("no tokens to show");
    return {.title = text.title, .caption = text.caption, .html = html + "</div>\n", .data = data};
}

}  // namespace vimach
