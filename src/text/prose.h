// Plain texts that a person gives: passages, word lists, sentences. They come out of editors and
// browsers of all kinds.
#pragma once

#include <string>

namespace vimach {

/// The whole of a text (core/files: read_input) as UTF-8, without the byte order mark that some
/// editors put in front. Throws Error for what is no plain text in UTF-8, above all UTF-16 and
/// pages of HTML, which would be read as words; each is called by its name. With `any_bytes`
/// everything is taken as it is.
std::string read_prose(const std::string& path, bool any_bytes = false);

}  // namespace vimach
