// The fuzz targets; see tests/fuzz_targets.h. Beyond not crashing, each checks a property that
// must hold for whatever input was accepted; a broken property aborts.
#include "fuzz_targets.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "chapters/05_him_her_ged/sentences.h"
#include "core/ensure.h"
#include "model/gpt2_config.h"
#include "model/json.h"
#include "model/safetensors.h"
#include "text/html_text.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace vimach::test {

namespace {

void require(bool property) {
    if (!property) std::abort();
}

std::string text_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

/// The name of a file with these bytes, which exists in memory only and until the next call.
std::string file_of(std::span<const uint8_t> bytes) {
    static const int descriptor = ::memfd_create("fuzz", 0);
    require(descriptor >= 0 && ::ftruncate(descriptor, 0) == 0);
    require(::pwrite(descriptor, bytes.data(), bytes.size(), 0) == std::ssize(bytes));
    return "/proc/self/fd/" + std::to_string(descriptor);
}

/// A value written out again; numbers and literals as they were.
std::string write_json(const Json& value) {
    std::string out;
    if (value.kind == Json::Kind::object) {
        for (const JsonMember& member : value.members) {
            out += (out.empty() ? "" : ",") + json_quote(member.name) + ":";
            out += write_json(member.value);
        }
        return std::string("{").append(out).append("}");
    }
    if (value.kind == Json::Kind::array) {
        for (const Json& item : value.items) out += (out.empty() ? "" : ",") + write_json(item);
        return std::string("[").append(out).append("]");
    }
    if (value.kind == Json::Kind::string) return json_quote(value.text);
    return value.kind == Json::Kind::null ? "null" : value.text;
}

}  // namespace

void fuzz_json(std::span<const uint8_t> bytes) {
    // What is accepted, written out and parsed again is written out the same.
    try {
        std::string once = write_json(parse_json(text_of(bytes), "fuzz"));
        require(write_json(parse_json(once, "fuzz")) == once);
    } catch (const Error&) {
        return;
    }
}

void fuzz_safetensors(std::span<const uint8_t> bytes) {
    std::string path = file_of(bytes);
    auto size = static_cast<int64_t>(bytes.size());

    // The tensors of an accepted file cover its data without holes, and each can be read or is
    // refused by its dtype.
    try {
        SafetensorsReader reader(path);
        int64_t end = 0;
        for (const TensorEntry& entry : reader.header().tensors) {
            require(entry.begin == end);
            end = entry.end;
        }
        require(end <= size);
        for (const TensorEntry& entry : reader.header().tensors) reader.read(entry);
    } catch (const Error&) {
        return;
    }
}

void fuzz_tokenizer(std::span<const uint8_t> bytes) {
    static const Tokenizer gpt2 = load_tokenizer();
    if (bytes.empty()) return;
    std::string text = text_of(bytes.subspan(1));

    // An odd first byte: the rest is a list of merges. Then GPT-2's tokenizer must not mind.
    if (bytes[0] % 2 == 1) {
        try {
            Tokenizer own(text, "fuzz");
            require(own.decode(own.encode(text, {.any_bytes = true})) == text);
        } catch (const Error&) {
            return;
        }
        return;
    }

    // Encoding any bytes loses nothing; text that is accepted as UTF-8 gives the same ids.
    std::vector<int> ids = gpt2.encode(text, {.any_bytes = true});
    require(gpt2.decode(ids) == text);
    size_t end = 0;
    for (const TokenGroup& group : group_by_character(gpt2, ids)) {
        require(group.begin == end);
        end = group.end;
    }
    require(end == text.size());
    try {
        require(gpt2.encode(text) == ids);
        require(gpt2.decode(gpt2.encode(text, {.end_of_text = true})) == text);
    } catch (const Error&) {
        return;
    }
}

void fuzz_html(std::span<const uint8_t> bytes) {
    std::string page = text_of(bytes), markup, text;
    try {
        markup = read_article(page, PageForm::markup, "fuzz");
        text = read_article(page, PageForm::text, "fuzz");
    } catch (const Error&) {
        return;
    }

    // Text is UTF-8, and no gap is wider than one blank or newline.
    require(find_invalid_utf8(markup) == markup.npos && find_invalid_utf8(text) == text.npos);
    for (const char* gap : {"  ", " \n", "\n ", "\n\n"}) require(text.find(gap) == text.npos);

    // As an article of its own, with what begins markup escaped, it comes out again; its newlines
    // are blanks then, for they were elements.
    std::string again = "<p class='mw-body-content'>", folded = text;
    for (char c : text) {
        again += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '"' ? "&#34;" : std::string(1, c);
    }
    std::ranges::replace(folded, '\n', ' ');
    require(read_article(again + "<p id=\"References\"", PageForm::text, "fuzz") == folded);
}

void fuzz_config(std::span<const uint8_t> bytes) {
    constexpr Gpt2Config shapes = {
        .n_layer = 2, .d_model = 48, .d_mlp = 192, .n_ctx = 16, .d_vocab = 50257};
    try {
        int64_t n_head = heads_in_config(text_of(bytes), "fuzz", shapes);
        require(n_head >= 0 && (n_head == 0 || shapes.d_model % n_head == 0));
    } catch (const Error&) {
        return;
    }
}

void fuzz_sentences(std::span<const uint8_t> bytes) {
    static const Tokenizer gpt2 = load_tokenizer();
    static const int him = gpt2.encode(" him").front();
    constexpr int64_t n_ctx = 12;
    try {
        std::vector<ch05::Sentence> all = ch05::read_sentences(file_of(bytes), gpt2, "him", n_ctx);
        require(all.size() >= 3);
        for (const ch05::Sentence& s : all) {
            require(std::ssize(s.ids) <= n_ctx && std::ranges::count(s.ids, him) == 1);
            require(s.prefix().back() == him);
            require(text_of(bytes).find(gpt2.decode(s.ids)) != std::string::npos);
        }
    } catch (const Error&) {
        return;
    }
}

}  // namespace vimach::test
