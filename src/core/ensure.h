// The one failure policy: whoever notices that something is wrong throws an Error that says
// what is wrong, where (file, byte, line or function) and what mends it. It is caught once,
// around the chapter (show/console), and printed as one line.
#pragma once

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "verdicts rest on NaN and infinity: take -Ofast, -ffast-math and the like out of CXXFLAGS"
#endif

#include <cstdint>
#include <stdexcept>
#include <string>

namespace vimach {

/// A failure that a person can act on. `what()` is "WHAT (WHERE): REMEDY".
struct Error : std::runtime_error {
    Error(const std::string& what, const std::string& where, const std::string& remedy);
};

/// A command line that cannot be understood: exit status 2 instead of 1.
struct UsageError : Error {
    using Error::Error;
};

/// printf into a string.
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/// "1 layer", "12 layers".
std::string plural(int64_t count, const char* noun);

/// Throws Error.
[[noreturn]] void fail(const std::string& what, const std::string& where,
                       const std::string& remedy);

/// Throws Error unless `condition` holds. Literals only, so that a passed check costs nothing.
inline void ensure(bool condition, const char* what, const char* where, const char* remedy) {
    if (!condition) fail(what, where, remedy);
}

}  // namespace vimach
