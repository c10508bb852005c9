// What the fuzzer feeds with random bytes (`make fuzz`) and the unit tests with recorded ones
// (tests/fuzz/NAME/*). Each target may only throw vimach::Error; anything else is a finding.
#pragma once

#include <cstdint>
#include <span>

namespace vimach::test {

void fuzz_json(std::span<const uint8_t> bytes);
void fuzz_safetensors(std::span<const uint8_t> bytes);
void fuzz_tokenizer(std::span<const uint8_t> bytes);
void fuzz_html(std::span<const uint8_t> bytes);
void fuzz_config(std::span<const uint8_t> bytes);
void fuzz_sentences(std::span<const uint8_t> bytes);

}  // namespace vimach::test
