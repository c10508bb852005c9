// Reading and writing safetensors files; see model/safetensors.h. Data are copied out, never read
// through a cast pointer: nothing promises that they are aligned (GPT-2's own file begins its data
// at byte 14,291).
#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "core/ensure.h"
#include "model/json.h"
#include "model/weight_files.h"

static_assert(std::endian::native == std::endian::little, "safetensors data are little-endian");

namespace vimach {

namespace {

constexpr int64_t max_header = 100'000'000;  // the format's own limit
constexpr int64_t chunk_elements = 1 << 16;  // converted at a time
constexpr const char* remedy = "fetch or write the file again";

/// Bits an element of each dtype of the format takes.
const std::unordered_map<std::string_view, int64_t>& dtype_bits() {
    static const std::unordered_map<std::string_view, int64_t> bits = {
        {"F4", 4},          {"F6_E2M3", 6},    {"F6_E3M2", 6}, {"BOOL", 8},    {"U8", 8},
        {"I8", 8},          {"F8_E5M2", 8},    {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
        {"U16", 16},        {"F16", 16},       {"BF16", 16},   {"I32", 32},    {"U32", 32},
        {"F32", 32},        {"C64", 64},       {"F64", 64},    {"I64", 64},    {"U64", 64},
        {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};
    return bits;
}

[[noreturn]] void refuse(const std::string& what, const std::string& where, const Json& value) {
    fail(what, where + format(", byte %zu", value.position), remedy);
}

const Json& require_member(const Json& object, const char* name, Json::Kind kind,
                           const std::string& where) {
    const Json* member = object.find(name);
    if (member == nullptr) refuse(format("a tensor has no %s", name), where, object);
    if (member->kind != kind) refuse(format("%s has the wrong type", name), where, *member);
    return *member;
}

std::map<std::string, std::string> parse_metadata(const Json& value, const std::string& where) {
    if (value.kind != Json::Kind::object) refuse("__metadata__ is no object", where, value);
    std::map<std::string, std::string> metadata;
    for (const auto& [name, text] : value.members) {
        if (text.kind != Json::Kind::string) refuse("__metadata__ holds a non-string", where, text);
        metadata[name] = text.text;
    }
    return metadata;
}

/// Bytes a tensor needs; refuses products that overflow and sub-byte totals that are not whole.
int64_t checked_bytes(const TensorEntry& entry, const Json& value, const std::string& where) {
    auto bits = dtype_bits().find(entry.dtype);
    if (bits == dtype_bits().end()) {
        refuse("unknown dtype " + json_quote(entry.dtype), where, value);
    }
    int64_t total = 1;
    for (int64_t extent : entry.shape) {
        if (__builtin_mul_overflow(total, extent, &total)) {
            refuse("the shape's product overflows", where, value);
        }
    }
    if (__builtin_mul_overflow(total, bits->second, &total)) {
        refuse("the tensor's size overflows", where, value);
    }
    if (total % 8 != 0) refuse("the tensor does not fill whole bytes", where, value);
    return total / 8;
}

TensorEntry parse_entry(const std::string& name, const Json& value, const std::string& where) {
    if (value.kind != Json::Kind::object) {
        refuse("tensor " + json_quote(name) + " is no object", where, value);
    }
    if (value.members.size() > 3) refuse("a tensor has unknown members", where, value);

    TensorEntry entry = {.name = name, .dtype = "", .shape = {}};
    entry.dtype = require_member(value, "dtype", Json::Kind::string, where).text;
    for (const Json& extent : require_member(value, "shape", Json::Kind::array, where).items) {
        entry.shape.push_back(json_integer(extent, where));
    }
    const Json& offsets = require_member(value, "data_offsets", Json::Kind::array, where);
    if (offsets.items.size() != 2) refuse("data_offsets is not a pair", where, offsets);
    entry.begin = json_integer(offsets.items[0], where);
    entry.end = json_integer(offsets.items[1], where);

    if (entry.end < entry.begin) refuse("data_offsets end before they begin", where, offsets);
    int64_t needed = checked_bytes(entry, value, where);
    if (entry.end - entry.begin != needed) {
        refuse(format("data_offsets span %ld bytes, but dtype and shape need %ld",
                      entry.end - entry.begin, needed),
               where, offsets);
    }
    return entry;
}

/// Refuses overlaps and holes: sorted by place, each tensor begins where the last one ends.
void check_places(const std::vector<TensorEntry>& tensors, int64_t n_data_byte,
                  const std::string& where) {
    int64_t expected = 0;
    for (const TensorEntry& entry : tensors) {
        if (entry.begin != expected) {
            fail(format("tensor %s begins at data byte %ld, but the one before it ends at %ld",
                        json_quote(entry.name).c_str(), entry.begin, expected),
                 where, remedy);
        }
        expected = entry.end;
    }
    if (expected == n_data_byte) return;
    fail(format("the tensors end at data byte %ld, but the file's data at %ld", expected,
                n_data_byte),
         where, remedy);
}

}  // namespace

// --- the header ---------------------------------------------------------------------------------

SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t n_data_byte,
                                           const std::string& where) {
    if (!json.starts_with('{')) {
        fail("the header does not begin with {", where + ", byte 8", remedy);
    }
    std::string in_header = where + ", header";
    Json root = parse_json(json, in_header);

    SafetensorsHeader header;
    for (const auto& [name, value] : root.members) {
        if (name == "__metadata__") {
            header.metadata = parse_metadata(value, in_header);
        } else {
            header.tensors.push_back(parse_entry(name, value, in_header));
        }
    }
    std::stable_sort(header.tensors.begin(), header.tensors.end(),
                     [](const TensorEntry& a, const TensorEntry& b) {
                         return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
                     });
    check_places(header.tensors, n_data_byte, where);
    return header;
}

namespace {

/// Calls a file by its name that is of another format.
void refuse_foreign(const InputFile& file) {
    std::string first(static_cast<size_t>(std::min<int64_t>(file.size(), 64)), '\0');
    file.read_at(0, first.data(), std::ssize(first));
    Foreign foreign = foreign_format(first);
    if (!foreign.what.empty()) fail(foreign.what, file.path(), foreign.remedy);
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::string& path) : file_(path) {
    // Read the header's length, and check it before trusting it with an allocation.
    if (file_.size() < 8) fail("is shorter than the 8 bytes of a header length", path, remedy);
    uint64_t length = 0;
    file_.read_at(0, &length, 8);
    if (length > static_cast<uint64_t>(file_.size() - 8)) refuse_foreign(file_);
    if (length > static_cast<uint64_t>(max_header)) {
        fail(format("claims a header of %lu bytes; the format allows %ld", length, max_header),
             path + ", byte 0", remedy);
    }
    auto header_bytes = static_cast<int64_t>(length);
    if (header_bytes > file_.size() - 8) {
        fail(format("claims a header of %ld bytes, but only %ld follow", header_bytes,
                    file_.size() - 8),
             path + ", byte 0", remedy);
    }

    std::string json(static_cast<size_t>(length), '\0');
    file_.read_at(8, json.data(), header_bytes);
    if (!json.starts_with('{')) refuse_foreign(file_);
    data_begin_ = 8 + header_bytes;
    header_ = parse_safetensors_header(json, file_.size() - data_begin_, path);
}

const TensorEntry* SafetensorsReader::find(std::string_view name) const {
    for (const TensorEntry& entry : header_.tensors) {
        if (entry.name == name) return &entry;
    }
    return nullptr;
}

// --- the data -----------------------------------------------------------------------------------

namespace {

/// Element i of an array that need not be aligned.
template <class T>
T element(const char* raw, int64_t i) {
    T value;
    std::memcpy(&value, raw + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
}

/// Converts `count` elements of a dtype.
void convert(std::string_view dtype, const char* raw, int64_t count, Real* out) {
    if (dtype == "F64") {
        for (int64_t i = 0; i < count; ++i) out[i] = static_cast<Real>(element<double>(raw, i));
    } else if (dtype == "F32") {
        for (int64_t i = 0; i < count; ++i) out[i] = element<float>(raw, i);
    } else if (dtype == "F16") {
        for (int64_t i = 0; i < count; ++i) out[i] = half_to_float(element<uint16_t>(raw, i));
    } else {
        for (int64_t i = 0; i < count; ++i) {
            out[i] = std::bit_cast<float>(uint32_t{element<uint16_t>(raw, i)} << 16);
        }
    }
}

}  // namespace

Tensor SafetensorsReader::read(const TensorEntry& entry) const {
    bool readable = entry.dtype == "F64" || entry.dtype == "F32" || entry.dtype == "F16" ||
                    entry.dtype == "BF16";
    if (!readable) {
        fail("tensor " + json_quote(entry.name) + " has the dtype " + entry.dtype, path(),
             "convert it to F32, F16 or BF16");
    }
    Tensor tensor(entry.shape);
    int64_t offset = data_begin_ + entry.begin;

    // Read straight into place where nothing is to be converted.
    if (entry.dtype == "F32" && sizeof(Real) == 4) {
        file_.read_at(offset, tensor.data.data(), entry.end - entry.begin);
        return tensor;
    }

    // Otherwise pass by a small buffer, so that memory peaks at the result's own size.
    int64_t width = dtype_bits().at(entry.dtype) / 8;
    std::vector<char> buffer(static_cast<size_t>(std::min(tensor.size(), chunk_elements) * width));
    for (int64_t done = 0; done < tensor.size(); done += chunk_elements) {
        int64_t count = std::min(chunk_elements, tensor.size() - done);
        file_.read_at(offset + done * width, buffer.data(), count * width);
        convert(entry.dtype, buffer.data(), count, tensor.data.data() + done);
    }
    return tensor;
}

// --- writing ------------------------------------------------------------------------------------

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata, std::string_view dtype) {
    ensure(dtype == "F32" || dtype == "F16", "unknown dtype", "write_safetensors",
           "pass F32 or F16");
    int64_t width = dtype == "F32" ? 4 : 2, offset = 0;

    // Compose the header, padded with blanks so that the data begin at a multiple of 8.
    std::string json = "{\"__metadata__\":{";
    for (const auto& [name, text] : metadata) {
        if (json.back() != '{') json += ',';
        json += json_quote(name) + ":" + json_quote(text);
    }
    json += "}";
    for (const NamedTensor& named : tensors) {
        int64_t end = offset + named.tensor->size() * width;
        json += format(",%s:{\"dtype\":%s,\"shape\":%s,\"data_offsets\":[%ld,%ld]}",
                       json_quote(named.name).c_str(), json_quote(dtype).c_str(),
                       shape_text(named.tensor->shape).c_str(), offset, end);
        offset = end;
    }
    json += "}";
    json.resize((json.size() + 7) / 8 * 8, ' ');
    auto length = static_cast<uint64_t>(json.size());
    ensure(json.size() <= static_cast<size_t>(max_header), "the header exceeds 100,000,000 bytes",
           "write_safetensors", "write fewer tensors to one file");

    OutputFile file(path);
    file.write(&length, 8);
    file.write(json.data(), static_cast<int64_t>(json.size()));
    std::vector<char> buffer(static_cast<size_t>(chunk_elements * width));
    for (const NamedTensor& named : tensors) {
        for (int64_t done = 0; done < named.tensor->size(); done += chunk_elements) {
            int64_t count = std::min(chunk_elements, named.tensor->size() - done);
            for (int64_t i = 0; i < count; ++i) {
                auto value = static_cast<float>(named.tensor->data[done + i]);
                uint16_t half = float_to_half(value);
                const void* bytes = width == 4 ? static_cast<const void*>(&value) : &half;
                std::memcpy(buffer.data() + i * width, bytes, static_cast<size_t>(width));
            }
            file.write(buffer.data(), count * width);
        }
    }
    file.commit();
}

// --- half precision -----------------------------------------------------------------------------

float half_to_float(uint16_t half) {
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1F, mantissa = half & 0x3FF;
    if (exponent == 0) {
        // Zero and subnormals: mantissa * 2^-24.
        float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    uint32_t wide = exponent == 31 ? 255 : exponent + 112;  // infinity and NaN stay what they are
    return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

uint16_t float_to_half(float value) {
    auto bits = std::bit_cast<uint32_t>(value);
    auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return sign | 0x7E00;   // NaN
    if (magnitude >= 0x477FF000) return sign | 0x7C00;  // rounds beyond 65504: infinity

    if (magnitude < 0x38800000) {
        // Below 2^-14: let float addition round to a multiple of 2^-24.
        float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return static_cast<uint16_t>(sign | (magnitude - 0x38000000 + 0xFFF + odd) >> 13);
}

}  // namespace vimach
