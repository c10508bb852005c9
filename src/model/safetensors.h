// The safetensors format (Hugging Face, github.com/huggingface/safetensors, README "Format"):
// 8 bytes little-endian header length N, N bytes of JSON that give each tensor's dtype, shape and
// place, then the data. The reader is strict: it refuses every file that breaks a rule, and names
// the rule and the byte, so that a damaged or hostile file can never become wrong weights.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/tensor.h"

namespace vimach {

/// One tensor of a file: its bytes are [begin, end) of the data that follows the header.
struct TensorEntry {
    std::string name, dtype;
    std::vector<int64_t> shape;
    int64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
    std::vector<TensorEntry> tensors;  ///< in the order of their data
    std::map<std::string, std::string> metadata;
};

/// Parses and checks a header against the number of data bytes that follow it. Errors name
/// `where` and the byte of the header.
SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t n_data_byte,
                                           const std::string& where);

/// An open file whose header has been checked.
class SafetensorsReader {
public:
    explicit SafetensorsReader(const std::string& path);

    const SafetensorsHeader& header() const { return header_; }
    const std::string& path() const { return file_.path(); }

    /// The entry of this name, or null.
    const TensorEntry* find(std::string_view name) const;

    /// Reads a tensor of dtype F64, F32, F16 or BF16, converted to Real. Throws Error otherwise.
    Tensor read(const TensorEntry& entry) const;

private:
    InputFile file_;
    int64_t data_begin_ = 0;
    SafetensorsHeader header_;
};

/// A tensor to be written, by a name.
struct NamedTensor {
    std::string name;
    const Tensor* tensor;
};

/// Writes tensors as dtype "F32" or "F16" (rounded to the nearest, ties to even), in this order.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata,
                       std::string_view dtype = "F32");

/// IEEE 754 binary16 to and from float.
float half_to_float(uint16_t half);
uint16_t float_to_half(float value);

}  // namespace vimach
