// The vocabulary that belongs to a model: GPT-2's, one of its own, GPT-2's under other ids, rows
// that are padding; and what is refused because it would be read as nonsense.
#include "model/vocabulary.h"

#include <doctest/doctest.h>

#include "core/files.h"
#include "model/gpt2_file.h"
#include "model/json.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;

namespace {

/// Three merges over the 256 bytes: "th", "the", " the".
constexpr const char* merges = "#version: 0.2\nt h\nth e\n\u0120 the\n";
constexpr int n_own = 256 + 3 + 1;

/// The symbols of a tokenizer's tokens in the order of their ids, as vocab.json writes them.
std::vector<std::string> symbols() {
    std::vector<std::string> out;
    for (int c = 33; c <= 126; ++c) out.emplace_back(1, static_cast<char>(c));
    auto two = [](int c) {
        return std::string{static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    };
    for (int c = 161; c <= 255; ++c) {
        if (c != 173) out.push_back(two(c));
    }
    for (int c = 256; c < 256 + 68; ++c) out.push_back(two(c));
    for (const char* merged : {"th", "the", "\u0120the", "<|endoftext|>"}) out.emplace_back(merged);
    return out;
}

std::string vocab_json(const std::vector<std::string>& in_order) {
    std::string json;
    for (const std::string& symbol : in_order) {
        json += (json.empty() ? "{" : ", ") + json_quote(symbol) +
                format(": %zu", static_cast<size_t>(&symbol - in_order.data()));
    }
    return json + "}";
}

/// A folder with a tiny model of so many rows, and files beside it.
struct Folder {
    TempFolder folder;
    explicit Folder(int64_t d_vocab) {
        Gpt2 model = random_gpt2(
            {.n_layer = 1, .n_head = 1, .d_model = 4, .d_mlp = 16, .n_ctx = 8, .d_vocab = d_vocab},
            1);
        save_gpt2(model, folder.path());
    }
    void put(const char* name, const std::string& text) { write_raw(folder.file(name), text); }
    Gpt2 load() const { return load_gpt2(folder.path()); }
    std::string error() const {
        Gpt2 model = load();
        return error_of([&] { tokenizer_of(model); });
    }
};

using Ids = std::vector<int>;

}  // namespace

TEST_CASE("vocabulary: without files beside the weights it is GPT-2's") {
    Gpt2 model = Folder(50257).load();
    model.source = "weights/nano";
    CHECK(tokenizer_of(model).encode("Hello world") == Ids{15496, 995});
    CHECK(model.note.empty());
    CHECK(model.n_padding == 0);
}

TEST_CASE("vocabulary: GPT-2's own files, with other line ends, change nothing") {
    Folder f(50257);
    std::string text = read_text(find_in_project("weights/merges.txt")), with_returns;
    for (char c : text) with_returns += c == '\n' ? std::string("\r\n") : std::string(1, c);
    f.put("merges.txt", with_returns);
    Gpt2 model = f.load();
    CHECK(tokenizer_of(model).encode("Hello world") == Ids{15496, 995});
    CHECK(model.note.empty());
}

TEST_CASE("vocabulary: merges of the model's own are used") {
    Folder f(n_own);
    f.put("merges.txt", merges);
    Gpt2 model = f.load();
    Tokenizer t = tokenizer_of(model);
    CHECK(t.n_vocab() == n_own);
    CHECK(t.encode("the the") == Ids{257, 258});
    CHECK(t.end_of_text() == 259);
    check_contains(model.note, "merges of its own");

    f.put("vocab.json", vocab_json(symbols()));
    model = f.load();
    CHECK(tokenizer_of(model).encode("the the") == Ids{257, 258});
    CHECK(model.note.find("ids of its own") == std::string::npos);
}

TEST_CASE("vocabulary: ids of the model's own are used, with what only they name") {
    std::vector<std::string> order = symbols();
    order.pop_back();
    order.insert(order.begin(), {"<s>", "<|endoftext|>", "<pad>"});
    Folder f(static_cast<int64_t>(order.size()));
    f.put("merges.txt", merges);
    f.put("vocab.json", vocab_json(order));
    Gpt2 model = f.load();
    Tokenizer t = tokenizer_of(model);
    CHECK(t.encode("the the") == Ids{260, 261});
    CHECK(t.decode(Ids{260, 261, 0, 1}) == "the the<s><|endoftext|>");
    CHECK(t.encode("<|endoftext|>the", {.end_of_text = true}) == Ids{1, 260});
    CHECK(t.encode("<s>").size() == 3);  // no text leads to it
    CHECK(t.end_of_text() == 1);
    check_contains(model.note, "ids of its own");
    for (int id = 0; id < t.n_vocab(); ++id) {
        if (id < 3) continue;
        Ids back = t.encode(t.token_bytes(id), {.any_bytes = true});
        CHECK_MESSAGE(back == Ids{id}, id);
    }
}

namespace {

constexpr const char* merge_pairs = R"(["t h", "th e", "\u0120 the"])";
constexpr const char* byte_level = R"({"type": "ByteLevel", "add_prefix_space": false})";

/// A tokenizer.json: how it cuts, its merges, and its tokens in the order of their ids.
std::string tokenizer_json(const std::string& cut, const std::string& pairs,
                           const std::vector<std::string>& order) {
    return format("{\"added_tokens\": [{\"id\": %zu, \"content\": \"<|endoftext|>\"}], ",
                  order.size()) +
           "\"pre_tokenizer\": " + cut +
           ", \"model\": {\"type\": \"BPE\", \"vocab\": " + vocab_json(order) +
           ", \"merges\": " + pairs + "}}";
}

}  // namespace

TEST_CASE("vocabulary: tokenizer.json alone is read where it is a byte-level BPE") {
    std::vector<std::string> order = symbols();
    order.pop_back();
    auto json = [&](const std::string& cut, const std::string& pairs) {
        return tokenizer_json(cut, pairs, order);
    };
    for (const char* pairs : {merge_pairs, R"([["t", "h"], ["th", "e"], ["\u0120", "the"]])"}) {
        Folder f(n_own);
        f.put("tokenizer.json", json(byte_level, pairs));
        Gpt2 model = f.load();
        Tokenizer t = tokenizer_of(model);
        CHECK(t.encode("the the") == Ids{257, 258});
        CHECK(t.end_of_text() == 259);
    }
    const std::string sequence = R"({"type": "Sequence", "pretokenizers": [)";
    for (const std::string& cut :
         {std::string(R"({"type": "Metaspace"})"), std::string("null"),
          std::string(R"({"type": "ByteLevel", "add_prefix_space": true})"),
          std::string(R"({"type": "ByteLevel", "use_regex": false})"),
          sequence + R"({"type": "Digits"}, )" + byte_level + "]}"}) {
        Folder f(n_own);
        f.put("tokenizer.json", json(cut, "[]"));
        check_contains(f.error(), "is no byte-level BPE that cuts a text as GPT-2's");

        // It holds for the other two files as well.
        f.put("merges.txt", merges);
        f.put("vocab.json", vocab_json(order));
        check_contains(f.error(), "is no byte-level BPE that cuts a text as GPT-2's");
        f.put("tokenizer.json", json(sequence + byte_level + "]}", merge_pairs));
        CHECK(f.error() == "no Error was thrown");
    }
    Folder f(n_own);
    f.put("tokenizer.json",
          R"({"normalizer": {"type": "NFC"}, )" + json(byte_level, R"(["t h"])").substr(1));
    check_contains(f.error(), "changes a text before it cuts it (normalizer)");
    f.put("tokenizer.json", R"({"pre_tokenizer": {"type": "ByteLevel"}, "model": {}})");
    check_contains(f.error(), "has no merges of the kind");
}

TEST_CASE("vocabulary: ids of tokenizer.json hold where no vocab.json is there") {
    std::vector<std::string> order = symbols();
    order.pop_back();
    order.insert(order.begin(), "<s>");
    Folder f(std::ssize(order) + 1);
    f.put("merges.txt", merges);
    f.put("tokenizer.json", tokenizer_json(byte_level, merge_pairs, order));
    Gpt2 model = f.load();
    CHECK(tokenizer_of(model).encode("the the") == Ids{258, 259});
}

TEST_CASE("vocabulary: bytes without a merge are a vocabulary too, an empty merges.txt is none") {
    std::vector<std::string> order = symbols();
    order.resize(256);
    Folder f(257);
    f.put("tokenizer.json", tokenizer_json(byte_level, "[]", order));
    Gpt2 model = f.load();
    CHECK(tokenizer_of(model).encode("the").size() == 3);
    f.put("merges.txt", "#version: 0.2\n");
    f.put("vocab.json", vocab_json(order));
    check_contains(f.error(), "has no merges (");
}

TEST_CASE("vocabulary: rows beyond it are padding") {
    for (int64_t n_row : {50259, 50304}) {
        Gpt2 model = Folder(n_row).load();
        Tokenizer t = tokenizer_of(model);
        CHECK(model.n_padding == n_row - 50257);
        CHECK(t.n_vocab() == n_row);
        CHECK(t.token_bytes(50257) == "[50257]");
        CHECK(t.decode(Ids{995, static_cast<int>(n_row) - 1}) == format(" world[%ld]", n_row - 1));
        CHECK(t.encode("Hello world") == Ids{15496, 995});
        CHECK(t.end_of_text() == 50256);
        check_contains(model.note, "rows from 50257 on stand for no token");
    }
}

TEST_CASE("vocabulary: files that do not belong together are refused") {
    check_contains(Folder(5000).error(),
                   "the model has a vocabulary of 5000 tokens, GPT-2's tokenizer one of 50257");
    Folder two(n_own);
    two.put("merges.txt", merges);
    std::vector<std::string> order = symbols();
    order[257] = "xyz";  // for "the"
    two.put("vocab.json", vocab_json(order));
    check_contains(two.error(), "the merges make a token that it lacks");
    two.put("vocab.json", R"({"!": 0, "\"": 0})");
    check_contains(two.error(), "two tokens have the id 0");
    two.put("vocab.json", R"({"!": 70000})");
    check_contains(two.error(), "the id 70000 is out of range");
    two.put("vocab.json", "[]");
    check_contains(two.error(), "is not a JSON object");
    order = symbols();
    order.emplace_back("<pad>");
    two.put("vocab.json", vocab_json(order));
    check_contains(two.error(), "vocab.json one of 261");
    two.put("vocab.json", vocab_json(symbols()));
    two.put("merges.txt", "#version\nq\n");
    check_contains(two.error(), "merges.txt, line 2): put the model's own merges.txt");
}

