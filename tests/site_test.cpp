// What a chapter leaves behind: its page, beside what it printed, the files with its numbers, and
// the index that ties the chapters together.
#include "show/site.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/page_run.h"

using namespace vimach;
using namespace vimach::test;

// --- the page -----------------------------------------------------------------------------------

TEST_CASE("page: terminal and page say the same in the same order") {
    Project project;
    project.write_claims(claim_rows);
    std::string out = run_page({"--preset", "notebook"}, [](Page& page) {
        page.about("%d samples", 300);
        page.step("Draw.");
        page.say("%d of %d", 3, 4);
        page.table("The numbers", small_table("17"), "all of them");
        page.figure(line_figure("The lines"));
        page.step("Compare.");
        state_claims(page);
        page.say("Afterwards.");
        page.answer("It is so.", line_figure("The answer"));
    });
    check_order(out, {"preset notebook\n300 samples\n", "\n1. Draw.\n3 of 4\n",
                      "\nThe numbers\n   a\n  17\nall of them\n", "\n2. Compare.\n", "Claim 7a",
                      "Claim 7b other", "Afterwards.\n", "\nAnswer: It is so.\n",
                      "\nWhat became of the claims\n"});
    std::string page = project.read("out/07/report.html");
    page.erase(0, page.find("<main>"));
    check_order(
        page, {"<h1>Why is it so?</h1>", "<p class=\"lecture\"><b>The lecture:</b> It shows that.",
               "<b>This run:</b> It is so.", "preset notebook<br>\n300 samples",
               "href=\"../../docs/07_why.md\"", "Figure 1. The answer", "1. Draw.", "<p>3 of 4</p>",
               "Table 1. The numbers", "all of them", "17", "Figure 2. The lines", "2. Compare.",
               "Claim 7a", "Afterwards.", "What became of the claims"});
}

TEST_CASE("page: a run says which it is, whatever comes first") {
    Project project;
    project.write_claims(claim_rows);
    using Chapters = std::vector<Chapter>;
    for (const Chapter& first :
         Chapters{[](Page&) {}, [](Page& page) { page.say("say"); },
                  [](Page& page) { page.about("about"); }, [](Page& page) { page.step("Step."); },
                  [](Page& page) { page.table("t", small_table("1")); },
                  [](Page& page) { page.answer("so", line_figure("f")); }}) {
        std::string out = run_page({}, [&](Page& page) {
            first(page);
            state_claims(page);
        });
        CHECK_MESSAGE(out.starts_with("preset document\n"), out);
        CHECK(count(out, "preset document") == 1);
        check_contains(project.read("out/07/report.html"), "\"subtitle\">preset document");
    }
}

TEST_CASE("page: a quick run says so") {
    Project project;
    auto nothing = [](Page&) {};
    CHECK(run_page({"--quick"}, nothing).starts_with("preset document, quick\n"));
    CHECK(count(project.read("out/07/report.html"), "<p class=\"banner\">A quick run") == 1);
    CHECK(run_page({}, nothing).starts_with("preset document\n"));
    CHECK(count(project.read("out/07/report.html"), "class=\"banner\"") == 0);
}

TEST_CASE("page: ids hold no blanks, occur once, and links inside the page find them") {
    Project project;
    project.write_claims(claim_rows);
    run_page({}, [](Page& page) {
        page.step("Draw.");
        page.table("t", small_table("1"));
        page.table("t", small_table("2"));
        page.figure(line_figure("f"));
        page.claim("7a", exact_measure(1), {exact_control("chance", exact_measure(0), 1)});
        page.claim("7b other", exact_measure(1), {exact_control("chance", exact_measure(0), 1)});
        page.answer("so", line_figure("g"));
    });
    std::string page = project.read("out/07/report.html");
    std::vector<std::string> ids = values_of(page, "id");
    for (const std::string& id : ids) CHECK_MESSAGE(id.find(' ') == id.npos, id);
    for (const char* id :
         {"step-1", "table-1", "table-2", "figure-1", "figure-2", "claim-7a", "claim-7b-other"}) {
        CHECK_MESSAGE(std::ranges::count(ids, id) == 1, id);
    }
    std::ranges::sort(ids);
    CHECK(std::ranges::adjacent_find(ids) == ids.end());
    size_t n_inside = 0;
    for (const std::string& target : values_of(page, "href")) {
        if (!target.starts_with('#')) continue;
        ++n_inside;
        CHECK_MESSAGE(std::ranges::count(ids, target.substr(1)) == 1, target);
    }
    CHECK(n_inside == 2);
}

