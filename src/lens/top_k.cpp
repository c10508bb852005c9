// Exact selection by bisection; see lens/top_k.h.
// The bits of a number, taken as an integer, order like the number once its sign is dealt with.
#include "lens/top_k.h"

#include <algorithm>
#include <bit>
#include <type_traits>
#include <vector>

#include "core/ensure.h"

namespace vimach {

namespace {

using Bits = std::conditional_t<sizeof(Real) == 4, uint32_t, uint64_t>;

/// Unsigned integers in the order of the numbers: negative ones are turned round, positive ones
/// put above them.
Bits order_bits(Real value) {
    constexpr int sign_bit = 8 * sizeof(Real) - 1;
    Bits bits = std::bit_cast<Bits>(value), sign = bits >> sign_bit;
    return bits ^ (-sign | Bits{1} << sign_bit);
}

int64_t count_from(std::span<const Bits> keys, Bits threshold) {
    int32_t count = 0;
    for (Bits key : keys) count += key >= threshold;
    return count;
}

}  // namespace

void keep_top_k(std::span<Real> row, int64_t k, bool keep_ties) {
    ensure(k >= 1, "k counts from 1", "keep_top_k", "pass k >= 1");
    auto n = static_cast<int64_t>(row.size());
    if (k >= n) return;
    std::vector<Bits> keys(row.size());
    std::ranges::transform(row, keys.begin(), order_bits);

    // Halve the range in which the k-th largest key lies until a threshold keeps k, or until the
    // range is one key, which several numbers share: count(low) >= k > count(high).
    Bits low = *std::ranges::min_element(keys), high = *std::ranges::max_element(keys) + 1;
    int64_t n_kept = n;
    while (n_kept > k && high - low > 1) {
        Bits middle = low + (high - low) / 2;
        int64_t count = count_from(keys, middle);
        (count >= k ? low : high) = middle;
        n_kept = count >= k ? count : n_kept;
    }
    for (size_t j = 0; j < row.size(); ++j) row[j] = keys[j] >= low ? row[j] : 0;

    // What is too many equals the k-th: drop the highest indices.
    for (int64_t j = n - 1; n_kept > k && !keep_ties; --j) {
        if (keys[j] != low) continue;
        row[j] = 0;
        --n_kept;
    }
}

}  // namespace vimach
