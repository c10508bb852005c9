// A page and its figures: what it escapes, what stands behind every colour, where
// axes end, and what becomes of numbers that cannot be drawn.
#include "show/document.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "show/heatmap.h"
#include "show/plot.h"
#include "support.h"
#include "text/utf8.h"

using namespace vimach;

namespace {

constexpr double nan_value = NAN;

size_t count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
    return n;
}

bool contains(const std::string& text, const std::string& part) { return count(text, part) > 0; }

/// The part of a text between two marks, from `at`.
std::string between(const std::string& text, const std::string& begin, const std::string& end,
                    size_t at = 0) {
    size_t from = text.find(begin, at);
    if (from == text.npos) return "";
    from += begin.size();
    return text.substr(from, text.find(end, from) - from);
}

/// Every tag of a page, without its brackets; the style sheet is skipped.
std::vector<std::string> tags_of(const std::string& page) {
    std::vector<std::string> tags;
    for (size_t at = page.find('<'); at != page.npos; at = page.find('<', at)) {
        size_t end = at;
        bool quoted = false;
        while (end < page.size() && (quoted || page[end] != '>')) quoted ^= page[end++] == '"';
        tags.push_back(page.substr(at + 1, end - at - 1));
        at = tags.back() == "style" ? page.find("</style", end) : end;
    }
    return tags;
}

/// The first tag that is not closed, or closed but not open, or has a '<' inside; "" if none.
std::string unbalanced_tag(const std::string& page) {
    std::vector<std::string> open;
    for (const std::string& tag : tags_of(page)) {
        std::string name = tag.substr(0, tag.find_first_of(" \n"));
        if (contains(tag, "<")) return tag;
        if (name[0] == '!' || name == "meta" || name == "link" || name == "br") continue;
        if (tag.ends_with('/')) continue;
        if (name[0] != '/') {
            open.push_back(name);
            continue;
        }
        if (open.empty() || "/" + open.back() != name) return tag;
        open.pop_back();
    }
    return open.empty() ? "" : open.back();
}

/// The first attribute of a drawing that holds something other than a number; "" if none.
std::string bad_coordinate(const std::string& page) {
    for (const std::string& tag : tags_of(page)) {
        for (std::string name : {" d=\"", " x=\"", " y=\"", " width=\"", " height=\"",
                                 " transform=\"", " viewBox=\"", " style=\""}) {
            std::string value = between(tag, name, "\"");
            if (contains(value, "nan") || contains(value, "inf")) return tag;
        }
    }
    return "";
}

/// Checks what holds for every page.
void check_page(const std::string& page) {
    CHECK(unbalanced_tag(page) == "");
    CHECK(bad_coordinate(page) == "");
    CHECK(find_invalid_utf8(page) == std::string::npos);
    CHECK(!contains(page, "http:"));
    CHECK(!contains(page, "https:"));
    CHECK(!contains(page, "<script"));
    CHECK(!contains(page, "@import"));
    CHECK(!contains(page, "src="));
    CHECK(count(page, "<svg") - count(page, "aria-hidden") ==
          count(page, "role=\"img\" aria-label"));
}

/// A whole page of these figures, checked.
std::string page_of(std::span<const Figure> figures) {
    std::string body;
    int number = 0;
    for (const Figure& figure : figures) body += figure_html(figure, ++number);
    std::string page = html_document("figures", body);
    check_page(page);
    return page;
}

std::string line_page(std::span<const Series> series, const PlotOptions& options = {}) {
    Figure both[] = {
        draw_lines({.title = "Lines", .x_label = "step", .y_label = "loss"}, series, options),
        draw_points({.title = "Points", .x_label = "step", .y_label = "loss"}, series, options)};
    return page_of(both);
}

std::string heatmap_page(const Heatmap& heatmap) {
    Figure one[] = {
        draw_heatmap({.title = "Cells", .x_label = "column", .y_label = "row"}, heatmap)};
    return page_of(one);
}

std::string token_page(std::span<const TokenCell> cells, const ColourScale& scale = {}) {
    Figure one[] = {draw_tokens({.title = "Tokens"}, cells, scale)};
    return page_of(one);
}

Heatmap square(size_t n) {
    Heatmap heatmap;
    for (size_t i = 0; i < n; ++i) heatmap.rows.push_back(std::to_string(i));
    heatmap.columns = heatmap.rows;
    Rng rng(1);
    for (size_t i = 0; i < n * n; ++i) heatmap.values.push_back(rng.normal());
    return heatmap;
}

}  // namespace

// --- text ---------------------------------------------------------------------------------------

