// The product of a few rows with a large matrix. There is no arithmetic to reuse: all the time goes
// into reading the matrix, so all threads read, each its own part, front to back, and every number
// is read once. A product of BLAS on one thread gets the memory speed of one core only.
#pragma once

#include "core/tensor.h"

namespace vimach {

/// Whether A B is of this kind: 1 to 8 rows of A, and a B too large for the caches. Sums of more
/// than 32,768 products are not.
bool is_few_rows(ConstMatrixView a, ConstMatrixView b);

/// As in MatmulOptions.
struct FewRows {
    bool transpose_b = false;
    Real alpha = 1;
    bool accumulate = false;
};

/// C = alpha A B (+ C): 1 to 8 rows [m, k] x [k, n] -> [m, n], B stored [n, k] where it is
/// transposed.
/// The caller has checked the shapes. The same digits on any number of threads.
void multiply_few_rows(ConstMatrixView a, ConstMatrixView b, MatrixView c, const FewRows& options);

}  // namespace vimach
