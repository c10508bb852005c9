// Chapter 0 as a person meets it: the built program with good and bad command lines, its exit
// status, and what it prints where. Runs build/00_gpt2.
#include <doctest/doctest.h>

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

/// Runs a shell command with the chapter's program as $C in a folder of its own.
Outcome run(const std::string& command) {
    test::TempFolder folder;
    return test::shell_in(folder, "{ C='" + test::program("00_gpt2") + "'; " + command + "; }");
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

TEST_CASE("chapter 0: a text may come through a pipe by any name") {
    for (const char* command :
         {"printf 'Hello world' | $C --text /dev/stdin --ids",
          "printf 'Hello world' | { exec 3<&0; $C --text /dev/fd/3 --ids < /dev/null; }",
          "mkfifo pipe; printf 'Hello world' > pipe & timeout 20 $C --text pipe --ids"}) {
        CAPTURE(std::string(command));
        Outcome outcome = run(command);
        CHECK(outcome.out == "15496 995\n");
        CHECK(outcome.err == "");
    }
}

TEST_CASE("chapter 0: moved out of the checkout it says what to do, and VIMACH_HOME does it") {
    std::string home = std::filesystem::path(test::absolute("weights/merges.txt")).parent_path();
    std::string moved = "mkdir -p a/b/c; cp $C a/b/c/; printf 'Hello world' | ";
    check_refused(moved + "a/b/c/00_gpt2 --text - --ids", 1,
                  "run it from the checkout, or set "
                  "VIMACH_HOME");
    Outcome outcome = run(moved + "VIMACH_HOME='" + home + "/..' a/b/c/00_gpt2 --text - --ids");
    CHECK_MESSAGE(outcome.out == "15496 995\n", outcome.err);
    for (const char* chapter : {"01_sparse_autoencoder", "03_laminar_profile"}) {
        check_refused("mkdir -p a/b/c; cp $(dirname $C)/" + std::string(chapter) +
                          " a/b/c/p; a/b/c/p --quick",
                      1, "set VIMACH_HOME");
    }
}

TEST_CASE("chapter 0: no byte from outside reaches the terminal or the page as a command") {
    // A folder whose name sets a title, erases the screen, and ends with a control byte of 8 bits.
    std::string name = "n=$(printf 'm\\033]0;x\\007\\033[2J\\233\\302\\233'); ";
    std::string model = test::absolute("weights/nano/model.safetensors");
    Outcome whole = run(name + "mkdir \"$n\"; ln -s '" + model +
                        "' \"$n\"; printf 'one two three' "
                        "> t; $C --quick --text t --model \"$n\" --out \"$n\"; "
                        "cat \"$n\"/report.html");
    CHECK(whole.status == 0);
    for (const std::string& text : {whole.out, whole.err}) {
        test::check_contains(text, "m\\x1B]0;x\\x07\\x1B[2J\\x9B\\xC2\\x9B");
        CHECK_FALSE(test::holds_control(text));
    }
    for (const char* words : {"--text \"$n\"", "--model \"$n\"", "--seed \"$n\"", "\"--$n\"",
                              "--out \"f/$n\"", "--generate \"$n\""}) {
        CAPTURE(std::string(words));
        Outcome refused = run(name + "touch f; $C " + words);
        CHECK(refused.status != 0);
        test::check_contains(refused.err, "\\x1B]0;x\\x07\\x1B[2J\\x9B");
        CHECK_FALSE(test::holds_control(refused.err));
    }

    // A header that holds such bytes in the name of a tensor, as a character and as an escape.
    for (const std::string& tensor :
         {std::string("t\x1B]0;x\x07"), std::string("t\\u001b\\u009b")}) {
        test::TempFolder folder;
        test::write_raw(folder.file("model.safetensors"),
                        test::safetensors_bytes("{\"" + tensor +
                                                    "\":{\"dtype\":\"F32\",\"shape\":[1],"
                                                    "\"data_offsets\":[0,4]}}",
                                                "1234"));
        Outcome refused = run("$C --model " + folder.path());
        CHECK(refused.status == 1);
        CHECK_FALSE(test::holds_control(refused.err));
    }
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
    check_refused("$C --text /dev/null", 1, "is not a regular file");
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

TEST_CASE("chapter 0: tokens are drawn by seed, and beyond the context the window slides") {
    std::string draw = "printf 'The old road' > t; $C --quick --text t --temperature 0.9 ";
    Outcome one = run(draw + "--top-k 40"), two = run("VIMACH_THREADS=1; " + draw + "--top-k 40");
    CHECK(one.status == 0);
    CHECK(one.out == two.out);
    test::check_contains(one.out, "Continued at temperature 0.9 by 8 tokens: ");
    CHECK(run(draw + "--seed 2").out != run(draw + "--seed 3").out);
    test::check_contains(run("yes one two | head -c 1000 > t; $C --quick --text t").out,
                         "(the context is full; before each of");
    check_refused("$C --temperature -1", 2, "--temperature");
    check_refused("$C --temperature nan", 2, "--temperature");
    check_refused("$C --temperature 1 --top-k 0", 2, "--top-k");
    check_refused("$C --temperature 1 --top-k 50258", 2, "--top-k");
    check_refused("$C --top-k 5", 2, "pass --temperature too");
}

TEST_CASE("chapter 0: the same digits on 1 and 2 threads") {
    Outcome one = run("VIMACH_THREADS=1 $C --quick"), two = run("VIMACH_THREADS=2 $C --quick");
    CHECK(one.status == 0);
    CHECK(one.out == two.out);
    check_refused("VIMACH_THREADS=many $C --quick", 1, "VIMACH_THREADS");
}

TEST_CASE("chapter 0: the known output holds with the BLAS kernels of another processor") {
    Outcome other = run("OPENBLAS_CORETYPE=Nehalem $C --quick | $(dirname $C)/verify " +
                        test::absolute("tests/expected/00.txt"));
    CHECK_MESSAGE(other.status == 0, other.out);
}

TEST_CASE("chapter 0: a processor that OpenBLAS does not know gets the kernels it can run") {
    auto kernels = [](const std::string& environment) {
        std::string out = run("env " + environment + " $C --version").out;
        return out.substr(out.rfind("OpenBLAS"));
    };
    if (kernels("OPENBLAS_CORETYPE=Prescott").find("Prescott") == std::string::npos) {
        std::printf("SKIPPED: needs an OpenBLAS with the kernels of several x86-64 processors\n");
        return;
    }
    std::string chosen = kernels("-u OPENBLAS_CORETYPE");
    INFO(chosen);
    bool has_avx = std::ifstream("/proc/cpuinfo").good() &&
                   test::read_raw("/proc/cpuinfo").find(" avx2 ") != std::string::npos;
    CHECK((chosen.find("Prescott") == std::string::npos) == has_avx);
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
