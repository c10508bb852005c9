// Tables for terminals and files; see show/table.h.
// Widths are counted in code points, which is what a terminal shows for Latin text.
#include "show/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "core/ensure.h"
#include "core/files.h"
#include "text/utf8.h"

namespace vimach {

namespace {

size_t width_of(std::string_view text) {
    size_t width = 0;
    for (size_t at = 0; at < text.size(); ++width) at += read_code_point(text, at).length;
    return width;
}

bool is_number(const std::string& cell) {
    char* end = nullptr;
    std::strtod(cell.c_str(), &end);
    return cell == "-" || cell.empty() || (end != cell.c_str() && (*end == '\0' || *end == '%'));
}

/// The widest cell of a column, its name included.
size_t column_width(const Table& table, size_t column) {
    size_t width = width_of(table.header[column]);
    for (const auto& row : table.rows) width = std::max(width, width_of(row[column]));
    return width;
}

std::string csv_cell(const std::string& cell) {
    if (cell.find_first_of(",\"\r\n") == cell.npos) return cell;
    std::string quoted = "\"";
    for (char c : cell) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) line += (i == 0 ? "" : ",") + csv_cell(cells[i]);
    return line + "\n";
}

}  // namespace

void add_row(Table& table, std::vector<std::string> cells) {
    ensure(cells.size() == table.header.size(), "a row is not as long as the header", "Table",
           "give every column a cell");
    table.rows.push_back(std::move(cells));
}

bool is_numeric_column(const Table& table, size_t column) {
    return std::all_of(table.rows.begin(), table.rows.end(),
                       [&](const auto& row) { return is_number(row[column]); });
}

std::string number_cell(const char* pattern, double value) {
    return std::isfinite(value) ? format(pattern, value) : "-";
}

void explain_dashes(Table& table, const std::string& why) {
    for (const auto& row : table.rows) {
        if (std::ranges::find(row, "-") != row.end()) table.note = "A dash: " + why + ".";
    }
}

std::vector<Table> split_table(const Table& table, size_t columns) {
    std::vector<Table> parts;
    size_t used = 0, first = table.header.empty() ? 0 : 2 + column_width(table, 0);
    for (size_t column = 0; column < table.header.size(); ++column) {
        // Begin a new part where this column no longer fits.
        size_t width = 2 + column_width(table, column);
        bool fits = used + width <= columns;
        if (column < 2 ? column == 0 : !fits) {
            parts.push_back({.header = {table.header[0]}});
            for (const auto& row : table.rows) parts.back().rows.push_back({row[0]});
            used = first;
        }
        if (column == 0) continue;
        used += width;
        parts.back().header.push_back(table.header[column]);
        for (size_t i = 0; i < table.rows.size(); ++i) {
            parts.back().rows[i].push_back(table.rows[i][column]);
        }
    }
    return parts;
}

void print(const Table& table) {
    // Make each column as wide as its widest cell.
    std::vector<size_t> widths;
    std::vector<bool> right;
    for (size_t column = 0; column < table.header.size(); ++column) {
        widths.push_back(column_width(table, column));
        right.push_back(is_numeric_column(table, column));
    }

    auto print_line = [&](const std::vector<std::string>& cells) {
        std::string line;
        for (size_t column = 0; column < cells.size(); ++column) {
            std::string padding(widths[column] - width_of(cells[column]), ' ');
            line += "  " + (right[column] ? padding + cells[column] : cells[column] + padding);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        std::printf("%s\n", line.c_str());
    };
    print_line(table.header);
    for (const auto& row : table.rows) print_line(row);
}

void write_tsv(const std::string& path, const Table& table) {
    std::string text;
    auto add_line = [&](const std::vector<std::string>& cells) {
        for (size_t i = 0; i < cells.size(); ++i) text += (i == 0 ? "" : "\t") + cells[i];
        text += '\n';
    };
    add_line(table.header);
    for (const auto& row : table.rows) add_line(row);
    write_text(path, text);
}

void write_csv(const std::string& path, const Table& table) {
    std::string text = csv_line(table.header);
    for (const auto& row : table.rows) text += csv_line(row);
    write_text(path, text);
}

}  // namespace vimach
