// Exact selection by bits; see lens/top_k.h.
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
constexpr int n_bit = 8 * sizeof(Real), n_bin_bit = 11;

/// Unsigned integers in the order of the numbers: negative ones are turned round, positive ones
/// put above them.
Bits order_bits(Real value) {
    Bits bits = std::bit_cast<Bits>(value), sign = bits >> (n_bit - 1);
    return bits ^ (-sign | Bits{1} << (n_bit - 1));
}

/// The k-th largest number of a row.
Real find_kth(std::span<const Real> row, int64_t k) {
    // Count the leading bits, and go down from the largest until the k-th is in the bin.
    uint32_t count[1 << n_bin_bit] = {};
    for (Real value : row) ++count[order_bits(value) >> (n_bit - n_bin_bit)];
    Bits bin = (Bits{1} << n_bin_bit) - 1;
    while (k > count[bin]) k -= count[bin--];

    // Select among the numbers of the bin.
    std::vector<Real> inside(row.size() + 1);
    size_t n = 0;
    for (Real value : row) {
        inside[n] = value;
        n += order_bits(value) >> (n_bit - n_bin_bit) == bin;
    }
    auto begin = inside.begin(), kth = begin + (k - 1);
    std::nth_element(begin, kth, begin + static_cast<std::ptrdiff_t>(n),
                     [](Real a, Real b) { return order_bits(a) > order_bits(b); });
    return *kth;
}

}  // namespace

void keep_top_k(std::span<Real> row, int64_t k, bool keep_ties) {
    ensure(k >= 1, "k counts from 1", "keep_top_k", "pass k >= 1");
    if (k >= static_cast<int64_t>(row.size())) return;
    Real kth = find_kth(row, k);

    // Without surplus ties one comparison decides.
    int64_t n_above = 0, n_kept = 0;
    for (Real value : row) {
        n_above += value > kth;
        n_kept += value >= kth;
    }
    if (keep_ties || n_kept == k) {
        for (Real& value : row) value = value >= kth ? value : 0;
        return;
    }
    int64_t room = k - n_above;
    for (Real& value : row) {
        bool kept = value > kth || (value == kth && room-- > 0);
        value = kept ? value : 0;
    }
}

}  // namespace vimach
