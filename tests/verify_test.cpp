// build/verify as a person meets it: what it refuses, and what it says about a line that failed.
// Runs build/verify, so only in the float build.
#include <doctest/doctest.h>

#ifndef VIMACH_DOUBLE

#include <filesystem>

#include "core/files.h"
#include "program.h"
#include "support.h"

using namespace vimach;
using namespace vimach::test;

namespace {

/// What build/verify makes of an output where this is expected.
Outcome verify(const std::string& expected, const std::string& output) {
    TempFolder folder;
    write_raw(folder.file("expected"), expected);
    write_raw(folder.file("output"), output);
    std::string program = std::filesystem::absolute(find_in_project("build/verify")).string();
    return shell_in(folder, "'" + program + "' expected < output");
}

void check_error(const std::string& expected, const std::string& error) {
    Outcome outcome = verify(expected, "a 1 b 2\n");
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    check_contains(outcome.err, "error: " + error);
}

}  // namespace

TEST_CASE("verify: a number out of its tolerance, a changed word, a missing line fail") {
    std::string expected = "0\tfirst\n1e-3\tloss 1.5 at 2\n0,0.1\tepoch 10  loss 2.5\n";
    auto status = [&](const std::string& output) { return verify(expected, output).status; };
    CHECK(status("first\nloss 1.5 at 2\nepoch 10 loss 2.5\n") == 0);
    CHECK(status("first\nloss  1.501 at 1.999\nepoch 10  loss  2.6\n") == 0);
    for (const char* bad :
         {"first\nloss 1.5011 at 2\nepoch 10 loss 2.5\n",
          "first\nlost 1.5 at 2\nepoch 10 loss 2.5\n", "first\nloss nan at 2\nepoch 10 loss 2.5\n",
          "first\nloss 1.5 at 2\nepoch 10.01 loss 2.5\n",
          "first\nloss 1.5 at 2\nepoch 10 loss 2.61\n", "first\nloss 1.5 at 2\nepoch 10 loss\n",
          "first\nloss 1.5 at 2\n", "first\nloss 1.5 at 2\nepoch 10 loss 2.5\nmore\n", ""}) {
        CHECK_MESSAGE(status(bad) == 1, bad);
    }
    CHECK(verify("", "").status == 1);
}

TEST_CASE("verify: a line that fails says which numbers are out and by how much") {
    Outcome outcome = verify("0,0.1,1\ta 1 b 2 c 3\n", "a 1 b 2.5 c 5\n");
    CHECK(outcome.out.starts_with("FAIL  a 1 b 2.5 c 5\n"));
    check_contains(outcome.out,
                   "expected: a 1 b 2 c 3  <- number 2 is off by 0.5, allowed 0.1; number 3 is "
                   "off by 2, allowed 1\n");
    check_contains(outcome.out, "0 lines passed, 1 failed\n");
    check_contains(verify("0\ta\n", "b\n").out, "expected: a  <- the text differs\n");
    check_contains(verify("0\ta\n", "a\nb\n").out, "1 lines passed, 1 failed\n");
}

TEST_CASE("verify: an expected line has one tolerance, or one for each number") {
    check_error("0\ta\n0,0,0\ta 1 b 2\n", "3 tolerances for 2 numbers (expected, line 2): give");
    check_error("0,0\ta 1\n", "2 tolerances for 1 numbers (expected, line 1)");
    check_error("0,0\tno number\n", "2 tolerances for 0 numbers");
    check_error("a 1 b 2\n", "a line is not TOLERANCE[,...]<TAB>LINE (expected, line 1)");
    for (const char* bad : {"", "x", "1x", "-1", "nan", "inf", "1,", ",1", "1,,1"}) {
        check_error(bad + std::string("\ta 1 b 2\n"), "'");
    }
}

#endif
