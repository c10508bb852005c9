// The Vietnamese pages held against the English ones, section by section: the same headings,
// blocks, formulas, code, claims, links, tables and numbers, and every term by its one translation,
// which the glossary in docs/notation.md lists. Each check is shown first to object to a bad page
// and then to hold on the real ones.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>
#include <sstream>

#include "core/ensure.h"
#include "tests/code_scan.h"
#include "tests/markdown.h"
#include "tests/project_files.h"

using namespace vimach;
using namespace vimach::test;

namespace {

using Things = std::multiset<std::string>;

/// A heading and what stands under it up to the next one. The first section may have no heading.
struct Section {
    size_t level = 0;
    std::string heading;
    std::vector<Block> blocks;
    std::vector<std::string> prose;
};

std::vector<Section> sections(const TextFile& document) {
    Page page = parse_page(document);
    std::vector<Section> all;
    auto block = page.blocks.begin();
    for (size_t i = 0; i < page.prose.size(); ++i) {
        const std::string& line = page.prose[i];
        size_t level = line.starts_with('#') ? line.find_first_not_of('#') : 0;
        if (level > 0 || all.empty()) all.push_back({level, line, {}, {}});
        all.back().prose.push_back(line);
        if (block != page.blocks.end() && block->line == i + 1)
            all.back().blocks.push_back(*block++);
    }
    return all;
}

// --- what both languages must have --------------------------------------------------------------

/// What stands between pairs of a mark, and the text without it.
struct Marked {
    Things inside;
    std::string outside;
};
Marked cut_marked(const std::string& text, const std::string& mark) {
    Marked all;
    size_t at = 0;
    for (;;) {
        size_t open = text.find(mark, at), close = text.find(mark, open + mark.size());
        if (open == text.npos || close == text.npos) break;
        all.outside += text.substr(at, open - at) + " ";
        all.inside.insert(text.substr(open + mark.size(), close - open - mark.size()));
        at = close + mark.size();
    }
    all.outside += text.substr(at);
    return all;
}

/// The numbers in a text: digits, with signs, points and commas inside. Links must be gone.
Things numbers(const std::string& text) {
    auto digit = [](char c) { return c >= '0' && c <= '9'; };
    Things all;
    for (size_t at = 0; at < text.size();) {
        if (!digit(text[at])) {
            ++at;
            continue;
        }
        size_t end = at;
        while (end < text.size() && (digit(text[end]) || text[end] == '.' || text[end] == ','))
            ++end;
        size_t next = end;
        while (!digit(text[end - 1])) --end;
        all.insert(text.substr(at, end - at));
        at = next;
    }
    return all;
}

/// A link's target as a path of the project, that of the English page where it leads to a
/// Vietnamese one.
std::string english_target(const std::string& target, const std::string& page) {
    if (target.find("://") != target.npos || target.starts_with('#')) return target;
    auto folder = std::filesystem::path(page).parent_path();
    std::string path = (folder / target.substr(0, target.find('#'))).lexically_normal();
    if (path.starts_with("docs/vi/")) path.erase(5, 3);
    return path == "README.vi.md" ? "README.md" : path;
}

/// The cells of a table's line; of another line none.
size_t n_cell(const std::string& line) {
    return line.starts_with('|') ? static_cast<size_t>(std::ranges::count(line, '|')) - 1 : 0;
}

/// What a section has of each kind. Order counts for blocks and tables only, because the order of
/// words differs between the languages.
std::map<std::string, Things> contents(const Section& section, const std::string& page,
                                       const std::vector<std::string>& claims) {
    std::map<std::string, Things> all;
    std::string text;
    for (const Block& block : section.blocks) {
        std::string whole;
        for (const std::string& word : block.info) whole += word + " ";
        for (const std::string& line : block.lines) whole += "\n" + line;
        all["block"].insert(whole);
    }
    size_t n_row = 0;
    for (const std::string& line : section.prose) {
        for (const std::string& target : link_targets(line)) {
            all["link"].insert(english_target(target, page));
        }
        bool row = n_cell(line) > 0;
        if (row) {
            // The numbers of a row belong together, code and formulas among them.
            std::string cells = format("row %zu of %zu cells with", n_row++, n_cell(line));
            for (const std::string& number : numbers(line)) cells += " " + number;
            all["table"].insert(cells);
        }
        text += line + "\n";
    }
    Marked code = cut_marked(text, "`");
    Marked shown = cut_marked(code.outside, "$$");
    Marked inline_math = cut_marked(shown.outside, "$");
    all["code"] = code.inside;
    all["formula"] = inline_math.inside;
    all["formula"].insert(shown.inside.begin(), shown.inside.end());

    // Of a link only the words that are shown.
    std::string prose = inline_math.outside;
    for (size_t open; (open = prose.find("](")) != prose.npos;) {
        prose.replace(open, prose.find(')', open) + 1 - open, " ");
    }
    all["number"] = numbers(prose);
    for (const std::string& claim : claims) {
        for (size_t at = 0; (at = prose.find(claim, at)) != prose.npos; at += claim.size()) {
            bool whole = !is_word(prose[at + claim.size()]) && (at == 0 || !is_word(prose[at - 1]));
            if (whole) all["claim"].insert(claim);
        }
    }
    return all;
}

/// What the first has and the second has not, most of all the first such thing.
std::string missing(const Things& from, const Things& in) {
    std::vector<std::string> lost;
    std::ranges::set_difference(from, in, std::back_inserter(lost));
    return lost.empty() ? "" : lost.front();
}

Violations differences(const TextFile& english, const TextFile& vietnamese,
                       const std::vector<std::string>& claims) {
    std::vector<Section> en = sections(english), vi = sections(vietnamese);
    Violations found;
    if (en.size() != vi.size()) {
        found.push_back(violation(
            vietnamese, 1,
            format("has %zu sections, %s has %zu", vi.size(), english.path.c_str(), en.size())));
    }
    for (size_t i = 0; i < std::min(en.size(), vi.size()); ++i) {
        std::string place = vietnamese.path + ", \"" + vi[i].heading + "\" (" + en[i].heading + ")";
        if (en[i].level != vi[i].level) found.push_back(place + ": another level");
        auto there = contents(vi[i], vietnamese.path, claims);
        auto wanted = contents(en[i], english.path, claims);
        for (const char* kind : {"block", "table", "code", "formula", "link", "number", "claim"}) {
            if (wanted[kind] == there[kind]) continue;
            std::string lacks = missing(wanted[kind], there[kind]),
                        more = missing(there[kind], wanted[kind]);
            found.push_back(place + ": " + kind + (lacks.empty() ? "" : " missing: " + lacks) +
                            (more.empty() ? "" : " too much: " + more));
        }
    }
    return found;
}

// --- one translation for each term --------------------------------------------------------------

/// A row of the glossary: the English term, its translation, words that must not stand for it.
struct Term {
    std::string english, vietnamese;
    std::vector<std::string> rivals;
};

/// The parts of a line between marks, without the blanks around them.
std::vector<std::string> split_at(const std::string& line, char mark) {
    std::vector<std::string> parts;
    std::istringstream in(line);
    for (std::string part; std::getline(in, part, mark);) parts.push_back(trim(part));
    return parts;
}

/// The rows of the table under "## In Vietnamese".
std::vector<Term> glossary(const TextFile& notation) {
    std::vector<Term> terms;
    for (const Section& section : sections(notation)) {
        if (section.heading != "## In Vietnamese") continue;
        for (const std::string& line : section.prose) {
            if (n_cell(line) != 4 || line.starts_with("|--") || line.starts_with("| English"))
                continue;
            std::vector<std::string> cells = split_at(line.substr(1), '|');
            Term term = {cells[0], cells[1], split_at(cells[2], ',')};
            terms.push_back(term);
        }
    }
    return terms;
}

/// The words of lines in small letters, code spans left out, one blank around each. Of the letters
/// beyond ASCII only Đ begins a term.
std::string plain(const std::vector<std::string>& lines) {
    std::string out = " ";
    for (const std::string& line : lines) {
        for (char c : cut_marked(line, "`").outside + " ") {
            bool letter = is_word(c) || static_cast<unsigned char>(c) >= 0x80 || c == '-';
            char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            if (letter || out.back() != ' ') out += letter ? small : ' ';
        }
    }
    for (size_t at; (at = out.find("Đ")) != out.npos;) out.replace(at, 2, "đ");
    return out;
}

/// Whether plain text has a term, alone or with an s.
bool has_term(const std::string& text, const std::string& term) {
    std::string words = trim(plain({term}));
    return text.find(" " + words + " ") != text.npos || text.find(" " + words + "s ") != text.npos;
}

Violations wrong_terms(const TextFile& english, const TextFile& vietnamese,
                       const std::vector<Term>& terms) {
    Violations found;
    std::vector<Section> en = sections(english), vi = sections(vietnamese);
    for (size_t i = 0; i < std::min(en.size(), vi.size()); ++i) {
        std::string place = vietnamese.path + ", \"" + vi[i].heading + "\": ";
        std::string from = plain(en[i].prose), to = plain(vi[i].prose);
        for (const Term& term : terms) {
            if (has_term(from, term.english) && !has_term(to, term.vietnamese)) {
                found.push_back(place + "\"" + term.english + "\" is not \"" + term.vietnamese +
                                "\"");
            }
            for (const std::string& rival : term.rivals) {
                if (!has_term(to, rival)) continue;
                found.push_back(place + "\"" + rival + "\" stands for \"" + term.vietnamese + "\"");
            }
        }
    }
    return found;
}

// --- the pages ----------------------------------------------------------------------------------

/// The pages that have a Vietnamese one: of the chapters, on the output, and the README.
std::vector<std::pair<TextFile, TextFile>> pages() {
    std::vector<std::pair<TextFile, TextFile>> all;
    for (const TextFile& file : read_project_files({"docs"}, {".md"})) {
        std::string name = std::filesystem::path(file.path).filename();
        bool chapter = name[0] >= '0' && name[0] <= '9';
        if (file.path != "docs/" + name || !(chapter || name == "reading_the_output.md")) continue;
        all.push_back({file, read_project_file("docs/vi/" + name)});
    }
    all.push_back({read_project_file("README.md"), read_project_file("README.vi.md")});
    return all;
}

/// The texts of the reports as two pages, a section a line: every text.tsv, and of each claims.tsv
/// the claim and its reason.
std::vector<std::pair<TextFile, TextFile>> reports() {
    std::vector<std::pair<TextFile, TextFile>> all;
    for (const TextFile& file : read_project_files({"src", "chapters"}, {".tsv"})) {
        bool claims = file.path.ends_with("/claims.tsv");
        if (!claims && !file.path.ends_with("/text.tsv")) continue;
        all.push_back({{file.path, ""}, {file.path, ""}});
        auto& [english, vietnamese] = all.back();
        std::vector<std::string> lines = split_lines(file.text);
        for (size_t i = 1; i < lines.size(); ++i) {
            std::vector<std::string> cells = split_at(lines[i], '\t');
            std::string head = format("# line %zu\n", i + 1);
            english.text += head + cells[claims ? 1 : 0] + "\n";
            vietnamese.text += head + cells[claims ? 8 : 1] + "\n";
            if (!claims) continue;
            english.text += head + cells[7] + "\n";
            vietnamese.text += head + cells[9] + "\n";
        }
    }
    REQUIRE(all.size() > 10);
    return all;
}

std::vector<std::string> claim_ids() {
    std::vector<std::string> ids;
    for (const TextFile& file : read_project_files({"chapters"}, {"claims.tsv"})) {
        for (const std::string& line : split_lines(file.text)) {
            std::string id = line.substr(0, line.find('\t'));
            if (!id.empty() && id[0] >= '0' && id[0] <= '9') ids.push_back(id);
        }
    }
    REQUIRE(ids.size() > 40);
    return ids;
}

TextFile en(const std::string& text) { return {"docs/a.md", text}; }
TextFile vi(const std::string& text) { return {"docs/vi/a.md", text}; }

}  // namespace

