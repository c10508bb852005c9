// Options, help, version, and the end of every Error; see show/console.h.
// Results go to standard output, everything else (errors, times, progress) to standard error. What
// an error quotes (options, names of files and tensors) is made visible, so that no byte of it
// reaches the terminal as a command.
#include "show/console.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <thread>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "math/blas.h"
#include "show/html.h"
#include "text/pretokenizer.h"

namespace vimach {

namespace {

constexpr const char* version = "0.1";

std::vector<OptionHelp> all_options(const ChapterInfo& info) {
    std::vector<OptionHelp> list = info.options;
    if (info.has_presets) {
        list.push_back({"--preset", "NAME", "settings of the document (default) or the notebook"});
    }
    if (info.has_model) list.push_back({"--model", "DIR", "the model (weights/nano)"});
    list.push_back({"--seed", "N", "of every random number (1)"});
    list.push_back({"--out", "DIR", "where the report and the tables go (out/NN)"});
    list.push_back({"--quick", "", "the same with fewer repetitions and steps"});
    list.push_back({"--lang", "en|vi", "of the page and its verdicts (LANG's, or en)"});
    list.push_back({"--help", "", "this text"});
    list.push_back({"--version", "", "of this program and of what it stands on"});
    return list;
}

void print_help(const ChapterInfo& info) {
    std::printf("%s\n\nusage: build/%s [options]\n\n", info.purpose, info.name);
    for (const OptionHelp& option : all_options(info)) {
        std::string name = std::string(option.name) + " " + option.value;
        std::printf("  %-22s %s\n", name.c_str(), option.help);
    }
}

void print_version(const ChapterInfo& info) {
    std::printf("vimach %s, %s\nUnicode %s\n%s\n", version, info.name, unicode_version().c_str(),
                blas_kernels().c_str());
}

[[noreturn]] void fail_usage(const std::string& what, const std::string& name) {
    throw UsageError(what, "command line", "see build/" + name + " --help");
}

/// A full disk shows only when the last characters are written.
void finish_output() {
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
    fail("cannot write", "standard output", "free some space");
}

int report_failure(const char* text, int status) {
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", visible_text(text, false).c_str());
    return status;
}

}  // namespace

Options::Options(int argc, char** argv, const ChapterInfo& info) {
    std::vector<OptionHelp> known = all_options(info);
    for (int i = 1; i < argc; ++i) {
        // Take "--name value", "--name=value" or, for a switch, "--name".
        std::string word = argv[i], value;
        size_t equals = word.find('=');
        std::string name = word.substr(0, equals);
        const OptionHelp* option = nullptr;
        for (const OptionHelp& candidate : known) {
            if (name == candidate.name) option = &candidate;
        }
        if (option == nullptr) fail_usage("unknown option '" + word + "'", info.name);

        bool takes_value = *option->value != '\0';
        if (equals != word.npos) value = word.substr(equals + 1);
        if (!takes_value && equals != word.npos) fail_usage(name + " takes no value", info.name);
        if (takes_value && equals == word.npos) {
            if (++i == argc) fail_usage(name + " needs " + option->value, info.name);
            value = argv[i];
        }
        given_[name] = value;
    }
}

std::string Options::text(const std::string& name, const std::string& otherwise) const {
    auto found = given_.find(name);
    return found == given_.end() ? otherwise : found->second;
}

std::string Options::preset() const {
    std::string name = text("--preset", "document");
    if (name == "document" || name == "seed") return "document";
    if (name == "notebook" || name == "course") return "notebook";
    throw UsageError("there is no preset '" + name + "'", "--preset", "use document or notebook");
}

Language Options::language() const {
    std::string name = text("--lang", "");
    if (has("--lang") && name != "en" && name != "vi") {
        throw UsageError("there is no language '" + name + "'", "--lang", "use en or vi");
    }
    for (const char* variable : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
        const char* value = std::getenv(variable);
        if (name.empty() && value != nullptr) name = value;
    }
    return name.starts_with("vi") ? Language::vietnamese : Language::english;
}

int64_t Options::integer(const std::string& name, int64_t otherwise, int64_t low,
                         int64_t high) const {
    if (!has(name)) return otherwise;
    const std::string& text = given_.at(name);
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool number = error == std::errc{} && end == text.data() + text.size();
    if (number && value >= low && value <= high) return value;
    throw UsageError("'" + text + (number ? "' is out of range" : "' is no whole number"), name,
                     format("give a whole number from %ld to %ld", low, high));
}

double Options::real(const std::string& name, double otherwise, double low) const {
    if (!has(name)) return otherwise;
    const std::string& text = given_.at(name);
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool number = error == std::errc{} && end == text.data() + text.size();
    if (number && std::isfinite(value) && value >= low) return value;
    throw UsageError("'" + text + (number ? "' is out of range" : "' is not a number"), name,
                     format("give a number, %g or more", low));
}

namespace {

/// Ends the program without the shutdown of OpenBLAS, which would wait for memory as well.
[[noreturn]] void leave(int status) {
    std::fflush(nullptr);
    std::_Exit(status);
}

/// OpenBLAS reserves space for every processor at its start; refused that, it asks for ever.
void check_address_space() {
    constexpr rlim_t always = 768'000'000, each = 64'000'000;
    rlim_t least = always + each * std::max(std::thread::hardware_concurrency(), 1U);
    rlimit limit = {};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur >= least) return;
    std::fprintf(stderr,
                 "error: the address space is limited to %lu MB; this takes %lu MB (ulimit -v): "
                 "run: ulimit -v unlimited\n",
                 limit.rlim_cur / 1'000'000, least / 1'000'000);
    std::_Exit(1);
}

#ifdef __linux__
/// Newer versions ask before main begins, so the check comes before any library begins. Nothing of
/// the program is initialised then either, so the error is printed with the C library alone.
[[gnu::used, gnu::section(".preinit_array")]] void (*before_libraries)() = check_address_space;
#endif

}  // namespace

int run_chapter(int argc, char** argv, const ChapterInfo& info,
                const std::function<void(const Options&)>& chapter) {
    check_address_space();
    take_fast_kernels(argv);
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a pipe sees lines as they are made
    try {
        Options options(argc, argv, info);
        if (options.has("--help")) {
            print_help(info);
        } else if (options.has("--version")) {
            print_version(info);
        } else {
            thread_count();  // refuses a bad VIMACH_THREADS before any work
            chapter(options);
        }
        finish_output();
    } catch (const UsageError& error) {
        return report_failure(error.what(), 2);
    } catch (const std::bad_alloc&) {
        leave(report_failure("out of memory (this machine): use a smaller model or text", 1));
    } catch (const std::exception& error) {
        return report_failure(error.what(), 1);
    }

    return 0;
}

std::string output_folder(const Options& options, const ChapterInfo& info) {
    std::string folder = options.text("--out", "out/" + std::string(info.name).substr(0, 2));
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!error && std::filesystem::is_directory(folder, error)) {
        OutputFile probe(folder + "/report.html");  // throws now, not after the work
        return folder;
    }
    fail("cannot create the folder", folder, "choose another with --out");
}

std::string chapter_file(const ChapterInfo& info, const std::string& name) {
    return project_file("chapters/" + std::string(info.name) + "/" + name);
}

void announce_report(const std::string& folder) {
    finish_output();
    std::fprintf(stderr, "report: %s/report.html\n", visible_text(folder, false).c_str());
}

}  // namespace vimach
