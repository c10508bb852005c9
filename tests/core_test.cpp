// The lowest room: random numbers that are the same everywhere, blocks of work, tensors.
// Reference numbers of the generator: Vigna's xoshiro256++ seeded with splitmix64(0), as also
// published in the tests of the Rust crate rand_xoshiro.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/ensure.h"
#include "core/hash.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "core/tensor.h"

using namespace vimach;

TEST_CASE("hash: published values of FNV-1a, in pieces as in one") {
    CHECK(fnv_1a("") == 14695981039346656037u);
    CHECK(fnv_1a("a") == 0xaf63dc4c8601ec8cu);
    CHECK(fnv_1a("foobar") == 0x85944171f73967e8u);
    CHECK(fnv_1a("bar", fnv_1a("foo")) == fnv_1a("foobar"));
    const char bytes[] = {'f', 'o', 'o'};
    CHECK(fnv_1a<char>(bytes) == fnv_1a("foo"));
}

TEST_CASE("rng: the generator's published numbers") {
    Rng rng(0);
    CHECK(rng.bits() == 5987356902031041503u);
    CHECK(rng.bits() == 7051070477665621255u);
    CHECK(rng.bits() == 6633766593972829180u);
    CHECK(rng.bits() == 211316841551650330u);
}

TEST_CASE("rng: recorded normals, to the last bit") {
    // Any machine, compiler or library must give the same; an exact logarithm does as well.
    Rng rng(42);
    const double recorded[] = {0x1.f679d98b6ab7bp-1, -0x1.21a610c887574p-1};
    for (double expected : recorded) CHECK(rng.normal() == expected);
}

TEST_CASE("rng: distributions have their moments") {
    Rng rng(7);
    constexpr int n = 200'000;
    double mean = 0, square = 0, uniform = 0;
    int beyond_two = 0;
    for (int i = 0; i < n; ++i) {
        double x = rng.normal();
        mean += x / n;
        square += x * x / n;
        beyond_two += std::abs(x) > 2;
        uniform += rng.uniform() / n;
    }
    // Five standard errors each.
    CHECK(std::abs(mean) < 5 / std::sqrt(n));
    CHECK(std::abs(square - 1) < 5 * std::sqrt(2.0 / n));
    CHECK(std::abs(beyond_two / double(n) - 0.0455003) < 5 * std::sqrt(0.0455 / n));
    CHECK(std::abs(uniform - 0.5) < 5 / std::sqrt(12.0 * n));
}

TEST_CASE("rng: below is even and bounded, a permutation holds each number once") {
    Rng rng(3);
    std::vector<int> counts(6);
    for (int i = 0; i < 60'000; ++i) ++counts.at(static_cast<size_t>(rng.below(6)));
    for (int count : counts) CHECK(std::abs(count - 10'000) < 5 * std::sqrt(60'000 * 5.0 / 36));
    CHECK(rng.below(1) == 0);
    CHECK_THROWS_AS(rng.below(0), Error);

    std::vector<int64_t> order = rng.permutation(100), sorted = order;
    std::sort(sorted.begin(), sorted.end());
    std::vector<int64_t> plain(100);
    std::iota(plain.begin(), plain.end(), 0);
    CHECK(sorted == plain);
    CHECK(order != plain);
}

TEST_CASE("parallel: every block runs once, on any number of threads, also nested") {
    int before = thread_count();
    for (int n_thread : {1, 2, 5}) {
        set_thread_count(n_thread);
        CHECK(thread_count() == n_thread);
        std::vector<std::atomic<int>> runs(100);
        parallel_for(10, [&](int64_t outer) {
            parallel_for(10, [&](int64_t inner) { ++runs[outer * 10 + inner]; });
        });
        CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& n) { return n == 1; }));

        std::vector<std::atomic<int>> covered(1001);
        parallel_ranges(1001, 64, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) ++covered[i];
        });
        CHECK(std::all_of(covered.begin(), covered.end(), [](const auto& n) { return n == 1; }));
    }
    set_thread_count(before);
    parallel_for(0, [](int64_t) { FAIL("no block to run"); });
}

