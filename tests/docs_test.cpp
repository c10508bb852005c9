// README.md and docs held against what they speak of: quoted code and output stand in the files
// they name, links lead to files, the table of names in docs/notation.md has every tap, extent and
// weight of model/gpt2.h, and every make command in them can be run.
// Each check is shown first to object to a bad document and then to hold on the real ones.
#include <doctest/doctest.h>

#include <functional>
#include <set>

#include "model/gpt2.h"
#include "tests/code_scan.h"
#include "tests/markdown.h"
#include "tests/project_files.h"

using namespace vimach;
using namespace vimach::test;

namespace {

// --- quotes -------------------------------------------------------------------------------------

using Piece = std::vector<std::string>;

std::string without_trailing_blanks(const std::string& line) {
    return line.substr(0, line.find_last_not_of(" \t\r") + 1);
}

/// What a quote is compared with: the file's lines; of tests/expected/NN.txt, whose lines are
/// TOLERANCE<TAB>LINE, what stands behind the tab.
std::vector<std::string> quotable_lines(const TextFile& file) {
    std::vector<std::string> lines;
    bool expected = file.path.starts_with("tests/expected/") && file.path.ends_with(".txt");
    for (const std::string& line : split_lines(file.text)) {
        size_t tab = expected ? line.find('\t') : line.npos;
        if (expected && tab == line.npos) continue;
        lines.push_back(without_trailing_blanks(expected ? line.substr(tab + 1) : line));
    }
    return lines;
}

/// A quote without the blanks that all its lines begin with, cut at lines that are only "...".
std::vector<Piece> quote_pieces(const Block& block) {
    size_t common = std::string::npos;
    for (const std::string& line : block.lines) {
        common = std::min(common, line.find_first_not_of(' '));
    }
    std::vector<Piece> pieces(1);
    for (const std::string& line : block.lines) {
        std::string text = without_trailing_blanks(line);
        if (trim(text) == "...") {
            pieces.emplace_back();
        } else if (!text.empty() || !pieces.back().empty()) {
            pieces.back().push_back(text.empty() ? "" : text.substr(common));
        }
    }

    // Blank lines beside an omission say nothing.
    for (Piece& piece : pieces) {
        while (!piece.empty() && piece.back().empty()) piece.pop_back();
    }
    std::erase_if(pieces, [](const Piece& piece) { return piece.empty(); });
    return pieces;
}

/// Whether the pieces stand in the lines, one after the other, all indented by `indent`.
bool stand_in_order(const std::vector<Piece>& pieces, const std::vector<std::string>& lines,
                    size_t indent) {
    auto from = lines.begin();
    for (Piece piece : pieces) {
        for (std::string& line : piece) {
            if (!line.empty()) line.insert(0, indent, ' ');
        }
        auto found = std::search(from, lines.end(), piece.begin(), piece.end());
        if (found == lines.end()) return false;
        from = found + static_cast<std::ptrdiff_t>(piece.size());
    }
    return !pieces.empty();
}

using Reader = std::function<TextFile(const std::string& path)>;

Violations false_quotes(const TextFile& document, const Reader& read) {
    Violations found;
    for (const Block& block : parse_page(document).blocks) {
        if (!block.closed) found.push_back(violation(document, block.line, "never ends its block"));
        std::string path = quoted_file(block);
        if (path.empty()) continue;
        std::vector<std::string> lines = quotable_lines(read(path));
        std::vector<Piece> pieces = quote_pieces(block);
        bool stands = false;
        for (size_t indent = 0; indent <= 40; ++indent) {
            stands = stands || stand_in_order(pieces, lines, indent);
        }
        if (!stands) found.push_back(violation(document, block.line, "is not a quote of " + path));
    }
    return found;
}

// --- links --------------------------------------------------------------------------------------

Violations dead_links(const TextFile& document,
                      const std::function<bool(const std::string& path)>& exists) {
    Violations found;
    std::vector<std::string> lines = parse_page(document).prose;
    for (size_t i = 0; i < lines.size(); ++i) {
        for (const std::string& target : link_targets(lines[i])) {
            bool elsewhere = target.find("://") != target.npos || target.starts_with("mailto:");
            if (elsewhere || target.starts_with('#')) continue;
            auto folder = std::filesystem::path(document.path).parent_path();
            std::string path = (folder / target.substr(0, target.find('#'))).lexically_normal();
            if (!path.starts_with("..") && !path.starts_with('/') && exists(path)) continue;
            found.push_back(violation(document, i + 1, "links to " + target + ", no file"));
        }
    }
    return found;
}

// --- the table of names -------------------------------------------------------------------------

Violations missing_names(const TextFile& document, const std::vector<std::string>& names) {
    Violations found;
    std::vector<NamedRow> rows = named_rows(document);
    for (const std::string& name : names) {
        if (std::ranges::find(rows, name, &NamedRow::name) != rows.end()) continue;
        found.push_back(violation(document, 1, "has no row for " + name));
    }
    return found;
}

/// The rows named "blocks.N.TAP" and the model's taps are the same.
Violations wrong_taps(const TextFile& document, std::span<const char* const> taps) {
    const std::string prefix = "blocks.N.";
    std::vector<std::string> names;
    for (const char* tap : taps) names.push_back(prefix + tap);
    Violations found = missing_names(document, names);
    for (const NamedRow& row : named_rows(document)) {
        if (!row.name.starts_with(prefix) || is_one_of(row.name, names)) continue;
        found.push_back(violation(document, row.line, "has a row for no tap: " + row.name));
    }
    return found;
}

/// The names with one of these beginnings in the body of a struct.
std::vector<std::string> member_names(const std::string& text, const std::string& name,
                                      const std::vector<std::string>& beginnings) {
    std::string code = code_only(text);
    size_t begin = std::min(code.find("struct " + name + " {"), code.size());
    std::string body = code.substr(begin, code.find("\n};", begin) - begin);
    for (char& c : body) c = is_word(c) ? c : ' ';
    std::set<std::string> names;
    for (const std::string& word : split_words(body)) {
        bool wanted = std::ranges::any_of(beginnings, [&](auto& b) { return word.starts_with(b); });
        if (wanted) names.insert(word);
    }
    return {names.begin(), names.end()};
}

// --- make ---------------------------------------------------------------------------------------

/// The goals of the make commands in a command line; variables and options are none.
std::vector<std::string> make_goals(const std::string& command) {
    // Forget what stands in quotes, which may hold blanks.
    std::string plain;
    char quote = 0;
    for (char c : command) {
        bool mark = c == '"' || c == '\'';
        if (mark && (quote == 0 || quote == c)) quote = quote == 0 ? c : 0;
        if (!mark && quote == 0) plain += c;
    }

    std::vector<std::string> goals;
    bool first = true, making = false;
    for (const std::string& word : split_words(plain)) {
        if (word.starts_with('#')) break;
        if (is_one_of(word, {"&&", "||", "|", ";", "$"})) {
            first = true;
        } else if (word.find('=') != word.npos || word.starts_with('-')) {
            continue;
        } else if (first) {
            making = word == "make";
            first = false;
        } else if (making) {
            goals.push_back(word);
        }
    }
    return goals;
}

/// Adds the targets in front of a rule's colon: names, $(NUMBERS) and $(CHAPTERS), both alone or
/// behind $(addprefix P,...), and patterns "P-%".
void add_targets(const std::vector<std::string>& words, const std::vector<std::string>& chapters,
                 std::set<std::string>& targets) {
    for (size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        targets.insert(word);
        bool prefixed = i > 0 && words[i - 1] == "$(addprefix";
        std::string prefix = prefixed ? word.substr(0, word.find(',')) : "";
        for (const std::string& chapter : chapters) {
            std::string number = chapter.substr(0, chapter.find('_'));
            if (word.find("$(CHAPTERS)") != word.npos) targets.insert(prefix + chapter);
            if (word.find("$(NUMBERS)") != word.npos) targets.insert(prefix + number);
            if (word.ends_with("-%")) targets.insert(word.substr(0, word.size() - 1) + number);
        }
    }
}

/// What a Makefile can make where there are these chapters ("00_gpt2").
std::set<std::string> make_targets(std::string makefile, const std::vector<std::string>& chapters) {
    for (size_t at; (at = makefile.find("\\\n")) != makefile.npos;) makefile.replace(at, 2, " ");
    std::set<std::string> targets;
    for (const std::string& line : split_lines(makefile)) {
        size_t colon = line.ends_with(':') ? line.size() - 1 : line.find(": ");
        bool rule = colon < line.find('=') && line.find_first_of("\t#.") != 0;
        if (rule) add_targets(split_words(line.substr(0, colon)), chapters, targets);
    }
    return targets;
}

/// Goals in code spans and in blocks that quote no file. NN stands for a chapter's number.
Violations unknown_goals(const TextFile& document, const std::set<std::string>& targets) {
    Page page = parse_page(document);
    std::vector<std::pair<size_t, std::string>> commands;
    for (size_t i = 0; i < page.prose.size(); ++i) {
        for (const std::string& span : code_spans(page.prose[i])) commands.push_back({i + 1, span});
    }
    for (const Block& block : page.blocks) {
        if (!quoted_file(block).empty()) continue;
        for (const std::string& line : block.lines) commands.push_back({block.line, line});
    }

    Violations found;
    for (const auto& [line, command] : commands) {
        for (std::string goal : make_goals(command)) {
            if (size_t at = goal.find("NN"); at != goal.npos) goal.replace(at, 2, "00");
            if (targets.contains(goal)) continue;
            found.push_back(violation(document, line, "the Makefile cannot make " + goal));
        }
    }
    return found;
}

// --- the documents ------------------------------------------------------------------------------

TextFile page(const std::string& text) { return {"docs/a.md", text}; }

/// README.md and every page of docs. An empty list would pass every check.
std::vector<TextFile> documents() {
    std::vector<TextFile> all = read_project_files({"docs"}, {".md"});
    REQUIRE(all.size() >= 2);
    all.push_back(read_project_file("README.md"));
    return all;
}

}  // namespace

