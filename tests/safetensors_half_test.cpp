// Half precision against references of our own, which follow the definition of IEEE 754: all 65,536
// patterns of F16 and BF16 as they are read from a file, and the rounding of float to half at and
// around every number and every tie.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>

#include "core/rng.h"
#include "model/safetensors.h"
#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;

namespace {

/// The value of a half (10) or bfloat16 (7 bits of fraction), from the definition in IEEE 754:
/// 1.fraction * 2^(exponent - bias), or 0.fraction * 2^(1 - bias) where the exponent is 0.
double reference_value(int pattern, int n_fraction) {
    int n_exponent = 15 - n_fraction, bias = (1 << (n_exponent - 1)) - 1;
    int exponent = pattern >> n_fraction & ((1 << n_exponent) - 1);
    int fraction = pattern & ((1 << n_fraction) - 1);
    double magnitude = exponent == 0
                           ? std::ldexp(fraction, 1 - bias - n_fraction)
                           : std::ldexp((1 << n_fraction) + fraction, exponent - bias - n_fraction);
    if (exponent == (1 << n_exponent) - 1) magnitude = fraction == 0 ? HUGE_VAL : NAN;
    return pattern & 0x8000 ? -magnitude : magnitude;
}

/// The value of a positive half. Infinity stands for the number that would follow the largest one,
/// which is what rounding needs.
double half_magnitude(int pattern) {
    return pattern == 0x7C00 ? 65536 : reference_value(pattern, 10);
}

/// Rounds to the nearest half, ties to the even pattern, by looking for the two neighbours.
uint16_t reference_half(float value) {
    auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
    double magnitude = std::abs(static_cast<double>(value));
    int low = 0, high = 0x7C00;
    if (magnitude >= half_magnitude(high)) return sign | 0x7C00;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        (half_magnitude(middle) <= magnitude ? low : high) = middle;
    }
    double below = magnitude - half_magnitude(low), above = half_magnitude(high) - magnitude;
    bool up = above < below || (above == below && low % 2 == 1);
    return static_cast<uint16_t>(sign | (up ? high : low));
}

/// A file of one tensor with all patterns in order, data at an odd address.
Tensor read_all_patterns(const char* dtype) {
    std::string data;
    for (int pattern = 0; pattern < 0x10000; ++pattern) {
        data += static_cast<char>(pattern & 0xFF);
        data += static_cast<char>(pattern >> 8);
    }
    std::string header =
        format(R"({"x":{"dtype":"%s","shape":[256,256],"data_offsets":[0,131072]}})", dtype);
    if (header.size() % 2 == 0) header += ' ';

    TempFolder folder;
    write_raw(folder.file("x"), safetensors_bytes(header, data));
    SafetensorsReader reader(folder.file("x"));
    return reader.read(reader.header().tensors.at(0));
}

}  // namespace

TEST_CASE("half precision: every F16 and BF16 pattern has its value") {
    Tensor halves = read_all_patterns("F16"), brains = read_all_patterns("BF16");
    int n_wrong = 0;
    for (int pattern = 0; pattern < 0x10000; ++pattern) {
        auto i = static_cast<size_t>(pattern);
        n_wrong += !same(halves.data[i], reference_value(pattern, 10));
        n_wrong += !same(brains.data[i], reference_value(pattern, 7));
    }
    CHECK(n_wrong == 0);
}

TEST_CASE("half precision: half to float and back changes nothing") {
    int n_wrong = 0, n_nan = 0;
    for (int pattern = 0; pattern < 0x10000; ++pattern) {
        uint16_t back = float_to_half(half_to_float(static_cast<uint16_t>(pattern)));
        bool nan = std::isnan(reference_value(pattern, 10));
        n_nan += nan;

        // NaN remains NaN with its sign; which NaN is left open.
        n_wrong += nan ? (back & 0x8000) != (pattern & 0x8000) || (back & 0x7FFF) <= 0x7C00
                       : back != pattern;
    }
    CHECK(n_wrong == 0);
    CHECK(n_nan == 2046);
}

TEST_CASE("half precision: float to half rounds to the nearest, ties to even") {
    int n_tested = 0, n_wrong = 0;
    auto test = [&](float value) {
        ++n_tested;
        n_wrong += float_to_half(value) != reference_half(value);
        n_wrong += float_to_half(-value) != reference_half(-value);
    };

    // Try every number, every tie between neighbours, and the floats on both sides of them.
    for (int pattern = 0; pattern < 0x7C00; ++pattern) {
        double value = half_magnitude(pattern), next = half_magnitude(pattern + 1);
        for (double x : {value, (value + next) / 2}) {
            auto exact = static_cast<float>(x);
            REQUIRE(exact == x);
            test(exact);
            test(std::nextafter(exact, 0.0f));
            test(std::nextafter(exact, HUGE_VALF));
        }
    }

    // Try floats of every magnitude.
    Rng rng(16);
    for (int i = 0; i < 200'000; ++i) {
        auto value = std::bit_cast<float>(static_cast<uint32_t>(rng.bits() >> 32));
        if (!std::isnan(value)) test(value);
    }
    test(HUGE_VALF);
    CHECK(n_wrong == 0);
    CHECK(n_tested > 380'000);

    // Spell out the edges, so that the reference is tested as well.
    CHECK(float_to_half(65504) == 0x7BFF);
    CHECK(float_to_half(65519.996f) == 0x7BFF);
    CHECK(float_to_half(65520) == 0x7C00);
    CHECK(float_to_half(0x1p-25f) == 0x0000);
    CHECK(float_to_half(0x1.8p-25f) == 0x0001);
    CHECK(float_to_half(0x1.8p-24f) == 0x0002);
    CHECK(float_to_half(1 + 0x1p-11f) == 0x3C00);
    CHECK(float_to_half(1 + 0x1.8p-10f) == 0x3C02);
    CHECK(float_to_half(-0.0f) == 0x8000);
}
