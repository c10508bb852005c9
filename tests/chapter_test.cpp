// The chapters as a person meets them: the built programs with good and bad command lines, their
// exit status, and what they print where. Runs build/NN_name, so only in the float build.
#include <doctest/doctest.h>

#ifndef VIMACH_DOUBLE

#include <algorithm>
#include <filesystem>
#include <string>

#include "core/files.h"
#include "model/gpt2_file.h"
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
    return test::shell_in(folder, "{ C='" + absolute("build/00_gpt2") + "'; GED='" +
                                      absolute("build/05_him_her_ged") + "'; " + command + "; }");
}

/// Whether the command fails with this status and one "error:" line that contains the phrase.
void check_refused(const std::string& command, int status, const char* phrase) {
    Outcome outcome = run(command);
    CHECK_MESSAGE(outcome.status == status, command);
    CHECK_MESSAGE(outcome.err.starts_with("error: "), outcome.err);
    CHECK_MESSAGE(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1, outcome.err);
    CHECK_MESSAGE(outcome.err.find(phrase) != std::string::npos, outcome.err);
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

TEST_CASE("chapter 5: bad input gets one line that names the place and the remedy") {
    check_refused("printf 'We saw him.\\n' > a; $GED --him a", 1, "has 1 sentences");
    check_refused("touch a; $GED --him a", 1, "has 0 sentences");
    check_refused("printf 'We saw him.\\nWe left.\\n' > a; $GED --him a", 1, "a, line 2");
    check_refused("printf 'Ask him and him.\\n' > a; $GED --him a", 1, "'him' 2 times");
    check_refused("printf 'I saw him.\\nI hid him.\\nI met him.\\n' > a; $GED --him a", 1,
                  "3 sentences with him, but 55 with her");
    check_refused("$GED --preset lecture", 2, "use document or notebook");
    check_refused("$GED --layer 12", 2, "from 0 to 11");
}

TEST_CASE("chapter 5: the same digits on 1 and 2 threads, and all files") {
    Outcome one = run("VIMACH_THREADS=1 $GED --quick"),
            two = run("VIMACH_THREADS=2 $GED --quick && ls out/05");
    CHECK(one.status == 0);
    CHECK(two.out.starts_with(one.out));
    for (const char* file : {"claims.tsv", "controls.tsv", "report.html", "figure-1.csv"}) {
        CHECK_MESSAGE(two.out.find(file) != std::string::npos, file);
    }
}

TEST_CASE("chapter 5: the known output holds with the BLAS kernels of another processor") {
    Outcome other = run("OPENBLAS_CORETYPE=Haswell $GED --quick | $(dirname $C)/verify " +
                        absolute("tests/expected/05.txt"));
    CHECK_MESSAGE(other.status == 0, other.out);
}

TEST_CASE("verify: a number out of tolerance, a changed word, a missing line fail") {
    Outcome tool =
        run("V=$(dirname $C)/verify; printf '0\\tfirst\\n1e-3\\tloss 1.5 at 2\\n' > e; "
            "printf 'first\\nloss  1.5009 at 2\\n' | $V e >/dev/null; echo $?; "
            "printf 'first\\nloss 1.502 at 2\\n' | $V e >/dev/null; echo $?; "
            "printf 'first\\nlost 1.5 at 2\\n' | $V e >/dev/null; echo $?; "
            "printf 'first\\n' | $V e >/dev/null; echo $?; "
            "printf 'first\\nloss 1.5 at 2\\nmore\\n' | $V e >/dev/null; echo $?; "
            "printf 'first\\nloss nan at 2\\n' | $V e >/dev/null; echo $?");
    CHECK(tool.out == "0\n1\n1\n1\n1\n1\n");
}

#endif
