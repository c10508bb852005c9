// The only file that knows BLAS.
// Contract: around every call stands blas_turn, for OpenBLAS comes in three builds. With threads of
// its own (pthread) it is pinned to one, once. With OpenMP each of our threads must be pinned.
// Without threads its buffers are shared by all callers, so one product runs at a time.
#include "math/blas.h"

#include <cblas.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "core/ensure.h"
#include "core/parallel.h"
#include "math/few_rows.h"

namespace vimach {

namespace {

/// The extents of a product C[m, n] += A[m, k] B[k, n], after transposition.
struct Extents {
    int64_t m, n, k;
};

Extents check_shapes(ConstMatrixView a, ConstMatrixView b, ConstMatrixView c,
                     const MatmulOptions& options) {
    int64_t k = options.transpose_a ? a.rows : a.cols;
    require_shape(a, options.transpose_a ? k : c.rows, options.transpose_a ? c.rows : k,
                  "matmul: A");
    require_shape(b, options.transpose_b ? c.cols : k, options.transpose_b ? k : c.cols,
                  "matmul: B");
    return {c.rows, c.cols, k};
}

/// Halves the tile until there are four to share or a half would be under two million products.
Extents choose_tile(const Extents& whole) {
    Extents tile = {std::min<int64_t>(whole.m, 1024), std::min<int64_t>(whole.n, 768), whole.k};
    auto count = [&] {
        return ((whole.m + tile.m - 1) / tile.m) * ((whole.n + tile.n - 1) / tile.n);
    };
    while (count() < 4 && tile.m * tile.n * tile.k > 4'000'000) {
        int64_t& longer = tile.m >= tile.n ? tile.m : tile.n;
        if (longer <= 64) break;  // a long inner extent alone is not cut
        longer = (longer / 2 + 15) / 16 * 16;
    }
    return tile;
}

#ifdef VIMACH_DOUBLE
constexpr auto gemm = cblas_dgemm;
#else
constexpr auto gemm = cblas_sgemm;
#endif

void call_blas(ConstMatrixView a, ConstMatrixView b, MatrixView c, const Extents& extents,
               const MatmulOptions& options) {
    auto turn = blas_turn();
    gemm(CblasRowMajor, options.transpose_a ? CblasTrans : CblasNoTrans,
         options.transpose_b ? CblasTrans : CblasNoTrans, static_cast<blasint>(extents.m),
         static_cast<blasint>(extents.n), static_cast<blasint>(extents.k), options.alpha, a.data,
         static_cast<blasint>(a.stride), b.data, static_cast<blasint>(b.stride),
         options.accumulate ? Real{1} : Real{0}, c.data, static_cast<blasint>(c.stride));
}

}  // namespace

void matmul(ConstMatrixView a, ConstMatrixView b, MatrixView c, const MatmulOptions& options,
            const TileWork& finish) {
    Extents whole = check_shapes(a, b, c, options);
    if (whole.m == 0 || whole.n == 0) return;
    if (!options.transpose_a && is_few_rows(a, b)) {
        multiply_few_rows(a, b, c, {options.transpose_b, options.alpha, options.accumulate});
        if (finish) finish(c, 0, 0);
        return;
    }
    Extents tile = choose_tile(whole);

    int64_t n_across = (whole.n + tile.n - 1) / tile.n;
    int64_t n_down = (whole.m + tile.m - 1) / tile.m;
    parallel_for(n_across * n_down, [&](int64_t index) {
        // Find the rectangle of C, the rows of A and the columns of B that belong to this tile.
        int64_t row = index / n_across * tile.m, n_row = std::min(tile.m, whole.m - row);
        int64_t col = index % n_across * tile.n, n_col = std::min(tile.n, whole.n - col);
        MatrixView c_tile = columns(row_range(c, row, n_row), col, n_col);
        ConstMatrixView a_part =
            options.transpose_a ? columns(a, row, n_row) : row_range(a, row, n_row);
        ConstMatrixView b_part =
            options.transpose_b ? row_range(b, col, n_col) : columns(b, col, n_col);

        call_blas(a_part, b_part, c_tile, {n_row, n_col, whole.k}, options);
        if (finish) finish(c_tile, row, col);
    });
}

void matmul_serial(ConstMatrixView a, ConstMatrixView b, MatrixView c,
                   const MatmulOptions& options) {
    Extents extents = check_shapes(a, b, c, options);
    if (extents.m > 0 && extents.n > 0) call_blas(a, b, c, extents, options);
}

Tensor product(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
    Tensor c(
        {options.transpose_a ? a.cols() : a.rows(), options.transpose_b ? b.rows() : b.cols()});
    matmul(a.matrix(), b.matrix(), c.matrix(), options);
    return c;
}

Matrix product(const Matrix& a, const Matrix& b, bool transpose_a, bool transpose_b) {
    Matrix c(transpose_a ? a.cols : a.rows, transpose_b ? b.rows : b.cols);
    int64_t k = transpose_a ? a.rows : a.cols;
    ensure(k == (transpose_b ? b.cols : b.rows), "inner extents differ", "product",
           "pass [m, k] and [k, n]");
    if (c.rows == 0 || c.cols == 0 || k == 0) return c;
    auto turn = blas_turn();
    cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, static_cast<blasint>(c.rows),
                static_cast<blasint>(c.cols), static_cast<blasint>(k), 1, a.data.data(),
                static_cast<blasint>(a.cols), b.data.data(), static_cast<blasint>(b.cols), 0,
                c.data.data(), static_cast<blasint>(c.cols));
    return c;
}

std::unique_lock<std::mutex> blas_turn() {
    // Pin the library; with OpenMP, for every thread that calls it.
    static const int build = openblas_get_parallel();
    static std::once_flag once;
    std::call_once(once, [] { openblas_set_num_threads(1); });
    thread_local bool pinned = build != OPENBLAS_OPENMP;
    if (!pinned) openblas_set_num_threads(1);
    pinned = true;

    // Wait where the library has one set of buffers for all callers.
    static std::mutex one_at_a_time;
    if (build != OPENBLAS_SEQUENTIAL) return {};
    return std::unique_lock(one_at_a_time);
}

void take_fast_kernels([[maybe_unused]] char** argv) {
#ifdef __x86_64__
    constexpr const char* variable = "OPENBLAS_CORETYPE";
    bool unknown = blas_kernels().ends_with("Prescott") && std::getenv(variable) == nullptr;
    if (!unknown || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
    bool has_avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    setenv(variable, has_avx512 ? "SkylakeX" : "Haswell", 1);
    execv("/proc/self/exe", argv);  // returns only where it fails; then the slow kernels do
#endif
}

std::string blas_kernels() {
    // Keep the first two words of the configuration ("OpenBLAS 0.3.21 NO_LAPACKE ...").
    std::istringstream configuration(openblas_get_config());
    std::string name, version;
    configuration >> name >> version;
    return name + " " + version + " " + openblas_get_corename();
}

}  // namespace vimach
