// Reads Markdown just far enough for tests/docs_test.cpp: fenced blocks, prose, code spans, link
// targets, and the names in a table's second column. Fences are three backticks, code spans one.
#pragma once

#include <string>
#include <vector>

#include "tests/project_files.h"

namespace vimach::test {

/// A fenced block: the words behind its opening fence, and its lines.
struct Block {
    size_t line;  ///< of the opening fence
    std::vector<std::string> info, lines;
    bool closed = false;
};

struct Page {
    std::vector<Block> blocks;
    std::vector<std::string> prose;  ///< every line; empty where a fenced block stands
};

inline Page parse_page(const TextFile& document) {
    Page page;
    bool inside = false;
    for (const std::string& line : split_lines(document.text)) {
        bool fence = trim(line).starts_with("```");
        page.prose.push_back(inside || fence ? "" : line);
        if (inside && fence) page.blocks.back().closed = true;
        if (inside && !fence) page.blocks.back().lines.push_back(line);
        if (!inside && fence) {
            page.blocks.push_back({page.prose.size(), split_words(trim(line).substr(3)), {}});
        }
        inside = inside != fence;
    }
    return page;
}

/// The file that a block says it quotes: the second word behind the fence, or the only one if it
/// looks like a path. Empty where the block names none.
inline std::string quoted_file(const Block& block) {
    if (block.info.empty()) return "";
    bool named = block.info.size() > 1 || block.info[0].find('/') != std::string::npos;
    return named ? block.info.back() : "";
}

/// The code spans of a line.
inline std::vector<std::string> code_spans(const std::string& line) {
    std::vector<std::string> spans;
    size_t open = line.find('`'), close = line.find('`', open + 1);
    while (open < line.size() && close < line.size()) {
        spans.push_back(line.substr(open + 1, close - open - 1));
        open = line.find('`', close + 1);
        close = line.find('`', open + 1);
    }
    return spans;
}

/// The targets of [text](target) and of "[label]: target" in a line.
inline std::vector<std::string> link_targets(const std::string& line) {
    std::string text;
    bool code = false;
    for (char c : line) {
        code = code != (c == '`');
        if (!code && c != '`') text += c;
    }

    std::vector<std::string> targets;
    for (size_t at = text.find("]("); at < text.size(); at = text.find("](", at + 2)) {
        std::string inside = text.substr(at + 2, text.find(')', at) - at - 2);
        if (!trim(inside).empty()) targets.push_back(split_words(inside)[0]);
    }
    std::vector<std::string> words = split_words(text);
    bool definition = words.size() > 1 && words[0].starts_with('[') && words[0].ends_with("]:");
    if (definition) targets.push_back(words[1]);
    return targets;
}

struct NamedRow {
    size_t line;
    std::string name;
};

/// The code spans in the second column of a page's tables.
inline std::vector<NamedRow> named_rows(const TextFile& document) {
    std::vector<NamedRow> rows;
    std::vector<std::string> lines = parse_page(document).prose;
    for (size_t i = 0; i < lines.size(); ++i) {
        if (!lines[i].starts_with('|')) continue;
        size_t begin = lines[i].find('|', 1), end = lines[i].find('|', begin + 1);
        if (end == std::string::npos) continue;
        for (const std::string& name : code_spans(lines[i].substr(begin, end - begin))) {
            rows.push_back({i + 1, name});
        }
    }
    return rows;
}

}  // namespace vimach::test