TEST_CASE("vietnamese: a page has what the English one has") {
    std::vector<std::string> claims = {"5c", "5c him"};
    auto found = [&](const std::string& from, const std::string& to) {
        return differences(en(from), vi(to), claims);
    };
    CHECK(found("# One\n\nOf 1,000 runs 3.\n## Two\n$x_1$ and `a_2` [b](b.md)\n",
                "# Một\n\n3 trong 1,000.\n## Hai\n[b](b.md), `a_2`, $x_1$\n")
              .empty());
    CHECK(found("# A\n[c](../Makefile) [n](n.md#x)\n", "# B\n[c](../../Makefile) [n](n.md)\n")
              .empty());
    CHECK(found("# A\n", "# B\n## C\n") ==
          Violations{"docs/vi/a.md:1: has 2 sections, docs/a.md has 1"});
    CHECK(found("## A\n", "# B\n") == Violations{"docs/vi/a.md, \"# B\" (## A): another level"});
    for (auto [from, to, kind] : std::vector<std::array<std::string, 3>>{
             {"in 0.05", "trong 0.5", "number missing: 0.05 too much: 0.5"},
             {"1 and 1", "1", "number missing: 1"},
             {"```sh\nmake\n```", "```sh\nmake 00\n```", "block missing: sh"},
             {"```sh\nmake\n```", "", "block missing"},
             {"| a | 1 |", "| a | 2 |", "table missing: row 0 of 2 cells with 1"},
             {"| a | 1 |", "| a | 1 | |", "table missing"},
             {"`x`", "`y`", "code missing: x too much: y"},
             {"$x$", "$y$", "formula missing: x"},
             {"$$x$$", "", "formula missing: x"},
             {"[b](b.md)", "[b](../c.md)", "link missing: docs/b.md too much: docs/c.md"},
             {"5c him holds", "5c đúng", "claim missing: 5c him"}}) {
        Violations all = found("# A\n" + from + "\n", "# B\n" + to + "\n");
        REQUIRE_MESSAGE(!all.empty(), from);
        bool named = std::ranges::any_of(all, [&](auto& v) { return v.find(kind) != v.npos; });
        CHECK_MESSAGE(named, all[0]);
    }

    Violations all;
    for (const auto& [english, vietnamese] : pages()) {
        append(all, differences(english, vietnamese, claim_ids()));
    }
    check_none(all);
}

