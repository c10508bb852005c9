// Programs as a person meets them: a shell command, its exit status, and what it printed where.
// What a test gives the command (its programs, its folder) the test puts into the command itself.
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "core/files.h"
#include "support.h"
#include "text/utf8.h"

namespace vimach::test {

/// The absolute path of a file of the project.
inline std::string absolute(const std::string& path) {
    return std::filesystem::absolute(find_in_project(path)).string();
}

/// The absolute path of a program, given its name.
inline std::string program(const std::string& name) { return absolute("build/" + name); }

struct Outcome {
    int status;
    std::string out, err;
};

/// Runs a shell command. Its error output is not caught.
inline Outcome shell(const std::string& command) {
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    Outcome outcome = {0, "", ""};
    char buffer[4096];
    while (size_t count = std::fread(buffer, 1, sizeof buffer, pipe)) {
        outcome.out.append(buffer, count);
    }
    int status = ::pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
}

/// Whether a text holds what a terminal may take as a command: a control character but a newline
/// (of 7 or 8 bits), or a byte that is not UTF-8.
inline bool holds_control(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
        CodePoint here = read_code_point(text, at);
        bool is_control = here.value < 0x20 || (here.value >= 0x7F && here.value < 0xA0);
        if (here.value == invalid_code_point || (is_control && here.value != '\n')) return true;
        at += here.length;
    }
    return false;
}

/// Runs a shell command in a folder; its error output is read from the folder's file "stderr".
inline Outcome shell_in(const TempFolder& folder, const std::string& command) {
    Outcome outcome =
        shell("cd '" + folder.path() + "' && " + command + " 2>'" + folder.file("stderr") + "'");
    outcome.err = read_raw(folder.file("stderr"));
    return outcome;
}

/// Whether a command failed with this status and one "error:" line that contains the phrase.
inline void check_refused(const Outcome& outcome, const std::string& command, int status,
                          const std::string& phrase) {
    CHECK_MESSAGE(outcome.status == status, command);
    CHECK_MESSAGE(outcome.err.starts_with("error: "), outcome.err);
    CHECK_MESSAGE(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1, outcome.err);
    CHECK_MESSAGE(outcome.err.find(phrase) != std::string::npos, outcome.err);
}

/// Runs a chapter's program with these words on its command line, in a folder.
inline Outcome run_chapter_in(const TempFolder& folder, const std::string& chapter,
                              const std::string& words) {
    return shell_in(folder, "{ '" + program(chapter) + "' " + words + "; }");
}

}  // namespace vimach::test
