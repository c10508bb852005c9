// Compares a chapter's output with its known output, line by line:
//   build/00_gpt2 --quick | build/verify tests/expected/00.txt
// tests/verify_lines.h says how two lines are compared. Prints pass or FAIL before each line, and
// below a line that failed what was expected and what is wrong; exit status 1 if any failed.
#include <algorithm>
#include <cstdio>
#include <exception>

#include "core/files.h"
#include "tests/verify_lines.h"

using namespace vimach;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

int compare(const std::string& expected_path) {
    // Read both; a mistake in the expected file is found before anything is printed.
    std::vector<test::ExpectedLine> expected;
    for (const std::string& line : lines_of(read_text(expected_path))) {
        std::string where = format("%s, line %zu", expected_path.c_str(), expected.size() + 1);
        expected.push_back(test::parse_expected(line, where));
    }
    std::vector<std::string> actual = lines_of(read_input("-"));

    // Compare line by line, to the end of the longer one.
    size_t n_line = std::max(expected.size(), actual.size()), n_failed = 0;
    for (size_t i = 0; i < n_line; ++i) {
        bool both = i < expected.size() && i < actual.size();
        std::string wanted = i < expected.size() ? expected[i].text : "(no line)";
        std::string got = i < actual.size() ? actual[i] : "(no line)";
        std::string wrong =
            both ? test::disagreement(expected[i], got) : "a line is missing or too many";
        std::printf("%s  %s\n", wrong.empty() ? "pass" : "FAIL", got.c_str());
        if (wrong.empty()) continue;
        std::printf("  expected: %s  <- %s\n", wanted.c_str(), wrong.c_str());
        ++n_failed;
    }
    std::printf("%s: %zu lines passed, %zu failed\n", expected_path.c_str(), n_line - n_failed,
                n_failed);
    return n_failed == 0 && n_line > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: build/NN_name --quick | build/verify tests/expected/NN.txt\n");
        return 2;
    }
    try {
        return compare(argv[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}
