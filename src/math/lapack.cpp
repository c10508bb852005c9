// The only file that knows LAPACK. Its matrices are column-major; for a symmetric matrix that
// makes no difference, and eigenvectors that it returns as columns are rows to us.
#include "math/lapack.h"

#include <lapacke.h>

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/blas.h"

namespace vimach {

namespace {

void require_square(const Matrix& m, int64_t n, const char* where) {
    if (m.rows == n && m.cols == n && n > 0) return;
    fail(format("has the shape [%ld, %ld]", m.rows, m.cols), where, "pass a square matrix");
}

/// Turns LAPACK's ascending order around and fixes the signs.
Eigen descending(const std::vector<double>& ascending, const Matrix& vectors) {
    int64_t n = vectors.rows;
    Eigen eigen = {std::vector<double>(ascending.rbegin(), ascending.rend()), Matrix(n, n)};
    for (int64_t i = 0; i < n; ++i) {
        std::ranges::copy(vectors.row(n - 1 - i), eigen.vectors.row(i).begin());
    }
    fix_signs(eigen.vectors);
    return eigen;
}

}  // namespace

void fix_signs(Matrix& vectors) {
    for (int64_t i = 0; i < vectors.rows; ++i) {
        // Of entries equal but for rounding, the first one counts.
        std::span<double> row = vectors.row(i);
        double largest = 0;
        for (double value : row) {
            if (std::abs(value) > std::abs(largest) * (1 + 1e-9)) largest = value;
        }
        if (largest >= 0) continue;
        for (double& value : row) value = -value;
    }
}

Eigen symmetric_eigen(const Matrix& a) {
    require_square(a, a.rows, "symmetric_eigen: A");
    auto turn = blas_turn();
    Matrix vectors = a;
    std::vector<double> values(static_cast<size_t>(a.rows));
    auto n = static_cast<lapack_int>(a.rows);
    lapack_int info =
        LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', n, vectors.data.data(), n, values.data());
    if (info != 0) {
        fail(format("LAPACK's dsyevd ended with info %d", static_cast<int>(info)),
             "symmetric_eigen", "check the matrix for NaN");
    }
    return descending(values, vectors);
}

GeneralizedEigen generalized_eigen(const Matrix& s, const Matrix& r) {
    require_square(s, s.rows, "generalized_eigen: S");
    require_square(r, s.rows, "generalized_eigen: R");
    auto turn = blas_turn();
    Matrix vectors = s, factor = r;
    std::vector<double> values(static_cast<size_t>(s.rows));
    auto n = static_cast<lapack_int>(s.rows);
    lapack_int info = LAPACKE_dsygvd(LAPACK_COL_MAJOR, 1, 'V', 'U', n, vectors.data.data(), n,
                                     factor.data.data(), n, values.data());
    if (info < 0) {
        fail(format("LAPACK's dsygvd ended with info %d", static_cast<int>(info)),
             "generalized_eigen", "check the matrices for NaN");
    }
    if (info > 0) return {static_cast<int>(info), {}};
    return {0, descending(values, vectors)};
}

}  // namespace vimach
