// The chapter's sentences: two files, one sentence a line, line by line the same but for one word.
// What does not fit is refused with its file, its line and the reason.
#pragma once

#include <string>
#include <vector>

#include "math/matrix.h"
#include "model/gpt2.h"
#include "show/console.h"
#include "text/tokenizer.h"

namespace vimach::ch05 {

/// A sentence as token ids, and where its word stands.
struct Sentence {
    std::vector<int> ids;
    int64_t pronoun;    ///< position of the word's token
    std::string place;  ///< "him.txt, line 3"

    std::vector<int> prefix() const { return {ids.begin(), ids.begin() + pronoun + 1}; }
};

/// The words of both files (--words A,B), each one token with a blank in front.
struct Words {
    std::string him = "him", her = "her";
};
Words read_words(const std::string& option, const Tokenizer& tokenizer);

/// Sentences, one a line, each with the word once. Blank lines, CRLF and a byte-order mark are
/// passed over. `n_ctx` is the longest sentence that the model takes. Throws where fewer than 3 of
/// them differ up to the word.
std::vector<Sentence> read_sentences(const std::string& path, const Tokenizer& tokenizer,
                                     const std::string& word, int64_t n_ctx);

/// The same sentences with either word: him[i] and her[i] are equal but for it.
struct SentencePairs {
    std::vector<Sentence> him, her;
    Words words;
    std::vector<std::vector<std::string>> tokens;  ///< of every him[i], as text
};

/// Both files, as --him, --her and --words name them, in sentences of at most n_ctx tokens. Throws
/// unless sentence i of both is the same but for the word, token by token.
SentencePairs read_sentence_pairs(const Options& options, const ChapterInfo& info,
                                  const Tokenizer& tokenizer, int64_t n_ctx);

/// Sentences that begin alike up to the word have the same activations there: one group.
std::vector<int64_t> group_by_beginning(const std::vector<Sentence>& sentences);

/// The first sentence of every group.
std::vector<int64_t> first_of_groups(const std::vector<int64_t>& group);

/// A tap at every token of each sentence, [n_token, width]. They run as windows of equal length: no
/// token sees what fills the shorter ones up behind it.
std::vector<Matrix> run_sentences(const Gpt2& model, const std::vector<Sentence>& sentences,
                                  const std::string& tap);

}  // namespace vimach::ch05
