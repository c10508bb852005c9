// Matrices of double for statistics. Covariances are rank-deficient and their small eigenvalues
// carry the argument, so they are kept in double in every build, whatever `Real` is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/ensure.h"
#include "core/tensor.h"

namespace vimach {

/// A row-major matrix; its elements start at zero.
struct Matrix {
    int64_t rows = 0, cols = 0;
    std::vector<double> data = {};

    Matrix() = default;
    Matrix(int64_t n_row, int64_t n_col)
        : rows(n_row), cols(n_col), data(static_cast<size_t>(n_row * n_col)) {}
    /// Small matrices, row by row.
    Matrix(int64_t n_row, int64_t n_col, std::initializer_list<double> values)
        : rows(n_row), cols(n_col), data(values) {}

    double& at(int64_t i, int64_t j) { return data[i * cols + j]; }
    double at(int64_t i, int64_t j) const { return data[i * cols + j]; }
    std::span<double> row(int64_t i) {
        return std::span(data).subspan(static_cast<size_t>(i * cols), static_cast<size_t>(cols));
    }
    std::span<const double> row(int64_t i) const {
        return std::span(data).subspan(static_cast<size_t>(i * cols), static_cast<size_t>(cols));
    }
};

/// The rows of a matrix with these numbers, in this order.
inline Matrix take_rows(const Matrix& m, std::span<const int64_t> which) {
    Matrix taken(static_cast<int64_t>(which.size()), m.cols);
    for (size_t i = 0; i < which.size(); ++i) {
        std::span<const double> from = m.row(which[i]);
        std::span<double> to = taken.row(static_cast<int64_t>(i));
        for (size_t j = 0; j < from.size(); ++j) to[j] = from[j];
    }
    return taken;
}

/// The first rows.
inline Matrix first_rows(const Matrix& m, int64_t count) {
    ensure(count >= 0 && count <= m.rows, "there are not so many rows", "first_rows",
           "take no more than there are");
    Matrix taken(count, m.cols);
    std::copy_n(m.data.begin(), taken.data.size(), taken.data.begin());
    return taken;
}

/// Column j.
inline std::vector<double> column(const Matrix& m, int64_t j) {
    std::vector<double> out;
    for (int64_t i = 0; i < m.rows; ++i) out.push_back(m.at(i, j));
    return out;
}

inline std::vector<double> column(const Tensor& t, int64_t j) {
    std::vector<double> out;
    for (int64_t i = 0; i < t.rows(); ++i) out.push_back(static_cast<double>(t.row(i)[j]));
    return out;
}

/// The same numbers in double: [rows, cols] of a tensor.
inline Matrix to_matrix(const Tensor& t) {
    Matrix m(t.rows(), t.cols());
    for (size_t i = 0; i < m.data.size(); ++i) m.data[i] = static_cast<double>(t.data[i]);
    return m;
}

/// The same numbers as Real: [rows, cols].
inline Tensor to_tensor(const Matrix& m) {
    Tensor t({m.rows, m.cols});
    for (size_t i = 0; i < m.data.size(); ++i) t.data[i] = static_cast<Real>(m.data[i]);
    return t;
}

}  // namespace vimach
