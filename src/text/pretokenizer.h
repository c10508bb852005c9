// GPT-2's pre-tokenizer: cuts a text into pieces that byte-pair merges never cross. The pattern
// (openai/gpt-2 encoder.py) is
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// scanned here by hand over code points, with utf8proc's general categories for \p{L} and \p{N}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vimach {

/// End (byte offset) of the piece that begins at byte `at` < text.size(). A byte that is not
/// UTF-8 counts as a letter.
size_t piece_end(std::string_view text, size_t at);

/// Whether the Unicode tables in use know the character. Tools with newer tables may cut a text
/// that holds others differently.
bool is_assigned(uint32_t code_point);

/// Version of the Unicode tables in use, e.g. "15.0.0".
std::string unicode_version();

}  // namespace vimach
