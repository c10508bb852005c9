// xoshiro256++ and the distributions drawn from it; see core/rng.h for why nothing here may
// depend on the machine's mathematical library.
#include "core/rng.h"

#include <bit>
#include <cmath>
#include <utility>

#include "core/ensure.h"

namespace vimach {

namespace {

/// Natural logarithm of x > 0 to about 1e-16, from exact operations alone:
/// x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh(s), s = (m - 1) / (m + 1).
double portable_log(double x) {
    int exponent = 0;
    double m = std::frexp(x, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        --exponent;
    }

    // Sum artanh's series s + s^3/3 + ... + s^23/23 from its smallest term: |s| < 0.172.
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int k = 23; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
    return 2 * s * sum + exponent * 0.69314718055994531;
}

}  // namespace

Rng::Rng(uint64_t seed) {
    // Spread the seed over the state with splitmix64, so that near seeds give far streams.
    for (uint64_t& word : state_) {
        seed += 0x9e3779b97f4a7c15;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        word = z ^ (z >> 31);
    }
}

uint64_t Rng::bits() {
    uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

double Rng::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

int64_t Rng::below(int64_t n) {
    ensure(n >= 1, "needs at least one value to draw from", "Rng::below", "pass n >= 1");

    // Reject the remainder of 2^64 / n, which would favour small values.
    auto range = static_cast<uint64_t>(n);
    uint64_t rejected = (0 - range) % range, drawn = bits();
    while (drawn < rejected) drawn = bits();
    return static_cast<int64_t>(drawn % range);
}

double Rng::normal() {
    if (has_spare_) {
        has_spare_ = false;
        return spare_;
    }

    // Draw a point in the unit disc; its direction and radius give two independent normals.
    double u = 0, v = 0, square = 0;
    do {
        u = 2 * uniform() - 1;
        v = 2 * uniform() - 1;
        square = u * u + v * v;
    } while (square >= 1 || square == 0);

    double scale = std::sqrt(-2 * portable_log(square) / square);
    spare_ = v * scale;
    has_spare_ = true;
    return u * scale;
}

std::vector<int64_t> Rng::permutation(int64_t n) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) order[i] = i;
    for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[below(i + 1)]);
    return order;
}

uint64_t run_seed(uint64_t seed, int64_t i) { return seed * 1'000'003 + static_cast<uint64_t>(i); }

}  // namespace vimach
