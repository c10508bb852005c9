// The scanner behind text/pretokenizer.h, and the only file that knows utf8proc.
// Where the pattern's alternatives overlap, the first one that matches wins, as in the original.
#include "text/pretokenizer.h"

#include <utf8proc.h>

#include <array>
#include <cstdint>

#include "text/utf8.h"

namespace vimach {

namespace {

enum class Class : uint8_t { space, letter, number, other };

/// White space (\s): Unicode's White_Space property. U+001C-001F, U+180E and the zero-width
/// characters U+200B, U+2060 and U+FEFF do not belong to it.
bool is_space(uint32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/// A byte that is not UTF-8 counts as a letter: it is most often a part of one, so that tokens
/// that end inside a character encode to themselves.
Class classify(uint32_t c) {
    if (c == invalid_code_point) return Class::letter;
    if (is_space(c)) return Class::space;
    utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return Class::letter;
    if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return Class::number;
    return Class::other;
}

std::array<Class, 128> classify_ascii() {
    std::array<Class, 128> classes{};
    for (uint32_t c = 0; c < 128; ++c) classes[c] = classify(c);
    return classes;
}

/// The character at a place: its class and its length in bytes.
struct Character {
    Class kind;
    size_t length;
};

Character read_character(std::string_view text, size_t at) {
    static const std::array<Class, 128> ascii = classify_ascii();
    auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 128) return {ascii[byte], 1};
    CodePoint here = read_code_point(text, at);
    return {classify(here.value), here.length};
}

/// End of the run of characters of one class that begins at `at`.
size_t run_end(std::string_view text, size_t at, Class kind) {
    while (at < text.size()) {
        Character here = read_character(text, at);
        if (here.kind != kind) break;
        at += here.length;
    }
    return at;
}

/// Length of a contraction ('s 't 'm 'd 're 've 'll, lower case only) at `at`, else 0.
size_t contraction_length(std::string_view text, size_t at) {
    if (text[at] != '\'' || at + 1 >= text.size()) return 0;
    char first = text[at + 1], second = at + 2 < text.size() ? text[at + 2] : '\0';
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' || first == 'v') && second == 'e') return 3;
    return first == 'l' && second == 'l' ? 3 : 0;
}

/// \s+(?!\S)|\s+ : a run of spaces gives its last character to the word that follows it, unless
/// it consists of one character or ends the text.
size_t space_end(std::string_view text, size_t at) {
    size_t last = at, end = at;
    while (end < text.size()) {
        Character here = read_character(text, end);
        if (here.kind != Class::space) break;
        last = end;
        end += here.length;
    }
    return end == text.size() || last == at ? end : last;
}

}  // namespace

size_t piece_end(std::string_view text, size_t at) {
    if (size_t length = contraction_length(text, at)) return at + length;

    // A blank (U+0020 only) belongs to the run that follows it.
    size_t begin = at;
    if (text[at] == ' ' && at + 1 < text.size()) begin = at + 1;
    Class kind = read_character(text, begin).kind;
    return kind == Class::space ? space_end(text, at) : run_end(text, begin, kind);
}

bool is_assigned(uint32_t code_point) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(code_point)) != UTF8PROC_CATEGORY_CN;
}

std::string unicode_version() { return utf8proc_unicode_version(); }

}  // namespace vimach
