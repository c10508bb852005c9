// Hostile safetensors headers: for every rule of the format files that break it, among them the
// attacks published against other readers. Each refusal must name the rule and the place; ^ marks
// the byte of the header that the error names and is taken out before the file is written. Files
// that change while they are open, and random mutations: safetensors_damage_test.cpp.
#include <doctest/doctest.h>

#include "model/safetensors.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;
using namespace std::string_literals;

namespace {

/// The error of opening a file with these bytes, its path shortened to "x".
std::string error_of_bytes(const std::string& bytes) {
    TempFolder folder;
    std::string path = folder.file("x");
    write_raw(path, bytes);
    std::string error = error_of([&] { SafetensorsReader reader(path); });
    size_t at = error.find(path);
    return at == error.npos ? error : error.replace(at, path.size(), "x");
}

std::string error_of_header(const std::string& header, size_t n_data_byte = 0) {
    return error_of_bytes(safetensors_bytes(header, std::string(n_data_byte, 'd')));
}

/// A tensor's value in the header.
std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{\"a\":" + tensor(dtype, shape, offsets) + "}";
}

struct Refusal {
    std::string header, phrase;
};

/// Checks that each header is refused with its phrase at its marked byte.
void check_refusals(const std::vector<Refusal>& refusals) {
    for (const Refusal& refusal : refusals) {
        auto [header, byte] = unmark(refusal.header);
        CAPTURE(header);
        REQUIRE(byte != header.npos);
        check_contains(error_of_header(header, 4),
                       refusal.phrase + format(" (x, header, byte %zu): ", byte));
    }
}

const std::string f32 = "\"F32\"", good = tensor(f32, "[1]", "[0,4]");

}  // namespace

// --- rules 1 and 2: the length and the beginning ------------------------------------------------

TEST_CASE("hostile safetensors: the header's length") {
    const char *none = "is shorter than the 8 bytes of a header length (x): ",
               *huge = "bytes; the format allows 100000000 (x, byte 0): ",
               *brace = "the header does not begin with { (x, byte 8): ";
    const Refusal cases[] = {
        {"", none},
        {"\2\0\0\0\0\0\0"s, none},
        {little_endian(0), brace},
        {little_endian(0) + "{}", brace},
        {little_endian(1) + "{}", "a name in quotes is missing (x, header, byte 1): "},
        {little_endian(3) + "{}", "claims a header of 3 bytes, but only 2 follow (x, byte 0): "},
        {little_endian(100'000'000) + "{}", "of 100000000 bytes, but only 2 follow (x, byte 0): "},
        {little_endian(100'000'001) + "{}", "claims a header of 100000001 " + std::string(huge)},
        {little_endian(INT64_MAX) + "{}", "claims a header of 9223372036854775807 "s + huge},
        {little_endian(uint64_t{1} << 63) + "{}", "of 9223372036854775808 "s + huge},
        {little_endian(UINT64_MAX - 7) + "{}", "of 18446744073709551608 "s + huge},  // 8 + N wraps
        {little_endian(UINT64_MAX) + "{}", "of 18446744073709551615 "s + huge},
        {"\0\0\0\0\0\0\0\2{}"s, huge},  // the other byte order
        {"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"},
        {one(f32, "[1]", "[0,4]"), "is a server's answer in words, not a model (x): "}};
    for (const Refusal& c : cases) check_contains(error_of_bytes(c.header), c.phrase);
}

TEST_CASE("hostile safetensors: the limit of the header's length stands at 100,000,000") {
    // Let the file be long enough, without data on the disk, so that the limit alone decides.
    TempFolder folder;
    for (uint64_t length : {100'000'000, 100'000'001}) {
        write_raw(folder.file("x"), little_endian(length));
        std::filesystem::resize_file(folder.file("x"), length + 8);
        std::string error = error_of([&] { SafetensorsReader reader(folder.file("x")); });
        check_contains(error, length == 100'000'000 ? "the header does not begin with {"
                                                    : "claims a header of 100000001 bytes; the");
    }
}

