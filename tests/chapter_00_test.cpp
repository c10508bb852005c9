// Chapter 0 as a person meets it: the built program with good and bad command lines, its exit
// status, and what it prints where. Runs build/00_gpt2, so only in the float build.
#include <doctest/doctest.h>

#ifndef VIMACH_DOUBLE

#include <algorithm>
#include <filesystem>
#include <string>

#include "chapters/00_gpt2/controls.h"
#include "core/files.h"
#include "program.h"
#include "support.h"

using namespace vimach;
using test::Outcome;

namespace {

std::string absolute(const char* path) {
    return std::filesystem::absolute(find_in_project(path)).string();
}

/// Runs a shell command with the chapter's program as $C in a folder of its own.
Outcome run(const std::string& command) {
    test::TempFolder folder;
    return test::shell_in(folder, "{ C='" + absolute("build/00_gpt2") + "'; " + command + "; }");
}

/// Whether the command fails with this status and one "error:" line that contains the phrase.
void check_refused(const std::string& command, int status, const char* phrase) {
    test::check_refused(run(command), command, status, phrase);
}

}  // namespace

TEST_CASE("chapter 0: --ids prints the ids and nothing else, however many") {
    CHECK(run("printf 'Hello world' | $C --text - --ids").out == "15496 995\n");
    CHECK(run("printf '' | $C --text - --ids").out == "\n");
    CHECK(run("head -c 300000 /dev/zero | tr '\\0' x | $C --text - --ids | wc -l").out == "1\n");
    CHECK(run("printf 'a\\377b' | $C --text - --ids --bytes").out == "64 187 65\n");
}

TEST_CASE("chapter 0: bad input gets one line that names the place and the remedy") {
    check_refused("$C --nonsense", 2, "unknown option '--nonsense'");
    check_refused("$C stray", 2, "unknown option 'stray'");
    check_refused("$C --text", 2, "--text needs FILE");
    check_refused("$C --quick=1", 2, "--quick takes no value");
    check_refused("$C --generate x", 2, "'x' is no whole number (--generate): give a whole");
    check_refused("$C --generate -1", 2, "give a whole number from 0 to");
    check_refused("$C --seed 1.5", 2, "give a whole number from 0 to");
    check_refused("$C --preset seed", 2, "unknown option '--preset'");
    check_refused("$C --text missing.txt", 1, "missing.txt");
    check_refused("$C --text .", 1, "is a directory");
    check_refused("mkfifo pipe; timeout 5 $C --text pipe", 1, "is not a regular file");
    check_refused("printf 'a\\377b' > bad; $C --text bad", 1, "not UTF-8 (bad, byte 1)");
    check_refused("printf '' | $C --text -", 1, "the text has no token; a loss needs 2");
    check_refused("printf 'a' | $C --text -", 1, "the text has 1 token; a loss needs 2");
    check_refused("VIMACH_THREADS=x $C --text missing.txt", 1, "environment VIMACH_THREADS");
    check_refused("$C --model weights/gpt2-large-missing", 1, "weights/fetch.sh gpt2");
    check_refused("mkdir m; echo x > m/model.safetensors; $C --model m", 1, "shorter than");
    check_refused("touch f; $C --quick --out f/x > /dev/null", 1, "--out");
    check_refused("$C --quick > /dev/full", 1, "standard output");
}

TEST_CASE("chapter 0: help and version") {
    Outcome help = run("$C --help");
    CHECK(help.status == 0);
    for (const char* option : {"--text", "--ids", "--bytes", "--generate", "--model", "--seed",
                               "--out", "--quick", "--help", "--version"}) {
        CHECK_MESSAGE(help.out.find(option) != std::string::npos, option);
    }
    Outcome version = run("$C --version");
    CHECK(version.status == 0);
    CHECK(version.out.find("Unicode ") != std::string::npos);
    CHECK(version.out.find("OpenBLAS ") != std::string::npos);
}

TEST_CASE("chapter 0: text beyond the context is cut into windows, and the output says so") {
    Outcome outcome =
        run("for i in $(seq 300); do printf 'a word '; done > long.txt; "
            "$C --quick --text long.txt && ls out/00");
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find("text: 601 tokens, cut into 3 windows of at most 256") !=
          std::string::npos);
    CHECK(outcome.out.find("report.html") != std::string::npos);
}

TEST_CASE("chapter 0: the same digits on 1 and 2 threads") {
    Outcome one = run("VIMACH_THREADS=1 $C --quick"), two = run("VIMACH_THREADS=2 $C --quick");
    CHECK(one.status == 0);
    CHECK(one.out == two.out);
    check_refused("VIMACH_THREADS=many $C --quick", 1, "VIMACH_THREADS");
}

TEST_CASE("chapter 0: the known output holds with the BLAS kernels of another processor") {
    Outcome other = run("OPENBLAS_CORETYPE=Haswell $C --quick | $(dirname $C)/verify " +
                        absolute("tests/expected/00.txt"));
    CHECK_MESSAGE(other.status == 0, other.out);
}

TEST_CASE("chapter 0: the head that looks at the previous token is found, whatever its layer") {
    Tensor even({2, 3, 3}), back({2, 3, 3});
    for (Real& value : even.data) value = Real(1) / 3;
    for (int64_t query = 1; query < 3; ++query) back.row(3 + query)[query - 1] = 1;
    ch00::PreviousTokenHead best;
    ch00::compare_heads(even, 0, best);
    CHECK(best.attention == doctest::Approx(1.0 / 3));
    ch00::compare_heads(back, 1, best);
    ch00::compare_heads(even, 2, best);
    CHECK((best.layer == 1 && best.head == 1));
    CHECK(best.attention == doctest::Approx(1));
    CHECK(best.pattern.data == back.data);
    CHECK(ch00::mean_loss({std::nan(""), 1, 3}) == 2);
}

#endif
