// The safetensors format, as it should be: legal headers of every kind, data at odd addresses, and
// values that survive the way to the disk and back. Refusals stand in safetensors_hostile_test.cpp,
// half precision in safetensors_half_test.cpp.
#include "model/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;

namespace {

/// The bytes of an array.
template <class T>
std::string bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A header of one tensor "x".
std::string header_of(const std::string& dtype, const std::string& shape, size_t n_byte) {
    return format(R"({"x":{"dtype":"%s","shape":%s,"data_offsets":[0,%zu]}})", dtype.c_str(),
                  shape.c_str(), n_byte);
}

/// Reads the tensor "x" of a file made by hand.
Tensor read_x(const std::string& header, const std::string& data) {
    TempFolder folder;
    write_raw(folder.file("x"), safetensors_bytes(header, data));
    SafetensorsReader reader(folder.file("x"));
    const TensorEntry* entry = reader.find("x");
    REQUIRE(entry != nullptr);
    return reader.read(*entry);
}

/// Random values as floats, so that F32 keeps them in both builds.
Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed) {
    Rng rng(seed);
    Tensor tensor(std::move(shape));
    for (Real& value : tensor.data) value = static_cast<float>(rng.normal());
    return tensor;
}

/// What remains of floats when they are stored as F32 or F16.
Tensor as_stored(Tensor tensor, std::string_view dtype) {
    if (dtype == "F32") return tensor;
    for (Real& value : tensor.data) {
        value = half_to_float(float_to_half(static_cast<float>(value)));
    }
    return tensor;
}

}  // namespace

// --- legal files --------------------------------------------------------------------------------

TEST_CASE("safetensors: legal headers") {
    struct Case {
        std::string header;
        size_t n_data_byte;
        size_t n_tensor;
    };
    const std::string scalar = R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})";
    const std::string none = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
    const Case cases[] = {
        {"{}", 0, 0},
        {"{}      ", 0, 0},
        {"{}\r\n\t ", 0, 0},
        {"{ \n}", 0, 0},
        {R"({"__metadata__":{}})", 0, 0},
        {R"({"__metadata__":{"format":"pt"},"a":)" + scalar + "}", 4, 1},
        {R"({"a":)" + scalar + R"(,"__metadata__":{"":"\u0000"}}  )", 4, 1},
        {R"({"a":)" + none + R"(,"b":)" + none + R"(,"c":)" + scalar + "}", 4, 3},
        {R"({"c":)" + scalar + R"(,"b":)" + none + "}", 4, 2},
        {R"({"":)" + none + R"(,"../../x":)" + none + R"(,"\u0000":)" + none + "}", 0, 3},
        {R"({"a":)" + none + R"(,"A":)" + none + R"(,"a\u0000":)" + none + "}", 0, 3},
        {"{\"" + std::string(1'000'000, 'n') + "\":" + none + "}", 0, 1},
        {header_of("F64", "[0,9223372036854775807]", 0), 0, 1},
        {header_of("U8", "[2,0,3]", 0), 0, 1},
        {header_of("U8", "[1,1,1,1,1,1,1,1,5]", 5), 5, 1},
        {R"({"a":{"data_offsets" : [ 0 , 4 ] , "shape":[ 1 ],"dtype":"F\u00332"}})", 4, 1}};
    for (const Case& c : cases) {
        std::string begin = c.header.substr(0, 80);
        CAPTURE(begin);
        TempFolder folder;
        write_raw(folder.file("x"), safetensors_bytes(c.header, std::string(c.n_data_byte, 'd')));
        CHECK(SafetensorsReader(folder.file("x")).header().tensors.size() == c.n_tensor);
    }
}

