// The bytes of a saved page as UTF-8. What is no page, or is written in an encoding that is not
// decoded here, is refused by its name: from its first bytes, or from what the page itself declares
// (html.spec.whatwg.org, sec. 13.2.3.2: the charset of a meta element).
#pragma once

#include <string>
#include <string_view>

namespace vimach {

/// What bytes are that are neither a page nor a text of one byte a letter or UTF-8, with what mends
/// a page; both empty where the first bytes say nothing.
struct Packed {
    std::string name, remedy;
};
Packed packed_as(std::string_view bytes);

/// The page as UTF-8. What is valid UTF-8 is taken as that, whatever the page says; Windows-1252,
/// which by the HTML standard is what Latin-1 means too, is decoded where the page declares it.
/// Throws Error, naming `where`, what the bytes are and the command that mends them.
std::string page_as_utf8(std::string_view page, const std::string& where);

}  // namespace vimach
