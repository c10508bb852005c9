// The one mouth of a chapter: what it states about its claims, what reaches the terminal and in
// which lines, and what it is refused for.
#include "show/page.h"

#include <doctest/doctest.h>

#include "tests/page_run.h"
#include "tests/project_files.h"

using namespace vimach;
using namespace vimach::test;

// --- claims -------------------------------------------------------------------------------------

TEST_CASE("page: every claim is stated once") {
    Project project;
    project.write_claims(claim_rows);
    auto state = [](Page& page) { state_claims(page); };
    CHECK(error_of_run(state) == "no Error was thrown");
    CHECK(error_of_run([](Page& page) {
              page.forced("7c", {}, "k");
          }).starts_with("there is no claim 7c (chapters/07_why/claims.tsv): "));
    CHECK(error_of_run([](Page& page) {
              state_claims(page);
              page.not_tested("7a", "once more");
          }).starts_with("the claim 7a was stated twice (chapters/07_why/claims.tsv): "));
    CHECK(error_of_run([](Page& page) {
              page.claim("7a", exact_measure(1));
          }).starts_with("the claim 7a has no control (07_why): "));
    CHECK(error_of_run([](Page& page) {
              page.not_tested("7b other", "large");
          }).starts_with("the run never stated the claim 7a (07_why): "));
    CHECK(error_of_run([](Page& page) {
              page.verdict_on("7a");
          }).starts_with("the claim 7a has no verdict yet"));
    std::vector<Verdict> verdicts;
    run_page({}, [&](Page& page) {
        state_claims(page);
        verdicts = {page.verdict_on("7a"), page.verdict_on("7b other")};
    });
    CHECK(verdicts == std::vector<Verdict>{Verdict::reproduced, Verdict::not_tested});
}

TEST_CASE("page: a run that only prints a table states nothing and writes nothing") {
    Project project;
    project.write_claims(claim_rows);
    CHECK(run_page({}, [](Page& page) {
              page.only(small_table("\x1b"));
          }).ends_with("  a\n  \\x1B\n"));
    CHECK(!project.has("out/07/report.html"));
    CHECK(!project.has("out/index.html"));
}

TEST_CASE("page: an earlier report never stands beside this run's numbers") {
    Project project;
    project.write_claims(claim_rows);
    run_page({}, [](Page& page) { state_claims(page); });
    REQUIRE(project.has("out/07/report.html"));
    std::filesystem::remove(project.file("out/07/claims.tsv"));
    std::filesystem::create_directories(project.file("out/07/claims.tsv"));
    check_contains(error_of_run([](Page& page) { state_claims(page); }), "claims.tsv");
    CHECK(!project.has("out/07/report.html"));
}

TEST_CASE("page: claims.tsv holds what was stated") {
    Project project;
    project.write_claims(claim_rows);
    run_page({}, [](Page& page) {
        page.model("a\tb\nc");
        state_claims(page);
    });
    CHECK(
        project.read("out/07/claims.tsv") ==
        "id\tclaim\tdocument\tmeasure\tmeasured\tlow\thigh\tcontrols\tneeded\tverdict\twhy\tmodel\n"
        "7a\tit is <so>\t63 %\thow much\t0.8000\t0.7000\t0.9000\twithout it 0.2000, difference "
        "[0.5000, 0.7000]\tat least 0.5\treproduced\tthe whole interval is at least 0.5, and "
        "beyond the control\ta→b↵c\n"
        "7b other\tit is otherwise\tmany\thow many\t-\t-\t-\t\tat most 0.1\tnot tested\tit is "
        "about GPT-2 large\ta→b↵c\n");
    project.write_claims("");
    run_page({"--out", "none"}, [](Page& page) { page.say("nothing to claim"); });
    CHECK(!project.has("none/claims.tsv"));
    CHECK(count(project.read("none/report.html"), "What became of the claims") == 0);
}

