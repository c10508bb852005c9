// What the bytes of a saved page are: UTF-8 and Windows-1252 are read, everything else is refused
// by its name with the command that mends it.
#include "text/html_encoding.h"

#include <doctest/doctest.h>

#include "support.h"

using namespace vimach;
using test::check_contains, test::error_of;
using namespace std::string_literals;

namespace {

std::string refusal(const std::string& page) {
    return error_of([&] { page_as_utf8(page, "saved.html"); });
}

}  // namespace

TEST_CASE("page: what is no plain text is named by its first bytes") {
    struct Case {
        std::string bytes;
        const char *name, *remedy;
    };
    const Case cases[] = {
        {"\x1F\x8B\b rest", "compressed with gzip (saved.html)", "gunzip"},
        {"\x28\xB5\x2F\xFD rest", "compressed with Zstandard (saved.html)", "unzstd"},
        {"BZh9", "compressed with bzip2", "bunzip2"},
        {"\xFD\x37zXZ", "compressed with xz", "unxz"},
        {"PK\x03\x04", "a ZIP archive", "unpack"},
        {"bplist00", "a web archive of Safari", "save the page as its source"},
        {"%PDF-1.7", "a PDF", "save the page itself"},
        {"\xFF\xFE<\0"s, "UTF-16, not UTF-8", "iconv -f UTF-16 -t UTF-8"},
        {"\xFE\xFF\0<"s, "UTF-16, not UTF-8", "iconv -f UTF-16 -t UTF-8"},
        {"<\0h\0"s, "UTF-16, not UTF-8", "iconv -f UTF-16LE -t UTF-8"},
        {"\0\n\0<"s, "UTF-16, not UTF-8", "iconv -f UTF-16BE -t UTF-8"},
        {"\xFF\xFE\0\0<\0\0\0"s, "UTF-32, not UTF-8", "iconv -f UTF-32 -t UTF-8"},
        {"From: <Saved by Blink>\r\nSubject: LED\r\nMIME-Version: 1.0\r\n", "MHTML", "(HTML)"},
        {"MIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n", "MHTML", "(HTML)"}};
    for (const Case& c : cases) {
        CAPTURE(c.bytes);
        check_contains(refusal(c.bytes), c.name);
        check_contains(refusal(c.bytes), c.remedy);
        CHECK(refusal(c.bytes).find("1252") == std::string::npos);
    }
    for (const char* page : {"From: me", "<p>From: me MIME-Version: 1.0", "", "P"}) {
        CHECK(page_as_utf8(page, "page") == page);
    }
}

TEST_CASE("page: Windows-1252 is decoded where the page declares it") {
    std::string body =
        "caf\xE9 \x93"
        "5\x80\x94 \x81";
    for (const char* meta : {"<meta charset=windows-1252>", "<META charset = \"ISO-8859-1\">",
                             "<meta charset='Latin1'>",
                             "<meta http-equiv='Content-Type' content='text/html; charset=CP1252'>",
                             "<?xml version='1.0' encoding='iso-8859-1'?>"}) {
        CAPTURE(std::string(meta));
        CHECK(page_as_utf8(meta + body, "page") == meta + "caf\u00E9 \u201C5\u20AC\u201D \u0081"s);
    }

    // What is valid UTF-8 is UTF-8, whatever the page says.
    std::string page = "<meta charset=latin1>caf\u00E9";
    CHECK(page_as_utf8(page, "page") == page);
}

TEST_CASE("page: every byte of Windows-1252 is its character") {
    // What Python's codec cp1252 gives for 0x80 to 0x9F; five bytes are unused there.
    std::string expected =
        "\u20AC \u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152 \u017D  "
        "\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153 \u017E\u0178";
    std::string meta = "<meta charset=windows-1252>", page = meta;
    for (int byte = 0x80; byte < 0xA0; ++byte) {
        bool unused = "\x81\x8D\x8F\x90\x9D"s.find(static_cast<char>(byte)) != std::string::npos;
        page += unused ? ' ' : static_cast<char>(byte);
    }
    CHECK(page_as_utf8(page, "page") == meta + expected);
}

TEST_CASE("page: the first meta element that names an encoding declares it, wherever it stands") {
    std::string head = "<meta name=viewport content='width=device-width'><meta property=og:title>";
    CHECK(page_as_utf8(head + "<meta charset=windows-1252>\xE9", "page") ==
          head + "<meta charset=windows-1252>\u00E9");
    check_contains(refusal(head + "<meta charset=euc-kr><meta charset=latin1>\xE9"),
                   "the page declares euc-kr");
}

TEST_CASE("page: any other encoding is refused by the name that the page gives it") {
    for (const char* name : {"Shift_JIS", "windows-1258", "iso-8859-15", "GB18030", "euc-kr"}) {
        CAPTURE(std::string(name));
        std::string why = refusal("<meta charset=\"" + std::string(name) + "\">\x82\xA0");
        check_contains(why, "the page declares " + std::string(name) + ", and its byte ");
        check_contains(why, "iconv -f " + std::string(name) + " -t UTF-8");
        CHECK(why.find("1252") == std::string::npos);
    }
    check_contains(refusal("<meta charset=x-sjis>\x82"), "iconv -f sjis -t");

    // The declaration of a script or a link is not the page's.
    check_contains(refusal("<script charset=latin1></script><meta charset=windows-1258>\xE9"),
                   "the page declares windows-1258, and its byte 59 is not UTF-8");

    // Encodings of seven bits are no UTF-8 although their bytes are.
    check_contains(refusal("<meta charset=iso-2022-jp>\x1B$B$\"\x1B(B"), "iconv -f iso-2022-jp");
    check_contains(refusal("<meta charset=utf-7>+AGE-"), "the page declares utf-7, not UTF-8");
}

TEST_CASE("page: broken UTF-8 is refused with its byte, and no encoding is made up") {
    for (const char* page : {"<p>caf\xE9 au lait", "<p>caf\xF0\x9F\x92", "<p>caf\xE9<meta charset>",
                             "<p>caf\xE9<meta charset=>", "<p>caf\xE9<meta charset=UTF-8>"}) {
        CAPTURE(std::string(page));
        std::string why = refusal(page);
        check_contains(why, "byte 6 is not UTF-8, and the page declares no other encoding (saved");
        CHECK(why.find("1252") == std::string::npos);
    }

    // What a page calls its encoding goes into a command: nothing but names does.
    std::string why = refusal("<meta charset='a;rm -rf'>\xFF");
    check_contains(why, "iconv -f a -t UTF-8");
    check_contains(refusal("<meta charset=" + std::string(50, 'a') + ">\xFF"), "no other encoding");
}