TEST_CASE("page: a long table is printed, and folded on the page") {
    Project project;
    std::string out = run_page({}, [](Page& page) {
        page.table("short", small_table("1"));
        page.long_table("long", small_table("\x1b"));
    });
    check_order(out, {"\nlong\n", "  a\n  \\x1B\n"});
    check_order(project.read("out/07/report.html"),
                {"long</p>", "<details>", "Data of table 2 (table-2.csv)", "\\x1B", "</details>"});
    CHECK(project.read("out/07/table-2.csv") == "a\n\x1b\n");
}

TEST_CASE("page: the numbers behind each figure and table, and none of an earlier run") {
    Project project;
    for (const char* old : {"figure-1.csv", "figure-3.csv", "table-2.csv", "table-99.csv",
                            "figure-x.csv", "notes.txt"}) {
        std::filesystem::create_directories(project.file("out/07"));
        write_raw(project.file(std::string("out/07/") + old), "old");
    }
    run_page({}, [](Page& page) {
        page.figure(line_figure("second"));
        page.figure(line_figure("third"));
        page.table("first", small_table("a, \x1b"));
    });
    CHECK(!project.has("out/07/figure-1.csv"));
    CHECK(!project.has("out/07/table-2.csv"));
    CHECK(!project.has("out/07/table-99.csv"));
    CHECK(project.read("out/07/figure-x.csv") == "old");
    CHECK(project.read("out/07/notes.txt") == "old");
    check_contains(project.read("out/07/figure-2.csv"), "2,4.5");
    check_contains(project.read("out/07/figure-3.csv"), "2,4.5");
    CHECK(project.read("out/07/table-1.csv") == "a\n\"a, \x1b\"\n");

    run_page({}, [](Page& page) {
        page.answer("so", line_figure("first"));
        page.figure({.title = "only drawn"});
    });
    check_contains(project.read("out/07/figure-1.csv"), "2,4.5");
    for (const char* gone : {"figure-2.csv", "figure-3.csv", "table-1.csv"}) {
        CHECK(!project.has(std::string("out/07/") + gone));
    }
}

// --- the index ----------------------------------------------------------------------------------

TEST_CASE("page: the index is written among the other chapters' pages only") {
    Project project;
    project.write_claims(claim_rows);
    for (const char* other : {"06_what", "08_how", "drafts", ".cache", "x"}) {
        std::filesystem::create_directories(project.file(std::string("chapters/") + other));
    }
    auto chapter = [](Page& page) {
        page.model("nano");
        state_claims(page);
        page.answer("It <is> so.\nAlways.", line_figure("f"));
    };
    run_page({"--out", "elsewhere/07"}, chapter);
    CHECK(!project.has("out"));
    CHECK(!project.has("elsewhere/index.html"));
    CHECK(!project.has("elsewhere/07/summary.txt"));
    CHECK(count(project.read("elsewhere/07/report.html"), "<nav") == 0);
    check_order(project.read("elsewhere/07/report.html"), {"href=\"../../docs/07_why.md\""});

    run_page({"--quick"}, chapter);
    check_order(project.read("out/index.html"),
                {"Chapter 6: what", "Not run yet: <code>make 06</code>",
                 "<a href=\"07/report.html\">Why is it so?</a>", "It shows that.",
                 "It &lt;is&gt; so.↵Always.", "1 reproduced, 1 not tested",
                 "preset document, quick, nano", "Chapter 8: how", "make 08"});
    CHECK(count(project.read("out/index.html"), "class=\"entry\"") == 3);
    std::string page = project.read("out/07/report.html");
    CHECK(count(page, "<nav") == 2);
    check_order(page, {"href=\"../06/report.html\"", "href=\"../index.html\"",
                       "href=\"../08/report.html\""});
}