TEST_CASE("page: a claim on both mouths, with the numbers that decide it") {
    Project project;
    project.write_claims(claim_rows);
    std::string out = run_page({}, [](Page& page) { state_claims(page); });
    check_order(out,
                {"\nClaim 7a: it is <so>\n", "  the document  63 %\n", "  measure       how much\n",
                 "  this run      0.8000 [0.7000, 0.9000]\n", "  needed        at least 0.5\n",
                 "  without it    0.2000, difference [0.5000, 0.7000]\n",
                 "  verdict       reproduced: the whole interval is at least 0.5, and beyond the\n"
                 "                control\n",
                 "\nClaim 7b other: it is otherwise\n",
                 "  verdict       not tested: it is about GPT-2 large\n",
                 "\nWhat became of the claims\n", "  7a        0.8000 [0.7000, 0.9000]  rep",
                 "  7b other  -                        not tested\n"});
    CHECK(count(out, "this run") == 1);
    std::string page = project.read("out/07/report.html");
    check_order(page, {"<section class=\"claim\" id=\"claim-7a\">", "Claim 7a: it is &lt;so&gt;",
                       "The document: 63 %. Measured: how much. Compared with: without it.",
                       "without it: 0.2000", ">reproduced</b>", "Why at least 0.5: half.",
                       "What became of the claims", "href=\"#claim-7a\"", "<td>reproduced</td>",
                       "0.8000 [0.7000, 0.9000]", "at least 0.5"});
}

TEST_CASE("page: what was not tested is folded away") {
    Project project;
    project.write_claims(claim_rows);
    run_page({}, [](Page& page) { state_claims(page); });
    std::string page = project.read("out/07/report.html");
    check_order(page,
                {"</tbody>", "<details>", "Claims that were not tested", "<ul>",
                 "<li>7b other: it is otherwise. it is about GPT-2 large.</li>", "</details>"});
    CHECK(count(page, "it is otherwise") == 1);
    CHECK(count(page, "claim-7b") == 0);

    std::string out = run_page({}, [](Page& page) {
        page.not_tested("7b other", "large");
        page.forced("7a", {0.8, {0.7, 0.9}}, "k = 3");
    });
    check_order(out, {"Claim 7b other", "Claim 7a", "What became of", "\n  7a ", "\n  7b other"});
    check_order(project.read("out/07/report.html"), {"<b class=\"v4\">forced</b> k = 3."});
}

TEST_CASE("page: a claim without a number, or without an end, can be drawn") {
    Project project;
    project.write_claims(claim_rows);
    std::string out = run_page({}, [](Page& page) {
        const double one_run[] = {0.3};
        page.claim("7a", mean_measure(one_run), {null_control("chance", {NAN, 1})});
        page.claim("7b other", not_measurable("no pair is left"));
    });
    check_order(out, {"  this run      0.3000 (1 run)\n", "  this run      - (no pair is left)\n",
                      "undecided: not measurable: no pair is left"});
    std::string page = project.read("out/07/report.html");
    for (const char* name : {"d", "x", "y", "cx", "cy", "width"}) {
        for (const std::string& value : values_of(page, name)) {
            CHECK_MESSAGE(value.find("nan") == value.npos, value);
            CHECK_MESSAGE(value.find("inf") == value.npos, value);
        }
    }
    CHECK(count(page, "<circle") == 2);  // of the one value, in either width
    CHECK(count(page, "Needed: at least 0.5. this run: 0.3000 (1 run). chance: -.") > 0);
}

// --- the terminal -------------------------------------------------------------------------------

TEST_CASE("page: a wide table is split where a terminal ends") {
    Project project;
    Table wide = {.header = {"name"}, .rows = {{"first"}, {"second"}}};
    for (int i = 0; i < 12; ++i) {
        wide.header.push_back("column " + std::to_string(i));
        wide.rows[0].push_back(std::to_string(i));
        wide.rows[1].push_back("0.25");
    }
    std::string out = run_page({}, [&](Page& page) { page.table("Wide", wide, "A note."); });
    CHECK(count(out, "  name    column") == 2);
    CHECK(count(out, "  first ") == 2);
    CHECK(count(out, "  second ") == 2);
    for (const std::string& line : split_lines(out)) CHECK(line.size() <= 80);
    check_order(out,
                {"\nWide\n", "column 6\n", "  name  ", "column 7", "column 11\n", "A note.\n"});
    CHECK(count(project.read("out/07/report.html"), "<table") == 1);
}

