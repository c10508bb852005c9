// Text on a terminal: lines of at most 80 columns, broken between words. An interval is one word,
// so that its two ends stay together.
#pragma once

#include <cstddef>
#include <string>

namespace vimach {

constexpr size_t terminal_columns = 80;

/// Prints a text, made visible, behind its first words; lines after the first are indented.
void print_wrapped(const std::string& first, const std::string& text, size_t indent);

}  // namespace vimach
