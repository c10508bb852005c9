// The house rules that a machine can check, over every .h and .cpp of src, chapters, tests and
// weights. Which src file may include which follows from the list in docs/architecture.md.
// Each rule is shown first to object to a bad text and then to hold on the tree; a text that must
// not stand in any file is put together from parts.
#include <doctest/doctest.h>

#include <functional>

#include "tests/code_scan.h"
#include "tests/project_files.h"

using namespace vimach;
using namespace vimach::test;

namespace {

constexpr size_t max_columns = 100, max_lines = 400, max_function = 50;
constexpr int max_nesting = 3;
constexpr size_t max_steps = 190;  // of a chapter: its numbered steps are read as one function

// --- lines --------------------------------------------------------------------------------------

Violations header_comment(const TextFile& file) {
    size_t n_line = 0;
    for (const std::string& line : split_lines(file.text)) {
        if (!line.starts_with("//")) break;
        ++n_line;
    }
    if (n_line >= 2 && n_line <= 8) return {};
    return {violation(file, 1, format("has a header comment of %zu lines, not 2 to 8", n_line))};
}

Violations file_length(const TextFile& file) {
    size_t n_line = split_lines(file.text).size();
    if (n_line <= max_lines) return {};
    return {violation(file, n_line, format("is longer than %zu lines", max_lines))};
}

/// What a rule has against a line; empty if nothing.
using LineRule = std::function<std::string(const std::string& line)>;

Violations check_lines(const TextFile& file, const LineRule& rule) {
    Violations found;
    std::vector<std::string> lines = split_lines(file.text);
    for (size_t i = 0; i < lines.size(); ++i) {
        std::string objection = rule(lines[i]);
        if (!objection.empty()) found.push_back(violation(file, i + 1, objection));
    }
    return found;
}

std::string too_wide(const std::string& line) {
    // Count code points: every byte that does not continue a UTF-8 sequence begins one.
    auto n_column =
        static_cast<size_t>(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }));
    if (n_column <= max_columns) return "";
    return format("is %zu columns wide, not at most %zu", n_column, max_columns);
}

std::string has_tab(const std::string& line) {
    return line.find('\t') == line.npos ? "" : "holds a tab";
}

std::string is_unfinished(const std::string& line) {
    bool found = line.find(
                     "TO"
                     "DO") != line.npos ||
                 line.find(
                     "FIX"
                     "ME") != line.npos;
    return found ? "marks something unfinished" : "";
}

/// A path that begins at the root of somebody's machine, in a folder where people keep their work.
std::string names_machine(const std::string& line) {
    constexpr std::string_view in_front = " \"'`(=<,:";
    for (const char* folder : {"home", "root", "work", "Users", "mnt", "media", "srv", "scratch"}) {
        std::string path = std::string("/") + folder + "/";
        for (size_t at = line.find(path); at < line.size(); at = line.find(path, at + 1)) {
            bool absolute = at == 0 || in_front.find(line[at - 1]) != in_front.npos;
            if (absolute) return "names a path of one machine: " + path;
        }
    }
    return "";
}

