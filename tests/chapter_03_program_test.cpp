// Chapter 3's program as a person meets it: bad command lines, a run that is killed and taken up
// again, other threads and kernels. The runs are scaled down, so that each takes a second or two.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "core/files.h"
#include "program.h"
#include "support.h"

using namespace vimach;
using test::check_contains;
using test::Outcome;

namespace {

/// Runs a shell command in a folder of its own, with the program as $L and its shortest whole run
/// as $SMALL: three layers and four windows.
Outcome run(const std::string& command) {
    test::TempFolder folder;
    std::string program = test::program("03_laminar_profile");
    test::write_raw(folder.file("command"), command + "\n");
    return test::shell_in(
        folder,
        "L='" + program + "' SMALL='--quick --layers 0-1,11 --tokens 1024 --epochs 12' sh command");
}

/// A text with single blanks in place of line ends and indents.
std::string one_line(const std::string& text) {
    std::string out;
    for (char c : text) {
        char blank_or_not = c == '\n' ? ' ' : c;
        if (blank_or_not != ' ' || !out.ends_with(' ')) out += blank_or_not;
    }
    return out;
}

void check_refused(const std::string& command, int status, const char* phrase) {
    Outcome outcome = run(command);
    CAPTURE(command);
    CHECK(outcome.status == status);
    CHECK(outcome.out.find("claim") == std::string::npos);
    CHECK_MESSAGE(outcome.err.starts_with("error: "), outcome.err);
    CHECK_MESSAGE(std::ranges::count(outcome.err, '\n') == 1, outcome.err);
    check_contains(outcome.err, phrase);
}

/// Begins a run in the background, and ends it by a signal when some SAEs are finished.
std::string interrupted_by(const std::string& signal) {
    return "env --default-signal=INT $L $SMALL --out k > first 2>&1 & pid=$!; i=0; "
           "while [ \"$(cat k/layers.tsv 2>/dev/null | wc -l)\" -lt 5 ] && [ $i -lt 500 ]; do "
           "sleep 0.01; i=$((i + 1)); done; kill -" +
           signal + " $pid; wait $pid 2>/dev/null; ";
}

}  // namespace

TEST_CASE("chapter 3: bad input gets one line that names the place and the remedy") {
    check_refused("$L --layers 12", 2, "use layers from 0 to 11");
    check_refused("$L --layers 3-1", 2, "'3-1' is no list of layers");
    check_refused("$L --epochs 0", 2, "give a whole number from 1");
    check_refused("$L --tokens 1", 2, "give a whole number from 8");
    check_refused("$L --preset lecture", 2, "use document or notebook");
    check_refused("$L --page missing.html", 1, "missing.html");
    check_refused("echo '<p>hello</p>' > p; $L --page p", 1, "no 'mw-body-content' (p)");
    check_refused("echo '<p>hello</p>' | $L --page /dev/stdin", 1,
                  "no 'mw-body-content' (/dev/stdin)");
    check_refused("echo 'mw-body-content' > p; $L --page p", 1, "no 'id=\"References\"'");
    check_refused("echo '<p class=\"mw-body-content\"></p><p id=\"References\">' > p; $L --page p",
                  1, "no text");
    check_refused("printf 'mw-body-content> caf\\351 id=\"References\"' > p; $L --page p", 1,
                  "byte 20 is not UTF-8");
    check_refused(
        "echo '<p class=mw-body-content>a short page<p id=\"References\">' > p; $L --page p", 1,
        "the article has 3 tokens, 256 are needed");
    check_refused("$L --preset course --tokens 20000", 1, "tokens, 19968 are needed");
    check_refused("touch f; $L --quick --out f/x", 1, "--out");
    check_refused("timeout 5 $L --quick --out /proc", 1, "/proc");  // before any work
}

TEST_CASE("chapter 3: a page in another language, with other marks") {
    std::string page =
        "(echo '<div id=body>'; sed 's/<[^>]*>//g; s/mw-body-content//g' "
        "$(dirname $L)/../chapters/03*/data/led.html; echo \"<h2 id = 'Tham_khảo'>\") > p; ";
    check_refused(page + "$L --page p", 1, "--until Tham_khảo");
    Outcome outcome = run(page + "$L $SMALL --epochs 1 --page p --from id=body --until Tham_khảo");
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
}

TEST_CASE(
    "chapter 3: a run that was killed goes on where it stopped, and ends with the same table") {
    for (const char* signal : {"KILL", "INT"}) {
        CAPTURE(std::string(signal));
        Outcome outcome =
            run("$L $SMALL --out u > u.txt 2>/dev/null; " + interrupted_by(signal) +
                "wc -l < k/layers.tsv; $L $SMALL --out k > k.txt 2> k.err; echo status $?; "
                "cmp u.txt k.txt && echo same output; cmp u/laminar.csv k/laminar.csv && "
                "echo same numbers; cmp u/report.html k/report.html && echo same page; "
                "grep -c 'from the interrupted run' k.err; ls k u | grep layers.tsv | wc -l");
        CHECK(std::atoi(outcome.out.c_str()) >= 5);
        check_contains(outcome.out, "\nstatus 0\nsame output\nsame numbers\nsame page\n");
        CHECK(outcome.out.ends_with("\n0\n"));
        CHECK_FALSE(outcome.out.ends_with("\n0\n0\n"));
    }
}

