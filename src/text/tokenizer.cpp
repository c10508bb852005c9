// Byte-pair encoding; see text/tokenizer.h. Merging a piece of n bytes takes O(n log n): the
// pieces form a linked list, and a heap holds every pair that could be merged, earliest merge
// first, leftmost first among equals. Entries that a merge has made stale are dropped when popped.
#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <numeric>

#include "core/ensure.h"
#include "core/files.h"
#include "core/hash.h"
#include "text/pretokenizer.h"
#include "text/utf8.h"

namespace vimach {

namespace {

constexpr std::string_view end_of_text_name = "<|endoftext|>";
constexpr uint64_t empty_slot = ~uint64_t{0};
constexpr size_t max_vocab = 65536;  // ids are packed into 16 bits

/// Whether merges.txt writes this byte as the character of the same number. The other 68 (controls,
/// blanks, soft hyphen) are written as U+0100, U+0101, ... in order.
bool is_shown_as_itself(int byte) {
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/// The 256 bytes in the order of their ids: those shown as themselves first.
std::array<int, 256> bytes_in_id_order() {
    std::array<int, 256> order{};
    for (int byte = 0; byte < 256; ++byte) order[byte] = byte;
    std::stable_partition(order.begin(), order.end(), is_shown_as_itself);
    return order;
}

/// Translates a symbol of merges.txt back to bytes; empty where it is not one.
std::string symbol_bytes(std::string_view symbol) {
    static const std::array<int, 256> order = bytes_in_id_order();
    std::string bytes;
    for (size_t at = 0; at < symbol.size();) {
        CodePoint here = read_code_point(symbol, at);
        at += here.length;
        uint32_t first_hidden = 188;  // ids of the bytes that are not shown as themselves
        bool hidden = here.value >= 0x100 && here.value < 0x100 + 256 - first_hidden;
        if (!hidden && (here.value > 255 || !is_shown_as_itself(static_cast<int>(here.value)))) {
            return {};
        }
        bytes += static_cast<char>(hidden ? order[here.value - 0x100 + first_hidden]
                                          : static_cast<int>(here.value));
    }
    return bytes;
}

uint64_t merge_key(int left, int right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right) << 16;
}

size_t merge_hash(uint64_t key) { return (key * 0x9e3779b97f4a7c15) >> 40; }

size_t bytes_hash(std::string_view bytes) {
    uint64_t hash = fnv_1a(bytes);
    return hash ^ hash >> 29;
}

}  // namespace

// --- the vocabulary -----------------------------------------------------------------------------

Tokenizer::Tokenizer(std::string_view merges, const std::string& where, const char* remedy,
                     bool short_cut) {
    // Size the hash tables to be at most half full.
    auto n_line = static_cast<size_t>(std::count(merges.begin(), merges.end(), '\n')) + 1;
    size_t n_slot = std::bit_ceil(2 * (n_line + 257));
    merges_.assign(n_slot, empty_slot);
    tokens_.assign(n_slot, -1);

    // Give the single bytes the first 256 ids.
    offsets_.push_back(0);
    for (int byte : bytes_in_id_order()) {
        byte_ids_[byte] = n_token();
        insert_token(std::string(1, static_cast<char>(byte)));
    }

    // Give each merge the next id. The first line is the version of the format; others that begin
    // with # are merges.
    size_t line = 0;
    for (size_t at = 0; at < merges.size(); ++line) {
        size_t end = std::min(merges.find('\n', at), merges.size());
        std::string_view text = merges.substr(at, end - at);
        at = end + 1;
        if (text.ends_with('\r')) text.remove_suffix(1);  // as git on Windows may check it out
        if ((line == 0 && text.starts_with("#version")) || text.empty()) continue;

        size_t blank = text.find(' ');
        std::string left = symbol_bytes(text.substr(0, blank));
        std::string right = blank == text.npos ? "" : symbol_bytes(text.substr(blank + 1));
        int left_id = find_token(left), right_id = find_token(right);
        if (offsets_.size() + 1 >= max_vocab) {
            fail(
                format("has more than %zu tokens, the most that this program takes", max_vocab - 1),
                where, "take a model with a smaller vocabulary");
        }
        if (left_id < 0 || right_id < 0 || find_token(left + right) >= 0) {
            fail("is not a merge of two earlier tokens into a new one",
                 where + format(", line %zu", line + 1), remedy);
        }
        insert_merge(left_id, right_id, n_token());
        insert_token(left + right);
    }

    // Close with the end-of-text token, which no text can produce by merging.
    end_token_ = n_token();
    append_token(end_of_text_name);
    short_cut_ = short_cut;
    if (!short_cut) check_short_cut();
}

/// Merges that were extended by hand may not lead to every token.
void Tokenizer::check_short_cut() {
    std::vector<int> ids;
    for (int token = 0; token < end_token_; ++token) {
        ids.clear();
        encode_piece(token_bytes(token), ids);
        if (ids.size() != 1 || ids[0] != token) return;
    }
    short_cut_ = true;
}

void Tokenizer::append_token(std::string_view bytes) {
    bytes_ += bytes;
    offsets_.push_back(static_cast<uint32_t>(bytes_.size()));
}

void Tokenizer::insert_token(std::string_view bytes) {
    size_t mask = tokens_.size() - 1, slot = bytes_hash(bytes) & mask;
    while (tokens_[slot] >= 0) slot = (slot + 1) & mask;
    tokens_[slot] = n_token();
    append_token(bytes);
    longest_ = std::max(longest_, bytes.size());
}

int Tokenizer::find_token(std::string_view bytes) const {
    if (bytes.empty() || bytes.size() > longest_) return -1;
    size_t mask = tokens_.size() - 1, slot = bytes_hash(bytes) & mask;
    while (tokens_[slot] >= 0 && token_bytes(tokens_[slot]) != bytes) slot = (slot + 1) & mask;
    return tokens_[slot];
}

void Tokenizer::insert_merge(int left, int right, int merged) {
    uint64_t key = merge_key(left, right);
    size_t mask = merges_.size() - 1, slot = merge_hash(key) & mask;
    while (merges_[slot] != empty_slot) slot = (slot + 1) & mask;
    merges_[slot] = key | static_cast<uint64_t>(merged);
}

/// The token that two neighbours merge into, or -1. Its id is also the merge's rank.
int32_t Tokenizer::find_merge(int left, int right) const {
    uint64_t key = merge_key(left, right);
    size_t mask = merges_.size() - 1, slot = merge_hash(key) & mask;
    while (merges_[slot] != empty_slot && (merges_[slot] & ~uint64_t{0xFFFF}) != key) {
        slot = (slot + 1) & mask;
    }
    return merges_[slot] == empty_slot ? -1 : static_cast<int32_t>(merges_[slot] & 0xFFFF);
}

int Tokenizer::end_of_text() const {
    int id = id_of_.empty() ? end_token_ : id_of_[end_token_];
    if (id >= 0) return id;
    fail("the vocabulary has no <|endoftext|>", "Tokenizer", "leave that token out");
}

void Tokenizer::renumber(std::span<const NamedId> vocabulary, const std::string& where) {
    // Find every entry among the tokens; those that no merge makes are new ones.
    auto n_merged = static_cast<size_t>(n_token());
    std::vector<int32_t> token_of, id_of(n_merged, -1);
    for (const auto& [symbol, id, added] : vocabulary) {
        if (added && symbol != end_of_text_name) added_.push_back(symbol);
        if (id < 0 || static_cast<size_t>(id) >= max_vocab) {
            fail(format("the id %ld is out of range", id), where, own_vocabulary);
        }
        if (id >= std::ssize(token_of)) token_of.resize(static_cast<size_t>(id) + 1, -1);
        if (token_of[id] >= 0) {
            fail(format("two tokens have the id %ld", id), where, own_vocabulary);
        }
        int token = symbol == end_of_text_name ? end_token_ : find_token(symbol_bytes(symbol));
        if (token >= 0 && id_of[token] < 0) {
            id_of[token] = static_cast<int32_t>(id);
        } else {
            token = n_token();
            append_token(symbol);
        }
        token_of[id] = token;
    }
    for (int token = 256; token < std::ssize(id_of); ++token) {
        if (id_of[token] < 0 && token != end_token_) {
            fail("it and the merges are of two vocabularies: the merges make a token that it lacks",
                 where, own_vocabulary);
        }
    }
    token_of_ = token_of;
    id_of_ = id_of;
    name_missing();
}

void Tokenizer::pad(int64_t n_vocab) {
    if (token_of_.empty()) {
        token_of_.resize(static_cast<size_t>(n_token()));
        std::iota(token_of_.begin(), token_of_.end(), 0);
    }
    token_of_.resize(std::max(token_of_.size(), static_cast<size_t>(n_vocab)), -1);
    name_missing();
}

/// Gives ids without a token their number in brackets as a name.
void Tokenizer::name_missing() {
    for (size_t id = 0; id < token_of_.size(); ++id) {
        if (token_of_[id] >= 0) continue;
        token_of_[id] = n_token();
        append_token(format("[%zu]", id));
    }
}

// --- encode -------------------------------------------------------------------------------------

void Tokenizer::encode_piece(std::string_view piece, std::vector<int>& ids) const {
    // Take the short cut where the whole piece is one token.
    if (int id = short_cut_ ? find_token(piece) : -1; id >= 0) return ids.push_back(id);

    // Begin with single bytes in a linked list.
    auto n = static_cast<int32_t>(piece.size());
    struct Node {
        int32_t id, previous, next;
    };
    std::vector<Node> nodes(piece.size());
    for (int32_t i = 0; i < n; ++i) {
        nodes[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], i - 1, i + 1};
    }

