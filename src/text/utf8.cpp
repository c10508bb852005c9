// UTF-8 by hand; see text/utf8.h.
// A sequence is 1 to 4 bytes: the lead byte's high bits say how many, six bits in each that follow.
#include "text/utf8.h"

namespace vimach {

CodePoint read_code_point(std::string_view text, size_t at) {
    auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    constexpr CodePoint invalid = {invalid_code_point, 1};
    uint32_t lead = byte(at);
    if (lead < 0x80) return {lead, 1};

    // Take the length and the smallest value that this length may carry from the lead byte.
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint32_t smallest = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - at < length) return invalid;

    // Collect six bits from each byte that follows.
    uint32_t value = lead & (0x7F >> length);
    for (size_t i = 1; i < length; ++i) {
        uint32_t next = byte(at + i);
        if ((next & 0xC0) != 0x80) return invalid;
        value = value << 6 | (next & 0x3F);
    }
    if (value < smallest || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return invalid;
    }
    return {value, length};
}

void append_utf8(std::string& out, uint32_t value) {
    auto push = [&](uint32_t byte) { out += static_cast<char>(byte); };
    if (value < 0x80) return push(value);
    if (value < 0x800) {
        push(0xC0 | value >> 6);
    } else if (value < 0x10000) {
        push(0xE0 | value >> 12);
        push(0x80 | (value >> 6 & 0x3F));
    } else {
        push(0xF0 | value >> 18);
        push(0x80 | (value >> 12 & 0x3F));
        push(0x80 | (value >> 6 & 0x3F));
    }
    push(0x80 | (value & 0x3F));
}

size_t find_invalid_utf8(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        CodePoint here = read_code_point(text, at);
        if (here.value == invalid_code_point) return at;
        at += here.length;
    }
    return std::string_view::npos;
}

std::string_view without_bom(std::string_view text) {
    return text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
}

}  // namespace vimach
