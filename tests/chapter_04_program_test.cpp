// Chapter 4's program as a person meets it: bad command lines, a climb that diverges, other threads
// and kernels. Runs are scaled down where the numbers do not matter.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "core/files.h"
#include "model/gpt2_file.h"
#include "program.h"
#include "support.h"

using namespace vimach;
using test::check_contains;
using test::Outcome;

namespace {

/// Runs a shell command in a folder of its own, with the program as $A and its shortest whole run
/// as $SMALL, on the 45 tokens of a text t.
Outcome run(const std::string& command) {
    test::TempFolder folder;
    std::string program = test::program("04_activation_maximization");
    test::write_raw(folder.file("command"), command + "\n");
    std::string text;
    for (int line = 0; line < 9; ++line) text += "plum and pear\n";
    test::write_raw(folder.file("t"), text);
    return test::shell_in(
        folder, "A='" + program + "' SMALL='--quick --starts 2 --steps 3 --text t' sh command");
}

/// Whether the command fails with this status, one "error:" line with the phrase, and no file.
void check_refused(const std::string& command, int status, const char* phrase) {
    Outcome outcome = run(command + "; s=$?; ls out/04 2>/dev/null; exit $s");
    CAPTURE(command);
    CHECK(outcome.status == status);
    CHECK(outcome.out.find("report.html") == std::string::npos);
    CHECK_MESSAGE(outcome.err.starts_with("error: "), outcome.err);
    CHECK_MESSAGE(std::ranges::count(outcome.err, '\n') == 1, outcome.err);
    check_contains(outcome.err, phrase);
}

std::string expected_file() { return test::absolute("tests/expected/04.txt"); }

}  // namespace

TEST_CASE("chapter 4: bad input gets one line that names the place and the remedy") {
    check_refused("$A --preset lecture", 2, "use document or notebook");
    check_refused("printf 'a\\377' | $A --text /dev/stdin", 1, "not UTF-8 (/dev/stdin, byte 1)");
    check_refused("$A --layer hidden:12", 2, "hidden:N, block:N or mlp:N with N from 0 to 11");
    check_refused("$A --layer attn:1", 2, "there is no target 'attn:1'");
    check_refused("$A --dim 128", 2, "from 0 to 127");
    check_refused("$A --layer mlp:4 --dim 512", 2, "from 0 to 511");
    check_refused("$A --at 5", 2, "from 0 to 4");
    check_refused("$A --tokens 257", 2, "from 1 to 256");
    check_refused("$A --starts 1", 2, "from 2 to 1000");
    check_refused("$A --steps 0", 2, "from 1 to 1000000");
    check_refused("$A --lambda -0.5", 2, "'-0.5' is out of range (--lambda): give a number, 0 or");
    check_refused("$A --lambda much", 2, "'much' is not a number (--lambda)");
    check_refused("$A --lambda inf", 2, "out of range (--lambda)");
    check_refused("$A --positions maybe", 2, "use on or off");
    check_refused("printf 'Too short' > t; $A --text t", 1, "give a longer text");
    check_refused("printf 'a\\377b' > t; $A --text t", 1, "not UTF-8 (t, byte 1)");
    check_refused("$A --text missing.txt", 1, "missing.txt");
}

TEST_CASE("chapter 4: too little address space is said at once, not waited for") {
    check_refused("ulimit -v 200000; timeout 60 $A $SMALL", 1,
                  "the address space is limited to 204 MB");
}

TEST_CASE("chapter 4: rows that stand for no token can win, and the search leaves them out") {
    // The tiny model's padded rows are the longest by far, so any search would take them.
    test::TempFolder folder;
    Gpt2 model = random_gpt2(
        {.n_layer = 2, .n_head = 1, .d_model = 8, .d_mlp = 32, .n_ctx = 16, .d_vocab = 50304}, 1);
    for (int64_t row = 50257; row < 50304; ++row) {
        for (Real& value : model.W_E.row(row)) value *= 1000;
    }
    save_gpt2(model, folder.file("m"));
    std::string text;
    for (int line = 0; line < 9; ++line) text += "plum and pear\n";
    test::write_raw(folder.file("t"), text);
    Outcome outcome = test::run_chapter_in(
        folder, "04_activation_maximization",
        "--quick --starts 2 --steps 3 --text t --model m --layer hidden:1 --dim 3");
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
    check_contains(outcome.out, "from 50257 on stand for no token and print as [50257]");
    size_t decoded = outcome.out.find("\nDecoded");
    REQUIRE(decoded != std::string::npos);
    CHECK(outcome.out.find("[502", decoded) == std::string::npos);
    size_t found = outcome.out.find("Best of the");
    REQUIRE(found != std::string::npos);
    CHECK(outcome.out.find("[502", found) == std::string::npos);
}

TEST_CASE("chapter 4: a climb that diverges stops and names the step") {
    check_refused("$A $SMALL --lambda 1e300", 1, "the climb diverged");
    check_refused("$A $SMALL --lambda 1e300", 1, "(step 0): use a smaller --lambda");
    test::TempFolder folder;
    Gpt2 model = load_gpt2("weights/nano");
    for (Real& value : model.blocks[0].b_out.data) value = Real(1e38);  // squares are infinite
    save_gpt2(model, folder.path());
    check_refused("$A $SMALL --model " + folder.path(), 1, "the climb diverged");
}

TEST_CASE("chapter 4: every kind of target runs, and says both of its names") {
    check_contains(run("$A $SMALL --layer 3").out, "target hidden:3 = blocks.2.resid_post, dim");
    check_contains(run("$A $SMALL --layer hidden:0").out, "hidden:0 = blocks.0.resid_pre");
    check_contains(run("$A $SMALL --layer block:11 --tokens 2").out, "mean over 2 tokens");
    Outcome neuron = run("$A $SMALL --preset course --layer mlp:2 --dim 511 --at 0");
    check_contains(neuron.out, "preset notebook, quick");
    check_contains(neuron.out, "target mlp:2 = blocks.2.mlp_post, dimension 511");
    check_contains(neuron.out, "5 tokens, at position 0");
    check_contains(neuron.out, "position embeddings added; 2 starts, 3 steps");
    Outcome off = run("$A $SMALL --preset course --positions off --lambda 0");
    check_contains(off.out, "lambda 0; position embeddings not added");
    check_contains(off.out, "target hidden:8 = blocks.7.resid_post, dimension 91");
    Outcome own = run("$A $SMALL && ls out/04");
    check_contains(own.out, "On 45 real tokens");
    for (const char* file : {"claims.tsv", "report.html", "figure-14.csv", "table-6.csv"}) {
        check_contains(own.out, file);
    }
    check_contains(run("$A $SMALL --tokens 1").out, "a window of one token has no next one");
}

TEST_CASE("chapter 4: the same digits on 1 and 2 threads") {
    Outcome one = run("VIMACH_THREADS=1 $A $SMALL"), two = run("VIMACH_THREADS=2 $A $SMALL");
    CHECK(one.status == 0);
    CHECK(one.out == two.out);
}

TEST_CASE("chapter 4: the known output holds with the BLAS kernels of another processor") {
    Outcome other =
        run("OPENBLAS_CORETYPE=Haswell $A --quick | $(dirname $A)/verify " + expected_file());
    CHECK_MESSAGE(other.status == 0, other.out);
}
