// Keeping the k largest numbers of a row, exactly: the k-th largest is found by a histogram of the
// leading bits and a selection among the few numbers of its bin.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace vimach {

/// Sets all but the k largest to 0, 1 <= k. Among those that equal the k-th largest, the lowest
/// indices stay; or all of them, where `keep_ties`.
void keep_top_k(std::span<Real> row, int64_t k, bool keep_ties);

}  // namespace vimach