TEST_CASE("docs: there is a README.md") {
    CHECK(read_project_file("absent.md").text.empty());
    CHECK_FALSE(read_project_file("README.md").text.empty());
}

TEST_CASE("docs: a block that names a file stands in that file") {
    Reader read = [](const std::string& path) -> TextFile {
        if (path == "tests/expected/00.txt") return {path, "# a\n0\tloss 1\n# b\n0.1\t  2 of 3\n"};
        return {path, path == "a.cpp" ? "int f() {\n    g();\n\n    h();\n    i();\n}\n" : ""};
    };
    auto check = [&](const std::string& info, const std::string& quote) {
        return false_quotes(page("text\n```" + info + "\n" + quote + "```\n"), read);
    };
    for (const char* good : {"int f() {\n    g();\n", "g();\n\nh();\n", "  g();\n  ...\n  i();\n",
                             "int f() {\n...\n    i();\n}\n"}) {
        CHECK_MESSAGE(check("cpp a.cpp", good).empty(), good);
    }
    for (const char* bad : {"g()\n", "g();\nh();\n", "i();\n...\ng();\n", "int f() {\ng();\n",
                            "int f() {\n...\n  i();\n", "...\n", ""}) {
        CHECK_MESSAGE(check("cpp a.cpp", bad) == Violations{"docs/a.md:2: is not a quote of a.cpp"},
                      bad);
    }
    CHECK(check("text tests/expected/00.txt", "loss 1\n  2 of 3\n").empty());
    CHECK(check("text tests/expected/00.txt", "0\tloss 1\n").size() == 1);
    CHECK(check("text tests/expected/00.txt", "# a\n").size() == 1);
    CHECK(check("cpp absent.cpp", "g();\n").size() == 1);
    CHECK(check("src/absent.cpp", "g();\n").size() == 1);
    CHECK(check("cpp", "anything\n").empty());
    CHECK(false_quotes(page("```\ng();\n"), read).size() == 1);

    Violations found;
    for (const TextFile& document : documents()) {
        append(found, false_quotes(document, read_project_file));
    }
    check_none(found);
}

