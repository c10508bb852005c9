// Chapter 2 as a person meets it: its program with good and bad command lines, its exit status, and
// what it prints where. Runs build/02_palinka_sae.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "model/gpt2_file.h"
#include "program.h"

using namespace vimach;
using test::Outcome;

namespace {

/// Runs a shell command with the program as $C in a folder of its own.
Outcome run(const std::string& command) {
    test::TempFolder folder;
    return test::shell_in(folder,
                          "{ C='" + test::program("02_palinka_sae") + "'; " + command + "; }");
}

/// Whether the command fails with this status and one "error:" line that contains the phrase.
void check_refused(const std::string& command, int status, const char* phrase) {
    test::check_refused(run(command), command, status, phrase);
}

/// A short passage and a topic of two words in it, as shell commands that write both.
constexpr const char* short_passage =
    "printf 'Plums from Hungary and pears from Austria ripen late; Hungary presses cherries, and "
    "quinces are mashed, kept, stirred and distilled in small copper stills.' > p; "
    "printf 'Hungary\\nAustria\\n' > w; ";

}  // namespace

TEST_CASE("chapter 2: bad input gets one line that names the place and the remedy") {
    check_refused("$C --preset lecture", 2, "use document or notebook");
    check_refused("printf 'In Hungary' > p; $C --text p > /dev/null", 1,
                  "the model takes 8 to 256 (p)");
    check_refused("yes Hungary | head -n 300 > p; $C --text p > /dev/null", 1,
                  "give a shorter passage");
    check_refused("$C --layer 12 > /dev/null", 2, "give a whole number from 0 to 11");
    check_refused("$C --k 0 > /dev/null", 2, "give a whole number from 1 to 6144");
    check_refused("$C --preset course --k 1025 > /dev/null", 2, "from 1 to 1024");
    check_refused("echo Peru > w; $C --words w > /dev/null", 1, "give words of the passage");
    check_refused("printf 'a\\377b' > w; $C --words w > /dev/null", 1, "not UTF-8 (w, byte");
}

TEST_CASE("chapter 2: a training whose loss is not finite stops and names the epoch") {
    test::TempFolder folder;
    Gpt2 model = load_gpt2("weights/nano");
    Tensor& W = model.blocks[6].W_out;
    for (int64_t i = 0; i < W.rows(); ++i) W.row(i)[3] = Real(1e25);  // the square is infinite
    save_gpt2(model, folder.path());
    check_refused("$C --model " + folder.path() + " > /dev/null; s=$?; ls out/02; exit $s", 1,
                  "the loss is NaN or infinite in epoch 0 (the SAE)");
}

TEST_CASE("chapter 2: the same digits on 1 and 2 threads, from a file and a pipe, and all files") {
    // The list that comes through the pipe has a byte-order mark and line ends of Windows.
    std::string passage = short_passage;
    Outcome one = run(passage +
                      "{ printf '\\357\\273\\277'; sed 's/$/\\r/' w; } | "
                      "VIMACH_THREADS=1 $C --quick --text p --words /dev/stdin");
    Outcome two = run(passage + "VIMACH_THREADS=2 $C --quick --text p --words w && ls out/02");
    CHECK_MESSAGE(one.status == 0, one.err);
    test::check_contains(one.out, "topic: 2 words on 3 tokens");
    CHECK(two.out.starts_with(one.out));
    for (const char* file : {"claims.tsv", "report.html", "figure-1.csv", "table-1.csv"}) {
        CHECK_MESSAGE(two.out.find(file) != std::string::npos, file);
    }
}
