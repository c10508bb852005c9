// A recursive-descent parser of strict JSON; see model/json.h.
// Each function reads one rule of the grammar at `at_` and leaves `at_` behind it.
#include "model/json.h"

#include <charconv>
#include <unordered_set>

#include "core/ensure.h"
#include "text/utf8.h"

namespace vimach {

namespace {

constexpr int max_depth = 16;  // a safetensors header needs three levels

class Parser {
public:
    Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

    Json document() {
        skip_space();
        Json value = parse_value(0);
        skip_space();
        if (at_ != text_.size()) refuse("something follows the end of the JSON text");
        return value;
    }

private:
    [[noreturn]] void refuse(const std::string& what) const {
        fail(what, where_ + format(", byte %zu", at_), "write the file again");
    }

    int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }

    bool take(char wanted) {
        if (peek() != static_cast<unsigned char>(wanted)) return false;
        ++at_;
        return true;
    }

    void skip_space() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
    }

    Json parse_value(int depth) {
        if (depth > max_depth) refuse("JSON is nested too deeply");
        Json value;
        value.position = at_;
        switch (peek()) {
            case '{': parse_object(value, depth); break;
            case '[': parse_array(value, depth); break;
            case '"':
                value.kind = Json::Kind::string;
                value.text = parse_string();
                break;
            case 't': parse_word(value, "true", Json::Kind::boolean); break;
            case 'f': parse_word(value, "false", Json::Kind::boolean); break;
            case 'n': parse_word(value, "null", Json::Kind::null); break;
            default: parse_number(value);
        }
        return value;
    }

    void parse_word(Json& value, std::string_view word, Json::Kind kind) {
        if (text_.substr(at_, word.size()) != word) refuse("not a JSON value");
        at_ += word.size();
        value.kind = kind;
        value.text = word;
    }

    void parse_object(Json& object, int depth) {
        object.kind = Json::Kind::object;
        std::unordered_set<std::string> seen;
        ++at_;
        skip_space();
        if (take('}')) return;
        do {
            skip_space();
            if (peek() != '"') refuse("a name in quotes is missing");
            std::string name = parse_string();
            if (!seen.insert(name).second) refuse("the name " + json_quote(name) + " stands twice");
            skip_space();
            if (!take(':')) refuse("a colon is missing");
            skip_space();
            object.members.push_back({std::move(name), parse_value(depth + 1)});
            skip_space();
        } while (take(','));
        if (!take('}')) refuse("a comma or } is missing");
    }

    void parse_array(Json& array, int depth) {
        array.kind = Json::Kind::array;
        ++at_;
        skip_space();
        if (take(']')) return;
        do {
            skip_space();
            array.items.push_back(parse_value(depth + 1));
            skip_space();
        } while (take(','));
        if (!take(']')) refuse("a comma or ] is missing");
    }

    bool take_digits() {
        size_t begin = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        return at_ > begin;
    }

    void parse_number(Json& value) {
        // number = [-] (0 | 1-9 digits) [. digits] [(e | E) [+ | -] digits]
        value.kind = Json::Kind::number;
        take('-');
        if (!take('0') && !take_digits()) refuse("not a JSON value");
        if (peek() >= '0' && peek() <= '9') refuse("a number has a leading zero");
        if (take('.') && !take_digits()) refuse("digits are missing after the decimal point");
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            if (!take_digits()) refuse("digits are missing in the exponent");
        }
        value.text = text_.substr(value.position, at_ - value.position);
    }

    std::string parse_string() {
        std::string out;
        ++at_;
        while (!take('"')) {
            if (peek() < 0) refuse("a string has no end");
            if (peek() < 0x20) refuse("a control character stands in a string");
            if (take('\\')) {
                parse_escape(out);
            } else {
                out += text_[at_++];
            }
        }
        return out;
    }

    void parse_escape(std::string& out) {
        static constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
        if (take('u')) return append_utf8(out, parse_code_point());
        size_t index = peek() < 0 ? names.npos : names.find(static_cast<char>(peek()));
        if (index == names.npos) refuse("unknown escape in a string");
        out += values[index];
        ++at_;
    }

    uint32_t parse_hex4() {
        uint32_t value = 0;
        std::string_view digits = text_.substr(at_, 4);
        const char* last = digits.data() + digits.size();
        auto [end, error] = std::from_chars(digits.data(), last, value, 16);
        if (digits.size() != 4 || error != std::errc{} || end != last) {
            refuse("\\u needs four hexadecimal digits");
        }
        at_ += 4;
        return value;
    }

    uint32_t parse_code_point() {
        // Above U+FFFF a character is a pair: high surrogate D800-DBFF, low surrogate DC00-DFFF.
        uint32_t high = parse_hex4();
        if (high < 0xD800 || high > 0xDFFF) return high;
        if (high > 0xDBFF || !take('\\') || !take('u')) refuse("a surrogate stands alone");
        uint32_t low = parse_hex4();
        if (low < 0xDC00 || low > 0xDFFF) refuse("a surrogate stands alone");
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }

    std::string_view text_;
    const std::string& where_;
    size_t at_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view name) const {
    for (const auto& [member, value] : members) {
        if (member == name) return &value;
    }
    return nullptr;
}

Json parse_json(std::string_view text, const std::string& where) {
    size_t bad = find_invalid_utf8(text);
    if (bad != text.npos) {
        fail("is not UTF-8", where + format(", byte %zu", bad), "write the file again");
    }
    return Parser(text, where).document();
}

int64_t json_integer(const Json& value, const std::string& where) {
    int64_t number = 0;
    const char* begin = value.text.data();
    const char* end = begin + value.text.size();
    bool digits = value.kind == Json::Kind::number && *begin != '-';
    auto [stop, error] = std::from_chars(begin, end, number);
    if (digits && error == std::errc{} && stop == end) return number;
    fail("expected a whole number from 0 to 2^63 - 1", where + format(", byte %zu", value.position),
         "write the file again");
}

std::string json_quote(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
            out += format("\\u%04x", byte);
        } else {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
    }
    return out + "\"";
}

}  // namespace vimach