std::string rounds_freely(const std::string& line) {
    for (const char* flag : {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"}) {
        if (line.find(flag) != line.npos) return std::string("uses ") + flag;
    }
    return "";
}

// --- functions ----------------------------------------------------------------------------------

Violations functions(const TextFile& file) {
    bool is_chapter = file.path.starts_with("chapters/");
    return BraceWalk(file, is_chapter ? max_steps : max_function, max_nesting).run();
}

// --- includes -----------------------------------------------------------------------------------

/// Only one file may know each of the libraries.
Violations library_headers(const TextFile& file) {
    constexpr const char* owners[][2] = {{"cblas.h", "src/math/blas.cpp"},
                                         {"lapacke.h", "src/math/lapack.cpp"},
                                         {"utf8proc.h", "src/text/pretokenizer.cpp"}};
    Violations found;
    if (file.path == "tests/packages.cpp") return found;  // it asks whether they are there
    for (const Include& include : find_includes(file)) {
        for (auto [header, owner] : owners) {
            if (!include.name.ends_with(header) || file.path == owner) continue;
            found.push_back(violation(
                file, include.line, "includes " + include.name + ", which only " + owner + " may"));
        }
    }
    return found;
}

/// "src/core/files.cpp" and "core/files.h" are both "core/files".
std::string stem(const std::string& path) {
    std::string name = path.starts_with("src/") ? path.substr(4) : path;
    return name.substr(0, name.rfind('.'));
}

/// The files in docs/architecture.md's list, bottom up: "core/ensure", ...
std::vector<std::string> listed_files(const TextFile& document) {
    std::vector<std::string> list;
    std::string room;
    bool inside = false;
    for (const std::string& line : split_lines(document.text)) {
        if (line == "src/" || line.starts_with("```")) inside = line == "src/";
        std::vector<std::string> words = split_words(line);
        size_t indent = line.find_first_not_of(' ');
        if (!inside || words.empty()) continue;
        if (indent == 2) room = words[0];
        if (indent == 4) list.push_back(room + words[0]);
    }
    return list;
}

/// A file of src includes its own header and files that stand above it in the list.
Violations include_order(const TextFile& file, const std::vector<std::string>& list) {
    auto own = std::ranges::find(list, stem(file.path));
    if (own == list.end()) return {violation(file, 1, "is not listed in docs/architecture.md")};
    Violations found;
    for (const Include& include : find_includes(file)) {
        if (!include.quoted || stem(include.name) == *own) continue;
        if (std::find(list.begin(), own, stem(include.name)) != own) continue;
        found.push_back(violation(file, include.line,
                                  "includes " + include.name + ", which does not stand above it"));
    }
    return found;
}

/// Every listed file exists.
Violations absent_files(const TextFile& document, const std::vector<TextFile>& sources) {
    Violations found;
    for (const std::string& listed : listed_files(document)) {
        bool exists = std::ranges::any_of(sources, [&](auto& f) { return stem(f.path) == listed; });
        if (!exists) found.push_back(violation(document, 1, "lists src/" + listed + ", no file"));
    }
    return found;
}

// --- the tree -----------------------------------------------------------------------------------

TextFile bad(const std::string& text) { return {"src/a/x.cpp", text}; }

Violations one(const std::string& found) { return {"src/a/x.cpp:" + found}; }

/// All the files of code. An empty list would hold every rule.
std::vector<TextFile> code_files() {
    auto files = read_project_files({"src", "chapters", "tests", "weights"}, {".h", ".cpp"});
    REQUIRE(files.size() > 30);
    return files;
}

void check_tree(const std::function<Violations(const TextFile&)>& rule) {
    Violations found;
    for (const TextFile& file : code_files()) append(found, rule(file));
    check_none(found);
}

void check_tree_lines(const LineRule& rule) {
    check_tree([&](const TextFile& file) { return check_lines(file, rule); });
}

std::string repeat(const std::string& part, size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += part;
    return text;
}

}  // namespace

TEST_CASE("house: every file begins with a comment of 2 to 8 lines") {
    CHECK(header_comment(bad("// one\n#pragma once\n")) ==
          one("1: has a header comment of 1 lines, not 2 to 8"));
    CHECK(header_comment(bad(repeat("// x\n", 9))).size() == 1);
    CHECK(header_comment(bad("\n// a\n// b\n")).size() == 1);
    CHECK(header_comment(bad(repeat("// x\n", 8) + "int x;\n")).empty());
    check_tree(header_comment);
}

TEST_CASE("house: files have at most 400 lines, lines at most 100 columns") {
    CHECK(file_length(bad(repeat("\n", 401))) == one("401: is longer than 400 lines"));
    CHECK(file_length(bad(repeat("\n", 400))).empty());
    check_tree(file_length);

    CHECK(check_lines(bad("a\n" + repeat("x", 101)), too_wide) ==
          one("2: is 101 columns wide, not at most 100"));
    CHECK(check_lines(bad(repeat("ạ", 100)), too_wide).empty());
    check_tree_lines(too_wide);
}

TEST_CASE("house: no tabs, nothing unfinished, no path of one machine") {
    CHECK(check_lines(bad("a\n\tb\n"), has_tab) == one("2: holds a tab"));
    CHECK(check_lines(bad("// TO"
                          "DO: later\n"),
                      is_unfinished)
              .size() == 1);
    CHECK(check_lines(bad("// FIX"
                          "ME\n"),
                      is_unfinished)
              .size() == 1);
    CHECK(check_lines(bad("open(\"/ho"
                          "me/me/x\")\n"),
                      names_machine) == one("1: names a path of one machine: /ho"
                                            "me/"));
    CHECK(check_lines(bad("open(\"weights/work/x\")\n"), names_machine).empty());
    for (const LineRule& rule : {LineRule(has_tab), LineRule(is_unfinished)}) {
        check_tree_lines(rule);
    }

    // Documents, scripts and the Makefile name no machine either.
    Violations found;
    auto files = read_project_files({"src", "chapters", "tests", "weights", "docs"},
                                    {".h", ".cpp", ".md", ".sh", ".py", ".mjs"});
    for (const char* path : {"Makefile", "README.md"}) files.push_back(read_project_file(path));
    for (const TextFile& file : files) append(found, check_lines(file, names_machine));
    check_none(found);
}

TEST_CASE("house: the compiler may not reorder sums") {
    CHECK(check_lines({"Makefile", "all:\nFLAGS = -O3 -ffast-math\n"}, rounds_freely) ==
          Violations{"Makefile:2: uses -ffast-math"});
    TextFile makefile = read_project_file("Makefile");
    REQUIRE_FALSE(makefile.text.empty());
    check_none(check_lines(makefile, rounds_freely));
}