TEST_CASE("parallel: the exception of the lowest failing block comes back, then work goes on") {
    int before = thread_count();
    set_thread_count(3);
    for (int trial = 0; trial < 50; ++trial) {
        std::string caught;
        try {
            parallel_for(64, [](int64_t block) {
                if (block % 10 == 7) throw std::runtime_error(std::to_string(block));
            });
        } catch (const std::runtime_error& error) {
            caught = error.what();
        }
        CHECK(caught == "7");
    }

    // Block 0 fails only after block 1 has: its exception comes back all the same. Block 2 begins
    // when block 1 is over, on the only other thread.
    set_thread_count(2);
    std::atomic<bool> is_over{false};
    std::string caught;
    try {
        parallel_for(3, [&](int64_t block) {
            if (block == 2) is_over = true;
            if (block == 2) return;
            while (block == 0 && !is_over) std::this_thread::yield();
            throw std::runtime_error(std::to_string(block));
        });
    } catch (const std::runtime_error& error) {
        caught = error.what();
    }
    CHECK(caught == "0");

    std::atomic<int> count{0};
    parallel_for(64, [&](int64_t) { ++count; });
    CHECK(count == 64);
    set_thread_count(before);
    CHECK_THROWS_AS(set_thread_count(0), Error);
}

TEST_CASE("tensor: shapes, rows, views and what is refused") {
    Tensor t({2, 3, 4});
    CHECK(t.size() == 24);
    CHECK(t.rows() == 6);
    CHECK(t.cols() == 4);
    t.row(5)[3] = 7;
    CHECK(t.data[23] == 7);
    CHECK_THROWS_AS(t.row(6), Error);
    CHECK_THROWS_AS(t.row(-1), Error);
    CHECK_THROWS_AS(Tensor({-1}), Error);
    CHECK_THROWS_AS(Tensor({int64_t{1} << 40, int64_t{1} << 40}), Error);
    CHECK(Tensor(std::vector<int64_t>{}).size() == 1);
    CHECK(Tensor({0, 5}).rows() == 0);

    MatrixView part = columns(row_range(t.matrix(), 4, 2), 1, 3);
    CHECK(part.rows == 2);
    CHECK(part.cols == 3);
    CHECK(part.data[part.stride + 2] == 7);
    CHECK_THROWS_AS(columns(t.matrix(), 2, 3), Error);
    CHECK_THROWS_AS(row_range(t.matrix(), -1, 2), Error);

    CHECK_NOTHROW(require_shape(t, {2, -1, 4}, "t"));
    CHECK_THROWS_WITH_AS(require_shape(t, {2, 4, 3}, "layer: W"),
                         doctest::Contains("has the shape [2, 3, 4] (layer: W)"), Error);
    CHECK_THROWS_AS(require_shape(t, {2, 3}, "t"), Error);
}

TEST_CASE("ensure: an error says what, where and what to do") {
    CHECK_THROWS_WITH_AS(fail("is broken", "file x, byte 3", "mend it"),
                         "is broken (file x, byte 3): mend it", Error);
    CHECK_NOTHROW(ensure(true, "a", "b", "c"));
    CHECK_THROWS_AS(ensure(false, "a", "b", "c"), Error);
    CHECK(format("%d-%s", 5, std::string(300, 'x').c_str()) == "5-" + std::string(300, 'x'));
}

TEST_CASE("rng: every order of three is as likely as the others") {
    Rng rng(4);
    std::map<std::vector<int64_t>, int> counts;
    for (int i = 0; i < 60'000; ++i) ++counts[rng.permutation(3)];
    CHECK(counts.size() == 6);
    for (const auto& [order, n] : counts) {
        CHECK(std::abs(n - 10'000) < 5 * std::sqrt(60'000 * 5.0 / 36));
    }
}

TEST_CASE("rng: runs of neighbouring seeds share no seed") {
    std::set<uint64_t> seeds;
    for (uint64_t seed = 0; seed < 8; ++seed) {
        for (int64_t i = 0; i < 2000; ++i) seeds.insert(run_seed(seed, i));
    }
    CHECK(seeds.size() == 8 * 2000);
}
