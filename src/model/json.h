// The strict part of JSON (RFC 8259) that a safetensors header needs: objects, arrays, strings,
// literals and numbers, with every rule of the grammar enforced. Object keys keep their order and
// may not repeat (compared after their escapes are resolved); depth is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vimach {

struct JsonMember;

struct Json {
    enum class Kind { null, boolean, number, string, array, object };

    Kind kind = Kind::null;
    size_t position = 0;  ///< byte in the text at which the value starts
    std::string text;     ///< string: resolved to UTF-8; number: as written; boolean: true, false
    std::vector<Json> items;
    std::vector<JsonMember> members;

    /// The member of this name, or null where there is none.
    const Json* find(std::string_view name) const;
};

struct JsonMember {
    std::string name;
    Json value;
};

/// Parses a whole text, white space around it allowed. Errors name `where` and the byte.
Json parse_json(std::string_view text, const std::string& where);

/// The value as an exact non-negative integer below 2^63, written with digits alone: no sign, no
/// fraction, no exponent. Throws otherwise; `where` as above.
int64_t json_integer(const Json& value, const std::string& where);

/// `text` between quotes, escaped where JSON asks for it.
std::string json_quote(std::string_view text);

}  // namespace vimach
