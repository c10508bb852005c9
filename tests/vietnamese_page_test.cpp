// Chapters with --lang vi: the page is Vietnamese from top to bottom. Chapter 2 is left out, for it
// takes as long as all others; tests/language_test.cpp holds its lines against its sources.
#include <doctest/doctest.h>

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

}  // namespace

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