TEST_CASE("vocabulary: tokenizer.json and its companions must say the same") {
    std::vector<std::string> order = symbols();
    order.pop_back();
    Folder f(n_own);
    f.put("merges.txt", merges);
    f.put("vocab.json", vocab_json(order));
    f.put("tokenizer.json", tokenizer_json(byte_level, merge_pairs, order));
    CHECK(f.error() == "no Error was thrown");
    f.put("tokenizer.json", tokenizer_json(byte_level, R"(["t h", "h e", "\u0120 t"])", order));
    check_contains(f.error(), "has other merges than tokenizer.json");
    std::swap(order[3], order[4]);
    f.put("tokenizer.json", tokenizer_json(byte_level, merge_pairs, order));
    check_contains(f.error(), "gives \"$\" another id than tokenizer.json");
}

TEST_CASE("vocabulary: added tokens can be decoded; a text that has one is refused") {
    std::vector<std::string> order = symbols();
    Folder f(n_own + 1);
    f.put("merges.txt", merges);
    f.put("vocab.json", vocab_json(order));
    f.put("added_tokens.json", format("{\"plum\": %d}", n_own));
    Gpt2 model = f.load();
    Tokenizer t = tokenizer_of(model);
    CHECK(t.decode(Ids{257, n_own}) == "theplum");
    CHECK(t.encode("the the") == Ids{257, 258});
    check_contains(error_of([&] { t.encode("the plum", {.source = "t"}); }),
                   "the text contains 'plum', which the vocabulary adds as one token (t, byte 4)");
    f.put("added_tokens.json", R"({"the": 3})");
    check_contains(f.error(), "gives \"the\" the id 3, its vocabulary 257");
}

