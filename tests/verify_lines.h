// Compares a line of a chapter's output with a line of tests/expected, which is
//   TOLERANCE[,TOLERANCE...]<TAB>LINE
// One tolerance serves every number of the line, otherwise each number has its own. Text must agree
// to the letter; numbers may differ by their tolerance (absolute), which stands for what other
// processors and BLAS kernels round differently.
#pragma once

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "core/ensure.h"

namespace vimach::test {

/// A line cut into its numbers and what stands around them; runs of blanks count as one.
struct CutLine {
    std::vector<std::string> text{""};  ///< one more than numbers
    std::vector<double> numbers;
};

inline bool starts_number(const std::string& line, size_t at) {
    auto digit = [&](size_t i) { return i < line.size() && line[i] >= '0' && line[i] <= '9'; };
    if (at > 0 && std::isalnum(static_cast<unsigned char>(line[at - 1]))) return false;
    return digit(at) || (line[at] == '-' && digit(at + 1));
}

inline CutLine cut_line(const std::string& line) {
    CutLine cut;
    for (size_t at = 0; at < line.size();) {
        if (starts_number(line, at)) {
            char* end = nullptr;
            cut.numbers.push_back(std::strtod(line.c_str() + at, &end));
            cut.text.emplace_back();
            at = static_cast<size_t>(end - line.c_str());
            continue;
        }
        char c = line[at++];
        std::string& text = cut.text.back();
        if (c != ' ' || (!text.empty() && text.back() != ' ')) text += c;
    }
    return cut;
}

struct ExpectedLine {
    std::string text;
    CutLine cut;                     ///< the text, cut
    std::vector<double> tolerances;  ///< one for each number
};

/// Takes an expected line apart; `where` is its file and line, for the Error.
inline ExpectedLine parse_expected(const std::string& line, const std::string& where) {
    // Read the tolerances up to the tab.
    size_t tab = line.find('\t');
    if (tab == line.npos) fail("a line is not TOLERANCE[,...]<TAB>LINE", where, "correct it");
    ExpectedLine expected = {line.substr(tab + 1), cut_line(line.substr(tab + 1)), {}};
    std::istringstream fields(line.substr(0, tab) + ",");
    for (std::string field; std::getline(fields, field, ',');) {
        char* end = nullptr;
        double tolerance = std::strtod(field.c_str(), &end);
        bool valid = !field.empty() && *end == '\0' && tolerance >= 0 && std::isfinite(tolerance);
        if (!valid) fail("'" + field + "' is no tolerance", where, "give a number, 0 or more");
        expected.tolerances.push_back(tolerance);
    }

    // Give every number its own.
    size_t n_number = expected.cut.numbers.size(), n_given = expected.tolerances.size();
    if (n_given == 1) expected.tolerances.resize(n_number, expected.tolerances[0]);
    if (n_given == 1 || n_given == n_number) return expected;
    fail(format("%zu tolerances for %zu numbers", n_given, n_number), where,
         "give one for all, or one for each");
}

/// What is wrong with an actual line; empty where it agrees.
inline std::string disagreement(const ExpectedLine& expected, const std::string& actual) {
    CutLine cut = cut_line(actual);
    if (cut.text != expected.cut.text) return "the text differs";
    std::string found;
    for (size_t i = 0; i < cut.numbers.size(); ++i) {
        // Allow a hair more: 1.0002 - 1.0001 exceeds 0.0001 by a rounding error.
        double off = std::abs(cut.numbers[i] - expected.cut.numbers[i]);
        if (off <= expected.tolerances[i] * (1 + 1e-6)) continue;
        found += format("%snumber %zu is off by %.3g, allowed %g", found.empty() ? "" : "; ", i + 1,
                        off, expected.tolerances[i]);
    }
    return found;
}

}  // namespace vimach::test
