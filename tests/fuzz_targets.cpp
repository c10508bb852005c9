// The fuzz targets; see tests/fuzz_targets.h. Beyond not crashing, each checks a property that
// must hold for whatever input was accepted; a broken property aborts.
#include "fuzz_targets.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/ensure.h"
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
    // Put the bytes into a file that exists in memory only.
    static const int descriptor = ::memfd_create("fuzz", 0);
    require(descriptor >= 0 && ::ftruncate(descriptor, 0) == 0);
    auto size = static_cast<int64_t>(bytes.size());
    require(::pwrite(descriptor, bytes.data(), bytes.size(), 0) == size);

    // The tensors of an accepted file cover its data without holes, and each can be read or is
    // refused by its dtype.
    try {
        SafetensorsReader reader("/proc/self/fd/" + std::to_string(descriptor));
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

}  // namespace vimach::test