TEST_CASE("vocabulary: a byte without a token is refused where a text has it") {
    std::vector<std::string> order = symbols();
    order.erase(order.begin() + 2);  // '#'
    Folder f(std::ssize(order));
    f.put("merges.txt", merges);
    f.put("vocab.json", vocab_json(order));
    Gpt2 model = f.load();
    Tokenizer t = tokenizer_of(model);
    CHECK(t.encode("the the") == Ids{256, 257});
    check_contains(error_of([&] { t.encode("the #", {.source = "t"}); }),
                   "the vocabulary has no token for the byte 23 of the text (t)");
}

TEST_CASE("vocabulary: one of another kind, or of another size, is not taken for GPT-2's") {
    for (const char* name : {"spiece.model", "vocab.txt", "added_tokens.json"}) {
        Folder f(50257);
        f.put(name, "{}");
        check_contains(f.error(), std::string(name) + "): put the model's own");
    }
    Folder f(50257);
    f.put("tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})");
    check_contains(f.error(), "names the tokenizer \"T5Tokenizer\"");
    f.put("tokenizer_config.json", R"({"add_prefix_space": true})");
    check_contains(f.error(), "puts a blank before every text (add_prefix_space)");
    f.put("tokenizer_config.json",
          R"({"add_prefix_space": false, "tokenizer_class": "GPT2Tokenizer"})");
    CHECK(f.error() == "no Error was thrown");
    f.put("tokenizer_config.json", R"({"tokenizer_class": null})");
    CHECK(f.error() == "no Error was thrown");
    check_contains(Folder(64000).error(), "a vocabulary of 64000 tokens, GPT-2's tokenizer 50257");
}

TEST_CASE("vocabulary: byte order marks are passed over, a pointer of git is called one") {
    Folder f(n_own);
    f.put("merges.txt", std::string("\xEF\xBB\xBF") + merges);
    f.put("vocab.json", "\xEF\xBB\xBF" + vocab_json(symbols()));
    CHECK(f.error() == "no Error was thrown");
    f.put("vocab.json", "version https://git-lfs.github.com/spec/v1\n");
    check_contains(f.error(), "is a pointer of Git LFS, not the file itself");
}
