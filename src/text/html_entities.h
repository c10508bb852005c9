// Characters by the names and numbers that HTML gives them: "&eacute;", "&#233;", "&#xE9;".
// The names are the 252 of HTML 4 (W3C HTML 4.01, chapter 24) and "apos".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vimach {

/// An entity that begins at the '&' of a text: its code point, and how many bytes it takes.
/// Length 0 where none begins: an unknown name, a name without its semicolon, a lone '&'.
struct Entity {
    uint32_t value = 0;
    size_t length = 0;
};
Entity read_entity(std::string_view text, size_t at);

/// The code point of a byte in Windows-1252 (encoding.spec.whatwg.org: the five unused bytes are
/// control characters).
uint32_t windows_1252(unsigned char byte);

}  // namespace vimach