TEST_CASE("hostile safetensors: the header begins with { and is one JSON object") {
    for (const std::string& header : {"[]"s, "null"s, "1"s, "\"a\""s, " {}"s, "\n{}"s, "\0{}"s,
                                      "\xEF\xBB\xBF{}"s, "}"s, "[" + std::string(1'000'000, '[')}) {
        check_contains(error_of_header(header), "the header does not begin with { (x, byte 8): ");
    }

    std::string bomb(1'000'000, '['), long_name(1'000'000, 'n');
    check_refusals({{"{^", "a name in quotes is missing"},
                    {"{}^{}", "something follows the end of the JSON text"},
                    {"{}  ^\0"s, "something follows the end of the JSON text"},
                    {"{\"a\":" + good + ",^}", "a name in quotes is missing"},
                    {"{\"a^\xFF\":" + good + "}", "is not UTF-8"},
                    {"{\"" + long_name + "^", "a string has no end"},
                    {"{\"" + long_name + "\":^1}", "is no object"},
                    {"{\"a\":" + bomb.insert(16, "^"), "JSON is nested too deeply"}});
}

// --- rule 3: the entries ------------------------------------------------------------------------

TEST_CASE("hostile safetensors: an entry has dtype, shape and data_offsets, and nothing else") {
    std::string shape = "\"shape\":[1]", offsets = "\"data_offsets\":[0,4]";
    check_refusals({
        {"{\"a\":^1}", "tensor \"a\" is no object"},
        {"{\"a\":^null}", "tensor \"a\" is no object"},
        {"{\"\\u0000\":^[]}", "tensor \"\\u0000\" is no object"},
        {"{\"a\":^{}}", "a tensor has no dtype"},
        {"{\"a\":^{" + shape + "," + offsets + "}}", "a tensor has no dtype"},
        {"{\"a\":^{\"Dtype\":\"F32\"," + shape + "," + offsets + "}}", "a tensor has no dtype"},
        {"{\"a\":^{\"dtype\":\"F32\"," + offsets + "}}", "a tensor has no shape"},
        {"{\"a\":^{\"dtype\":\"F32\"," + shape + "}}", "a tensor has no data_offsets"},
        {"{\"a\":^{\"dtype\":\"F32\"," + shape + "," + offsets + ",\"b\":1}}",
         "a tensor has unknown members"},
        {one("^32", "[1]", "[0,4]"), "dtype has the wrong type"},
        {one("^null", "[1]", "[0,4]"), "dtype has the wrong type"},
        {one("^[\"F32\"]", "[1]", "[0,4]"), "dtype has the wrong type"},
        {one(f32, "^1", "[0,4]"), "shape has the wrong type"},
        {one(f32, "^\"[1]\"", "[0,4]"), "shape has the wrong type"},
        {one(f32, "^{}", "[0,4]"), "shape has the wrong type"},
        {one(f32, "[1]", "^4"), "data_offsets has the wrong type"},
        {one(f32, "[1]", "^{\"0\":0,\"1\":4}"), "data_offsets has the wrong type"},
        {one(f32, "[1]", "^[]"), "data_offsets is not a pair"},
        {one(f32, "[1]", "^[4]"), "data_offsets is not a pair"},
        {one(f32, "[1]", "^[0,4,4]"), "data_offsets is not a pair"},
    });
}

TEST_CASE("hostile safetensors: extents and offsets are whole numbers below 2^63") {
    for (const char* number :
         {"-1", "-0", "1.0", "0.5", "1e0", "1E2", "9223372036854775808", "18446744073709551614",
          "18446744073709551617", "\"1\"", "null", "true", "[1]", "{}"}) {
        std::string bad = "^"s + number, phrase = "expected a whole number from 0 to 2^63 - 1";
        check_refusals({{one(f32, "[" + bad + "]", "[0,4]"), phrase},
                        {one(f32, "[1," + bad + "]", "[0,4]"), phrase},
                        {one(f32, "[1]", "[" + bad + ",4]"), phrase},
                        {one(f32, "[1]", "[0," + bad + "]"), phrase}});
    }
    check_refusals({{one(f32, "[0^1]", "[0,4]"), "a number has a leading zero"},
                    {one(f32, "[1]", "[0,0^4]"), "a number has a leading zero"},
                    {one(f32, "[^+1]", "[0,4]"), "not a JSON value"},
                    {one(f32, "[0^x1]", "[0,4]"), "a comma or ] is missing"}});
}

