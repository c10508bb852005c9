// Tensors: allocation, views and the shape checks with which every library function begins.
// A wrong shape is a mistake in the calling code, so its remedy is always the shape expected.
#include "core/tensor.h"

#include "core/ensure.h"

namespace vimach {

namespace {

int64_t checked_size(std::span<const int64_t> shape) {
    int64_t size = 1;
    for (int64_t extent : shape) {
        if (extent < 0 || __builtin_mul_overflow(size, extent, &size)) {
            fail("no tensor can have the shape " + shape_text(shape), "Tensor",
                 "use extents >= 0 whose product fits in memory");
        }
    }
    return size;
}

void require_part(int64_t begin, int64_t count, int64_t extent, const char* where) {
    if (begin >= 0 && count >= 0 && begin <= extent - count) return;
    fail(format("the part %ld + %ld lies outside 0 ... %ld", begin, count, extent), where,
         "choose a part inside the matrix");
}

}  // namespace

Tensor::Tensor(std::vector<int64_t> extents)
    : shape(std::move(extents)), data(static_cast<size_t>(checked_size(shape))) {}

std::span<Real> Tensor::row(int64_t i) {
    require_part(i, 1, rows(), "Tensor::row");
    return {data.data() + i * cols(), static_cast<size_t>(cols())};
}

std::span<const Real> Tensor::row(int64_t i) const {
    require_part(i, 1, rows(), "Tensor::row");
    return {data.data() + i * cols(), static_cast<size_t>(cols())};
}

ConstMatrixView columns(ConstMatrixView m, int64_t begin, int64_t count) {
    require_part(begin, count, m.cols, "columns");
    return {m.data + begin, m.rows, count, m.stride};
}

MatrixView columns(MatrixView m, int64_t begin, int64_t count) {
    require_part(begin, count, m.cols, "columns");
    return {m.data + begin, m.rows, count, m.stride};
}

ConstMatrixView row_range(ConstMatrixView m, int64_t begin, int64_t count) {
    require_part(begin, count, m.rows, "row_range");
    return {m.data + begin * m.stride, count, m.cols, m.stride};
}

MatrixView row_range(MatrixView m, int64_t begin, int64_t count) {
    require_part(begin, count, m.rows, "row_range");
    return {m.data + begin * m.stride, count, m.cols, m.stride};
}

std::string shape_text(std::span<const int64_t> shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i) {
        text += format(i == 0 ? "%ld" : ", %ld", shape[i]);
    }
    return text + "]";
}

void require_shape(const Tensor& tensor, std::initializer_list<int64_t> shape, const char* name) {
    bool same = tensor.shape.size() == shape.size();
    for (size_t i = 0; same && i < shape.size(); ++i) {
        int64_t wanted = shape.begin()[i];
        same = wanted == -1 || wanted == tensor.shape[i];
    }
    if (same) return;
    fail("has the shape " + shape_text(tensor.shape), name,
         "pass " + shape_text(std::span(shape.begin(), shape.size())) + " (-1 is any extent)");
}

void require_shape(ConstMatrixView view, int64_t rows, int64_t cols, const char* name) {
    if ((rows == -1 || view.rows == rows) && (cols == -1 || view.cols == cols)) return;
    int64_t have[] = {view.rows, view.cols}, wanted[] = {rows, cols};
    fail("has the shape " + shape_text(have), name,
         "pass " + shape_text(wanted) + " (-1 is any extent)");
}

}  // namespace vimach
