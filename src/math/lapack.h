// Eigenproblems of symmetric matrices, by LAPACK (Anderson et al. 1999, LAPACK Users' Guide,
// routines dsyevd and dsygvd), always in double. Eigenvalues come largest first; row i of
// `vectors` belongs to eigenvalue i, and its sign is fixed: the entry of largest size is positive.
#pragma once

#include <vector>

#include "math/matrix.h"

namespace vimach {

struct Eigen {
    std::vector<double> values;
    Matrix vectors;  ///< [n, n]
};

/// Makes the entry of largest size in every row positive: a sign that does not depend on the
/// library or the processor.
void fix_signs(Matrix& vectors);

/// A = V^T diag(values) V of a symmetric A [n, n]; the rows of V are orthonormal.
Eigen symmetric_eigen(const Matrix& a);

/// What the generalized problem came to. `info` is LAPACK's: 0 where it was solved; n + i where
/// the leading minor of order i of R is not positive, so that R is no positive definite matrix and
/// S w = lambda R w cannot be reduced to an ordinary problem.
struct GeneralizedEigen {
    int info = 0;
    Eigen eigen;
};

/// S w = lambda R w for symmetric S and R [n, n]; w^T R w = 1.
GeneralizedEigen generalized_eigen(const Matrix& s, const Matrix& r);

}  // namespace vimach
