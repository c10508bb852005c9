// Keeping the k largest numbers of a row, exactly: the threshold is found by bisection, each step
// one count over the row, which costs less than a selection that moves numbers about.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace vimach {

/// Sets all but the k largest to 0, 1 <= k. Among those that equal the k-th largest, the lowest
/// indices stay; or all of them, where `keep_ties`.
void keep_top_k(std::span<Real> row, int64_t k, bool keep_ties);

}  // namespace vimach
