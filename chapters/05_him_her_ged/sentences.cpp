// Reading and checking the sentence files; see sentences.h.
// A word counts where it is the token with a plain blank in front: only then do all sentences have
// the same token at the place where activations are read.
#include "sentences.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "core/ensure.h"
#include "text/prose.h"

namespace vimach::ch05 {

namespace {

bool is_letter(unsigned char c) { return std::isalpha(c) || c == '\''; }

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

/// Whether the word stands in a line, in capitals or not, with no letter beside it.
bool holds_word(std::string_view line, const std::string& word) {
    std::string text = lower(line), wanted = lower(word);
    for (size_t at = text.find(wanted); at != text.npos; at = text.find(wanted, at + 1)) {
        size_t end = at + wanted.size();
        bool begins = at == 0 || !is_letter(static_cast<unsigned char>(text[at - 1]));
        bool ends = end == text.size() || !is_letter(static_cast<unsigned char>(text[end]));
        if (begins && ends) return true;
    }
    return false;
}

bool is_blank(std::string_view line) {
    return std::ranges::all_of(line, [](unsigned char c) { return std::isspace(c); });
}

Sentence read_line(std::string_view line, const Tokenizer& tokenizer, const std::string& word,
                   const std::string& place) {
    Sentence s = {tokenizer.encode(line, {.source = place}), 0, place};
    int wanted = tokenizer.encode(" " + word).front();
    auto n_found = std::ranges::count(s.ids, wanted);
    if (n_found == 0 && holds_word(line, word)) {
        fail("'" + word + "' is there, but not as the token ' " + word + "'", place,
             "write it as in --words, after a plain blank and inside the sentence: no capital, no "
             "quotation mark or no-break space in front");
    }
    if (n_found != 1) {
        fail(format("the sentence has '%s' %ld times, not once", word.c_str(), n_found), place,
             "give every sentence the word once");
    }
    s.pronoun = std::ranges::find(s.ids, wanted) - s.ids.begin();
    return s;
}

}  // namespace

Words read_words(const std::string& option, const Tokenizer& tokenizer) {
    size_t comma = option.find(',');
    if (comma == option.npos || option.find(',', comma + 1) != option.npos) {
        throw UsageError("'" + option + "' is not two words", "--words",
                         "write them with a comma between, such as him,her");
    }
    Words words = {option.substr(0, comma), option.substr(comma + 1)};
    for (const std::string& word : {words.him, words.her}) {
        size_t n_token = word.empty() ? 0 : tokenizer.encode(" " + word).size();
        if (n_token == 1) continue;
        throw UsageError(format("' %s' is %zu tokens, not one", word.c_str(), n_token), "--words",
                         "choose a word that is one token with a blank in front");
    }
    return words;
}

std::vector<Sentence> read_sentences(const std::string& path, const Tokenizer& tokenizer,
                                     const std::string& word, int64_t n_ctx) {
    std::string text = read_prose(path);
    std::vector<Sentence> sentences;
    size_t number = 1;
    for (size_t at = 0; at < text.size(); ++number) {
        // Take a line without what ends it.
        size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = std::string_view(text).substr(at, end - at);
        at = end + 1;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (is_blank(line)) continue;

        std::string place = path + format(", line %zu", number);
        Sentence s = read_line(line, tokenizer, word, place);
        if (std::ssize(s.ids) > n_ctx) {
            fail(format("the sentence has %zu tokens; the model takes %ld", s.ids.size(), n_ctx),
                 place, "shorten it");
        }
        sentences.push_back(s);
    }

    // Equal beginnings give equal activations: two different ones leave nothing to compare.
    size_t n_different = first_of_groups(group_by_beginning(sentences)).size();
    if (n_different >= 3) return sentences;
    fail(format("the file has %zu different sentence%s; 3 are needed", n_different,
                n_different == 1 ? "" : "s"),
         path, "add some, one a line; those that are equal up to the word count once");
}

namespace {

void check_pairs(const std::vector<Sentence>& him, const std::vector<Sentence>& her) {
    for (size_t i = 0; i < std::min(him.size(), her.size()); ++i) {
        std::vector<int> other = her[i].ids;
        if (her[i].pronoun == him[i].pronoun) other[her[i].pronoun] = him[i].ids[him[i].pronoun];
        if (other == him[i].ids) continue;
        fail("the two sentences differ in more than the word", him[i].place + "; " + her[i].place,
             "give both files the same sentences in the same order");
    }
    if (him.size() == her.size()) return;
    const Sentence& extra = him.size() > her.size() ? him[her.size()] : her[him.size()];
    fail(format("one file has %zu sentences, the other %zu", him.size(), her.size()), extra.place,
         "give both files the same sentences in the same order");
}

}  // namespace

SentencePairs read_sentence_pairs(const Options& options, const ChapterInfo& info,
                                  const Tokenizer& tokenizer, int64_t n_ctx) {
    Words words = read_words(options.text("--words", "him,her"), tokenizer);
    std::string him = options.text("--him", chapter_file(info, "data/him.txt"));
    std::string her = options.text("--her", chapter_file(info, "data/her.txt"));
    if (him == "-" && her == "-") {
        throw UsageError("standard input can be read once", "--her", "give one of the two a file");
    }
    SentencePairs sentences = {read_sentences(him, tokenizer, words.him, n_ctx),
                               read_sentences(her, tokenizer, words.her, n_ctx),
                               words,
                               {}};
    check_pairs(sentences.him, sentences.her);
    for (const Sentence& s : sentences.him) {
        sentences.tokens.emplace_back();
        for (int id : s.ids) sentences.tokens.back().emplace_back(tokenizer.token_bytes(id));
    }
    return sentences;
}

std::vector<int64_t> group_by_beginning(const std::vector<Sentence>& sentences) {
    std::map<std::vector<int>, int64_t> seen;
    std::vector<int64_t> group;
    for (const Sentence& s : sentences) {
        group.push_back(
            seen.try_emplace(s.prefix(), static_cast<int64_t>(seen.size())).first->second);
    }
    return group;
}

std::vector<int64_t> first_of_groups(const std::vector<int64_t>& group) {
    std::vector<int64_t> first;
    for (size_t i = 0; i < group.size(); ++i) {
        if (group[i] == static_cast<int64_t>(first.size()))
            first.push_back(static_cast<int64_t>(i));
    }
    return first;
}

std::vector<Matrix> run_sentences(const Gpt2& model, const std::vector<Sentence>& sentences,
                                  const std::string& tap) {
    size_t longest = 0;
    for (const Sentence& s : sentences) longest = std::max(longest, s.ids.size());
    std::vector<int> ids;
    for (const Sentence& s : sentences) {
        ids.insert(ids.end(), s.ids.begin(), s.ids.end());
        ids.resize(ids.size() + longest - s.ids.size());
    }
    Matrix rows = to_matrix(activations(model, ids, std::ssize(sentences), tap));

    std::vector<Matrix> out;
    for (size_t i = 0; i < sentences.size(); ++i) {
        out.emplace_back(std::ssize(sentences[i].ids), rows.cols);
        std::copy_n(&rows.data[i * longest * static_cast<size_t>(rows.cols)], out[i].data.size(),
                    out[i].data.begin());
    }
    return out;
}

}  // namespace vimach::ch05
