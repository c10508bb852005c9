// Cutting an article out of a page: the marks, the encodings, what is text and what is not, and
// pages that are broken or very large. Entities are held against Python's table of HTML 4.
#include "text/html_text.h"

#include <doctest/doctest.h>

#include <ctime>
#include <sstream>

#include "core/files.h"
#include "support.h"
#include "text/html_entities.h"
#include "text/utf8.h"

using namespace vimach;
using test::check_contains, test::error_of;

namespace {

const std::string open_mark = "<div class=\"mw-body-content\">";
const std::string close_mark = "<h2 id=\"References\">References</h2>";

/// The text of a page with this body.
std::string text_of(const std::string& body) {
    return read_article(open_mark + body + close_mark, PageForm::text, "page");
}

std::string markup_of(const std::string& page) {
    return read_article(page, PageForm::markup, "page");
}

std::string refusal(const std::string& page) {
    return error_of([&] { read_article(page, PageForm::text, "saved.html"); });
}

double processor_seconds(const std::string& page) {
    std::clock_t begin = std::clock();
    std::string error = error_of([&] { read_article(page, PageForm::text, "page"); });
    CHECK((error == "no Error was thrown" || error.find("never ends") != error.npos));
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

std::string repeat(const std::string& part, size_t n_byte) {
    std::string text;
    while (text.size() < n_byte) text += part;
    return text;
}

}  // namespace

TEST_CASE("page: the cut is from mw-body-content to the first References after it, in any case") {
    std::string page =
        "<i id=\"References\"><a class='MW-Body-Content'>one<i ID=\"rEFERENCES\"> two "
        "mw-body-content three<i id=\"References\">";
    CHECK(markup_of(page) == "MW-Body-Content'>one<i ");
    CHECK(read_article(page, PageForm::text, "page") == "one");
    CHECK(text_of("a <a href=\"#References\">b</a> <i id=\"toc-References\">c</i> d") == "a b c d");
}

TEST_CASE("page: a missing mark is an error that names it, and never the whole page") {
    std::string why = refusal("<p>text</p>" + close_mark);
    check_contains(why, "no 'mw-body-content' (saved.html)");
    check_contains(why, "weights/fetch.sh led-page");
    check_contains(refusal(close_mark + open_mark + "text"), "no 'id=\"References\"' after its");
    check_contains(refusal(open_mark + "text <h2 id='Reference'>"), "no 'id=\"References\"'");
    check_contains(refusal(""), "no 'mw-body-content'");
    check_contains(refusal("mw-body-conten"), "no 'mw-body-content'");
}

TEST_CASE("page: the id of the last mark stands in any quotes or none, with blanks or without") {
    for (const char* mark :
         {"id=\"References\"", "id='References'", "id=References", "ID = 'references'",
          "class=a id\n=\tReferences ", "class=\"a\"id='References'"}) {
        CAPTURE(std::string(mark));
        CHECK(read_article(open_mark + "text<h2 " + mark + ">", PageForm::text, "page") == "text");
    }
    for (const char* other :
         {"id='References\"", "id=References-2", "id='References '", "data-id='References'",
          "id 'References'", "id='My_References'", "xid=References", "id="}) {
        CAPTURE(std::string(other));
        check_contains(refusal(open_mark + "text<h2 " + other + ">"), "no 'id=");
    }
}

TEST_CASE("page: other marks, for other skins and languages") {
    std::string page = "<p>a<div id=main>b<h2 id='Tham_kh\u1EA3o'>c";
    CHECK(read_article(page, PageForm::text, "p", {"id=main>", "Tham_kh\u1EA3o"}) == "b");
    std::string why = error_of([&] {
        read_article(page, PageForm::text, "p", {"id=main>", "Referencias"});
    });
    check_contains(why, "no 'id=\"Referencias\"' after its 'id=main>' (p)");
    check_contains(why, "--until Tham_kh\u1EA3o");
}

TEST_CASE("page: nothing between the marks is refused, as text and as markup") {
    for (const char* body :
         {"", " \n&nbsp;<p></p>", "<!-- a -->", "<script>a</script>", "<b></b>"}) {
        CAPTURE(std::string(body));
        check_contains(refusal(open_mark + body + close_mark), "no text stands between");
    }
    CHECK(error_of([] { markup_of(open_mark + close_mark); }).starts_with("no text stands"));
}

TEST_CASE("page: tags, scripts, styles, comments and declarations leave no trace") {
    CHECK(text_of("<b>L</b>ED<sup>2</sup>") == "LED2");
    CHECK(text_of("a<script>if (x < y) \"</b>\"; <!-- </script>b") == "ab");
    CHECK(text_of("a<STYLE media=\"x>y\">p { }</Style  >b") == "ab");
    CHECK(text_of("a<!-- <p> -- > -->b<!-->c<!--->d") == "abcd");
    CHECK(text_of("a<!-- x --!>b<!--!>c-->d<!-- x -- y -->e") == "abde");
    CHECK(text_of("a<?xml b?>c<!DOCTYPE x>d</ e>f") == "acdf");
    CHECK(text_of("a<a title=\"x > y\" alt = 'z\">'>b</a>") == "ab");
    CHECK(text_of("a<a title=x\"y>b") == "ab");
    CHECK(text_of("1 < 2 <3 a<b>c 4<") == "1 < 2 <3 ac 4<");
    CHECK(text_of("a</script>b</p>c") == "ab\nc");
}

TEST_CASE("page: a mark inside a comment, a script or a style is none") {
    const char* hidden[][2] = {{"<style>.", " { color: red }</style>"},
                               {"<STYLE media=\"x>y\">", "</Style >"},
                               {"<script>var a = '", "'; code()</script>"},
                               {"<script src=\"", ".js\"></script>"},
                               {"<!-- <p class=\"", "\"> -->"}};
    std::string article = open_mark + "text" + close_mark;
    for (auto [before, after] : hidden) {
        CAPTURE(std::string(before));
        auto hide = [&, b = before, a = after](const std::string& mark) { return b + mark + a; };
        std::string first = hide("mw-body-content"), last = hide("id=\"References\"");
        std::string page = first + "<ul><li>menu</ul>" + article;
        CHECK(read_article(page, PageForm::text, "page") == "text");
        CHECK(markup_of(page) == "mw-body-content\">text<h2 ");
        check_contains(refusal(first + "text" + close_mark), "no 'mw-body-content'");
        CHECK(text_of("a" + last + "b") == "ab");
        check_contains(refusal(open_mark + "text" + last), "no 'id=\"References\"' after its");
    }

    // Text may speak of the last mark, which is an element's id.
    CHECK(text_of("a id=References b") == "a id=References b");

    // In an ordinary tag, and in the text, the first one is a mark.
    CHECK(markup_of("<p title=\"mw-body-content\">" + article).starts_with("mw-body-content\">"));
    CHECK(markup_of("<p>mw-body-content " + article).starts_with("mw-body-content "));
}

TEST_CASE("page: unclosed tags do not spill what is inside them") {
    CHECK(text_of("a<p>b<p>c<ul><li>d<li>e") == "a\nb\nc\nd\ne");
    CHECK(text_of("a <div class=b") == "a");
    for (const char* part : {"<b title=\"never closed> b", "<script>b", "<style>b", "<!-- b"}) {
        check_contains(refusal(open_mark + "a" + part + close_mark), "of the article never ends");
    }
}

TEST_CASE("page: white space folds to one newline or one blank") {
    CHECK(text_of("\n\t a \r\n b&nbsp;&#160;\xE2\x80\xAF\xE2\x80\x89"
                  "c ") == "a b c");
    CHECK(text_of("<h2>a</h2>\n\n<p> b </p> <p>c<br/>d") == "a\nb\nc\nd");
    CHECK(text_of("<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>") == "a b\nc");
    CHECK(text_of(std::string("a\0b\x01"
                              "c\x7F"
                              "d",
                              7)) == "abcd");
    CHECK(text_of("a\xE2\x80\x8B"
                  "b") ==
          "a\xE2\x80\x8B"
          "b");  // a zero-width space is none
}

TEST_CASE("page: all of Unicode's white space is white space, and nothing beside it") {
    std::vector<uint32_t> spaces = {0x09, 0x0A,   0x0B,   0x0C,   0x0D,   0x20,   0x85,
                                    0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
    for (uint32_t c = 0x2000; c <= 0x200A; ++c) spaces.push_back(c);
    auto between = [](uint32_t c) {
        std::string text = "a";
        append_utf8(text, c);
        return text_of(text + "b");
    };
    for (uint32_t c : spaces) CHECK_MESSAGE(between(c) == "a b", c);
    for (uint32_t c : {0x1FFF, 0x200B, 0x202E, 0x2060, 0x180E, 0xFEFF}) {
        CHECK_MESSAGE(between(c) != "a b", c);
    }
}

TEST_CASE("page: the markup between the marks is every byte of it") {
    std::string body = ">a<script>x < y</script><!-- b --><style>p { }</style><b>c</b>&eacute;\n";
    CHECK(markup_of("<p class=mw-body-content" + body + close_mark) ==
          "mw-body-content" + body + "<h2 ");
}

TEST_CASE("page: entities are decoded once") {
    CHECK(text_of("&lt;b&gt; &amp;lt; &quot;&#39;&apos;") == "<b> &lt; \"''");
    CHECK(text_of("&#181;m &#xB5;m &micro;m &#xb5 m") == "\u00B5m \u00B5m \u00B5m \u00B5 m");
    CHECK(text_of("&unknown; &alpha &; & &# &#x; &-; AT&T;") ==
          "&unknown; &alpha &; & &# &#x; &-; AT&T;");
    CHECK(text_of("caf&eacute, &ampx &notit &apos;&apos") == "caf\u00E9, &x \u00ACit '&apos");
    CHECK(text_of("&abreve;&Dstrok;&zcaron;&imath;") == "\u0103\u0110\u017E\u0131");
    CHECK(text_of("&#0;&#xD800;&#1114112;&#99999999999999999999;") == "\uFFFD\uFFFD\uFFFD\uFFFD");
    CHECK(text_of("&#x10FFFF;&#150;&#x80;") == "\U0010FFFF\u2013\u20AC");
    CHECK(text_of("a&#10;&#32;b") == "a b");
}

TEST_CASE("page: all names of HTML 4") {
    std::istringstream lines(test::read_raw(find_in_project("tests/fixtures/html4_entities.txt")));
    std::string name;
    uint32_t value = 0;
    int n_name = 0;
    while (lines >> name >> value) {
        ++n_name;
        CHECK_MESSAGE(read_entity("&" + name + ";", 0).value == value, name);
    }
    CHECK(n_name == 252);
}

TEST_CASE("page: 50 MB take time in proportion, whatever they hold") {
    // Each of these would take quadratic time if a scan for its end began anew at every byte.
    for (const char* part : {"<p>some text &amp; more ", "<", "&", "&#1", "<!--", "<script>", "</",
                             "<a b=\"", "<a ", "charset=", "<meta ", "<meta charset ", "<style>"}) {
        CAPTURE(std::string(part));
        std::string page = open_mark + "x" + repeat(part, 2'000'000) + close_mark;
        CHECK(processor_seconds(page) < 2);
    }
    CHECK(processor_seconds(open_mark + repeat("<p>some text &amp; more ", 50'000'000) +
                            close_mark) < 20);
}
