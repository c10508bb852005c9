// The dashboard of latents: what stands on its cards, and where its links lead.
// What a browser makes of it is seen by looking.
#include <doctest/doctest.h>

#include "show/dashboard.h"
#include "show/document.h"
#include "support.h"

using namespace vimach;

TEST_CASE("dashboard: tokens and latents have cards, and links lead to cards that exist") {
    Dashboard d = {.tokens = {" a", "<b", "\xC3", "\n"},
                   .marked = {true, false, false, false},
                   .latents = {{.latent = 7,
                                .note = "no. 1 by R&D",
                                .brief = "AUC < 1",
                                .values = {0, 0.5, 2, 0},
                                .scores = {.header = {"score"}, .rows = {{"AUC"}}},
                                .extras = {.header = {"raises"}, .rows = {{"plum"}}},
                                .near = {{9, 0.5}}},
                               {.latent = 9, .listed = false, .values = {1, 1.5, 1, 1}}},
                   .by_token = {{}, {2, {7, 9}, {0.5, 0.25}}, {1, {7}, {2}}, {}}};
    std::string page = html_document("R", figure_html(draw_dashboard({.title = "D"}, d), 1));
    for (const char* part :
         {"id=\"latent-7\"", "href=\"#latent-7\"", "id=\"token-0\"", "id=\"token-3\"",
          "href=\"#token-1\"", "no. 1 by R&amp;D", "&lt;b", "\\xC3", "title=\"2\"",
          "2 latents are active", "<a href=\"#latent-9\">latent 9</a>: 0.25",
          "2 tokens at 0, 2 above, up to 2", "<u> a</u>", "AUC &lt; 1", "plum", "id=\"latent-9\"",
          "<a href=\"#latent-9\">latent 9</a>: 0.5", "class=\"latent first\"", "href=\"#cards\""}) {
        CHECK_MESSAGE(page.find(part) != std::string::npos, part);
    }
    CHECK(page.find("</a> AUC &lt; 1") < page.find("id=\"latent-7\""));
    CHECK(page.find("title=\"1\"") == std::string::npos);  // its least has no tint
    CHECK(page.find("<script") == std::string::npos);

    // The strongest token comes first, with its neighbours; tokens at 0 are not listed.
    size_t first = page.find("<li>2 <span"), second = page.find("<li>0.5 <span");
    CHECK(first < second);
    CHECK(page.find("<li>0 <span") == std::string::npos);

    Figure drawing = draw_dashboard({.title = "D"}, d);
    CHECK(drawing.data.header.back() == "latent 7");
    CHECK(drawing.data.rows[2][2] == "2");
    d.by_token[0] = {1, {8}, {1}};
    test::check_contains(test::error_of([&] { draw_dashboard({.title = "D"}, d); }),
                         "a card for every latent named");
    d.by_token[0] = {};
    d.latents[0].values.pop_back();
    test::check_contains(test::error_of([&] { draw_dashboard({.title = "D"}, d); }),
                         "a card does not fit the tokens (figure 'D')");
}
