// Looking sentences up; see show/language.h.
// A line with blanks is matched from left to right; of several the one with most letters counts.
#include "show/language.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

#include "core/ensure.h"
#include "core/files.h"

namespace vimach {

namespace {

/// A blank and the literal text behind it.
struct Blank {
    bool anything;  ///< {*}, or {}
    std::string then;
};

/// A line of a text.tsv.
struct Line {
    std::string begin;  ///< the literal text before the first blank
    std::vector<Blank> blanks;
    std::string vietnamese;
    size_t n_letter;  ///< literal ones
};

struct Lines {
    Language language = Language::english;
    std::vector<std::string> files = {};
    std::map<std::string, std::string> whole = {};  ///< lines without blanks
    std::vector<Line> with_blanks = {};
};

Lines& lines() {
    static Lines all;
    return all;
}

// --- reading ------------------------------------------------------------------------------------

/// "a {} b {*}" as its parts.
Line parse(const std::string& english, const std::string& vietnamese) {
    Line line = {.begin = "", .blanks = {}, .vietnamese = vietnamese, .n_letter = 0};
    for (size_t at = 0; at < english.size();) {
        bool number = english.compare(at, 2, "{}") == 0, any = english.compare(at, 3, "{*}") == 0;
        if (number || any) {
            line.blanks.push_back({any, ""});
            at += number ? 2 : 3;
            continue;
        }
        (line.blanks.empty() ? line.begin : line.blanks.back().then) += english[at++];
        ++line.n_letter;
    }
    return line;
}

/// The Vietnamese with its blanks filled in; nothing where it asks for one that is not there.
std::optional<std::string> fill(const std::string& vietnamese,
                                const std::vector<std::string>& values) {
    std::string out;
    size_t next = 0;
    for (size_t at = 0; at < vietnamese.size(); ++at) {
        size_t close = vietnamese.find('}', at);
        if (vietnamese[at] != '{' || close == vietnamese.npos) {
            out += vietnamese[at];
            continue;
        }
        std::string name = vietnamese.substr(at + 1, close - at - 1);
        size_t which = name.empty() ? next++ : static_cast<size_t>(name[0] - '1');
        if (name.size() > 1 || which >= values.size()) return {};
        out += values[which];
        at = close;
    }
    return out;
}

void read_lines(const std::string& path, Lines& all) {
    std::string text = read_text(path);
    size_t number = 0;
    for (size_t at = 0; at < text.size(); ++number) {
        size_t end = std::min(text.find('\n', at), text.size());
        std::string row = text.substr(at, end - at);
        at = end + 1;
        std::string place = path + format(", line %zu", number + 1);
        size_t tab = row.find('\t');
        std::string english = row.substr(0, tab), vietnamese;
        if (tab != row.npos) vietnamese = row.substr(tab + 1);
        if (english.empty() || vietnamese.empty() || vietnamese.find('\t') != row.npos) {
            fail("has not two cells", place, "write English, a tab, Vietnamese");
        }
        if (number == 0) continue;
        Line line = parse(english, vietnamese);
        if (!fill(vietnamese, std::vector<std::string>(line.blanks.size()))) {
            fail("asks for a blank that the English has not", place, "write {} or {1}, {2}, ...");
        }
        if (line.blanks.empty()) {
            all.whole[english] = vietnamese;
        } else {
            all.with_blanks.push_back(line);
        }
    }
}

// --- looking up ---------------------------------------------------------------------------------

/// Whether two letters of ASCII stand side by side: the least that a word is.
bool has_word(const std::string& text) {
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    for (size_t i = 1; i < text.size(); ++i) {
        if (letter(text[i - 1]) && letter(text[i])) return true;
    }
    return false;
}

std::optional<std::string> whole_text(const std::string& english);

/// The values of the blanks from `blank` on, where `text` from `at` on is what they and the
/// literals between them can be.
bool match(const Line& line, size_t blank, const std::string& text, size_t at,
           std::vector<std::string>& values) {
    if (blank == line.blanks.size()) return at == text.size();
    const auto& [anything, then] = line.blanks[blank];
    bool last = blank + 1 == line.blanks.size();
    size_t end = last && then.size() <= text.size() ? text.size() - then.size() : at;
    for (; (end = text.find(then, end)) < text.size() + 1; ++end) {
        std::string value = text.substr(at, std::max(end, at) - at);
        std::optional<std::string> said = anything ? value : whole_text(value);
        if (end < at || value.empty() || !said) continue;
        values.push_back(*said);
        if (match(line, blank + 1, text, end + then.size(), values)) return true;
        values.pop_back();
    }
    return false;
}

/// A text by one line, or without words.
std::optional<std::string> whole_text(const std::string& english) {
    const Lines& all = lines();
    if (auto found = all.whole.find(english); found != all.whole.end()) return found->second;
    if (!has_word(english)) return english;
    for (const Line& line : all.with_blanks) {
        std::vector<std::string> values;
        if (!english.starts_with(line.begin)) continue;
        if (match(line, 0, english, line.begin.size(), values))
            return fill(line.vietnamese, values);
    }
    return {};
}

/// The text cut at blanks behind one of . ? ! : ;
std::vector<std::string> sentences(const std::string& text) {
    std::vector<std::string> all(1);
    for (size_t i = 0; i < text.size(); ++i) {
        bool end = i > 0 && text[i] == ' ' && std::string(".?!:;").find(text[i - 1]) != text.npos;
        if (end)
            all.emplace_back();
        else
            all.back() += text[i];
    }
    return all;
}

/// A text by one line, or piece by piece: of its sentences as many as possible by one line.
std::optional<std::string> any_text(const std::string& english) {
    if (auto whole = whole_text(english)) return whole;
    std::vector<std::string> parts = sentences(english);
    for (size_t n = parts.size() - 1; n > 0; --n) {
        std::string first = parts[0], rest = parts[n];
        for (size_t i = 1; i < n; ++i) first += " " + parts[i];
        for (size_t i = n + 1; i < parts.size(); ++i) rest += " " + parts[i];
        auto begin = whole_text(first), end = begin ? any_text(rest) : std::nullopt;
        if (begin && end) return *begin + " " + *end;
    }
    return {};
}

}  // namespace

void speak(Language language, const std::vector<std::string>& files) {
    Lines all = {.language = language, .files = files};
    for (const std::string& file : files) read_lines(file, all);
    std::ranges::stable_sort(all.with_blanks, std::greater(), &Line::n_letter);
    lines() = all;
}

Language spoken() { return lines().language; }

std::string local(const std::string& english) {
    if (spoken() == Language::english || english.empty()) return english;
    if (auto found = any_text(english)) return *found;
    std::string files;
    for (const std::string& file : lines().files) files += (files.empty() ? "" : " or ") + file;
    fail("there is no Vietnamese for \"" + english + "\"", files, "add a line");
}

std::vector<std::string> local_if_all_known(const std::vector<std::string>& names) {
    if (spoken() == Language::english) return names;
    std::vector<std::string> out;
    for (const std::string& name : names) {
        auto found = any_text(name);
        if (!found) return names;
        out.push_back(*found);
    }
    return out;
}

}  // namespace vimach
