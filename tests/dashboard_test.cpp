// The dashboard of latents: what stands on its cards, and where its links lead.
// What a browser makes of it is seen by looking.
#include "show/dashboard.h"

#include <doctest/doctest.h>

#include "program.h"
#include "show/document.h"

using namespace vimach;

namespace {

Dashboard small_dashboard() {
    return {.tokens = {" a", "<b", "\xC3", "\n"},
            .marked = {true, false, false, false},
            .columns = {"AUC"},
            .latents = {{.latent = 7,
                         .note = "no. 1 by R&D",
                         .scores = {"< 1"},
                         .values = {0, 0.5, 2, 0},
                         .more_scores = {.header = {"score"}, .rows = {{"AUC"}}},
                         .extras = {.header = {"raises"}, .rows = {{"plum"}}},
                         .near = {{9, 0.5}},
                         .rival = "untrained <3",
                         .rival_values = {0, 3.25, 0, 0}},
                        {.latent = 9, .listed = false, .values = {1, 1.5, 1, 1}}},
            .by_token = {{}, {2, {7, 9}, {0.5, 0.25}}, {1, {7}, {2}}, {}}};
}

std::string html_of(const Dashboard& d) {
    Figure figure = draw_dashboard({.title = "D"}, d);
    return html_document("R", figure_html(figure, 1), figure.script);
}

/// Hexadecimal digits as base 64.
std::string base64(const std::string& hex) {
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0, n_bit = 0;
    for (char digit : hex) {
        bits = bits << 4 | static_cast<unsigned>(std::stoi(std::string(1, digit), nullptr, 16));
        for (n_bit += 4; n_bit >= 6; bits &= (1U << n_bit) - 1) {
            out += digits[bits >> (n_bit - 6)];
            n_bit -= 6;
        }
    }
    if (n_bit > 0) out += digits[bits << (6 - n_bit)];
    return out + std::string((4 - out.size() % 4) % 4, '=');
}

}  // namespace

TEST_CASE("dashboard: tokens and latents have cards, and links lead to cards that exist") {
    Dashboard d = small_dashboard();
    std::string page = html_of(d);
    for (const char* part : {"id=\"latent-7\"",
                             "href=\"#latent-7\"",
                             "id=\"token-0\"",
                             "id=\"token-3\"",
                             "href=\"#token-1\"",
                             "no. 1 by R&amp;D",
                             "&lt;b",
                             "\\xC3",
                             "title=\"2\"",
                             "2 latents are active",
                             "<a href=\"#latent-9\">latent 9</a>: 0.25",
                             "2 tokens at 0, 2 above, up to 2",
                             "<u> a</u>",
                             "&lt; 1</td>",
                             "plum",
                             "id=\"latent-9\"",
                             "<a href=\"#latent-9\">latent 9</a>: 0.5",
                             "class=\"latent first\"",
                             "href=\"#cards\"",
                             "To compare: untrained &lt;3",
                             "title=\"3.25\""}) {
        CHECK_MESSAGE(page.find(part) != std::string::npos, part);
    }
    CHECK(page.find("&lt; 1</td>") < page.find("id=\"latent-7\""));
    CHECK(page.find("title=\"1\"") == std::string::npos);  // its least has no tint

    // The strongest token comes first, with its neighbours; tokens at 0 are not listed.
    size_t first = page.find("<li>2 <span"), second = page.find("<li>0.5 <span");
    CHECK(first < second);
    CHECK(page.find("<li>0 <span") == std::string::npos);
    CHECK(page.find("Weakest") == std::string::npos);  // two tokens are all among the strongest

    Figure drawing = draw_dashboard({.title = "D"}, d);
    CHECK(drawing.data.header.back() == "latent 7");
    CHECK(drawing.data.rows[2][2] == "2");
    d.by_token[0] = {1, {8}, {1}};
    test::check_contains(test::error_of([&] { draw_dashboard({.title = "D"}, d); }),
                         "a card for every latent named");
    d.by_token[0] = {};
    d.latents[0].values.pop_back();
    test::check_contains(test::error_of([&] { draw_dashboard({.title = "D"}, d); }),
                         "a card does not fit the tokens or the list (figure 'D')");
}

TEST_CASE("dashboard: the weakest tokens are those with the least activation above 0") {
    Dashboard d = {.tokens = std::vector<std::string>(12, "x"), .columns = {}};
    d.by_token.resize(12);
    d.latents = {{.latent = 1, .values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}};
    std::string page = html_of(d);
    size_t weakest = page.find("Weakest tokens");
    REQUIRE(weakest != std::string::npos);
    size_t least = page.find("<li>1 <span"), eighth = page.find("<li>4 <span");
    CHECK(weakest < least);
    CHECK(eighth < weakest);  // the strongest eight are 11 to 4
    CHECK(page.find("<li>3 <span") > least);
    CHECK(page.find("<li>0 <span") == std::string::npos);
}

TEST_CASE("dashboard: a line of the histogram stands where the bar of so many tokens ends") {
    // Of 20 tokens 16 have nothing, 4 the largest activation: the middle line is that of 4.
    Dashboard d = {.tokens = std::vector<std::string>(20, "x"), .columns = {}};
    d.by_token.resize(20);
    d.latents = {{.latent = 1, .values = std::vector<double>(20)}};
    std::fill_n(d.latents[0].values.begin(), 4, 1);
    std::string page = html_of(d);
    std::string drawing = page.substr(page.find("aria-label=\"Histogram: "));
    size_t line = drawing.find("class=\"grid\" d=\"M"), bar = drawing.rfind("class=\"mark s0\"");
    auto number_behind = [&](const std::string& mark, size_t at) {
        at = drawing.find(mark, at) + mark.size();
        return std::strtod(drawing.c_str() + at, nullptr);
    };
    CHECK(number_behind(">", drawing.find("<text", line)) == 4);
    CHECK(number_behind(" ", line + 15) == number_behind(" y=\"", bar));
}

TEST_CASE("dashboard: the way to the first card is short") {
    Dashboard d = {.tokens = {"x"}, .columns = {}, .by_token = std::vector<TokenCard>(1)};
    for (int64_t i = 0; i < 40; ++i) d.latents.push_back({.latent = i, .values = {1}});
    std::string page = html_of(d);
    std::string before = page.substr(0, page.find("id=\"cards\""));
    size_t folded = before.find("<details>");
    int n_stop = 1;  // the fold itself
    for (size_t at = 0; (at = before.find("<a href", at)) < folded; ++at) ++n_stop;
    CHECK(n_stop == 14);  // the fold, the link that skips, twelve latents
    CHECK(before.find("28 more latents") != std::string::npos);
}

TEST_CASE("dashboard: the page names its script by the hash that it has, and no other runs") {
    Script script = draw_dashboard({.title = "D"}, small_dashboard()).script;
    test::TempFolder folder;
    test::write_raw(folder.file("script.js"), script.text);
    std::string command = "sha256sum < '" + folder.file("script.js") + "'";
    std::string hex = test::shell(command).out.substr(0, 64);
    CHECK(script.hash == base64(hex));
    CHECK(script.text.find("</") == std::string::npos);  // would end it
    std::string page = html_of(small_dashboard());
    CHECK(page.find("script-src 'sha256-" + script.hash + "'\"") != std::string::npos);
    CHECK(page.find("<script>" + script.text + "</script>") != std::string::npos);
}