    // Put every pair that can merge on a heap, ordered by rank, then by place.
    std::vector<uint64_t> heap;
    auto merge_at = [&](int32_t i) {
        return i < 0 || nodes[i].next >= n ? -1 : find_merge(nodes[i].id, nodes[nodes[i].next].id);
    };
    auto entry = [](int32_t rank, int32_t i) {
        return static_cast<uint64_t>(rank) << 32 | static_cast<uint32_t>(i);
    };
    for (int32_t i = 0; i < n; ++i) {
        if (int32_t rank = merge_at(i); rank >= 0) heap.push_back(entry(rank, i));
    }
    std::make_heap(heap.begin(), heap.end(), std::greater<>());

    // Merge the earliest pair, unlink its right half, and offer the two pairs that arise.
    while (!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        auto rank = static_cast<int32_t>(heap.back() >> 32);
        auto i = static_cast<int32_t>(heap.back() & 0xFFFFFFFF);
        heap.pop_back();
        if (nodes[i].id < 0 || merge_at(i) != rank) continue;

        int32_t gone = nodes[i].next;
        nodes[i] = {rank, nodes[i].previous, nodes[gone].next};
        nodes[gone].id = -1;
        if (nodes[i].next < n) nodes[nodes[i].next].previous = i;
        for (int32_t at : {nodes[i].previous, i}) {
            int32_t next_rank = merge_at(at);
            if (next_rank < 0) continue;
            heap.push_back(entry(next_rank, at));
            std::push_heap(heap.begin(), heap.end(), std::greater<>());
        }
    }

