// FNV-1a, 64 bits (Fowler, Noll and Vo): a hash of few lines that differs where bytes differ by
// accident. It guards against mistakes, not against attackers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vimach {

/// The hash of `bytes`; or, given the hash of what stands before them, of both together.
inline uint64_t fnv_1a(std::string_view bytes, uint64_t before = 0xcbf29ce484222325) {
    for (char c : bytes) before = (before ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return before;
}

/// The same of numbers as they lie in memory.
template <typename T>
uint64_t fnv_1a(std::span<const T> numbers, uint64_t before = 0xcbf29ce484222325) {
    auto bytes = std::as_bytes(numbers);
    return fnv_1a({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, before);
}

}  // namespace vimach
