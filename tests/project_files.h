// What the tests of the project's own text share: where the project is, its files, their lines,
// and how a rule reports what it found. A rule is a function from text to violations of the form
// "file:line: rule", so that a test can also feed it a bad text and see it object.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/ensure.h"
#include "core/files.h"

namespace vimach::test {

/// A file of the project; the path is relative to the project's folder.
struct TextFile {
    std::string path, text;
};

using Violations = std::vector<std::string>;

/// One violation; lines count from 1.
inline std::string violation(const TextFile& file, size_t line, const std::string& rule) {
    return file.path + ":" + std::to_string(line) + ": " + rule;
}

/// Adds violations to those found so far.
inline void append(Violations& all, const Violations& more) {
    all.insert(all.end(), more.begin(), more.end());
}

/// Checks that there are none, and prints them otherwise.
inline void check_none(const Violations& found) {
    std::string list;
    for (const std::string& one : found) list += "\n  " + one;
    CHECK_MESSAGE(found.empty(), found.size() << " violations:" << list);
}

/// The lines of a text, without their newlines.
inline std::vector<std::string> split_lines(std::string_view text) {
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(text.find('\n', at), text.size());
        lines.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

/// A text without the blanks around it.
inline std::string trim(std::string_view text) {
    size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
    return std::string(text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin));
}

/// The words of a text: what stands between blanks.
inline std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    for (size_t at = 0; (at = text.find_first_not_of(" \t", at)) < text.size();) {
        size_t end = std::min(text.find_first_of(" \t", at), text.size());
        words.emplace_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

/// Whether a character can be part of a name.
inline bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/// The project's folder: the nearest one above the program, else above the current folder, that
/// holds both a Makefile and src.
inline std::filesystem::path project_root() {
    namespace fs = std::filesystem;
    for (fs::path folder : {fs::read_symlink("/proc/self/exe").parent_path(), fs::current_path()}) {
        for (; folder.has_relative_path(); folder = folder.parent_path()) {
            if (fs::exists(folder / "Makefile") && fs::is_directory(folder / "src")) return folder;
        }
    }
    fail("finds no folder with a Makefile and src", fs::current_path().string(),
         "run the tests from inside the project");
}

/// One file of the project; its text is empty where there is no such file.
inline TextFile read_project_file(const std::string& path) {
    std::filesystem::path full = project_root() / path;
    return {path, std::filesystem::is_regular_file(full) ? read_text(full.string()) : ""};
}

/// Every file under some folders whose name has one of the endings, in the order of their paths.
/// Folders of built or fetched things are passed over.
inline std::vector<TextFile> read_project_files(const std::vector<std::string>& folders,
                                                const std::vector<std::string>& endings) {
    namespace fs = std::filesystem;
    fs::path root = project_root();
    std::vector<TextFile> files;
    for (const std::string& folder : folders) {
        if (!fs::is_directory(root / folder)) continue;
        for (fs::recursive_directory_iterator at(root / folder), end; at != end; ++at) {
            std::string name = at->path().filename().string();
            bool skipped = name == "build" || name == "out" || name == "node_modules";
            if (at->is_directory() && skipped) at.disable_recursion_pending();
            bool wanted = std::ranges::any_of(endings, [&](auto& e) { return name.ends_with(e); });
            if (!at->is_regular_file() || !wanted) continue;
            files.push_back({at->path().lexically_relative(root).generic_string(),
                             read_text(at->path().string())});
        }
    }
    std::ranges::sort(files, {}, &TextFile::path);
    return files;
}

}  // namespace vimach::test
