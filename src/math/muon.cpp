// Muon; see math/muon.h.
// The polynomial acts on singular values, s -> a s + b s^3 + c s^5, and five rounds with Jordan's
// a, b, c bring all that are not tiny near 1. It needs products only, and no singular vectors.
#include "math/muon.h"

#include <algorithm>
#include <cmath>

#include "math/blas.h"

namespace vimach {

namespace {

constexpr int n_round = 5;
constexpr Real a = Real(3.4445), b = Real(-4.7750), c = Real(2.0315);

/// Brings the singular values of X [short, long], none above 1, near 1.
void level_singular_values(Tensor& X) {
    int64_t n = X.rows();
    Tensor A({n, n}), P({n, n}), next(X.shape);
    for (int round = 0; round < n_round; ++round) {
        // P = a I + b A + c A A with A = X X^T
        matmul_serial(X.matrix(), X.matrix(), A.matrix(), {.transpose_b = true});
        matmul_serial(A.matrix(), A.matrix(), P.matrix(), {.alpha = c});
        for (int64_t i = 0; i < n * n; ++i) P.data[i] += b * A.data[i];
        for (int64_t i = 0; i < n; ++i) P.row(i)[i] += a;

        // X = P X
        matmul_serial(P.matrix(), X.matrix(), next.matrix());
        std::swap(X.data, next.data);
    }
}

}  // namespace

void muon_update(const MuonSettings& settings, ConstMatrixView grad, MatrixView weights,
                 MatrixView m) {
    int64_t rows = grad.rows, cols = grad.cols;
    require_shape(weights, rows, cols, "muon_update: weights");
    require_shape(m, rows, cols, "muon_update: m");
    bool tall = rows > cols;  // X lies down, so that A is the smaller of the two Gram matrices
    Tensor X({std::min(rows, cols), std::max(rows, cols)});
    auto x_at = [&](int64_t i, int64_t j) -> Real& {
        return X.data[tall ? j * rows + i : i * cols + j];
    };

    // Average the gradient, and look ahead by one step.
    auto beta = static_cast<Real>(settings.momentum);
    double squares = 0;
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < cols; ++j) {
            Real g = grad.data[i * grad.stride + j], &mean = m.data[i * m.stride + j];
            mean = beta * mean + (1 - beta) * g;
            Real u = (1 - beta) * g + beta * mean;
            squares += static_cast<double>(u) * u;
            x_at(i, j) = u;
        }
    }

    // Scale it so that no singular value is above 1, then level them.
    constexpr double tiny = 1e-12;  // a gradient of zeros stays one
    auto factor = static_cast<Real>(1 / (std::sqrt(squares) + tiny));
    for (Real& value : X.data) value *= factor;
    level_singular_values(X);

    // Shrink the weights and step.
    double longer = static_cast<double>(std::max(rows, cols));
    auto step = static_cast<Real>(settings.learning_rate * 0.2 * std::sqrt(longer));
    auto keep = static_cast<Real>(1 - settings.learning_rate * settings.weight_decay);
    for (int64_t i = 0; i < rows; ++i) {
        Real* row = weights.data + i * weights.stride;
        for (int64_t j = 0; j < cols; ++j) row[j] = keep * row[j] - step * x_at(i, j);
    }
}

}  // namespace vimach
