// Random numbers that are the same on every machine, compiler and library: xoshiro256++
// (Blackman & Vigna 2021, doi:10.1145/3460772), seeded by splitmix64. The normal distribution
// uses only operations that IEEE 754 rounds exactly (+ - * / sqrt) and a logarithm of our own;
// the Makefile compiles rng.cpp without fused multiply-add for the same reason.
#pragma once

#include <cstdint>
#include <vector>

namespace vimach {

class Rng {
public:
    explicit Rng(uint64_t seed);

    /// The next 64 random bits.
    uint64_t bits();

    /// Uniform in [0, 1), 53 bits.
    double uniform();

    /// Uniform in {0, ..., n - 1}, without bias; n >= 1.
    int64_t below(int64_t n);

    /// Standard normal: Marsaglia's polar method.
    double normal();

    /// A random order of 0, ..., n - 1: Fisher-Yates.
    std::vector<int64_t> permutation(int64_t n);

private:
    uint64_t state_[4] = {};
    double spare_ = 0;
    bool has_spare_ = false;
};

/// The seed of draw or run i of many, apart from those of its neighbours.
uint64_t run_seed(uint64_t seed, int64_t i);

}  // namespace vimach