TEST_CASE("text is escaped once, and bytes that are not text become visible") {
    CHECK(escape_text("a<b> & \"c\" 'd'") == "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
    CHECK(escape_text("&amp;") == "&amp;amp;");
    CHECK(escape_text("café 😀\n\t") == "café 😀\n\t");
    CHECK(escape_text("\xC3(\xFF") == "\\xC3(\\xFF");
    CHECK(escape_text(std::string_view("\0\x1B\x7F", 3)) == "\\x00\\x1B\\x7F");
    CHECK(visible_text(" the cat ") == "·the cat·");
    CHECK(visible_text(" the", false) == " the");
    CHECK(visible_text("\n\t  ") == "↵→··");
    CHECK(visible_text("\xE2\x80\x8D\xC2\xA0\xF0\x9F") == "\\u200D\\u00A0\\xF0\\x9F");
    CHECK(shorten("générale", 5) == "géné…");
    CHECK(shorten("short", 5) == "short");
    CHECK(text_columns("a中😀") == 5);
    CHECK(number_text(nan_value) == "-");
    CHECK(number_text(-0.0) == "0");
    CHECK(number_text(1234567, 7) == "1234567");
}

TEST_CASE("nothing that a caller passes can leave its place in the page") {
    std::string evil = "</title><b a=\"'>&\xFF";
    PlotText text = {.title = evil, .x_label = evil, .y_label = evil, .caption = evil};
    std::vector<Series> series = {{.name = evil, .x = {1, 2}, .y = {1, 2}}};
    std::string body = figure_html(evil, {.header = {evil}, .rows = {{evil}}}, evil, 1);
    Figure figures[] = {
        draw_lines(text, series, {.vertical = {{1, evil}}, .horizontal = {{2, evil}}}),
        draw_points(text, series),
        draw_heatmap(text,
                     {.rows = {evil}, .columns = {evil}, .values = {1}, .scale = {.label = evil}}),
        draw_tokens(text, std::vector<TokenCell>{{evil, evil, 1}}, {.label = evil})};
    for (const Figure& figure : figures) body += figure_html(figure, 1);
    std::string page = html_document(evil, body);
    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(page.ends_with("</html>\n"));
    check_page(page);
    CHECK(!contains(page, "<b a="));
    CHECK(contains(page, "&lt;/title&gt;&lt;b a=&quot;&#39;&gt;&amp;\\xFF"));
}

TEST_CASE("columns of numbers are aligned right, others not") {
    Table table = {.header = {"name", "value"}, .rows = {{"a", "1.5"}, {"2", "-"}, {"", "-3e-5"}}};
    std::string html = table_html(table, "t");
    CHECK(contains(html, "<th scope=\"col\" class=\"n\">value</th>"));
    CHECK(contains(html, "<td class=\"n\">-3e-5</td>"));
    CHECK(!contains(html, "class=\"n\">2<"));
    table.rows.push_back({"too short"});
    CHECK_THROWS_WITH_AS(table_html(table, "t"), doctest::Contains("row 3 has 1 cells"), Error);
}

// --- lines and points ---------------------------------------------------------------------------

TEST_CASE("series differ in more than colour, and their names do not overlap") {
    std::vector<Series> series;
    for (int k = 0; k < 12; ++k) {
        series.push_back(
            {.name = format("layer %d", k), .x = {0, 1, 2}, .y = {1, 2, 3 + k * 1e-3}});
    }
    std::string page = line_page(series);
    std::string drawing = between(page, "class=\"scroll broad\"", "</svg>");
    CHECK(contains(drawing, "aria-label=\"Lines\""));
    CHECK(contains(drawing, "<desc>Line plot: loss (y), step (x). layer 0: from 1 to 3."));

    std::vector<std::string> styles;
    std::vector<double> heights;
    for (int k = 0; k < 12; ++k) {
        size_t at = drawing.find(format("><title>layer %d</title></path>", k));
        size_t begin = drawing.rfind("<path class=\"line", at);
        styles.push_back(between(drawing, "<path ", " d=", begin));
        size_t name = drawing.find(format("<g><title>layer %d</title>", k));
        heights.push_back(std::strtod(between(drawing, " y=\"", "\"", name).c_str(), nullptr));
    }
    std::ranges::sort(styles);
    CHECK(std::ranges::adjacent_find(styles) == styles.end());
    std::ranges::sort(heights);
    for (size_t i = 1; i < heights.size(); ++i) CHECK(heights[i] - heights[i - 1] > 15.8);
    CHECK(heights.front() > 5);
    CHECK(heights.back() < 320);
}

TEST_CASE("a value that is not finite interrupts its line and is counted") {
    std::vector<Series> series = {
        {.name = "a", .x = {0, 1, 2, 3, 4, 5}, .y = {1, 2, nan_value, 4, INFINITY, 6}}};
    std::string page = line_page(series);
    std::string line = between(between(page, "class=\"line s0\"", ">"), "d=\"", "\"");
    CHECK(count(line, "M") == 3);
    CHECK(count(line, "L") == 1);
    CHECK(count(page, "2 points not drawn: not a finite number.") == 2);
    CHECK(contains(page, "<td class=\"n\">2</td><td class=\"n\">-</td>"));
    CHECK(count(page, "<title>a: step 5, loss 6</title>") == 4);
    CHECK(!contains(page, "step 2, loss"));
}

TEST_CASE("what is not positive has no place on a logarithmic axis") {
    std::vector<Series> series = {{.name = "a",
                                   .x = {1, 2, 3, 4},
                                   .y = {0, -1, 10, 1000},
                                   .low = {0, -2, 0, 900},
                                   .high = {1, 1, 20, 1100}}};
    std::string page = line_page(series, {.log_y = true});
    CHECK(contains(page, "2 points not drawn: not positive, on a logarithmic axis."));
    CHECK(contains(page, "Intervals that reach 0 or below end at the edge of the plot."));
    CHECK(count(between(page, "class=\"line s0\"", ">"), "L") == 1);
    CHECK(contains(page, "class=\"band s0\""));
    CHECK_THROWS_WITH_AS(line_page(series, {.log_y = true, .horizontal = {{0, "zero"}}}),
                         doctest::Contains("the mark 'zero' at 0 has no place"), Error);
}

TEST_CASE("plots of nothing, of one point, and of extremes are still plots") {
    CHECK(count(line_page({}), "no values to draw") == 4);
    std::vector<Series> series = {{.name = "a", .x = {nan_value}, .y = {1}},
                                  {.name = "b", .x = {}, .y = {}}};
    CHECK(count(line_page(series), "no values to draw") == 4);
    CHECK(contains(line_page(series, {.log_x = true, .log_y = true}), "no values"));
    series = {{.name = "a", .x = {3}, .y = {5}, .low = {4}, .high = {6}}};
    CHECK(count(line_page(series), "<title>a: step 3, loss 5</title>") == 4);
    CHECK(contains(line_page(series), "class=\"bar s0\""));
    series = {{.name = "a", .x = {-9e299, 9e299}, .y = {5e-324, 0}}};
    line_page(series);
    series = {{.name = "a", .x = {1e-299, 9e299}, .y = {1e-299, 9e299}}};
    line_page(series, {.log_x = true, .log_y = true});
}

TEST_CASE("series of unequal lengths are refused by name") {
    std::vector<Series> series = {{.name = "short", .x = {1, 2}, .y = {1}}};
    CHECK_THROWS_WITH_AS(line_page(series), doctest::Contains("series 'short' has 2 x, 1 y"),
                         Error);
    series = {{.name = "open", .x = {1}, .y = {1}, .low = {1}}};
    CHECK_THROWS_WITH_AS(line_page(series), doctest::Contains("1 low and 0 high"), Error);
}

TEST_CASE("marks are drawn and named") {
    std::vector<Series> series = {{.name = "a", .x = {0, 9}, .y = {0, 9}}};
    std::string page =
        line_page(series, {.vertical = {{4.5, "cut"}}, .horizontal = {{20, "chance"}}});
    CHECK(count(page, "<title>cut: 4.5</title>") == 4);
    CHECK(count(page, "<title>chance: 20</title>") == 4);
    CHECK(contains(page, ">20</text>"));
}

TEST_CASE("ten thousand points fit") {
    Series series = {.name = "a", .x = {}, .y = {}};
    for (int i = 0; i < 10000; ++i) {
        series.x.push_back(i);
        series.y.push_back(std::sin(i * 0.01));
    }
    std::string page = line_page(std::span(&series, 1));
    CHECK(page.size() < 2'500'000);
    CHECK(contains(page, "9999\t-0.514"));
}

// --- heatmaps -----------------------------------------------------------------------------------

TEST_CASE("behind every coloured cell stands its value, twice") {
    Heatmap heatmap = {.rows = {"layer 0", "layer 1"},
                       .columns = {" the", "\n", "\xC3"},
                       .values = {1.25, nan_value, -2.5, 0, 4, INFINITY}};
    std::string page = heatmap_page(heatmap);
    std::string cells = between(page, "<g class=\"cells\"", "</g>");
    CHECK(count(cells, "<path class=\"q") == 5);
    CHECK(contains(cells, "M0 0h1v1h-1z\"><title>layer 0, ·the: 1.25</title>"));
    CHECK(contains(cells, "<title>layer 0, \\xC3: -2.5</title>"));
    CHECK(contains(cells, "<title>layer 1, \\xC3: inf</title>"));
    CHECK(!contains(cells, "layer 0, ↵"));
    std::string table = between(page, "<tbody>", "</tbody>");
    for (const char* value : {">1.25<", ">-<", ">-2.5<", ">0<", ">4<", ">inf<"}) {
        CHECK(contains(table, value));
    }
    CHECK(contains(page, "no value"));
}

TEST_CASE("a large heatmap stays small and keeps its values") {
    Heatmap heatmap = square(256);
    heatmap.values[300] = nan_value;
    std::string page = heatmap_page(heatmap);
    CHECK(page.size() < 3'000'000);
    std::string data = between(page, "<pre", "</pre>");
    CHECK(count(data, "\n") == 257);
    CHECK(contains(data,
                   number_text(heatmap.values[0], 6) + "\t" + number_text(heatmap.values[1], 6)));
    std::string cells = between(page, "<g class=\"cells\"", "</g>");
    CHECK(count(cells, "h1v1h-1z") == 256 * 256 - 1);
    CHECK(count(cells, "<path") == count(cells, "<title>"));
    CHECK(count(cells, " to ") == count(cells, "<title>"));
}

TEST_CASE("a large heatmap has every value in its row and its column, whatever its shape") {
    // The last row and the last column hold the largest value, all other cells the smallest.
    Heatmap heatmap = {.rows = std::vector<std::string>(50, "r"),
                       .columns = std::vector<std::string>(100, "c")};
    for (size_t k = 0; k < 5000; ++k) heatmap.values.push_back(k / 100 == 49 || k % 100 == 99);
    std::string page = heatmap_page(heatmap);
    std::string cells = between(page, "<g class=\"cells\"", "</g>");
    std::string large = between(cells, format("class=\"q%d\" d=\"", n_colour - 1), "\"");
    CHECK(count(large, "M") == 149);
    CHECK(count(large, "M99 ") == 50);
    CHECK(count(large, " 49h") == 100);
    CHECK(contains(between(cells, "class=\"q0\" d=\"", "\""), "M98 48h"));
}

TEST_CASE("heatmaps of nothing, of blanks and of one value") {
    CHECK(contains(heatmap_page({}), "no values to draw"));
    CHECK(count(heatmap_page({.rows = {"r"}, .columns = {"c"}, .values = {nan_value}}),
                "<title>r, c") == 0);
    CHECK(count(heatmap_page({.rows = {"r"}, .columns = {"c"}, .values = {3}}),
                "<title>r, c: 3</title>") == 2);
    heatmap_page({.rows = {"r"}, .columns = {"c"}, .values = {0}, .scale = {.diverging = true}});
    CHECK_THROWS_WITH_AS(heatmap_page({.rows = {"r"}, .columns = {"c", "d"}, .values = {1}}),
                         doctest::Contains("1 values do not fill 1 rows of 2 columns"), Error);
    CHECK_THROWS_WITH_AS(heatmap_page(square(600)), doctest::Contains("360000 cells"), Error);
}

// --- tokens -------------------------------------------------------------------------------------

TEST_CASE("every token shows its white space, its value and its detail") {
    std::vector<TokenCell> cells = {{" caf\xC3\xA9", "top: 'bar'", 1.5},
                                    {"\n\n", "", 2},
                                    {"\t", "", 0},
                                    {"\xF0\x9F", "half an emoji", 7},
                                    {"  ", "", 1},
                                    {"a<b", "", nan_value},
                                    {"", "", 3}};
    std::string page = token_page(cells);
    std::string text = between(page, "<div class=\"tokens\"", "</div>");
    CHECK(contains(text, "title=\"1.5 · top: &#39;bar&#39;\"> café</span>"));
    CHECK(contains(text, ">↵<br>↵<br></span>"));
    CHECK(contains(text, ">→\t</span>"));
    CHECK(contains(text, ">\\xF0\\x9F</span>"));
    CHECK(contains(text, ">··</span>"));
    CHECK(contains(text, "<span class=\"blank\" title=\"-\">a&lt;b</span>"));
    CHECK(count(text, "<span class=\"q") == 6);
    CHECK(contains(text, "class=\"q32\" title=\"7 · half an emoji\""));

    std::string table = between(page, "<tbody>", "</tbody>");
    CHECK(count(table, "<tr>") == cells.size());
    CHECK(contains(table, ">0</td><td class=\"brief\">·café</td><td class=\"n\">1.5</td>"));
    CHECK(contains(table, "half an emoji"));
}

TEST_CASE("no tokens, and tokens on a signed scale") {
    CHECK(contains(token_page({}), "no tokens to show"));
    std::vector<TokenCell> cells = {{"a", "", -1}, {"b", "", 0}, {"c", "", 4}};
    std::string page = token_page(cells, {.diverging = true, .label = "Δ loss"});
    for (const char* kind : {"class=\"d12\"", "class=\"d16\"", "class=\"d32\""}) {
        CHECK(contains(between(page, "<div class=\"tokens\"", "</div>"), kind));
    }
    CHECK(contains(page, "Δ loss"));
}
