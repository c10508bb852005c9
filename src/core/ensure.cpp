// The failure policy: composing the one line that a person sees.
// Contract: an Error's text is complete; nobody adds to it on the way up.
#include "core/ensure.h"

#include <cstdarg>
#include <cstdio>

namespace vimach {

Error::Error(const std::string& what, const std::string& where, const std::string& remedy)
    : std::runtime_error(what + " (" + where + "): " + remedy) {}

std::string format(const char* pattern, ...) {
    va_list arguments, again;
    va_start(arguments, pattern);
    va_copy(again, arguments);

    // Measure first, then print: printf counts the characters that it would have written.
    int length = std::vsnprintf(nullptr, 0, pattern, arguments);
    std::string text(length > 0 ? static_cast<size_t>(length) : 0, '\0');
    if (length > 0) std::vsnprintf(text.data(), text.size() + 1, pattern, again);

    va_end(again);
    va_end(arguments);
    return text;
}

std::string plural(int64_t count, const char* noun) {
    return format("%ld %s%s", count, noun, count == 1 ? "" : "s");
}

void fail(const std::string& what, const std::string& where, const std::string& remedy) {
    throw Error(what, where, remedy);
}

}  // namespace vimach
