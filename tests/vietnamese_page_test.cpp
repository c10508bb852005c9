// Chapters with --lang vi: the page is Vietnamese from top to bottom. Chapter 2 is left out, for it
// takes as long as all others; tests/language_test.cpp holds its lines against its sources.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/page_run.h"
#include "tests/program.h"
#include "tests/project_files.h"

using namespace vimach;
using namespace vimach::test;

namespace {

/// What a page shows, without its style, its scripts and the tokens of texts.
std::string shown_text(std::string html) {
    for (auto [open, close] : {std::pair{"<style>", "</style>"},
                               {"<script>", "</script>"},
                               {"<div class=\"tokens", "</div>"},
                               {"<span class=\"tokens", "</span>"},
                               {"<pre", "</pre>"},
                               {"<", ">"}}) {
        for (size_t at = 0; (at = html.find(open, at)) != html.npos;) {
            size_t end = html.find(close, at);
            html.replace(at, end - at + std::string(close).size(), "\n");
        }
    }
    return html;
}

/// An environment variable that has this value as long as it lives.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
    ~Variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

}  // namespace

TEST_CASE("vietnamese: the page alone, and the table of verdicts") {
    Project project;
    project.write_claims(claim_rows);
    auto state = [](Page& page) {
        page.step("Count.");
        page.table("Numbers", {.header = {"count"}, .rows = {{"many"}, {"few"}}});
        state_claims(page);
        page.answer("It is 5.", line_figure("Line"));
    };
    std::string lines =
        "en\tvi\nCount.\tHãy đếm.\nNumbers\tCác số\ncount\tđếm\nmany\tnhiều\nfew\tít\n"
        "It is {}.\tĐó là {}.\nLine\tĐường\nWhy is it so?\tVì sao?\nIt shows that.\tBài nói vậy.\n"
        "63 %\t63 %\nhow much\tbao nhiêu\nwithout it\tkhông có\n";
    write_raw(project.file("chapters/07_why/text.tsv"), lines + "it is about GPT-2 large\tx\n");
    std::string printed = run_page({"--lang", "vi"}, state);
    check_order(printed,
                {"1. Count.", "Numbers", "count", "many", "Claim 7a: it is <so>", "verdict",
                 "reproduced", "Các khẳng định ra sao", "khẳng định", "tái lập được"});
    std::string page = project.read("out/07/report.html");
    check_order(page, {"<html lang=\"vi\">", "<title>Vì sao?</title>", "<h1>Vì sao?</h1>",
                       "<b>Bài giảng:</b> Bài nói vậy.", "Đó là 5.", "docs/vi/07_why.md",
                       "1. Hãy đếm.", "<b>Bảng 1. Các số.</b>", ">đếm<", ">nhiều<", ">ít<",
                       "Khẳng định 7a: đúng &lt;vậy&gt;", "Phép đo: bao nhiêu", "không có",
                       ">tái lập được</b> ", "một nửa", "Các khẳng định ra sao"});
    CHECK(project.read("out/index.html").find("Bài nói vậy.") != std::string::npos);
    CHECK(project.read("out/07/table-1.csv") == "count\nmany\nfew\n");

    // A sentence without a line stops the run.
    write_raw(project.file("chapters/07_why/text.tsv"), "en\tvi\nCount.\tHãy đếm.\n");
    std::string error = error_of([&] { run_page({"--lang", "vi"}, state); });
    CHECK_MESSAGE(error.starts_with("there is no Vietnamese for \"Numbers\""), error);
    speak(Language::english, {});
}

TEST_CASE("vietnamese: --lang decides, else the environment") {
    auto chosen = [](const std::vector<std::string>& words) {
        return options_of(words).language();
    };
    for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) ::unsetenv(name);
    CHECK(chosen({}) == Language::english);
    CHECK(chosen({"--lang", "vi"}) == Language::vietnamese);
    Variable lang("LANG", "vi_VN.UTF-8");
    CHECK(chosen({}) == Language::vietnamese);
    CHECK(chosen({"--lang=en"}) == Language::english);
    Variable all("LC_ALL", "C");
    CHECK(chosen({}) == Language::english);
    CHECK_THROWS_WITH_AS(chosen({"--lang", "de"}), doctest::Contains("there is no language 'de'"),
                         UsageError);
    CHECK_THROWS_AS(chosen({"--lang", ""}), UsageError);
}

TEST_CASE("vietnamese: pages of chapters, with what little English is left") {
    CHECK(shown_text("<p>a<style>b</style> c</p>") == "\na\n c\n");
    TempFolder folder;
    for (auto [name, options] : {std::pair{"00_gpt2", "--generate 2"},
                                 {"01_sparse_autoencoder", ""},
                                 {"03_laminar_profile", "--layers 0-1 --tokens 1024 --epochs 4"},
                                 {"04_activation_maximization", "--starts 2 --steps 3"},
                                 {"05_him_her_ged", ""}}) {
        CAPTURE(name);
        std::string out = folder.file(name);
        Outcome run =
            shell_in(folder, "VIMACH_HOME=" + project_root().string() + " " + program(name) +
                                 " --quick --lang vi " + options + " --out '" + out + "'");
        REQUIRE_MESSAGE(run.status == 0, run.err);
        std::string page = read_raw(out + "/report.html");
        CHECK(page.find("<html lang=\"vi\">") != page.npos);
        bool claims = std::string(name) != "00_gpt2";
        CHECK((run.out.find("kết luận") != run.out.npos) == claims);

        // Few words of English are left: quoted ones, and the tokens in tables.
        std::string words = shown_text(page);
        for (const char* word : {" with ", " and ", " are ", " which "}) {
            size_t n = 0;
            for (size_t at = 0; (at = words.find(word, at)) != words.npos; ++at) ++n;
            CHECK_MESSAGE(n < 40, n << word);
        }
    }
}
