// The frame around what a page shows: head, style sheet, captions. Inline style and drawings,
// nothing loaded from anywhere, no script but one that is named by its hash; light and dark, from a
// phone to a desk; every figure with its numbers folded away below it.
#pragma once

#include <string>

#include "show/svg.h"

namespace vimach {

/// A whole page around the HTML of its body.
std::string html_document(const std::string& title, const std::string& body,
                          const Script& script = {});

/// A figure or a table with its number and caption; ids are "figure-3" and "table-3".
std::string figure_html(const Figure& figure, int number);
std::string figure_html(const std::string& title, const Table& table, const std::string& note,
                        int number);

/// The names of the files with their numbers: "figure-3.csv", "table-3.csv".
std::string figure_file(int number);
std::string table_file(int number);

/// A figure as a file of its own, .svg: its broad drawing with the page's style.
std::string svg_file(const Figure& figure);

}  // namespace vimach