TEST_CASE("chapter 3: finished layers of another run are refused, and --fresh forgets them") {
    Outcome outcome =
        run(interrupted_by("KILL") +
            "for change in '--epochs 13' '--tokens 512' '--preset course' '--page p.html'; do "
            "sed s/diode/triode/g $(dirname $L)/../chapters/03*/data/led.html > p.html; "
            "$L $SMALL --out k $change 2>&1 >/dev/null | tail -n 1; done; "
            "$L $SMALL --out k --epochs 13 --fresh >/dev/null 2>&1; echo $?");
    size_t n_refused = 0;
    for (size_t at = 0; (at = outcome.out.find("start anew with --fresh", at)) != std::string::npos;
         ++at) {
        ++n_refused;
    }
    CHECK_MESSAGE(n_refused == 4, outcome.out);
    CHECK(outcome.out.ends_with("\n0\n"));
}

TEST_CASE("chapter 3: finished layers stay where the report cannot be written") {
    // claims.tsv is among the last files, and a folder of its name is in the way.
    Outcome outcome = run(
        "mkdir -p k/claims.tsv; $L $SMALL --out k 2>&1 >/dev/null | tail -n 1; ls k | grep layers; "
        "rmdir k/claims.tsv; $L $SMALL --out k 2>&1 >/dev/null | grep -c 'from the interrupted'; "
        "ls k | grep -c layers");
    check_contains(outcome.out, "k/claims.tsv");
    CHECK_MESSAGE(outcome.out.ends_with("\nlayers.tsv\n6\n0\n"), outcome.out);
}

TEST_CASE("chapter 3: a finished layer that was changed is refused with its file and line") {
    Outcome outcome =
        run(interrupted_by("KILL") +
            "sed -i '2s/\t/\t9/5' k/layers.tsv; $L $SMALL --out k 2>&1 >/dev/null | tail -n 1; "
            "$L $SMALL --out k --fresh >/dev/null 2>&1; echo $?");
    CHECK(outcome.out ==
          "error: is damaged: the line does not fit its checksum (k/layers.tsv, "
          "line 2): start anew with --fresh\n0\n");
}

TEST_CASE("chapter 3: the same digits on 1 and 2 threads, all files, one line a layer") {
    Outcome one = run("VIMACH_THREADS=1 $L $SMALL"),
            two = run("VIMACH_THREADS=2 $L $SMALL && ls out/03");
    CHECK(one.status == 0);
    CHECK(two.out.starts_with(one.out));
    for (const char* file :
         {"claims.tsv", "report.html", "figure-1.csv", "table-1.csv", "laminar.csv"}) {
        check_contains(two.out, file);
    }
    check_contains(one_line(one.out),
                   "scaled down: 12 of 15 epochs, 1024 of 10240 tokens, 3 of 12 layers 1.");
    check_contains(one.out, "not tested");
    for (const char* line : {"trained, layer 0; ", "trained, layer 11; ", "layer 11; done\n"}) {
        check_contains(one.err, line);
    }
}

TEST_CASE("chapter 3: its memory stays within what it allows itself") {
    for (const char* preset : {"seed", "course"}) {
        Outcome outcome = run(std::string("$L $SMALL --epochs 2 --preset ") + preset);
        double used = 0, allowed = 0;
        size_t at = outcome.err.find("memory: ");
        REQUIRE(at != std::string::npos);
        REQUIRE(std::sscanf(outcome.err.c_str() + at, "memory: at most %lf MB, allowed are %lf MB",
                            &used, &allowed) == 2);
        CHECK_MESSAGE(used <= allowed, outcome.err);
        CHECK(used > 35);
    }
}

TEST_CASE("chapter 3: the course preset is forced by top-k, and the plan says what runs cost") {
    Outcome course = run("$L --quick --preset course --tokens 512 --epochs 1");
    std::string out = one_line(course.out);
    check_contains(out, "first token of a window kept; 1024 latents, the 341 largest kept");
    check_contains(out, "forced: density is k / n_latent = 0.3330 in every layer");
    check_contains(out, "MSE + L1, trained");
    Outcome plan = run("$L --plan --tokens 512");
    CHECK(plan.status == 0);
    for (const char* row : {"this run", "12 layers, d_model 768", "36 layers, d_model 1280"}) {
        check_contains(plan.out, row);
    }
    CHECK(plan.out.find("claim") == std::string::npos);
}
