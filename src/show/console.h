// The command line of a chapter: the few options that all chapters share, those of its own, and
// the one place where an Error ends the program (one "error:" line on stderr, status 1; wrong
// usage: status 2).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "show/language.h"

namespace vimach {

struct OptionHelp {
    const char* name;   ///< "--text"
    const char* value;  ///< what follows it, e.g. "FILE"; "" for a switch
    const char* help;
};

struct ChapterInfo {
    const char* name;                 ///< "00_gpt2"
    const char* purpose;              ///< one sentence; the question that the chapter asks
    const char* lecture = "";         ///< what the lecture shows, in a sentence or two
    std::vector<OptionHelp> options;  ///< its own, beside --seed --out --quick --help --version
    bool has_model = true;            ///< takes --model
    bool has_presets = true;          ///< takes --preset document|notebook
};

/// The options given, checked against those that the chapter has.
class Options {
public:
    /// Throws UsageError for an unknown option, a missing value or a stray word.
    Options(int argc, char** argv, const ChapterInfo& info);

    bool has(const std::string& name) const { return given_.contains(name); }
    std::string text(const std::string& name, const std::string& otherwise) const;

    /// --preset: "document", also where it is not given, or "notebook". The former names, seed and
    /// course, are taken as well. Throws UsageError for any other.
    std::string preset() const;

    /// --lang, or what the environment asks for. Throws UsageError for an unknown one.
    Language language() const;

    /// --seed of every random number: 1 where it is not given.
    uint64_t seed() const { return static_cast<uint64_t>(integer("--seed", 1, 0, 1'000'000'000)); }

    /// A whole number from `low` to `high`; throws UsageError otherwise.
    int64_t integer(const std::string& name, int64_t otherwise, int64_t low, int64_t high) const;

    /// A finite number, `low` or more; throws UsageError otherwise.
    double real(const std::string& name, double otherwise, double low) const;

private:
    std::map<std::string, std::string> given_;
};

/// Parses the command line, answers --help and --version, and runs the chapter. Returns the
/// program's exit status.
int run_chapter(int argc, char** argv, const ChapterInfo& info,
                const std::function<void(const Options&)>& chapter);

/// The folder that a chapter writes to: --out, else out/NN of the chapter's name. Called before
/// the work: throws if it cannot be created.
std::string output_folder(const Options& options, const ChapterInfo& info);

/// The path of a file of the chapter's own folder, e.g. "data/text.txt". Throws if it is not there.
std::string chapter_file(const ChapterInfo& info, const std::string& name);

/// Says on standard error where the report is, once all results have reached standard output.
void announce_report(const std::string& folder);

}  // namespace vimach
