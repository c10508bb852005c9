// Compares a chapter's output with its known output, line by line:
//   build/00_gpt2 --quick | build/verify tests/expected/00.txt
// Each expected line is TOLERANCE<TAB>LINE. Text must agree to the letter; numbers may differ by
// the tolerance (absolute), which stands for what other processors and BLAS kernels round
// differently. Prints PASS or FAIL for each line; exit status 1 if any failed.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "core/ensure.h"
#include "core/files.h"

namespace {

/// A line cut into numbers and what stands between them; runs of blanks count as one.
struct Parts {
    std::vector<std::string> text{""};
    std::vector<double> numbers;
};

bool starts_number(const std::string& line, size_t at) {
    auto digit = [&](size_t i) { return i < line.size() && line[i] >= '0' && line[i] <= '9'; };
    if (at > 0 && std::isalnum(static_cast<unsigned char>(line[at - 1]))) return false;
    return digit(at) || (line[at] == '-' && digit(at + 1));
}

Parts cut(const std::string& line) {
    Parts parts;
    for (size_t at = 0; at < line.size();) {
        if (starts_number(line, at)) {
            char* end = nullptr;
            parts.numbers.push_back(std::strtod(line.c_str() + at, &end));
            parts.text.emplace_back();
            at = static_cast<size_t>(end - line.c_str());
            continue;
        }
        char c = line[at++];
        if (c != ' ' || (!parts.text.back().empty() && parts.text.back().back() != ' ')) {
            parts.text.back() += c;
        }
    }
    return parts;
}

bool agree(const std::string& expected, const std::string& actual, double tolerance) {
    Parts a = cut(expected), b = cut(actual);
    if (a.text != b.text) return false;
    for (size_t i = 0; i < a.numbers.size(); ++i) {
        if (!(std::abs(a.numbers[i] - b.numbers[i]) <= tolerance)) return false;
    }
    return true;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

int compare(const std::string& expected_path) {
    std::vector<std::string> expected = lines_of(vimach::read_text(expected_path));
    std::vector<std::string> actual = lines_of(vimach::read_text("-"));
    size_t n_line = std::max(expected.size(), actual.size());
    int n_failed = 0;
    for (size_t i = 0; i < n_line; ++i) {
        // Cut the expected line into tolerance and text.
        std::string wanted, got = i < actual.size() ? actual[i] : "(no line)";
        double tolerance = 0;
        if (i < expected.size()) {
            size_t tab = expected[i].find('\t');
            char* end = nullptr;
            tolerance = std::strtod(expected[i].c_str(), &end);
            if (tab == std::string::npos || end != expected[i].c_str() + tab) {
                vimach::fail("a line is not TOLERANCE<TAB>LINE",
                             expected_path + ", line " + std::to_string(i + 1), "correct it");
            }
            wanted = expected[i].substr(tab + 1);
        }

        bool same = i < expected.size() && i < actual.size() && agree(wanted, got, tolerance);
        n_failed += !same;
        std::printf("%s  %s\n", same ? "pass" : "FAIL", got.c_str());
        if (!same) std::printf("  expected (+- %g): %s\n", tolerance, wanted.c_str());
    }
    std::printf("%s: %zu lines passed, %d failed\n", expected_path.c_str(),
                n_line - static_cast<size_t>(n_failed), n_failed);
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
