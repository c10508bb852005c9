// Escaping, visible text and tables; see show/html.h.
// Every string that reaches the page passes through escape_text exactly once.
#include "show/html.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ensure.h"
#include "text/utf8.h"

namespace vimach {

namespace {

constexpr size_t most_table_cells = 6000;  // beyond that a browser is slow to lay a table out
constexpr int brief_columns = 18;          // columns of such short cells are not wrapped

/// Characters that a page must not hold: C0 but newline and tab, DEL, C1, noncharacters.
bool is_control(uint32_t c) {
    if (c < 0x20) return c != '\n' && c != '\t';
    return (c >= 0x7F && c < 0xA0) || (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c < 0xFDF0);
}

/// Characters that leave no mark of their own: special blanks, joiners, direction marks.
bool is_shapeless(uint32_t c) {
    return c == 0xA0 || c == 0xAD || (c >= 0x2000 && c < 0x2010) || (c >= 0x2028 && c < 0x2030) ||
           (c >= 0x205F && c < 0x2070) || c == 0x3000 || c == 0xFEFF || (c >= 0xFFF9 && c < 0xFFFC);
}

struct Character {
    uint32_t value;
    std::string_view bytes;
};

/// Cuts a text into characters; invalid bytes come one by one.
std::vector<Character> characters(std::string_view text) {
    std::vector<Character> out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size(); at += out.back().bytes.size()) {
        CodePoint here = read_code_point(text, at);
        out.push_back({here.value, text.substr(at, here.length)});
    }
    return out;
}

/// "\xNN" for every byte.
std::string hex_bytes(std::string_view bytes) {
    std::string out;
    for (unsigned char byte : bytes) out += format("\\x%02X", byte);
    return out;
}

void check_rows(const Table& table, const std::string& label) {
    for (size_t i = 0; i < table.rows.size(); ++i) {
        if (table.rows[i].size() == table.header.size()) continue;
        fail(format("row %zu has %zu cells, the header %zu", i, table.rows[i].size(),
                    table.header.size()),
             "table '" + label + "'", "give every row one cell per column");
    }
}

std::string tab_separated(const Table& table) {
    auto line = [](const std::vector<std::string>& cells) {
        std::string out;
        for (size_t j = 0; j < cells.size(); ++j) out += (j ? "\t" : "") + escape_text(cells[j]);
        return out + "\n";
    };
    std::string out = line(table.header);
    for (const auto& row : table.rows) out += line(row);
    return out;
}

}  // namespace

std::string escape_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (auto [c, bytes] : characters(text)) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else if (c == '\'')
            out += "&#39;";
        else if (c == invalid_code_point || is_control(c))
            out += hex_bytes(bytes);
        else
            out += bytes;
    }
    return out;
}

std::string paragraph(const std::string& text, const char* kind) {
    std::string attribute = *kind == '\0' ? "" : std::string(" class=\"") + kind + "\"";
    return "<p" + attribute + ">" + escape_text(text) + "</p>\n";
}

std::string visible_text(std::string_view bytes, bool dot_blanks) {
    size_t first = bytes.find_first_not_of(' '), last = bytes.find_last_not_of(' ');
    std::string out;
    size_t at = 0;
    for (auto [c, here] : characters(bytes)) {
        bool outer = first == std::string_view::npos || at < first || at > last;
        at += here.size();
        if (c == ' ')
            out += dot_blanks && outer ? "·" : " ";
        else if (c == '\n')
            out += "↵";
        else if (c == '\t')
            out += "→";
        else if (c == invalid_code_point || is_control(c))
            out += hex_bytes(here);
        else if (is_shapeless(c))
            out += format("\\u%04X", static_cast<unsigned>(c));
        else
            out += here;
    }
    return out;
}

std::string token_html(const std::string& bytes) {
    if (bytes.empty()) return "∅";
    bool blank = bytes.find_first_not_of(' ') == std::string::npos;
    std::string out, piece;
    auto flush = [&] {
        out += escape_text(visible_text(piece, blank));
        piece.clear();
    };
    for (char byte : bytes) {
        if (byte != '\n' && byte != '\t') {
            piece += byte;
            continue;
        }
        flush();
        out += byte == '\n' ? "↵<br>" : "→\t";
    }
    flush();
    return out;
}

int text_columns(std::string_view text) {
    int columns = 0;
    for (auto [c, bytes] : characters(text)) {
        bool wide = (c >= 0x1100 && c < 0x1160) || (c >= 0x2E80 && c < 0xD7A4) ||
                    (c >= 0xF900 && c < 0xFB00) || (c >= 0xFF00 && c < 0xFF61) ||
                    (c >= 0x1F000 && c < 0x40000);
        columns += wide ? 2 : 1;
    }
    return columns;
}

std::string shorten(const std::string& text, int columns) {
    if (text_columns(text) <= columns) return text;
    std::string out;
    int used = 1;
    for (auto [c, here] : characters(text)) {
        used += text_columns(here);
        if (used > columns) break;
        out += here;
    }
    return out + "…";
}

std::string number_text(double value, int digits) {
    if (std::isnan(value)) return "-";
    return format("%.*g", digits, value == 0 ? 0.0 : value);
}

std::string table_html(const Table& table, const std::string& label) {
    check_rows(table, label);
    std::vector<const char*> kinds;
    for (size_t j = 0; j < table.header.size(); ++j) {
        bool brief = std::ranges::all_of(
            table.rows, [&](const auto& row) { return text_columns(row[j]) <= brief_columns; });
        kinds.push_back(is_numeric_column(table, j) ? " class=\"n\""
                        : brief                     ? " class=\"brief\""
                                                    : "");
    }

    std::string out = "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" +
                      escape_text(label) + "\">\n<table>\n<thead><tr>";
    for (size_t j = 0; j < kinds.size(); ++j) {
        out += format("<th scope=\"col\"%s>", kinds[j]) + escape_text(table.header[j]) + "</th>";
    }
    out += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) {
        out += "<tr>";
        for (size_t j = 0; j < row.size(); ++j) {
            out += format("<td%s>", kinds[j]) + escape_text(row[j]) + "</td>";
        }
        out += "</tr>\n";
    }
    return out + "</tbody>\n</table>\n</div>\n";
}

namespace {

/// The columns that hold words in the language of the page.
Table local_columns(Table table) {
    if (spoken() == Language::english) return table;
    for (size_t j = 0; j < table.header.size(); ++j) {
        std::vector<std::string> column;
        for (const auto& row : table.rows) column.push_back(row.at(j));
        column = local_if_all_known(column);
        for (size_t i = 0; i < column.size(); ++i) table.rows[i][j] = column[i];
    }
    return table;
}

}  // namespace

Table local(const Table& table) {
    Table out = local_columns(table);
    for (std::string& name : out.header) name = local(name);
    return out;
}

std::string data_html(const Table& table, const std::string& label) {
    check_rows(table, label);
    std::string name = local("Data of " + label);
    std::string out = "<details>\n<summary>" + escape_text(name) + "</summary>\n";
    if (table.rows.size() * table.header.size() <= most_table_cells) {
        Table shown = local_columns(table);
        shown.header = local_if_all_known(shown.header);
        out += table_html(shown, name);
    } else {
        out += "<pre class=\"scroll\" tabindex=\"0\" aria-label=\"" + escape_text(name) + "\">" +
               tab_separated(table) + "</pre>\n";
    }
    return out + "</details>\n";
}

}  // namespace vimach