TEST_CASE("docs: links lead to files") {
    auto exists = [](const std::string& path) {
        return is_one_of(path, {"docs/b.md", "Makefile", "../Makefile", "/Makefile"});
    };
    CHECK(dead_links(page("[b](b.md#c) [m](../Makefile) [w](https://x.org/y.md) [h](#here)\n"
                          "`[c](c.md)`\n```\n[c](c.md)\n```\n[`b`](b.md \"title\")\n"),
                     exists)
              .empty());
    CHECK(dead_links(page("\n[b](b.md), ![c](img/c.svg)\n"), exists) ==
          Violations{"docs/a.md:2: links to img/c.svg, no file"});
    for (const char* bad : {"[x](../../Makefile)", "[x](/Makefile)", "[x]: c.md"}) {
        CHECK_MESSAGE(dead_links(page(bad), exists).size() == 1, bad);
    }

    Violations found;
    for (const TextFile& document : documents()) {
        append(found, dead_links(document, [](const std::string& path) {
                   return std::filesystem::exists(project_root() / path);
               }));
    }
    check_none(found);
}

TEST_CASE("docs: the table of names has every tap, extent and weight") {
    const char* const taps[] = {"q", "z"};
    std::string header = "| term | name |\n|---|---|\n| query | `blocks.N.q` |\n";
    CHECK(wrong_taps(page(header + "| mix | `blocks.N.z` |\n| d | `d_head` |\n"), taps).empty());
    CHECK(wrong_taps(page(header + "| mix | `blocks.N.zz` |\n"), taps) ==
          Violations{"docs/a.md:1: has no row for blocks.N.z",
                     "docs/a.md:4: has a row for no tap: blocks.N.zz"});
    CHECK(missing_names(page(header), {"d_head"}) ==
          Violations{"docs/a.md:1: has no row for d_head"});
    CHECK(member_names("struct A {\n    int n_b = 0, c;  // n_d\n};\nint n_e;\n", "A", {"n_"}) ==
          std::vector<std::string>{"n_b"});

    TextFile notation = read_project_file("docs/notation.md");
    std::string header_file = read_project_file("src/model/gpt2.h").text;
    auto extents = member_names(header_file, "Gpt2Config", {"n_", "d_"});
    auto weights = member_names(header_file, "Gpt2Block", {"W_", "b_", "ln_"});
    REQUIRE(extents.size() >= 7);
    REQUIRE(weights.size() >= 12);
    check_none(wrong_taps(notation, tap_names()));
    check_none(missing_names(notation, extents));
    check_none(missing_names(notation, weights));
    check_none(missing_names(notation, member_names(header_file, "Gpt2", {"W_", "b_", "ln_"})));
}