TEST_CASE("house: functions have at most 50 lines") {
    std::string body = repeat("    x();\n", 48);
    CHECK(functions(bad("int f() {\n" + body + "}\n")).empty());
    CHECK(functions(bad("\nint f() {\n" + body + "    x();\n}\n")) ==
          one("2: begins a function of 51 lines, not at most 50"));

    // A member, a constructor with braces in its initialisers, a signature of two lines.
    CHECK(functions(bad("struct S {\n    int f() const {\n" + body + "\n}\n};\n")).size() == 1);
    CHECK(functions(bad("S::S() : a_{1}, b_{} {\n" + body + "\n}\n")).size() == 1);
    CHECK(functions(bad("auto f(int a,\n       int b) -> S<int> {\n" + body + "}\n")).size() == 1);

    // Classes, namespaces and tables may be long; braces in strings and comments do not count.
    CHECK(functions(bad("namespace a {\nstruct S {\n" + body + body + "};\n}\n")).empty());
    CHECK(functions(bad("int t[] = {\n" + repeat("    f(1),\n", 60) + "};\n")).empty());
    std::string inert = "if (g('{', \"\\\"{\", R\"x({)\")x\", 1'0)) {  // {\n}\n/* { */\n";
    CHECK(functions(bad("void f() {\n" + inert + "}\n")).empty());
    CHECK(functions(bad("void f() {\n    {\n}\n")) == one("1: opens a brace that is never closed"));
    CHECK(functions(bad("}\n")) == one("1: closes a brace that was never opened"));
    check_tree(functions);
}

TEST_CASE("house: control flow is nested at most 3 deep") {
    std::string three = "void f() {\nfor (;;) {\nif (a) {\ncase 'x': while (S{1} == b) {\n";
    CHECK(functions(bad(three + "}\n}\n}\n}\n")).empty());
    for (const char* fourth : {"if (a) b(); else {", "do {", "switch (a) {", "if (x) for (;;) {",
                               "g([&] { if (a) {} }); while (1) {", "{ } if constexpr (a) {",
                               "else if (a) {", "case K::x: if (a) {"}) {
        CAPTURE(fourth);
        Violations found = functions(bad(three + "\n" + fourth + "\n}\n}\n}\n}\n}\n"));
        REQUIRE_FALSE(found.empty());
        CHECK(found.back() == "src/a/x.cpp:6: is nested 4 deep, not at most 3");
    }

    // A lambda, an initialiser and a returned list open no control flow, but a lambda's own does.
    CHECK(functions(bad(three + "if (a) return {1};\ng({1}, [&](int x) {\n});\n}\n}\n}\n}\n"))
              .empty());
    CHECK(functions(bad(three + "g([&](int x) {\nif (x) {\n}\n});\n}\n}\n}\n}\n")).size() == 1);
}

TEST_CASE("house: a library is known to one file") {
    std::string inert = "#define H <cblas.h>\n// #include <cblas.h>\n";
    Violations found =
        library_headers(bad(inert + "#include <cblas.h>\n#  include \"utf8proc.h\"\n"));
    REQUIRE(found.size() == 2);
    CHECK(found[0] == "src/a/x.cpp:3: includes cblas.h, which only src/math/blas.cpp may");
    CHECK(found[1].starts_with("src/a/x.cpp:4: includes utf8proc.h, which only src/text/pre"));
    CHECK(library_headers({"src/math/blas.cpp", "#include <cblas.h>\n"}).empty());
    check_tree(library_headers);
}

TEST_CASE("house: a file includes what stands above it in docs/architecture.md's list") {
    TextFile example = {"a.md",
                        "```\nsrc/\n  a/   room\n    y   file\n    x   file\n"
                        "  b/   room\n    z   file\n```\n    w   no file\n"};
    std::vector<std::string> list = listed_files(example);
    CHECK(list == std::vector<std::string>{"a/y", "a/x", "b/z"});
    CHECK(
        include_order(bad("#include \"a/x.h\"\n#include \"a/y.h\"\n#include <z>\n"), list).empty());
    CHECK(include_order(bad("\n#include \"b/z.h\"\n"), list) ==
          one("2: includes b/z.h, which does not stand above it"));
    CHECK(include_order({"src/a/y.h", "#include \"a/x.h\"\n"}, list).size() == 1);
    CHECK(include_order(bad("#include \"tests/x.h\"\n"), list).size() == 1);
    CHECK(include_order({"src/a/new.h", ""}, list) ==
          Violations{"src/a/new.h:1: is not listed in docs/architecture.md"});
    CHECK(absent_files(example, {{"src/a/y.h", ""}, {"src/a/x.cpp", ""}}) ==
          Violations{"a.md:1: lists src/b/z, no file"});

    TextFile document = read_project_file("docs/architecture.md");
    std::vector<TextFile> sources = read_project_files({"src"}, {".h", ".cpp"});
    Violations found = absent_files(document, sources);
    for (const TextFile& file : sources) append(found, include_order(file, listed_files(document)));
    REQUIRE(sources.size() > 20);
    check_none(found);
}
