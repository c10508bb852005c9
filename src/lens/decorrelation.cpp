// The decorrelation penalty in its two forms; see lens/decorrelation.h.
// Squares are summed in double: the Gram form subtracts two large sums.
#include "lens/decorrelation.h"

#include "core/ensure.h"
#include "core/parallel.h"
#include "math/blas.h"

namespace vimach {

namespace {

constexpr int64_t row_grain = 256;

double sum_of_squares(std::span<const Real> x) {
    double total = 0;
    for (Real value : x) total += double{value} * double{value};
    return total;
}

}  // namespace

Tensor centred_columns(const Tensor& z) {
    ensure(z.shape.size() == 2 && z.rows() >= 2, "needs two rows or more", "decorrelation",
           "pass latents [n_row, n_latent]");
    std::vector<double> means(static_cast<size_t>(z.cols()));
    for (int64_t i = 0; i < z.rows(); ++i) {
        std::span<const Real> row = z.row(i);
        for (size_t j = 0; j < row.size(); ++j) means[j] += row[j];
    }
    for (double& value : means) value /= static_cast<double>(z.rows());
    Tensor out = z;
    parallel_ranges(z.rows(), row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            std::span<Real> row = out.row(i);
            for (size_t j = 0; j < row.size(); ++j) row[j] -= static_cast<Real>(means[j]);
        }
    });
    return out;
}

Decorrelation decorrelation_by_covariance(const Tensor& latents) {
    // C = Zc^T Zc / n, its diagonal left out.
    Tensor zc = centred_columns(latents), C({zc.cols(), zc.cols()});
    Real per_row = 1 / static_cast<Real>(zc.rows() - 1);
    matmul(zc.matrix(), zc.matrix(), C.matrix(), {.transpose_a = true, .alpha = per_row});
    for (int64_t j = 0; j < C.rows(); ++j) C.row(j)[j] = 0;

    // Undo D = sum C_jl^2 and C = Zc^T Zc / (N - 1).
    Decorrelation out = {sum_of_squares(C.data), Tensor(latents.shape)};
    matmul(zc.matrix(), C.matrix(), out.grad_latents.matrix(), {.alpha = 4 * per_row});
    return out;
}

Decorrelation decorrelation_by_gram(const Tensor& latents) {
    // K = Zc Zc^T / n; the variances come column by column.
    Tensor zc = centred_columns(latents), K({zc.rows(), zc.rows()});
    Real per_row = 1 / static_cast<Real>(zc.rows() - 1);
    matmul(zc.matrix(), zc.matrix(), K.matrix(), {.transpose_b = true, .alpha = per_row});
    Tensor variances({zc.cols()});
    for (int64_t i = 0; i < zc.rows(); ++i) {
        std::span<const Real> row = zc.row(i);
        for (size_t j = 0; j < row.size(); ++j) variances.data[j] += row[j] * row[j] * per_row;
    }

    // Undo D = |K|^2 - sum of squared variances.
    Decorrelation out = {sum_of_squares(K.data) - sum_of_squares(variances.data),
                         Tensor(latents.shape)};
    matmul(K.matrix(), zc.matrix(), out.grad_latents.matrix(), {.alpha = 4 * per_row});
    parallel_ranges(zc.rows(), row_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            std::span<const Real> row = zc.row(i);
            std::span<Real> grad = out.grad_latents.row(i);
            for (size_t j = 0; j < row.size(); ++j) {
                grad[j] -= 4 * per_row * row[j] * variances.data[j];
            }
        }
    });
    return out;
}

Decorrelation decorrelation(const Tensor& latents) {
    return latents.cols() <= latents.rows() ? decorrelation_by_covariance(latents)
                                            : decorrelation_by_gram(latents);
}

}  // namespace vimach
