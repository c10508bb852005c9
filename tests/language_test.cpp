// Sentences in the language of the page: which line of a text.tsv is found, what fills its blanks,
// and what is refused. Then the real files: every line is still said by the sources beside it.
#include "show/language.h"

#include <doctest/doctest.h>

#include <set>

#include "core/ensure.h"
#include "support.h"
#include "tests/project_files.h"

using namespace vimach;
using namespace vimach::test;

namespace {

/// Speaks Vietnamese by some lines as long as it lives.
class Speaking {
public:
    explicit Speaking(const std::string& lines) {
        write_raw(folder_.file("text.tsv"), "en\tvi\n" + lines);
        speak(Language::vietnamese, {folder_.file("text.tsv")});
    }
    ~Speaking() { speak(Language::english, {}); }

private:
    TempFolder folder_;
};

/// What speak() says of a file, without its folder.
std::string refusal(const std::string& text) {
    TempFolder folder;
    write_raw(folder.file("text.tsv"), text);
    std::string error = error_of([&] { speak(Language::vietnamese, {folder.file("text.tsv")}); });
    CHECK(spoken() == Language::english);
    return error.replace(error.find(folder.path()), std::string(folder.path()).size() + 1, "");
}

// --- the sources --------------------------------------------------------------------------------

/// What stands in the string literals of a source, one after the other: printf's conversions as a
/// line's end, which no text holds.
std::string literals(const std::string& source) {
    std::string out;
    bool inside = false;
    for (size_t i = 0; i < source.size(); ++i) {
        char c = source[i];
        if (c == '"' && (inside || i == 0 || source[i - 1] != '\'')) {
            // Literals with only white space between them are one.
            size_t next = source.find_first_not_of(" \n", i + 1);
            bool goes_on = inside && next != source.npos && source[next] == '"';
            if (goes_on) i = next;
            if (inside && !goes_on) out += '\n';
            inside = inside == goes_on;
        } else if (inside && c == '\\' && i + 1 < source.size()) {
            out += source[++i] == 'n' ? '\n' : source[i];
        } else if (inside && c == '%' && i + 1 < source.size() && source[i + 1] == '%') {
            out += source[++i];
        } else if (inside && c == '%' &&
                   std::string(" \"").find(source[i + 1]) == std::string::npos) {
            i = source.find_first_of("dsgefuzc", i + 1);
            if (source[i] == 'z') ++i;
            out += '\n';
        } else if (inside) {
            out += c;
        }
    }
    return out;
}

/// The words of a text, one blank around each; lines stay apart.
std::string words_of(const std::string& text) {
    std::string out = " ";
    for (char c : text) {
        bool word = is_word(c) || static_cast<unsigned char>(c) >= 0x80;
        if (word || out.back() != ' ') out += word ? c : ' ';
        if (c == '\n') out += "\n ";
    }
    return out + " ";
}

/// Whether a text can be put together from runs of words in the literals, three of them of one
/// word.
bool is_said(const std::string& text, const std::string& words) {
    std::vector<std::string> parts = split_words(words_of(text));
    size_t n_single = 0;
    for (size_t i = 0; i < parts.size();) {
        std::string run = " ";
        size_t end = i;
        while (end < parts.size() && words.find(run + parts[end] + " ") != words.npos) {
            run += parts[end++] + " ";
        }
        n_single += end == i + 1;
        if (end == i || n_single > 3) return false;
        i = end;
    }
    return true;
}

/// Lines of a text.tsv that nothing says.
Violations unsaid(const TextFile& file, const std::string& said) {
    Violations found;
    std::vector<std::string> lines = split_lines(file.text);
    for (size_t i = 1; i < lines.size(); ++i) {
        std::string english = lines[i].substr(0, lines[i].find('\t'));
        for (size_t at = 0; at < english.size();) {
            size_t open = std::min(english.find('{', at), english.size());
            std::string part = trim(english.substr(at, open - at));
            if (!is_said(part, said)) {
                found.push_back(violation(file, i + 1, "nothing says \"" + part + "\""));
                break;
            }
            at = std::min(english.find('}', open), english.size() - 1) + 1;
        }
    }
    return found;
}

}  // namespace

TEST_CASE("language: English is what it was, without any file") {
    CHECK(spoken() == Language::english);
    CHECK(local("Read this.") == "Read this.");
    CHECK(local_if_all_known({"cell"}) == std::vector<std::string>{"cell"});
}