TEST_CASE("hostile safetensors: metadata are strings by name") {
    check_refusals({{"{\"__metadata__\":^null}", "__metadata__ is no object"},
                    {"{\"__metadata__\":^[]}", "__metadata__ is no object"},
                    {"{\"__metadata__\":^\"pt\"}", "__metadata__ is no object"},
                    {"{\"__metadata__\":{\"n_head\":^12}}", "__metadata__ holds a non-string"},
                    {"{\"__metadata__\":{\"a\":\"b\",\"c\":^null}}", "holds a non-string"},
                    {"{\"__metadata__\":{\"a\":^{}}}", "__metadata__ holds a non-string"},
                    {"{\"__metadata__\":" + tensor(f32, "^[1]", "[0,4]") + "}",
                     "__metadata__ holds a non-string"}});
}

// --- rule 6: names ------------------------------------------------------------------------------

TEST_CASE("hostile safetensors: no name stands twice, none is broken") {
    std::string twice = "the name \"a\" stands twice";
    check_refusals(
        {{"{\"a\":" + good + ",\"a\"^:" + good + "}", twice},
         {"{\"a\":" + good + ",\"\\u0061\"^:" + good + "}", twice},
         {"{\"a\":" + good + ",\"b\":" + good + ",\"a\"^:" + good + "}", twice},
         {"{\"a\":{\"dtype\":\"F32\",\"dtype\"^:\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}}",
          "the name \"dtype\" stands twice"},
         {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"sh\\u0061pe\"^:[2],\"data_offsets\":[0,4]}}",
          "the name \"shape\" stands twice"},
         {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"data_offsets\"^:[0,4]}"
          "}",
          "the name \"data_offsets\" stands twice"},
         {"{\"__metadata__\":{},\"a\":" + good + ",\"__metadata__\"^:{}}", "stands twice"},
         {"{\"__metadata__\":{\"a\":\"1\",\"a\"^:\"2\"}}", twice},
         {"{\"\\ud800^\":" + good + "}", "a surrogate stands alone"},
         {"{\"a^\0b\":"s + good + "}", "a control character stands in a string"},
         {"{\"a^\n\":" + good + "}", "a control character stands in a string"}});
}

// --- rules 4, 5 and 7: sizes --------------------------------------------------------------------

TEST_CASE("hostile safetensors: dtype and shape give the size, without overflow") {
    const char *product = "the shape's product overflows", *size = "the tensor's size overflows",
               *whole = "the tensor does not fill whole bytes";
    auto sized = [](const std::string& dtype, const char* shape, const char* offsets) {
        return "{\"a\":^" + tensor("\"" + dtype + "\"", shape, offsets) + "}";
    };
    check_refusals({{sized("F32", "[2,9223372036854775807]", "[0,0]"), product},
                    {sized("F32", "[4611686018427387904,4]", "[0,0]"), product},  // wraps to 0
                    {sized("U8", "[4294967296,4294967296]", "[0,0]"), product},   // wraps to 0
                    {sized("U8", "[4294967296,4294967296,0]", "[0,0]"), product},
                    {sized("U8", "[9223372036854775807,9223372036854775807]", "[0,1]"), product},
                    {sized("F32", "[576460752303423488]", "[0,0]"), size},  // in bits, wraps to 0
                    {sized("F64", "[144115188075855872]", "[0,0]"), size},
                    {sized("F4", "[9223372036854775807]", "[0,4]"), size},
                    {sized("F4", "[3]", "[0,1]"), whole},
                    {sized("F4", "[]", "[0,0]"), whole},
                    {sized("F6_E2M3", "[2,3]", "[0,4]"), whole},
                    {sized("F6_E3M2", "[1]", "[0,1]"), whole}});

    // A dtype that nobody knows is refused before anything is believed of its size.
    for (const char* dtype : {"F99", "f32", "F32 ", "", "FLOAT", "F8", "F32\\u0000", "\\u000a"}) {
        std::string unknown = "unknown dtype \""s + dtype + "\"";
        check_refusals({{sized(dtype, "[1]", "[0,4]"), unknown},
                        {sized(dtype, "[0]", "[0,0]"), unknown},
                        {sized(dtype, "[1]", "[0,99999]"), unknown}});
    }

    auto spans = [](int has, int needs) {
        return format("data_offsets span %d bytes, but dtype and shape need %d", has, needs);
    };
    check_refusals({{one(f32, "[1]", "^[4,0]"), "data_offsets end before they begin"},
                    {one(f32, "[1]", "^[9223372036854775807,0]"), "end before they begin"},
                    {one(f32, "[2]", "^[0,4]"), spans(4, 8)},
                    {one(f32, "[]", "^[0,0]"), spans(0, 4)},
                    {one(f32, "[0]", "^[0,4]"), spans(4, 0)},
                    {one("\"F16\"", "[1]", "^[0,4]"), spans(4, 2)},
                    {one("\"U8\"", "[3]", "^[0,4]"), spans(4, 3)},
                    {one("\"F4\"", "[10]", "^[0,4]"), spans(4, 5)}});
}

