// Letters of ASCII in any case, as the syntax of HTML takes them. Other bytes are compared as they
// are, so that nothing here depends on a locale.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace vimach {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

/// Whether `text` holds `word` at `at`, in any case.
inline bool matches(std::string_view text, size_t at, std::string_view word) {
    if (text.size() < at || text.size() - at < word.size()) return false;
    return std::equal(word.begin(), word.end(), text.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char a, char b) { return lower(a) == lower(b); });
}

/// The first place from `at` on that holds `word`, in any case; npos if there is none.
inline size_t find_any_case(std::string_view text, std::string_view word, size_t at) {
    for (; at < text.size(); ++at) {
        if (matches(text, at, word)) return at;
    }
    return text.npos;
}

}  // namespace vimach
