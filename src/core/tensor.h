// Owning row-major tensors of `Real`, and the two views that matrix code needs. `Real` is float;
// a second test build compiles everything with double (-DVIMACH_DOUBLE) to check derivatives.
// Row vectors throughout: a matrix of activations is [n_token, width].
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace vimach {

#ifdef VIMACH_DOUBLE
using Real = double;
#else
using Real = float;
#endif

/// A rectangle inside someone else's memory: element (i, j) is data[i * stride + j].
struct ConstMatrixView {
    const Real* data;
    int64_t rows, cols, stride;
};
struct MatrixView {
    Real* data;
    int64_t rows, cols, stride;
    operator ConstMatrixView() const { return {data, rows, cols, stride}; }
};

/// Values in row-major order with a shape. Copying copies the values.
struct Tensor {
    std::vector<int64_t> shape;
    std::vector<Real> data;

    Tensor() = default;
    /// A tensor of zeros.
    explicit Tensor(std::vector<int64_t> shape);

    int64_t size() const { return static_cast<int64_t>(data.size()); }
    /// The last extent; 1 for a scalar.
    int64_t cols() const { return shape.empty() ? 1 : shape.back(); }
    /// The product of all extents but the last.
    int64_t rows() const { return cols() == 0 ? 0 : size() / cols(); }

    /// Row i of the tensor seen as a [rows, cols] matrix; throws where there is none.
    std::span<Real> row(int64_t i);
    std::span<const Real> row(int64_t i) const;

    /// The tensor seen as a [rows, cols] matrix.
    MatrixView matrix() { return {data.data(), rows(), cols(), cols()}; }
    ConstMatrixView matrix() const { return {data.data(), rows(), cols(), cols()}; }
};

/// Columns [begin, begin + count) or rows [begin, begin + count) of a view; throws beyond it.
MatrixView columns(MatrixView m, int64_t begin, int64_t count);
ConstMatrixView columns(ConstMatrixView m, int64_t begin, int64_t count);
MatrixView row_range(MatrixView m, int64_t begin, int64_t count);
ConstMatrixView row_range(ConstMatrixView m, int64_t begin, int64_t count);

/// "[2, 3]".
std::string shape_text(std::span<const int64_t> shape);

/// Throws unless `tensor` has exactly this shape; -1 stands for any extent. `name` is what the
/// error calls it, e.g. "linear: W".
void require_shape(const Tensor& tensor, std::initializer_list<int64_t> shape, const char* name);

/// The same for a view.
void require_shape(ConstMatrixView view, int64_t rows, int64_t cols, const char* name);

}  // namespace vimach