TEST_CASE("hostile safetensors: the tensors fill the data, without hole, overlap or rest") {
    auto at = [](const char* name, int64_t begin, int64_t end) {
        return format("\"%s\":", name) +
               tensor("\"U8\"", format("[%lld]", static_cast<long long>(end - begin)),
                      format("[%lld,%lld]", static_cast<long long>(begin),
                             static_cast<long long>(end)));
    };
    auto begins = [](const char* name, const char* begin, const char* end) {
        return format("tensor \"%s\" begins at data byte %s, but the one before it ends at %s",
                      name, begin, end);
    };
    auto ends = [](int end, int data) {
        return format("the tensors end at data byte %d, but the file's data at %d", end, data);
    };
    std::string ten = at("t0", 0, 16);
    for (int i = 1; i < 10; ++i) ten += "," + at(format("t%d", i).c_str(), 0, 16);

    struct Case {
        std::string members;
        size_t n_data_byte;
        std::string phrase;
    };
    const Case cases[] = {
        {"", 1, ends(0, 1)},
        {"\"__metadata__\":{\"format\":\"pt\"}", 8, ends(0, 8)},
        {at("a", 0, 4), 12, ends(4, 12)},  // a polyglot: something else is hidden behind
        {at("a", 0, 4), 2, ends(4, 2)},
        {at("a", 0, 4), 0, ends(4, 0)},
        {at("a", 0, 4) + "," + at("b", 4, 9), 8, ends(9, 8)},
        {ten, 16, begins("t1", "0", "16")},
        {at("a", 1, 5), 5, begins("a", "1", "0")},
        {at("a", 0, 4) + "," + at("b", 5, 8), 8, begins("b", "5", "4")},
        {at("b", 5, 8) + "," + at("a", 0, 4), 8, begins("b", "5", "4")},
        {at("a", 0, 4) + "," + at("b", 3, 8), 8, begins("b", "3", "4")},
        {at("a", 0, 8) + "," + at("b", 2, 4), 8, begins("b", "2", "8")},
        {at("a", 0, 8) + "," + at("b", 4, 4), 8, begins("b", "4", "8")},
        {at("a", 0, 4) + "," + at("b", 8, 8), 4, begins("b", "8", "4")},
        {at("a", 2, 2), 0, begins("a", "2", "0")},
        {at("a", 0, 4) + "," + at("b", INT64_MAX - 4, INT64_MAX), 4,
         begins("b", "9223372036854775803", "4")}};
    for (const Case& c : cases) {
        CAPTURE(c.members);
        check_contains(error_of_header("{" + c.members + "}", c.n_data_byte),
                       c.phrase + " (x): fetch or write the file again");
    }
}
