// Telling what the bytes of a page are; see text/html_encoding.h.
// Magic numbers come first: inside what is packed, no declaration can be read.
#include "text/html_encoding.h"

#include <algorithm>

#include "core/ensure.h"
#include "text/ascii.h"
#include "text/html_entities.h"
#include "text/utf8.h"

namespace vimach {

namespace {

using namespace std::string_view_literals;

struct Magic {
    std::string_view bytes;
    const char *name, *remedy;
};
constexpr Magic magics[] = {
    {"\x1F\x8B", "compressed with gzip", "unpack it with gunzip, or save it again"},
    {"\x28\xB5\x2F\xFD", "compressed with Zstandard", "unpack it with unzstd, or save it again"},
    {"BZh", "compressed with bzip2", "unpack it with bunzip2, or save it again"},
    {"\xFD\x37zXZ", "compressed with xz", "unpack it with unxz, or save it again"},
    {"PK\x03\x04", "a ZIP archive", "unpack it, and name the .html file in it"},
    {"bplist00", "a web archive of Safari", "save the page as its source (.html)"},
    {"%PDF-", "a PDF", "save the page itself (.html), not a print of it"},
    {"\xFF\xFE\0\0"sv, "UTF-32, not UTF-8", "convert it: iconv -f UTF-32 -t UTF-8"},
    {"\0\0\xFE\xFF"sv, "UTF-32, not UTF-8", "convert it: iconv -f UTF-32 -t UTF-8"},
    {"\xFF\xFE", "UTF-16, not UTF-8", "convert it: iconv -f UTF-16 -t UTF-8"},
    {"\xFE\xFF", "UTF-16, not UTF-8", "convert it: iconv -f UTF-16 -t UTF-8"}};

/// Whether this is MHTML, a page packed as a mail (RFC 2557): it begins with a field of a mail's
/// head, and MIME-Version is another, or the same.
bool is_mhtml(std::string_view page) {
    constexpr std::string_view fields[] = {"from:", "subject:",  "date:",    "mime-version:",
                                           "x-",    "snapshot-", "content-", "message-id:"};
    bool is_mail = std::ranges::any_of(fields, [&](auto f) { return matches(page, 0, f); });
    return is_mail && find_any_case(page.substr(0, 4096), "mime-version:", 0) != page.npos;
}

/// The value of the first charset= in one tag, in quotes or none; "" where there is none.
std::string charset_in(std::string_view tag) {
    for (size_t at = 0; (at = find_any_case(tag, "charset", at)) != tag.npos;) {
        at += 7;
        size_t begin = tag.find_first_not_of(" \t\r\n\f", at);
        if (begin == tag.npos || tag[begin] != '=') continue;
        begin = tag.find_first_not_of(" \t\r\n\f\"'", begin + 1);
        if (begin == tag.npos) continue;
        size_t end = begin;
        while (end < tag.size() && (is_letter(tag[end]) || (tag[end] >= '0' && tag[end] <= '9') ||
                                    "-_.:"sv.find(tag[end]) != "-_.:"sv.npos))
            ++end;
        if (end > begin && end - begin <= 40) return std::string(tag.substr(begin, end - begin));
    }
    return "";
}

/// The encoding that the page declares, as it writes it: in its first meta element that does, else
/// in an XML declaration; "" where none does.
std::string declared_encoding(std::string_view page) {
    for (size_t at = 0; (at = find_any_case(page, "<meta", at)) != page.npos;) {
        size_t end = std::min(page.find('>', at), page.size());
        std::string name = charset_in(page.substr(at, end - at));
        if (!name.empty()) return name;
        at = end;
    }
    size_t begin = page.find("<?xml"), end = std::min(page.find("?>"), page.size());
    if (begin == page.npos || end < begin) return "";
    size_t at = page.find("encoding=", begin);
    if (at >= end) return "";
    return charset_in("charset=" + std::string(page.substr(at + 9, end - at - 9)));
}

bool is_any_of(std::string_view name, std::initializer_list<std::string_view> names) {
    return std::ranges::any_of(
        names, [&](auto known) { return name.size() == known.size() && matches(name, 0, known); });
}

}  // namespace

Packed packed_as(std::string_view bytes) {
    for (const Magic& magic : magics) {
        if (bytes.starts_with(magic.bytes)) return {magic.name, magic.remedy};
    }
    // Without a mark, UTF-16 shows by a zero beside its first letter.
    if (bytes.size() >= 2 && (bytes[0] == '\0') != (bytes[1] == '\0')) {
        const char* order = bytes[0] == '\0' ? "BE" : "LE";
        return {"UTF-16, not UTF-8", format("convert it: iconv -f UTF-16%s -t UTF-8", order)};
    }
    if (!is_mhtml(bytes)) return {};
    return {"MHTML, packed as a mail",
            "save it as a web page (HTML), not as a single file (.mht, .mhtml)"};
}

std::string page_as_utf8(std::string_view page, const std::string& where) {
    Packed packed = packed_as(page);
    if (!packed.name.empty()) fail("the page is " + packed.name, where, packed.remedy);
    std::string declared = declared_encoding(page);
    std::string remedy = "convert it: iconv -f " +
                         std::string(matches(declared, 0, "x-") ? declared.substr(2) : declared) +
                         " -t UTF-8";

    // Encodings of seven bits are valid UTF-8 as well, and mean something else.
    bool shifts = matches(declared, 0, "iso-2022-") || is_any_of(declared, {"utf-7"});
    if (shifts || is_any_of(declared, {"hz-gb-2312"})) {
        fail("the page declares " + declared + ", not UTF-8", where, remedy);
    }
    size_t bad = find_invalid_utf8(page);
    if (bad == page.npos) return std::string(page);
    // Who can read the declaration "utf-16" byte by byte is not reading UTF-16.
    if (declared.empty() || is_any_of(declared, {"utf-8", "utf8", "utf-16", "utf-16le"})) {
        fail(format("byte %zu is not UTF-8, and the page declares no other encoding", bad), where,
             "find out its encoding (a browser shows it), then: iconv -f ENCODING -t UTF-8");
    }
    if (!is_any_of(declared, {"windows-1252", "cp1252", "x-cp1252", "iso-8859-1", "iso8859-1",
                              "latin1", "us-ascii", "ascii"})) {
        fail("the page declares " + declared + format(", and its byte %zu is not UTF-8", bad),
             where, remedy);
    }
    std::string text;
    text.reserve(page.size() + page.size() / 8);
    for (char c : page) append_utf8(text, windows_1252(static_cast<unsigned char>(c)));
    return text;
}

}  // namespace vimach
