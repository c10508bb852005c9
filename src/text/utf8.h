// UTF-8 (RFC 3629): reading one code point, writing one, finding the first byte that is not
// UTF-8. Overlong forms, surrogates and values above U+10FFFF are invalid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vimach {

constexpr uint32_t invalid_code_point = 0xFFFFFFFF;

/// What stands at a place in a text: a code point and its length in bytes. For a byte that begins
/// no valid sequence: invalid_code_point, length 1.
struct CodePoint {
    uint32_t value;
    size_t length;
};

/// Reads the code point at byte `at` < text.size().
CodePoint read_code_point(std::string_view text, size_t at);

/// Appends the code point's UTF-8 form; `value` must be valid.
void append_utf8(std::string& out, uint32_t value);

/// What mends a text that is not UTF-8.
constexpr const char* convert_to_utf8 =
    "convert it with iconv; chapter 0 takes any bytes as they are with --bytes";

/// Byte offset of the first invalid sequence, or npos.
size_t find_invalid_utf8(std::string_view text);

/// A text without the byte order mark that some editors put in front of it.
std::string_view without_bom(std::string_view text);

}  // namespace vimach