TEST_CASE("safetensors: entries carry name, dtype, shape and place, in the order of their data") {
    SafetensorsHeader header =
        parse_safetensors_header(R"({"late":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},)"
                                 R"("__metadata__":{"format":"pt","n_head":"12"},)"
                                 R"("early":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                 16, "here");
    REQUIRE(header.tensors.size() == 2);
    const TensorEntry &first = header.tensors[0], &second = header.tensors[1];
    CHECK(first.name == "early");
    CHECK(first.dtype == "F32");
    CHECK(first.shape.empty());
    CHECK((first.begin == 0 && first.end == 4));
    CHECK(second.name == "late");
    CHECK(second.dtype == "F16");
    CHECK(second.shape == std::vector<int64_t>{2, 3});
    CHECK((second.begin == 4 && second.end == 16));
    CHECK(header.metadata.size() == 2);
    CHECK(header.metadata.at("n_head") == "12");
}

TEST_CASE("safetensors: every dtype has its size; those that cannot be read are named") {
    struct Dtype {
        const char* name;
        size_t bits;
    };
    const Dtype dtypes[] = {{"F4", 4},      {"F6_E2M3", 6},     {"F6_E3M2", 6},     {"BOOL", 8},
                            {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8},
                            {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
                            {"U16", 16},    {"F16", 16},        {"BF16", 16},       {"I32", 32},
                            {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},
                            {"I64", 64},    {"U64", 64}};
    const std::string_view readable[] = {"F64", "F32", "F16", "BF16"};
    for (const Dtype& dtype : dtypes) {
        CAPTURE(dtype.name);
        for (size_t wrong : {dtype.bits - 1, dtype.bits + 1}) {
            std::string error = error_of(
                [&] { read_x(header_of(dtype.name, "[8]", wrong), std::string(wrong, 'd')); });
            check_contains(
                error, format("span %zu bytes, but dtype and shape need %zu (", wrong, dtype.bits));
        }

        // Eight elements take as many bytes as one has bits.
        std::string header = header_of(dtype.name, "[8]", dtype.bits);
        std::string error = error_of([&] { read_x(header, std::string(dtype.bits, 'd')); });
        bool can_read = std::ranges::count(readable, dtype.name) == 1;
        check_contains(
            error, can_read ? "no Error" : format("tensor \"x\" has the dtype %s (", dtype.name));
    }
}

TEST_CASE("safetensors: data are read at any address") {
    // Begin the data at byte 8 + N with 8 + N = 3 modulo 4, as in GPT-2's own file.
    struct Case {
        const char* dtype;
        std::string data;
    };
    const Case cases[] = {{"F32", bytes_of<float>({1.5f, -2, 0.25f})},
                          {"F64", bytes_of<double>({1.5, -2, 0.25})},
                          {"F16", bytes_of<uint16_t>({0x3E00, 0xC000, 0x3400})},
                          {"BF16", bytes_of<uint16_t>({0x3FC0, 0xC000, 0x3E80})}};
    for (const Case& c : cases) {
        CAPTURE(c.dtype);
        std::string header = header_of(c.dtype, "[3]", c.data.size());
        while ((8 + header.size()) % 4 != 3) header += ' ';
        Tensor x = read_x(header, c.data);
        CHECK(x.shape == std::vector<int64_t>{3});
        CHECK(x.data == std::vector<Real>{Real(1.5), -2, Real(0.25)});
    }
}

TEST_CASE("safetensors: numbers that are none are legal and kept") {
    std::vector<float> values = {NAN, HUGE_VALF, -HUGE_VALF, -0.0f, 1e-45f, 3.4028235e38f};
    Tensor x = read_x(header_of("F32", "[2,3]", 24), bytes_of(values));
    for (size_t i = 0; i < values.size(); ++i) CHECK(same(x.data[i], values[i]));
}

TEST_CASE("safetensors: F64 is read in the precision of the build") {
    std::vector<double> values = {1.0 / 3, -1e-30, 1e30, HUGE_VAL, NAN, -0.0, 1 + 0x1p-52};
    Tensor x = read_x(header_of("F64", "[7]", 56), bytes_of(values));
    for (size_t i = 0; i < values.size(); ++i) {
        CHECK(same(x.data[i], static_cast<Real>(values[i])));
    }
}

// --- there and back -----------------------------------------------------------------------------

TEST_CASE("safetensors: what is written is read back") {
    // Cover scalars, empty tensors, and more elements than are converted at a time.
    const std::vector<int64_t> shapes[] = {{3, 5}, {}, {0}, {7, 0, 2}, {200'003}, {1, 1, 4, 1}};
    std::vector<Tensor> tensors;
    for (const auto& shape : shapes) tensors.push_back(random_tensor(shape, tensors.size() + 1));
    std::vector<NamedTensor> named;
    const char* names[] = {"wte.weight", "", "a\"b\\c\n", "v\u1EADt", "\x01", "../x"};
    for (size_t i = 0; i < tensors.size(); ++i) named.push_back({names[i], &tensors[i]});
    std::map<std::string, std::string> metadata = {{"format", "pt"}, {"q\"", "\t\u00E9"}};

    for (const char* dtype : {"F32", "F16"}) {
        CAPTURE(dtype);
        TempFolder folder;
        std::string path = folder.file("sub/model.safetensors");
        write_safetensors(path, named, metadata, dtype);
        SafetensorsReader reader(path);
        CHECK(reader.path() == path);
        CHECK(reader.header().metadata == metadata);
        REQUIRE(reader.header().tensors.size() == tensors.size());
        CHECK(reader.find("no such tensor") == nullptr);

        for (size_t i = 0; i < tensors.size(); ++i) {
            const TensorEntry* entry = reader.find(names[i]);
            REQUIRE(entry != nullptr);
            CHECK(entry == &reader.header().tensors[i]);
            CHECK(entry->dtype == dtype);
            Tensor back = reader.read(*entry);
            CHECK(back.shape == tensors[i].shape);
            CHECK((back.data == as_stored(tensors[i], dtype).data));
        }
    }
}

TEST_CASE("safetensors: the bytes of a written file") {
    Tensor a({2}), b(std::vector<int64_t>{});
    a.data = {1, -2};
    b.data = {Real(0.5)};
    const NamedTensor named[] = {{"b", &b}, {"a", &a}};
    struct Case {
        const char *dtype, *header;
        std::string data;
    };
    const Case cases[] = {{"F32",
                           R"({"__metadata__":{"format":"pt","n":"1"},)"
                           R"("b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                           R"("a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                           std::string("\0\0\0\x3F\0\0\x80\x3F\0\0\0\xC0", 12)},
                          {"F16",
                           R"({"__metadata__":{"format":"pt","n":"1"},)"
                           R"("b":{"dtype":"F16","shape":[],"data_offsets":[0,2]},)"
                           R"("a":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})",
                           std::string("\0\x38\0\x3C\0\xC0", 6)}};
    for (const Case& c : cases) {
        TempFolder folder;
        write_safetensors(folder.file("x"), named, {{"n", "1"}, {"format", "pt"}}, c.dtype);
        std::string header = c.header;
        while (header.size() % 8 != 0) header += ' ';
        CHECK((read_raw(folder.file("x")) == safetensors_bytes(header, c.data)));
    }
}

TEST_CASE("safetensors: the writer refuses what no reader would accept") {
    TempFolder folder;
    Tensor x({1});
    const NamedTensor named[] = {{"x", &x}};
    std::string error = error_of([&] { write_safetensors(folder.file("x"), named, {}, "BF16"); });
    check_contains(error, "unknown dtype (write_safetensors): pass F32 or F16");
    error = error_of([&] {
        write_safetensors(folder.file("x"), named, {{"long", std::string(100'000'000, 'x')}});
    });
    check_contains(error, "the header exceeds 100,000,000 bytes (write_safetensors): ");
    CHECK(folder.count() == 0);
}
