// The fuzz targets on their recorded seeds: inputs of every kind that the fuzzer starts from.
// A seed fails by crashing, by an exception that is no Error, or by a broken property.
#include <doctest/doctest.h>

#include <filesystem>

#include "core/files.h"
#include "fuzz_targets.h"
#include "support.h"

using namespace vimach;

namespace {

/// Runs a target on every file of its folder; returns how many there were.
int replay(const char* name, void (*target)(std::span<const uint8_t>)) {
    int n_seed = 0;
    std::string folder = find_in_project(std::string("tests/fuzz/") + name);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::string seed = test::read_raw(entry.path().string());
        CHECK_NOTHROW_MESSAGE(target({reinterpret_cast<const uint8_t*>(seed.data()), seed.size()}),
                              entry.path().string());
        ++n_seed;
    }
    return n_seed;
}

}  // namespace

TEST_CASE("fuzz: every seed runs through its target") {
    CHECK(replay("json", test::fuzz_json) >= 8);
    CHECK(replay("safetensors", test::fuzz_safetensors) >= 8);
    CHECK(replay("tokenizer", test::fuzz_tokenizer) >= 8);
    CHECK(replay("html", test::fuzz_html) >= 8);
    CHECK(replay("config", test::fuzz_config) >= 8);
    CHECK(replay("sentences", test::fuzz_sentences) >= 8);
}
