// Safetensors files that are none, that change while they are open, or that were damaged at random.
// The reader refuses them with an Error; it never waits, crashes, or reads what is not there.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "core/rng.h"
#include "model/safetensors.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;

// --- what is no file, or no longer the file that it was -----------------------------------------

TEST_CASE("damaged safetensors: paths that are no regular file") {
    TempFolder folder;
    ::mkfifo(folder.file("fifo").c_str(), 0600);
    std::filesystem::create_symlink("loop", folder.file("loop"));
    struct Case {
        std::string path;
        const char* phrase;
    };
    const Case cases[] = {{folder.path(), "is a directory, not a file"},
                          {folder.file("fifo"), "is not a regular file"},
                          {folder.file("loop"), "cannot open: Too many levels of symbolic links"},
                          {folder.file("missing"), "cannot open: No such file or directory"}};

    // A fifo without a writer must not make anyone wait: an alarm would end the tests here.
    ::alarm(30);
    for (const Case& c : cases) {
        std::string error = error_of([&] { SafetensorsReader reader(c.path); });
        check_contains(error, c.phrase + (" (" + c.path) + "): ");
    }
    ::alarm(0);
}

TEST_CASE("damaged safetensors: a file cut short after it was opened") {
    // Read in one piece (F32) or converted piece by piece, of which the second is missing.
    TempFolder folder;
    std::string path = folder.file("x");
    struct Case {
        const char* dtype;
        size_t width;
    };
    for (Case c : {Case{"F64", 8}, Case{"F32", 4}, Case{"F16", 2}, Case{"BF16", 2}}) {
        CAPTURE(c.dtype);
        size_t n_byte = 100'000 * c.width;
        std::string header = format(
            R"({"x":{"dtype":"%s","shape":[100000],"data_offsets":[0,%zu]}})", c.dtype, n_byte);
        std::string bytes = safetensors_bytes(header, std::string(n_byte, 'd'));
        write_raw(path, bytes);
        SafetensorsReader reader(path);
        const TensorEntry& entry = reader.header().tensors.at(0);
        CHECK(reader.read(entry).size() == 100'000);

        std::filesystem::resize_file(path, bytes.size() - 1);
        std::string error = error_of([&] { reader.read(entry); });
        check_contains(error, format("ends at byte %zu, 1 bytes short (", bytes.size() - 1) + path);
        std::filesystem::resize_file(path, 0);
        error = error_of([&] { reader.read(entry); });
        check_contains(error, " bytes short (" + path + "): the file is truncated");
    }
}

// --- mutations ----------------------------------------------------------------------------------

namespace {

const std::string seed_header =
    R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("\u0062":{"dtype":"F16","shape":[],"data_offsets":[24,26]},)"
    R"("e":{"dtype":"BF16","shape":[0,5],"data_offsets":[26,26]},)"
    R"("m":{"dtype":"U8","shape":[3],"data_offsets":[26,29]}}   )";
const std::string seed_data = "\x80\x3F\xFF\xFF\x7F\x7F" + std::string(23, 'd');

/// Flips, replaces, inserts or deletes a byte, mostly by one that means something in a header.
void mutate(std::string& bytes, Rng& rng) {
    static constexpr std::string_view meaningful = "0123456789-+.eE{}[]:,\"\\ \0FBU\x7F\xFF";
    if (bytes.empty()) return;
    auto at = static_cast<size_t>(rng.below(static_cast<int64_t>(bytes.size())));
    auto any = static_cast<char>(rng.below(256));
    char likely = meaningful[static_cast<size_t>(rng.below(std::ssize(meaningful)))];
    switch (rng.below(5)) {
        case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8))); break;
        case 1: bytes[at] = likely; break;
        case 2: bytes.insert(at, 1, rng.below(2) ? likely : any); break;
        case 3: bytes.erase(at, 1); break;
        default: bytes.erase(at, static_cast<size_t>(rng.below(16))); break;
    }
}

/// Whether the tensors of an accepted file tile its data, and can be read or are refused by dtype.
bool is_consistent(const SafetensorsReader& reader, const std::string& bytes) {
    int64_t end = 0, n_header = 0;
    std::memcpy(&n_header, bytes.data(), 8);
    for (const TensorEntry& entry : reader.header().tensors) {
        if (entry.begin != end || entry.end < entry.begin) return false;
        end = entry.end;
        Tensor tensor;
        std::string error = error_of([&] { tensor = reader.read(entry); });
        if (error.find("has the dtype") != error.npos) continue;
        int64_t width = entry.dtype == "F64" ? 8 : entry.dtype == "F32" ? 4 : 2;
        if (tensor.size() * width != entry.end - entry.begin) return false;
    }
    return end == std::ssize(bytes) - 8 - n_header;
}

}  // namespace

TEST_CASE("damaged safetensors: 20,000 mutations are refused or read, never more") {
    TempFolder folder;
    std::string path = folder.file("x");
    Rng rng(2026);
    int n_refused = 0, n_accepted = 0, n_inconsistent = 0;
    for (int i = 0; i < 20'000; ++i) {
        // Damage the file; in every other one the header alone, its length set right again, so that
        // the damage is met by the later checks.
        std::string header = seed_header, bytes = safetensors_bytes(seed_header, seed_data);
        for (int64_t n = 1 + rng.below(3); n > 0; --n) mutate(i % 2 ? header : bytes, rng);
        if (i % 2) bytes = safetensors_bytes(header, seed_data);
        write_raw(path, bytes);

        std::string error = error_of([&] {
            SafetensorsReader reader(path);
            ++n_accepted;
            n_inconsistent += !is_consistent(reader, bytes);
        });
        n_refused += error.find("(" + path) != error.npos;
    }
    CHECK(n_inconsistent == 0);
    CHECK(n_refused + n_accepted == 20'000);
    CHECK(n_refused > 15'000);
    CHECK(n_accepted > 500);
}
