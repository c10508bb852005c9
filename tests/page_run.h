// A chapter that says what a test wants it to say, in a project of its own, and how the tests of
// pages look at what came of it: what it printed, the page and its files.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "show/page.h"
#include "show/plot.h"
#include "tests/support.h"

namespace vimach::test {

/// A folder with one chapter and its document, which is the current folder as long as this lives.
class Project {
public:
    Project() : start_(std::filesystem::current_path()) {
        std::filesystem::create_directories(folder_.file("docs"));
        write_claims("");
        write_raw(folder_.file("docs/07_why.md"), "# Why\n");
        std::filesystem::current_path(folder_.path());
    }
    ~Project() { std::filesystem::current_path(start_); }

    /// Gives the chapter a claims.tsv with these rows.
    void write_claims(const std::string& rows) {
        std::filesystem::create_directories(folder_.file("chapters/07_why"));
        write_raw(
            folder_.file("chapters/07_why/claims.tsv"),
            "id\tclaim\tdocument\tmeasure\tcontrol\tside\tthreshold\twhy\tclaim_vi\twhy_vi\n" +
                rows);
    }

    std::string file(const std::string& name) const { return folder_.file(name); }
    bool has(const std::string& name) const { return std::filesystem::exists(file(name)); }
    std::string read(const std::string& name) const { return read_raw(file(name)); }

private:
    TempFolder folder_;
    std::filesystem::path start_;
};

inline const std::string claim_rows =
    "7a\tit is <so>\t63 %\thow much\twithout it\tat least\t0.5\thalf\tđúng <vậy>\tmột nửa\n"
    "7b other\tit is otherwise\tmany\thow many\tby chance\tat most\t0.1\tfew\tkhác\tít\n";

inline const ChapterInfo why_chapter = {.name = "07_why",
                                        .purpose = "Why is it so?",
                                        .lecture = "It shows that.",
                                        .options = {},
                                        .has_model = false};

/// What goes to standard output, or error, goes into a file as long as this lives.
class Capture {
public:
    explicit Capture(int descriptor = STDOUT_FILENO)
        : file_(std::tmpfile()), descriptor_(descriptor) {
        REQUIRE(file_ != nullptr);
        flush();
        old_ = ::dup(descriptor);
        ::dup2(::fileno(file_), descriptor);
    }
    ~Capture() {
        flush();
        ::dup2(old_, descriptor_);
        ::close(old_);
        std::fclose(file_);
    }
    std::string text() const {
        flush();
        std::string out;
        std::rewind(file_);
        for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_))
            out += static_cast<char>(c);
        return out;
    }

private:
    static void flush() {
        std::cout.flush();
        std::fflush(stdout);
    }
    std::FILE* file_;
    int descriptor_, old_ = -1;
};

using Chapter = std::function<void(Page&)>;

/// The options of a command line without the program's name.
inline Options options_of(std::vector<std::string> words) {
    words.insert(words.begin(), "build/07_why");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    return {static_cast<int>(arguments.size()), arguments.data(), why_chapter};
}

/// Runs a chapter from its first word to its last; returns what it printed.
inline std::string run_page(const std::vector<std::string>& words, const Chapter& chapter) {
    Capture out;
    Page page(why_chapter, options_of(words));
    chapter(page);
    Capture error(STDERR_FILENO);  // finish() says there where the report is
    page.finish();
    return out.text();
}

inline std::string error_of_run(const Chapter& chapter) {
    return error_of([&] { run_page({}, chapter); });
}

inline size_t count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
    return n;
}

/// The values of an attribute, in order.
inline std::vector<std::string> values_of(const std::string& page, const std::string& attribute) {
    std::vector<std::string> values;
    std::string begin = " " + attribute + "=\"";
    for (size_t at = page.find(begin); at != page.npos; at = page.find(begin, at)) {
        at += begin.size();
        values.push_back(page.substr(at, page.find('"', at) - at));
    }
    return values;
}

/// Checks that these parts stand in a text, one after the other.
inline void check_order(const std::string& text, const std::vector<std::string>& parts) {
    size_t at = 0;
    for (const std::string& part : parts) {
        size_t found = text.find(part, at);
        CHECK_MESSAGE(found != text.npos,
                      "no '" << part << "' behind what begins: " << text.substr(at, 500));
        if (found != text.npos) at = found + part.size();
    }
}

inline Figure line_figure(const std::string& title) {
    std::vector<Series> series = {{.name = "s", .x = {1, 2}, .y = {3, 4.5}}};
    return draw_lines({.title = title}, series, {});
}

inline Table small_table(const std::string& cell) { return {.header = {"a"}, .rows = {{cell}}}; }

/// Both claims of claim_rows: one reproduced, one not tested.
inline void state_claims(Page& page) {
    Measure measured = {0.8, {0.7, 0.9}};
    page.claim("7a", measured, {exact_control("without it", measured, 0.2)});
    page.not_tested("7b other", "it is about GPT-2 large");
}

}  // namespace vimach::test