TEST_CASE("docs: every make command can be run") {
    CHECK(make_goals("$ make -j2 test ARGS=\"a b\" check # x") == Piece{"test", "check"});
    CHECK(make_goals("A=1 make && cmake x | make 00") == Piece{"00"});
    std::string makefile =
        "X := a\nall: x  ## y\n\techo z: a\nclean:\n.PHONY: p\n"
        "$(NUMBERS) \\\n  $(addprefix v-,$(NUMBERS)): v-%: b/%\n";
    std::set<std::string> targets = make_targets(makefile, {"00_a"});
    for (const char* made : {"all", "clean", "00", "v-00"}) CHECK(targets.contains(made));
    for (const char* no : {"X", "x", "p", "01", "00_a", "echo"}) CHECK_FALSE(targets.contains(no));
    CHECK(unknown_goals(page("`make all` and `make NN`\n```sh\nmake v-00 ARGS=x\n```\n"
                             "```sh run.sh\nmake x\n```\n"),
                        targets)
              .empty());
    CHECK(unknown_goals(page("a\n`make al`, make b\n```sh\n$ make v-01\n```\n"), targets) ==
          Violations{"docs/a.md:2: the Makefile cannot make al",
                     "docs/a.md:3: the Makefile cannot make v-01"});

    std::vector<std::string> chapters;
    for (const TextFile& file : read_project_files({"chapters"}, {"chapter.cpp"})) {
        chapters.push_back(std::filesystem::path(file.path).parent_path().filename().string());
    }
    targets = make_targets(read_project_file("Makefile").text, chapters);
    Violations found;
    for (const TextFile& document : documents()) append(found, unknown_goals(document, targets));
    check_none(found);
}
