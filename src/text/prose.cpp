// Plain texts that a person gives; see text/prose.h. Formats are told by their first bytes, as
// those of pages are.
#include "text/prose.h"

#include <algorithm>

#include "core/ensure.h"
#include "core/files.h"
#include "text/ascii.h"
#include "text/html_encoding.h"
#include "text/utf8.h"

namespace vimach {

std::string read_prose(const std::string& path, bool any_bytes) {
    std::string text = read_input(path);
    if (any_bytes) return text;
    if (Packed packed = packed_as(text); !packed.name.empty()) {
        bool letters = packed.name.starts_with("UTF");
        fail("the text is " + packed.name, path,
             letters ? packed.remedy : "give a plain text in UTF-8");
    }
    auto place = [&](size_t at) {
        auto line = std::count(text.begin(), text.begin() + static_cast<int64_t>(at), '\n') + 1;
        return path + (line > 1 ? format(", line %ld", line) : "") + format(", byte %zu", at);
    };
    if (size_t bad = find_invalid_utf8(text); bad != text.npos) {
        fail("the text is not UTF-8", place(bad), convert_to_utf8);
    }
    if (size_t zero = text.find('\0'); zero != text.npos) {
        fail("the text has a zero byte, as UTF-16 and files that are no text do", place(zero),
             convert_to_utf8);
    }
    std::string out(without_bom(text));
    size_t first = std::min(out.find_first_not_of(" \t\r\n"), out.size());
    if (matches(out, first, "<!doctype html") || matches(out, first, "<html")) {
        fail("is a page of HTML, not a plain text", path,
             "copy its text out of a browser; chapter 3 takes pages with --page");
    }
    return out;
}

}  // namespace vimach
