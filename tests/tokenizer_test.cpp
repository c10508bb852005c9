// GPT-2's tokenizer against published text/ids pairs, against itself over the whole vocabulary,
// and against the clock. VIMACH_TOKENIZER_CASES=FILE adds pairs of the same form as
// tests/tokenizer_cases.jsonl; tests/tokenizer_differential.mjs writes such a file.
#include "text/tokenizer.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <numeric>

#include "core/ensure.h"
#include "core/files.h"
#include "core/rng.h"
#include "model/json.h"
#include "support.h"
#include "text/pretokenizer.h"
#include "text/utf8.h"

using namespace vimach;
using test::error_of;

namespace {

const Tokenizer& gpt2() {
    static const Tokenizer tokenizer = load_tokenizer();
    return tokenizer;
}

/// Whether a text has characters that our Unicode tables do not know, but newer ones might.
bool has_unassigned(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        CodePoint here = read_code_point(text, at);
        if (!is_assigned(here.value)) return true;
        at += here.length;
    }
    return false;
}

struct CaseCount {
    int total = 0;
    int newer_unicode = 0;  // ids differ, and the text has characters unknown to our tables
};

/// Checks every line {"text": ..., "ids": [...]} of a file.
CaseCount check_cases(const std::string& path) {
    std::string lines = read_text(path);
    CaseCount count;
    for (size_t at = 0; at < lines.size();) {
        size_t end = std::min(lines.find('\n', at), lines.size());
        Json record = parse_json(std::string_view(lines).substr(at, end - at),
                                 path + format(" case %d", ++count.total));
        at = end + 1;

        const std::string& text = record.find("text")->text;
        std::vector<int> expected;
        for (const Json& id : record.find("ids")->items) {
            expected.push_back(static_cast<int>(json_integer(id, path)));
        }
        CHECK_MESSAGE(gpt2().decode(expected) == text, json_quote(text));
        bool same = gpt2().encode(text) == expected;
        if (!same && has_unassigned(text)) {
            ++count.newer_unicode;
        } else {
            CHECK_MESSAGE(same, json_quote(text));
        }
    }
    return count;
}