TEST_CASE("language: a text by its line, by its blanks, or sentence by sentence") {
    Speaking vietnamese(
        "Read this.\tĐọc đi.\n"
        "the trained model\tmô hình đã huấn luyện\n"
        "{} of {} runs\t{2} lần, trong đó {1}\n"
        "{} has {} nats.\t{} có {} nat.\n"
        "{} has {} nats, and more.\t{} có {} nat, và hơn nữa.\n"
        "text: {*}, {} tokens\tvăn bản: {}, {} token\n"
        "{*} kinds\t{} loại\n"
        "all {} kinds\tcả {} loại\n"
        "Add more.\tThêm nữa.\n");
    CHECK(spoken() == Language::vietnamese);
    CHECK(local("Read this.") == "Đọc đi.");
    CHECK(local("").empty());
    CHECK(local("all 3 kinds") == "cả 3 loại");
    CHECK(local("3 of 20 runs") == "20 lần, trong đó 3");
    CHECK(local("the trained model has 1.5 nats.") == "mô hình đã huấn luyện có 1.5 nat.");
    CHECK(local("4 has 5 nats, and more.") == "4 có 5 nat, và hơn nữa.");
    CHECK(local("text: my file, of words, 7 tokens") == "văn bản: my file, of words, 7 token");
    CHECK(local("Read this. 4 has 5 nats. Add more.") == "Đọc đi. 4 có 5 nat. Thêm nữa.");
    for (const char* wordless : {"12.5", "[-0.1, 0.2]", "x = 3", "→", "a b c"}) {
        CHECK(local(wordless) == wordless);
    }
    using Names = std::vector<std::string>;
    CHECK(local_if_all_known({"Read this.", "1"}) == Names{"Đọc đi.", "1"});
    CHECK(local_if_all_known({"Read this.", "low"}) == Names{"Read this.", "low"});
    for (const char* unknown : {"Read that.", "the other model has 1.5 nats.", " has 2 nats.",
                                "Read this. Not that.", "3 of many runs", "read this."}) {
        std::string error = error_of([&] { local(unknown); });
        CHECK_MESSAGE(error.starts_with(std::string("there is no Vietnamese for \"") + unknown),
                      error);
        CHECK(error.ends_with("text.tsv): add a line"));
    }
}

TEST_CASE("language: a file that cannot be right is refused with its line") {
    CHECK(refusal("en\tvi\na\n") ==
          "has not two cells (text.tsv, line 2): write English, a tab, Vietnamese");
    CHECK(refusal("en\tvi\nab\tcd\n\tb\n").starts_with("has not two cells (text.tsv, line 3)"));
    CHECK(refusal("en\tvi\na\t\n").starts_with("has not two cells"));
    CHECK(refusal("en\tvi\na\tb\tc\n").starts_with("has not two cells"));
    for (const char* blanks :
         {"{} of\t{} {}", "{} of\t{2}", "of\t{}", "{} of\t{x}", "{} of\t{0}"}) {
        CHECK(refusal(std::string("en\tvi\n") + blanks + "\n") ==
              "asks for a blank that the English has not (text.tsv, line 2): write {} or {1}, {2}, "
              "...");
    }
}

TEST_CASE("language: every line is said by the sources") {
    std::string said =
        literals("say(\"of %ld runs\" \" in all \\\"x\\\" 5 %%\"); f('\"', \"more\")");
    CHECK(said == "of \n runs in all \"x\" 5 %\nmore\n");
    TextFile lines = {"a.tsv", "en\tvi\nof {} runs in all\tx\nmore\tx\nof {} times\tx\nless\tx\n"};
    CHECK(unsaid(lines, words_of(said)) ==
          Violations{"a.tsv:4: nothing says \"times\"", "a.tsv:5: nothing says \"less\""});
    CHECK(is_said("one of these, and two of those", words_of("one of these\nand\ntwo of those")));
    for (const char* other : {"one, two, those these", "one of this"}) {
        CHECK_FALSE(is_said(other, words_of("one\ntwo of\nthose of these")));
    }

    auto said_in = [](const std::vector<std::string>& folders) {
        std::string all;
        for (const TextFile& file : read_project_files(folders, {".cpp", ".h"})) {
            all += literals(file.text) + "\n";
        }
        for (const TextFile& file : read_project_files(folders, {"claims.tsv"})) all += file.text;
        return words_of(all);
    };
    std::string shared = said_in({"src"});
    Violations found = unsaid(read_project_file("src/show/text.tsv"), shared);
    for (const TextFile& file : read_project_files({"chapters"}, {"text.tsv"})) {
        std::string folder = std::filesystem::path(file.path).parent_path();
        append(found, unsaid(file, said_in({folder}) + shared));
    }
    check_none(found);
}
