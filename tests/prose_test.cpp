// Plain texts that a person gives: what is taken as one, and what is called by its name because it
// would be read as nonsense.
#include "text/prose.h"

#include <doctest/doctest.h>

#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;

namespace {

struct Prose {
    TempFolder folder;
    std::string path = folder.file("t");
    explicit Prose(const std::string& bytes) { write_raw(path, bytes); }
    std::string error() const {
        return error_of([&] { read_prose(path); });
    }
};

}  // namespace

TEST_CASE("prose: a byte order mark is no word") {
    CHECK(read_prose(Prose("\xEF\xBB\xBFPlums.\r\n").path) == "Plums.\r\n");
    CHECK(read_prose(Prose("\xEF\xBB\xBFPlums.").path, true) == "\xEF\xBB\xBFPlums.");
    CHECK(read_prose(Prose("").path).empty());
}

TEST_CASE("prose: UTF-16, other encodings and pages are refused by name") {
    auto wide = [](const std::string& text, bool little) {
        std::string out;
        for (char c : text) out += little ? std::string{c, '\0'} : std::string{'\0', c};
        return out;
    };
    Prose little(wide("Plums", true)), big(wide("Plums", false));
    check_contains(little.error(), "the text is UTF-16, not UTF-8 (" + little.path);
    check_contains(little.error(), "iconv -f UTF-16LE -t UTF-8");
    check_contains(big.error(), "iconv -f UTF-16BE -t UTF-8");
    check_contains(Prose("\xFF\xFE" + wide("Plums", true)).error(), "iconv -f UTF-16 -t UTF-8");
    Prose viet(std::string("\x10\x01\xE0\0 \0", 6));  // of UTF-16 without a mark
    check_contains(viet.error(), "the text is not UTF-8 (" + viet.path + ", byte 2)");
    check_contains(Prose(std::string("a\n\0b", 4)).error(), "zero byte, as UTF-16");
    check_contains(Prose(std::string("a\n\0b", 4)).error(), "/t, line 2, byte 2)");
    check_contains(Prose("%PDF-1.4").error(), "the text is a PDF");
    Prose latin("H\xE0 N\xF4i");
    check_contains(latin.error(), "the text is not UTF-8 (" + latin.path + ", byte 1)");
    for (const char* page : {"<!DOCTYPE html>\n<p>Plums", "\n <html lang=vi>", "<HTML>"}) {
        check_contains(Prose(page).error(), "is a page of HTML, not a plain text");
    }
    CHECK(read_prose(Prose("<b> is bold in HTML").path).starts_with("<b>"));
}
