// Reads C++ just far enough for the house rules: which characters are code, where functions begin
// and end, how deep control flow is nested in them, what a file includes. A scanner of braces, no
// parser: a statement's first words and the character in front of a brace say what it opens.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/project_files.h"

namespace vimach::test {

// --- code without its comments and strings ------------------------------------------------------

/// Whether the ' at this place separates digits, as in 100'000.
inline bool separates_digits(std::string_view text, size_t at) {
    size_t begin = at;
    while (begin > 0 && (is_word(text[begin - 1]) || text[begin - 1] == '\'')) --begin;
    return begin < at && text[begin] >= '0' && text[begin] <= '9';
}

/// End of the comment, string or character that begins at `at`; `at` itself where none does.
inline size_t end_of_inert(std::string_view text, size_t at) {
    auto behind = [&](const std::string& closing, size_t from) {
        size_t end = text.find(closing, from);
        return end == text.npos ? text.size() : end + closing.size();
    };
    std::string_view rest = text.substr(at);
    if (rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
    if (rest.starts_with("/*")) return behind("*/", at + 2);
    if (rest.starts_with("R\"") && (at == 0 || !is_word(text[at - 1]))) {
        size_t open = std::min(text.find('(', at), text.size());
        return behind(")" + std::string(text.substr(at + 2, open - at - 2)) + "\"", open);
    }

    // A string or character ends at its second quote, at the latest with its line.
    char quote = text[at];
    if (quote != '"' && (quote != '\'' || separates_digits(text, at))) return at;
    size_t end = at + 1;
    while (end < text.size() && text[end] != quote && text[end] != '\n') {
        end += text[end] == '\\' ? 2 : 1;
    }
    return std::min(end + 1, text.size());
}

/// The text with blanks in place of comments, strings and characters; lines stay where they are.
inline std::string code_only(const std::string& text) {
    std::string code = text;
    for (size_t at = 0; at < text.size();) {
        size_t end = end_of_inert(text, at);
        for (size_t i = at; i < end; ++i) {
            if (text[i] != '\n') code[i] = ' ';
        }
        at = std::max(end, at + 1);
    }
    return code;
}

/// The same without preprocessor lines.
inline std::string without_directives(const std::string& code) {
    std::string out;
    bool inside = false;
    for (const std::string& line : split_lines(code)) {
        inside = inside || trim(line).starts_with('#');
        out += (inside ? "" : line) + "\n";
        inside = inside && line.ends_with('\\');
    }
    return out;
}

// --- includes -----------------------------------------------------------------------------------

struct Include {
    size_t line;
    std::string name;
    bool quoted;  ///< "name", not <name>
};

inline std::vector<Include> find_includes(const TextFile& file) {
    std::vector<std::string> lines = split_lines(file.text);
    std::vector<std::string> code = split_lines(code_only(file.text));
    std::vector<Include> includes;
    for (size_t i = 0; i < lines.size(); ++i) {
        std::string directive = trim(code[i]);
        if (!directive.starts_with('#')) continue;
        if (!trim(directive.substr(1)).starts_with("include")) continue;
        size_t open = std::min(lines[i].find_first_of("\"<"), lines[i].size());
        size_t close = std::min(lines[i].find_first_of("\">", open + 1), lines[i].size());
        if (open == close) continue;
        includes.push_back({.line = i + 1,
                            .name = lines[i].substr(open + 1, close - open - 1),
                            .quoted = lines[i][open] == '"'});
    }
    return includes;
}

// --- what a brace opens -------------------------------------------------------------------------

inline bool is_one_of(const std::string& word, const std::vector<std::string>& words) {
    return std::ranges::find(words, word) != words.end();
}

/// Takes a name from the front of a text.
inline std::string take_word(std::string& text) {
    size_t end = 0;
    while (end < text.size() && is_word(text[end])) ++end;
    std::string word = text.substr(0, end);
    text = trim(std::string_view(text).substr(end));
    return word;
}

/// Takes a pair of parentheses and what they hold from the front of a text.
inline void take_parentheses(std::string& text) {
    size_t end = 0;
    for (int depth = 0; end < text.size(); ++end) {
        depth += (text[end] == '(') - (text[end] == ')');
        if (depth == 0) break;
    }
    text = trim(std::string_view(text).substr(std::min(end + 1, text.size())));
}

/// Whether a brace behind this statement opens the body of if, else, for, while, switch or do.
inline bool opens_control(std::string head) {
    for (;;) {
        std::string word = take_word(head);
        if (is_one_of(word, {"else", "do"}) && head.empty()) return true;
        if (word == "else") continue;
        if (!is_one_of(word, {"if", "for", "while", "switch"})) return false;
        if (head.starts_with("constexpr")) take_word(head);
        take_parentheses(head);
        if (head.empty()) return true;
    }
}

/// Whether a brace behind this declaration opens a function's body.
inline bool opens_function(const std::string& head) {
    size_t close = head.rfind(')');
    if (close == head.npos) return false;
    std::string rest = trim(head.substr(close + 1));
    if (rest.starts_with("->") || rest.ends_with('}')) return true;  // X() : a_{}, b_{} {
    return std::ranges::all_of(split_words(rest), [](const std::string& word) {
        return is_one_of(word, {"const", "noexcept", "override", "final", "mutable", "try"});
    });
}

/// Walks the braces of a file and objects to long functions and deep nesting. Classes and
/// namespaces are no functions; a lambda belongs to the function around it.
class BraceWalk {
public:
    BraceWalk(const TextFile& file, size_t max_line, int max_nesting)
        : file_(file),
          code_(without_directives(code_only(file.text))),
          max_line_(max_line),
          max_nesting_(max_nesting) {}

    Violations run() {
        for (at_ = 0; at_ < code_.size(); ++at_) {
            switch (char c = code_[at_]) {
                case '{': open(); break;
                case '}': close(); break;
                case ';': n_paren_ > 0 ? head_.push_back(c) : head_.clear(); break;
                case ':':
                    head_.push_back(c);
                    end_label();
                    break;
                default: add(c);
            }
        }
        if (!frames_.empty()) object(frames_.back().line, "opens a brace that is never closed");
        return found_;
    }

private:
    enum class Kind { function, control, other };
    struct Frame {
        Kind kind;
        std::string head;  // the statement in front of the brace
        size_t line;       // where that statement begins
        int n_paren;       // parentheses open around the brace
    };

    void object(size_t line, const std::string& rule) {
        found_.push_back(violation(file_, line, rule));
    }

    char next_visible() const {
        size_t next = code_.find_first_not_of(" \t\n", at_ + 1);
        return next == code_.npos ? ' ' : code_[next];
    }

    void add(char c) {
        if (c == '\n') ++line_;
        bool blank = c == '\n' || c == '\t' || c == ' ';
        if (blank && head_.empty()) return;
        if (head_.empty()) head_line_ = line_;
        n_paren_ += (c == '(') - (c == ')');
        head_.push_back(blank ? ' ' : c);
    }

    /// Forgets a label: what follows it is a statement of its own.
    void end_label() {
        std::string rest = head_, word = take_word(rest);
        bool label = is_one_of(word, {"case", "default", "public", "protected", "private"});
        bool part_of_name = head_.ends_with("::") || next_visible() == ':';
        if (label && !part_of_name) head_.clear();
    }

    void open() {
        bool inside = std::ranges::find(frames_, Kind::function, &Frame::kind) != frames_.end();
        std::string head = trim(head_);
        Kind kind = Kind::other;
        if (inside && n_paren_ == 0 && opens_control(head)) kind = Kind::control;
        if (!inside && opens_function(head)) kind = Kind::function;
        frames_.push_back({kind, head, head.empty() ? line_ : head_line_, n_paren_});
        head_.clear();
        n_paren_ = 0;

        auto depth = static_cast<int>(std::ranges::count(frames_, Kind::control, &Frame::kind));
        if (kind != Kind::control || depth <= max_nesting_) return;
        object(line_, format("is nested %d deep, not at most %d", depth, max_nesting_));
    }

    void close() {
        if (frames_.empty()) return object(line_, "closes a brace that was never opened");
        Frame frame = frames_.back();
        frames_.pop_back();
        size_t n_line = line_ - frame.line + 1;
        if (frame.kind == Kind::function && n_line > max_line_) {
            object(frame.line,
                   format("begins a function of %zu lines, not at most %zu", n_line, max_line_));
        }

        // Go on with the statement around an initialiser or a lambda.
        bool ends = frame.kind != Kind::other || is_word(next_visible());
        head_ = ends ? "" : frame.head + "{}";
        head_line_ = frame.line;
        n_paren_ = frame.n_paren;
    }

    const TextFile& file_;
    std::string code_, head_;
    size_t max_line_;
    int max_nesting_;
    size_t at_ = 0, line_ = 1, head_line_ = 1;
    int n_paren_ = 0;
    std::vector<Frame> frames_;
    Violations found_;
};

}  // namespace vimach::test
