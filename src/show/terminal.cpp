// Text for a terminal; see show/terminal.h.
// What comes from outside (names, tokens) is made visible, so that no byte of it reaches the
// terminal as a command.
#include "show/terminal.h"

#include <cstdio>
#include <vector>

#include "show/html.h"

namespace vimach {

namespace {

/// Where the interval that begins at this bracket ends, behind its own bracket; `at` if none does.
size_t end_of_interval(const std::string& text, size_t at) {
    size_t end = text.find_first_not_of("0123456789.,+-einf ", at + 1);
    return end != text.npos && text[end] == ']' ? end + 1 : at;
}

/// The words of a text; an interval is one word.
std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words(1);
    size_t closed = 0;  // no blank before this place parts words
    for (size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '[') closed = end_of_interval(text, at);
        if (text[at] == ' ' && at >= closed)
            words.emplace_back();
        else
            words.back() += text[at];
    }
    return words;
}

}  // namespace

void print_wrapped(const std::string& first, const std::string& text, size_t indent) {
    std::string line = visible_text(first, false);
    bool begun = false;
    for (const std::string& word : words_of(visible_text(text, false))) {
        auto width = static_cast<size_t>(text_columns(line) + text_columns(word)) + (begun ? 1 : 0);
        if (begun && width > terminal_columns) {
            std::printf("%s\n", line.c_str());
            line = std::string(indent, ' ');
            begun = false;
        }
        line += (begun ? " " : "") + word;
        begun = true;
    }
    std::printf("%s\n", line.c_str());
}

}  // namespace vimach
