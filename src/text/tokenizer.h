// GPT-2's byte-level byte-pair encoding (Sennrich et al. 2016, alg. 1; Radford et al. 2019,
// sec. 2.2): a text is cut into pieces (text/pretokenizer), each piece starts as single bytes, and
// the pair of neighbours that was merged earliest in training is merged, leftmost first, until no
// pair can be. The vocabulary follows from the list of merges alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vimach {

struct EncodeOptions {
    bool any_bytes = false;    ///< accept bytes that are not UTF-8 (lossless)
    bool end_of_text = false;  ///< read "<|endoftext|>" as that token, not as ordinary text
    std::string source = {};   ///< what an error calls the text: its file
};

/// A token as a vocabulary file writes it, and its id there.
struct NamedId {
    std::string symbol;
    int64_t id;
    bool added = false;  ///< after the training of the merges, as one token wherever it stands
};

/// What mends a vocabulary that does not fit its model.
constexpr const char* own_vocabulary =
    "put the model's own merges.txt and vocab.json beside its weights";

constexpr const char* restore_merges = "restore the file with: git checkout weights/merges.txt";

class Tokenizer {
public:
    /// Reads merges in the form of GPT-2's merges.txt; errors name `where` and the line, and what
    /// mends it. `short_cut` says that the merges lead from the bytes of every token to that token,
    /// as GPT-2's do; else that is looked at (30 ms for 50,000 merges).
    Tokenizer(std::string_view merges, const std::string& where,
              const char* remedy = restore_merges, bool short_cut = false);

    /// Gives the tokens the ids of another vocabulary with the same merges. Entries that no merge
    /// makes ("<s>") can be decoded, no text leads to them. Throws where a merge has no id, where
    /// two tokens share one, and where one is not below 65,536.
    void renumber(std::span<const NamedId> vocabulary, const std::string& where);

    /// Adds ids up to n_vocab that are no tokens and print as their number in brackets.
    void pad(int64_t n_vocab);

    /// Text to ids. Text that is not UTF-8 is refused with the byte's offset; so are bytes without
    /// an id and added tokens, which would be one token whatever the merges say.
    std::vector<int> encode(std::string_view text, const EncodeOptions& options = {}) const;

    /// Ids to bytes; the bytes of a part of a text may end inside a character.
    std::string decode(std::span<const int> ids) const;

    /// The bytes of one token.
    std::string_view token_bytes(int id) const;

    /// Number of ids: 256 bytes + merges + the end-of-text token, unless renumbered or padded.
    int n_vocab() const {
        return token_of_.empty() ? n_token() : static_cast<int>(token_of_.size());
    }

    /// The id of "<|endoftext|>": the last, unless renumbered.
    int end_of_text() const;

private:
    int n_token() const { return static_cast<int>(offsets_.size()) - 1; }
    void append_token(std::string_view bytes);
    void name_missing();
    int32_t find_merge(int left, int right) const;
    int find_token(std::string_view bytes) const;
    void insert_merge(int left, int right, int merged);
    void insert_token(std::string_view bytes);
    void encode_ordinary(std::string_view text, std::vector<int>& ids) const;
    void encode_piece(std::string_view piece, std::vector<int>& ids) const;
    void check_short_cut();
    void refuse_added(std::string_view text, const EncodeOptions& options) const;

    std::string bytes_;               // the bytes of all tokens, one after the other
    std::vector<uint32_t> offsets_;   // token t is bytes_[offsets_[t], offsets_[t + 1])
    std::vector<int32_t> id_of_;      // of a token that a text leads to; empty: its own number
    std::vector<int32_t> token_of_;   // of an id; empty: the same number
    std::vector<std::string> added_;  // what a text must not contain
    bool short_cut_ = false;          // whether merges lead to every token from its bytes
    int end_token_ = 0;               // "<|endoftext|>"
    std::vector<uint64_t> merges_;    // hash table: left << 32 | right << 16 | merged
    std::vector<int32_t> tokens_;     // hash table from bytes to id
    size_t longest_ = 1;              // bytes of the longest token
    int byte_ids_[256];               // id of each single byte
};

/// The tokenizer of GPT-2, from the project's weights/merges.txt.
Tokenizer load_tokenizer();

/// The shortest run of tokens that begins and ends between characters: usually one token; more
/// where a character's bytes are spread over several.
struct TokenGroup {
    int64_t first, count;  ///< tokens [first, first + count)
    size_t begin, end;     ///< bytes [begin, end) of the decoded text
};

/// Cuts ids into such runs. Bytes that are not UTF-8 count as characters of their own.
std::vector<TokenGroup> group_by_character(const Tokenizer& tokenizer, std::span<const int> ids);

}  // namespace vimach