/// Processor time, which a busy machine does not stretch.
double seconds(auto action) {
    std::clock_t begin = std::clock();
    action();
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("tokenizer: published pairs of text and ids") {
    CaseCount count = check_cases(find_in_project("tests/tokenizer_cases.jsonl"));
    CHECK(count.total == 62);
    CHECK(count.newer_unicode == 0);
}

TEST_CASE("tokenizer: random strings recorded from tiktoken") {
    // The tables of the recording were Unicode 16; one string has a letter that 15 does not know.
    CaseCount count = check_cases(find_in_project("tests/fixtures/tokenizer_random.jsonl"));
    CHECK(count.total == 1000);
    CHECK(count.newer_unicode <= 1);
    if (const char* more = std::getenv("VIMACH_TOKENIZER_CASES")) {
        count = check_cases(more);
        MESSAGE("differential: ", count.total, " strings, of which ", count.newer_unicode,
                " differ by a character newer than Unicode ", unicode_version());
    }
}

TEST_CASE("tokenizer: the edges of the pattern") {
    struct Case {
        const char* text;
        std::vector<int> ids;
    };
    const Case cases[] = {
        {"don't", {9099, 470}},
        {"DON'T", {41173, 6, 51}},
        {" 's", {705, 82}},
        {"''s", {7061, 82}},
        {"it's's", {270, 338, 338}},
        {"don\u2019t", {9099, 447, 247, 83}},
        {"a   b", {64, 220, 220, 275}},
        {"x\t y", {87, 197, 331}},
        {"x \ty", {87, 220, 197, 88}},
        {"word\u00A0\u00A0word", {4775, 1849, 1849, 4775}},
        {"hello  ", {31373, 220, 220}},
        {"a\n\nb", {64, 198, 198, 65}},
        {"\r\n", {201, 198}},
        {"a \x1c"
         "b",
         {64, 220, 216, 65}},
        {"\u00BD", {23141}},
        {"\u00B2", {31185}},
        {"\u2167", {158, 227, 100}},
        {"x\u00B2", {87, 31185}},
        {"cafe\u0301", {66, 8635, 136, 223}},
        {"\uFEFF", {171, 119, 123}},
        {"<|endoftext|>", {27, 91, 437, 1659, 5239, 91, 29}},
        {"# #", {2, 1303}},
        {" Hungary", {19562}},
        {" him", {683}},
        {" her", {607}},
        {"him", {38400}},
        {"her", {372}},
    };
    for (const Case& c : cases) CHECK_MESSAGE(gpt2().encode(c.text) == c.ids, c.text);
}

TEST_CASE("tokenizer: only Unicode's white space is white space") {
    // Two of them and a letter: white space keeps its last character from the run, others do not.
    const uint32_t spaces[] = {0x85,   0xA0,   0x1680, 0x2000, 0x200A, 0x2028,
                               0x2029, 0x202F, 0x205F, 0x3000, 0x0B,   0x0C};
    const uint32_t others[] = {0x1C, 0x1F, 0x180E, 0x200B, 0x2060, 0xFEFF, 0x00};
    auto first_piece = [](uint32_t c) {
        std::string text;
        append_utf8(text, c);
        append_utf8(text, c);
        return piece_end(text + "a", 0) * 2 == text.size();
    };
    for (uint32_t c : spaces) CHECK_MESSAGE(first_piece(c), c);
    for (uint32_t c : others) CHECK_MESSAGE(!first_piece(c), c);
}

TEST_CASE("tokenizer: every id decodes and encodes to itself") {
    CHECK(gpt2().n_vocab() == 50257);
    CHECK(gpt2().end_of_text() == 50256);
    int n_partial = 0;
    for (int id = 0; id < gpt2().end_of_text(); ++id) {
        std::string bytes(gpt2().token_bytes(id));
        n_partial += find_invalid_utf8(bytes) != bytes.npos;
        CHECK(gpt2().encode(bytes, {.any_bytes = true}) == std::vector<int>{id});
    }
    CHECK(n_partial > 300);  // tokens that are a part of a character are among them
}

TEST_CASE("tokenizer: end of text is a token only where it is asked for") {
    CHECK(gpt2().encode("hello <|endoftext|>", {.end_of_text = true}) ==
          std::vector<int>{31373, 220, 50256});
    CHECK(gpt2().encode("<|endoftext|><|endoftext|>a", {.end_of_text = true}) ==
          std::vector<int>{50256, 50256, 64});
    CHECK(gpt2().decode(std::vector<int>{50256}) == "<|endoftext|>");
}

TEST_CASE("tokenizer: text that is not UTF-8") {
    struct Case {
        const char* bytes;
        const char* offset;
    };
    const Case cases[] = {{"ab\xff", "byte 2"},
                          {"\xc3", "byte 0"},
                          {"a\xc0\x80", "byte 1"},
                          {"a\xed\xa0\x80", "byte 1"},
                          {"\xf4\x90\x80\x80", "byte 0"},
                          {"xyz\xe2\x82", "byte 3"},
                          {"\xf8\x88\x80\x80\x80", "byte 0"},
                          {"\xe0\x80\x80", "byte 0"}};
    for (const Case& c : cases) {
        std::string message = error_of([&] { gpt2().encode(c.bytes); });
        CHECK_MESSAGE(message.find(c.offset) != message.npos, message);
        CHECK(gpt2().decode(gpt2().encode(c.bytes, {.any_bytes = true})) == c.bytes);
    }

    // Any bytes survive the way there and back.
    Rng rng(5);
    for (int trial = 0; trial < 500; ++trial) {
        std::string bytes(static_cast<size_t>(rng.below(60)), '\0');
        for (char& c : bytes) c = static_cast<char>(rng.below(256));
        CHECK(gpt2().decode(gpt2().encode(bytes, {.any_bytes = true})) == bytes);
    }
}

TEST_CASE("tokenizer: long runs take no quadratic time") {
#ifdef __SANITIZE_ADDRESS__
    constexpr double limit = 5;  // every access is checked
#else
    constexpr double limit = 1;
#endif
    std::string letters(1'000'000, 'x');
    CHECK(seconds([&] { CHECK(gpt2().decode(gpt2().encode(letters)) == letters); }) < limit);
    for (const char* unit : {" ", "^", "0", "a", "'s", "\n", "\xf0\x9f\x98\x80"}) {
        std::string run;
        for (int i = 0; i < 10'000; ++i) run += unit;
        CHECK(seconds([&] { CHECK(gpt2().decode(gpt2().encode(run)) == run); }) < limit);
    }
}

TEST_CASE("tokenizer: tokens that share a character are one group") {
    // The astronaut's three bytes after the first are spread over tokens.
    std::vector<int> ids = gpt2().encode(" this is \xf0\x9f\xa6\x99.cpp");
    CHECK(ids == std::vector<int>{428, 318, 12520, 99, 247, 13, 20322});
    std::vector<TokenGroup> groups = group_by_character(gpt2(), ids);
    REQUIRE(groups.size() == 5);
    CHECK(groups[2].first == 2);
    CHECK(groups[2].count == 3);
    CHECK(groups[2].end - groups[2].begin == 5);

    // Groups cover all tokens and all bytes, whatever they are.
    Rng rng(11);
    for (int trial = 0; trial < 300; ++trial) {
        std::vector<int> random(static_cast<size_t>(rng.below(20)));
        for (int& id : random) id = static_cast<int>(rng.below(50257));
        int64_t token = 0;
        size_t byte = 0;
        for (const TokenGroup& group : group_by_character(gpt2(), random)) {
            CHECK(group.first == token);
            CHECK(group.begin == byte);
            token += group.count;
            byte = group.end;
        }
        CHECK(token == static_cast<int64_t>(random.size()));
        CHECK(byte == gpt2().decode(random).size());
    }
}

TEST_CASE("tokenizer: line ends of Windows change nothing") {
    std::string merges = read_text(find_in_project("weights/merges.txt")), other;
    for (char c : merges) other += c == '\n' ? "\r\n" : std::string(1, c);
    Tokenizer windows(other, "merges.txt");
    REQUIRE(windows.n_vocab() == gpt2().n_vocab());
    for (int id = 0; id < gpt2().n_vocab(); ++id) {
        REQUIRE(windows.token_bytes(id) == gpt2().token_bytes(id));
    }
    CHECK(windows.encode("Two lines\r\nof text") == gpt2().encode("Two lines\r\nof text"));
    CHECK_THROWS_AS(Tokenizer("a b\r\r\n", "merges.txt"), Error);
}

TEST_CASE("tokenizer: GPT-2's merges lead to every token, so whole pieces need no merging") {
    // With a merge that nothing leads to, no short cut is taken.
    std::string merges = read_text(find_in_project("weights/merges.txt"));
    Tokenizer plain(merges + "Pir er\n", "m");
    CHECK(plain.encode("Pirer") == gpt2().encode("Pirer"));
    for (int id = 0; id < 50256; ++id) {
        REQUIRE(plain.encode(plain.token_bytes(id), {.any_bytes = true}) == std::vector<int>{id});
    }
}

TEST_CASE("tokenizer: merges hold in their order even for a whole piece") {
    // "a b" is merged first, so "a bc" never comes about; "ab c" does.
    Tokenizer blocked("a b\nb c\na bc\n", "test");
    CHECK(blocked.encode("abc") == std::vector<int>{256, 'c' - '!'});
    Tokenizer open("a b\nb c\nab c\n", "test");
    CHECK(open.encode("abc") == std::vector<int>{258});
}

TEST_CASE("tokenizer: more tokens than ids have bits are refused as that") {
    std::vector<std::string> tokens = {""};
    std::string merges;
    for (size_t left = 0; tokens.size() < 66'000; ++left) {
        for (char c = '!'; c <= '~'; ++c) {
            tokens.push_back(tokens[left] + c);
            if (left > 0) merges += tokens[left] + " " + c + "\n";
        }
    }
    test::check_contains(test::error_of([&] { Tokenizer(merges, "m"); }),
                         "has more than 65535 tokens");
}

TEST_CASE("tokenizer: bad ids and bad merges are refused by name") {
    CHECK(error_of([] { gpt2().decode(std::vector<int>{50257}); }).find("id 50257") !=
          std::string::npos);
    CHECK(error_of([] { gpt2().token_bytes(-1); }).find("0 to 50256") != std::string::npos);
    const char* bad[] = {"#version: 0.2\na b\na b\n", "#version: 0.2\na b\nq\n",
                         "#version: 0.2\na b\nabc d\n", "a b\na \x01\n"};
    const char* lines[] = {"line 3", "line 3", "line 3", "line 2"};
    for (int i = 0; i < 4; ++i) {
        std::string message = error_of([&] { Tokenizer(bad[i], "merges"); });
        CHECK_MESSAGE(message.find(lines[i]) != message.npos, message);
    }
}