TEST_CASE("table: the parts of a split table") {
    auto headers = [](const Table& table, size_t columns) {
        std::vector<std::string> out;
        for (const Table& part : split_table(table, columns)) {
            std::string names;
            for (const std::string& name : part.header) names += name + " ";
            CHECK(part.rows.size() == table.rows.size());
            CHECK(part.rows[0].size() == part.header.size());
            out.push_back(names);
        }
        return out;
    };
    // Each column takes its widest cell and two blanks: 3, 6, 5, 4.
    Table table = {.header = {"a", "b", "c", "d"}, .rows = {{"é", "four", "xyz", "12"}}};
    using Names = std::vector<std::string>;
    CHECK(headers(table, 18) == Names{"a b c d "});
    CHECK(headers(table, 17) == Names{"a b c ", "a d "});
    CHECK(headers(table, 13) == Names{"a b ", "a c d "});
    CHECK(headers(table, 2) == Names{"a b ", "a c ", "a d "});
    CHECK(headers(small_table("12345"), 3) == Names{"a "});
    CHECK(split_table({.header = {}}, 80).empty());
}

TEST_CASE("page: lines end between words and never inside an interval") {
    Project project;
    std::string sentence = "A value", stray = "] then [ the words of a token";
    std::vector<std::string> intervals;
    for (int i = 0; i < 12; ++i) {
        intervals.push_back(format("[-0.%d, %d.5e+10]", i, i));
        intervals.push_back(format("[%d, inf]", i));
        sentence += format(" 0.%d ", i) + intervals[intervals.size() - 2];
        stray += " and " + intervals.back() + " as well";
    }
    std::string out = run_page({}, [&](Page& page) {
        page.say("%s", sentence.c_str());
        page.say("%s", stray.c_str());
        page.say(
            "[a token of many words, none of which is a number, however long it may grow in the "
            "end]");
        page.say("%s %s", std::string(40, 'x').c_str(), std::string(39, 'y').c_str());
        page.say("%s %s", std::string(40, 'x').c_str(), std::string(40, 'z').c_str());
    });
    for (const std::string& interval : intervals) {
        CHECK_MESSAGE(count(out, interval) == 1, interval);
    }
    for (const std::string& line : split_lines(out)) CHECK_MESSAGE(line.size() <= 80, line);
    CHECK(count(out, "x y") == 1);
    CHECK(count(out, "\nzzz") == 1);
}

TEST_CASE("page: no control byte reaches the terminal or the page") {
    Project project;
    project.write_claims(claim_rows);
    // ESC, the one-byte CSI of a Latin terminal, and the same as a code point.
    std::string evil =
        "\x1b[2J\x9b"
        "31m\xc2\x9b"
        "1m\a";
    std::string out = run_page({}, [&](Page& page) {
        page.about("about %s", evil.c_str());
        page.step("step " + evil);
        page.say("say %s", evil.c_str());
        page.table("title " + evil, {.header = {evil}, .rows = {{evil}}}, "note " + evil);
        page.figure(line_figure(evil));
        page.model(evil);
        page.claim("7a", {0.8, {0.7, 0.9}, evil}, {exact_control(evil, exact_measure(0), 1)});
        page.not_tested("7b other", evil);
        page.answer("answer " + evil, line_figure(evil));
    });
    for (const std::string& text :
         {out, project.read("out/07/report.html"), project.read("out/index.html"),
          project.read("out/07/claims.tsv"), project.read("out/07/summary.txt")}) {
        for (const char* part : {"\x1b", "\x9b", "\a"}) CHECK(count(text, part) == 0);
        CHECK(count(text, "\\x1B[2J\\x9B31m\\xC2\\x9B1m\\x07") > 0);
    }
    run_page({}, [&](Page& page) {
        page.say("the token '\n' and '\u200b'");
        state_claims(page);
    });
    check_contains(project.read("out/07/report.html"),
                   "<p>the token &#39;↵&#39; and &#39;\\u200B&#39;");
    for (const char* part : {"about ", "step ", "say ", "title ", "note ", "answer "}) {
        CHECK(count(out, std::string(part) + "\\x1B") == 1);
    }
}
