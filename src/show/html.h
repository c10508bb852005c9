// Text made fit for a page: escaped, visible to the last byte, numbers in few digits, tables.
// Whatever bytes come in, what goes out is valid UTF-8 and valid HTML.
#pragma once

#include <string>
#include <string_view>

#include "show/language.h"
#include "show/table.h"

namespace vimach {

/// Escapes & < > " '. Bytes that are not UTF-8 and control characters become "\xNN"; newlines and
/// tabs stay.
std::string escape_text(std::string_view text);

/// A text as a paragraph, with a class or without.
std::string paragraph(const std::string& text, const char* kind = "");

/// Bytes as one line of plain text in which nothing is invisible: newline "↵", tab "→", characters
/// without a shape "\uNNNN", bytes that are not UTF-8 "\xNN", and the blanks at either end "·"
/// (inner ones stay; so do the outer ones where `dot_blanks` is off).
std::string visible_text(std::string_view bytes, bool dot_blanks = true);

/// HTML of one token of a running text, with its white space shown, line breaks and tabs kept.
/// Blanks stay blanks, for a tint shows them, unless there is nothing else.
std::string token_html(const std::string& bytes);

/// The width of a text in letters, estimated: 2 for East Asian characters and emoji, else 1.
int text_columns(std::string_view text);

/// The text, or its beginning and "…" where it is wider than `columns`.
std::string shorten(const std::string& text, int columns);

/// "%.*g"; "-" for NaN, "inf" and "-inf".
std::string number_text(double value, int digits = 4);

/// A table that scrolls sideways inside its own box; columns of numbers are right-aligned.
/// Throws where a row is not as long as the header.
std::string table_html(const Table& table, const std::string& label);

/// A table in the language of the page: its header, and those columns that hold words.
Table local(const Table& table);

/// A table folded away under "Data of LABEL"; above 6,000 cells as tab-separated lines.
std::string data_html(const Table& table, const std::string& label);

}  // namespace vimach