TEST_CASE("vietnamese: a term has one translation") {
    TextFile notation = {"docs/notation.md",
                         "# N\n## In Vietnamese\n| English term | here | never | documents |\n"
                         "|---|---|---|---|\n| layer | lớp | tầng, lượt | tầng |\n"
                         "## More\n| a | b | c | d |\n"};
    std::vector<Term> terms = glossary(notation);
    REQUIRE(terms.size() == 1);
    CHECK(terms[0].rivals == std::vector<std::string>{"tầng", "lượt"});
    CHECK(wrong_terms(en("# A\nThe layers, `tầng`.\n"), vi("# A\nCác lớp.\n"), terms).empty());
    CHECK(wrong_terms(en("# A\nA Layer.\n"), vi("# B\nMột tầng.\n"), terms) ==
          Violations{"docs/vi/a.md, \"# B\": \"layer\" is not \"lớp\"",
                     "docs/vi/a.md, \"# B\": \"tầng\" stands for \"lớp\""});
    CHECK(wrong_terms(en("# A\nA player.\n"), vi("# B\n"), terms).empty());

    terms = glossary(read_project_file("docs/notation.md"));
    REQUIRE(terms.size() > 20);
    Violations all;
    for (const auto& [english, vietnamese] : pages()) {
        append(all, wrong_terms(english, vietnamese, terms));
    }

    // In reports some are also names, of presets and taps, or stand in their everyday sense.
    std::erase_if(terms, [](const Term& term) {
        return is_one_of(term.english,
                         {"document", "block", "forced", "reproduced", "not reproduced"});
    });
    for (const auto& [english, vietnamese] : reports()) {
        append(all, wrong_terms(english, vietnamese, terms));
    }
    check_none(all);
}

TEST_CASE("vietnamese: accents are composed") {
    // U+0300 to U+036F are accents that stand behind their letter.
    auto composed = [](const std::string& text) {
        for (size_t i = 1; i < text.size(); ++i) {
            auto first = static_cast<unsigned char>(text[i - 1]),
                 next = static_cast<unsigned char>(text[i]);
            if (first == 0xCC || (first == 0xCD && next < 0xB0)) return false;
        }
        return true;
    };
    CHECK(composed("l\u1edbp"));
    CHECK_FALSE(composed("lo\u031b\u0301p"));
    for (const auto& all : {pages(), reports()}) {
        for (const auto& [english, vietnamese] : all) {
            CHECK_MESSAGE(composed(vietnamese.text), vietnamese.path);
        }
    }
}
