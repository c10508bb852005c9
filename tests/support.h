// What the tests of files share: a folder that disappears with the test, raw files, the text of
// the Error that some code throws, and texts in which ^ marks the byte that an error must name.
// Nothing here uses the code under test but vimach::Error and Tensor.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

#include "core/ensure.h"
#include "core/tensor.h"

namespace vimach::test {

/// A fresh folder under the system's temporary one, removed with everything in it.
class TempFolder {
public:
    TempFolder() {
        path_ = (std::filesystem::temp_directory_path() / "vimach-test-XXXXXX").string();
        REQUIRE(::mkdtemp(path_.data()) != nullptr);
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

    /// The number of files and folders directly inside.
    int64_t count() const { return std::distance(std::filesystem::directory_iterator(path_), {}); }

private:
    std::string path_;
};

/// Writes bytes as they are, without the code under test. The file is a new one: some file systems
/// wait for the disk when an old one is overwritten.
inline void write_raw(const std::string& path, std::string_view bytes) {
    std::filesystem::remove(path);
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    REQUIRE_MESSAGE(out.good(), path);
}

/// Reads bytes as they are, without the code under test.
inline std::string read_raw(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE_MESSAGE(in.good(), path);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// The text of the Error that `action` throws. Any other exception passes and fails the test.
inline std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no Error was thrown";
}

/// Runs an action while no file may grow beyond `limit` bytes, as on a full disk.
inline std::string error_with_file_limit(rlim_t limit, const std::function<void()>& action) {
    rlimit old, small;
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = {.rlim_cur = limit, .rlim_max = old.rlim_max};
    auto* handler = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
    std::string error = error_of(action);
    ::setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    return error;
}

/// Checks that a text holds a part.
inline void check_contains(const std::string& text, const std::string& part) {
    bool found = text.find(part) != text.npos;
    CHECK_MESSAGE(found, "expected '" << part << "' in: " << text);
}

/// A text without its mark, and the byte at which the mark stood (npos: there was none).
struct Marked {
    std::string text;
    size_t byte;
};

inline Marked unmark(std::string_view marked) {
    Marked out = {std::string(marked), marked.find('^')};
    if (out.byte != marked.npos) out.text.erase(out.byte, 1);
    return out;
}

/// Whether two numbers are the same, signs of zero and NaN included.
inline bool same(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    return a == b && std::signbit(a) == std::signbit(b);
}

/// The largest distance of two tensors of one shape, number by number.
inline double largest_gap(const Tensor& a, const Tensor& b) {
    REQUIRE(a.shape == b.shape);
    double worst = 0;
    for (size_t i = 0; i < a.data.size(); ++i) {
        worst = std::max(worst, std::abs(double{a.data[i]} - double{b.data[i]}));
    }
    return worst;
}

/// Eight bytes, the lowest first.
inline std::string little_endian(uint64_t value) {
    std::string bytes;
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(value >> shift & 0xFF);
    return bytes;
}

/// A safetensors file made by hand: header length, header, data.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
    return little_endian(header.size()).append(header).append(data);
}

}  // namespace vimach::test