    for (int32_t i = 0; i < n; i = nodes[i].next) ids.push_back(nodes[i].id);
}

void Tokenizer::encode_ordinary(std::string_view text, std::vector<int>& ids) const {
    for (size_t at = 0; at < text.size();) {
        size_t end = piece_end(text, at);
        encode_piece(text.substr(at, end - at), ids);
        at = end;
    }
}

void Tokenizer::refuse_added(std::string_view text, const EncodeOptions& options) const {
    for (const std::string& name : added_) {
        size_t at = name.empty() ? text.npos : text.find(name);
        if (at == text.npos) continue;
        fail("the text contains '" + name + "', which the vocabulary adds as one token",
             options.source + format("%s %zu", options.source.empty() ? "byte" : ", byte", at),
             "leave it out: added tokens are not read");
    }
}

std::vector<int> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
    size_t bad = options.any_bytes ? text.npos : find_invalid_utf8(text);
    if (bad != text.npos) {
        fail("the text is not UTF-8",
             options.source + format("%s %zu", options.source.empty() ? "byte" : ", byte", bad),
             convert_to_utf8);
    }
    refuse_added(text, options);

    // Cut the text at the special token if it was asked for.
    std::vector<int> ids;
    while (options.end_of_text) {
        size_t at = text.find(end_of_text_name);
        if (at == text.npos) break;
        encode_ordinary(text.substr(0, at), ids);
        ids.push_back(end_token_);
        text.remove_prefix(at + end_of_text_name.size());
    }
    encode_ordinary(text, ids);
    if (id_of_.empty()) return ids;

    // Give the tokens their ids in the model's own vocabulary.
    for (int& id : ids) {
        if (id_of_[id] < 0) {
            auto byte = static_cast<unsigned char>(bytes_[offsets_[id]]);
            fail(format("the vocabulary has no token for the byte %02x of the text", byte),
                 options.source, "leave the characters out that have it");
        }
        id = id_of_[id];
    }
    return ids;
}

// --- decode -------------------------------------------------------------------------------------

std::string_view Tokenizer::token_bytes(int id) const {
    if (id < 0 || id >= n_vocab()) {
        fail(format("no token has the id %d", id), "Tokenizer",
             format("use ids from 0 to %d", n_vocab() - 1));
    }
    int token = token_of_.empty() ? id : token_of_[id];
    return std::string_view(bytes_).substr(offsets_[token], offsets_[token + 1] - offsets_[token]);
}

std::string Tokenizer::decode(std::span<const int> ids) const {
    std::string text;
    for (int id : ids) text += token_bytes(id);
    return text;
}

Tokenizer load_tokenizer() {
    std::string path = project_file("weights/merges.txt");
    return Tokenizer(read_text(path), path, restore_merges, true);
}

std::vector<TokenGroup> group_by_character(const Tokenizer& tokenizer, std::span<const int> ids) {
    std::string text = tokenizer.decode(ids);
    std::vector<TokenGroup> groups;
    size_t boundary = 0, byte = 0;  // the last end of a character, the end of the last token
    for (size_t i = 0; i < ids.size(); ++i) {
        // Open a group where the last one is closed, and add the token.
        if (byte == boundary) groups.push_back({static_cast<int64_t>(i), 0, byte, byte});
        byte += tokenizer.token_bytes(ids[i]).size();
        ++groups.back().count;

        // Walk whole characters up to the token's end, which may lie inside the last one.
        while (boundary < byte) boundary += read_code_point(text, boundary).length;
        groups.back().end = boundary;
    }
    return groups;
}

}  // namespace vimach
