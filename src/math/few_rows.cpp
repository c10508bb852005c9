// Few rows times a large matrix; see math/few_rows.h.
// Each kernel is compiled for every number of rows from 1 to 8, so that the sums of all rows stay
// in registers while one piece of B passes by.
#include "math/few_rows.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/parallel.h"

namespace vimach {

namespace {

constexpr int64_t most_rows = 8;
constexpr int64_t longest_sum = 1 << 15;  // beyond, one chain of additions would lose digits
constexpr int64_t least_size = 1 << 18;   // numbers in B; smaller ones stay in a cache
constexpr int64_t n_part = 8;             // of B's rows, where each part has sums of its own
constexpr int64_t block_size = 1 << 17;   // numbers of B given to a thread at a time elsewhere
constexpr int64_t at_once = 8;            // rows of B read side by side

/// 32 bytes: a register of AVX2.
typedef Real Vec __attribute__((vector_size(32), aligned(sizeof(Real)), may_alias));
constexpr int64_t n_lane = 32 / sizeof(Real);
#ifdef __AVX512VL__
constexpr int n_register = 32;
#else
constexpr int n_register = 16;
#endif

const Vec& vec_at(const Real* p) { return *reinterpret_cast<const Vec*>(p); }
Vec& vec_at(Real* p) { return *reinterpret_cast<Vec*>(p); }

// --- B stored [k, n]: its rows, scaled by the numbers of A, add up ------------------------------

/// sums[i] += a[i][first + r] * B row r, for up to eight rows of B; sums [n_row, n].
template <int n_row>
void add_scaled_rows(ConstMatrixView a, int64_t first, ConstMatrixView b_rows, Real* sums) {
    Real factor[n_row][at_once] = {};
    const Real* b[at_once];
    for (int64_t r = 0; r < at_once; ++r) {
        bool is_row = r < b_rows.rows;
        b[r] = b_rows.data + (is_row ? r : 0) * b_rows.stride;
        for (int i = 0; i < n_row; ++i) {
            factor[i][r] = is_row ? a.data[i * a.stride + first + r] : 0;
        }
    }
    int64_t n = b_rows.cols, j = 0;
    for (; j + n_lane <= n; j += n_lane) {
        Vec part[at_once];
        for (int64_t r = 0; r < at_once; ++r) part[r] = vec_at(b[r] + j);
        for (int i = 0; i < n_row; ++i) {
            Vec sum = factor[i][0] * part[0];
            for (int64_t r = 1; r < at_once; ++r) sum += factor[i][r] * part[r];
            vec_at(sums + i * n + j) += sum;
        }
    }
    for (; j < n; ++j) {
        for (int i = 0; i < n_row; ++i) {
            for (int64_t r = 0; r < at_once; ++r) sums[i * n + j] += factor[i][r] * b[r][j];
        }
    }
}

template <int n_row>
void multiply(ConstMatrixView a, ConstMatrixView b, MatrixView c, const FewRows& options) {
    // Let each block of rows of B have sums of its own.
    int64_t block_rows = (b.rows + n_part * at_once - 1) / (n_part * at_once) * at_once;
    int64_t n_block = (b.rows + block_rows - 1) / block_rows;
    Tensor sums({n_block, n_row * b.cols});
    parallel_for(n_block, [&](int64_t block) {
        int64_t end = std::min((block + 1) * block_rows, b.rows);
        for (int64_t r = block * block_rows; r < end; r += at_once) {
            add_scaled_rows<n_row>(a, r, row_range(b, r, std::min(at_once, end - r)),
                                   sums.row(block).data());
        }
    });

    // Add the blocks in their order.
    for (int64_t i = 0; i < n_row; ++i) {
        Real* out = c.data + i * c.stride;
        if (!options.accumulate) std::fill_n(out, c.cols, Real(0));
        for (int64_t block = 0; block < n_block; ++block) {
            const Real* from = sums.row(block).data() + i * c.cols;
            for (int64_t j = 0; j < c.cols; ++j) out[j] += options.alpha * from[j];
        }
    }
}

// --- B stored [n, k]: each of its rows is one column of the result ------------------------------

/// C = alpha A B (+ C) for n_b rows of B side by side: what is loaded of A serves them all.
template <int n_row, int n_b>
void dot_rows(ConstMatrixView a, ConstMatrixView b, MatrixView c, const FewRows& options) {
    constexpr int n_sum = n_row == 1 ? 2 : 1;  // chains of a sum, to hide the latency
    Vec sums[n_b][n_row][n_sum] = {};
    int64_t k = 0;
    for (; k + n_sum * n_lane <= a.cols; k += n_sum * n_lane) {
        for (int s = 0; s < n_sum; ++s) {
            Vec part[n_b];
            for (int r = 0; r < n_b; ++r) part[r] = vec_at(b.data + r * b.stride + k + s * n_lane);
            for (int i = 0; i < n_row; ++i) {
                Vec own = vec_at(a.data + i * a.stride + k + s * n_lane);
                for (int r = 0; r < n_b; ++r) sums[r][i][s] += part[r] * own;
            }
        }
    }
    for (int r = 0; r < n_b; ++r) {
        for (int i = 0; i < n_row; ++i) {
            Vec total = sums[r][i][0];
            for (int s = 1; s < n_sum; ++s) total += sums[r][i][s];
            Real sum = 0;
            for (int64_t lane = 0; lane < n_lane; ++lane) sum += total[lane];
            for (int64_t rest = k; rest < a.cols; ++rest)
                sum += a.data[i * a.stride + rest] * b.data[r * b.stride + rest];
            Real& out = c.data[i * c.stride + r];
            out = options.alpha * sum + (options.accumulate ? out : 0);
        }
    }
}

template <int n_row>
void multiply_transposed(ConstMatrixView a, ConstMatrixView b, MatrixView c,
                         const FewRows& options) {
    // The sums, a piece of n_b rows of B and one of A stay in registers.
    constexpr int n_b = std::min(5, (n_register - 1) / (n_row + 1));
    int64_t block_rows = std::max<int64_t>(1, block_size / b.cols / n_b) * n_b;
    parallel_ranges(b.rows, block_rows, [&](int64_t begin, int64_t end) {
        int64_t j = begin;
        for (; j + n_b <= end; j += n_b) {
            dot_rows<n_row, n_b>(a, row_range(b, j, n_b), columns(c, j, n_b), options);
        }
        for (; j < end; ++j) {
            dot_rows<n_row, 1>(a, row_range(b, j, 1), columns(c, j, 1), options);
        }
    });
}

/// The kernels for 1 ... most_rows rows.
using Kernel = void (*)(ConstMatrixView, ConstMatrixView, MatrixView, const FewRows&);
template <int... i>
constexpr auto kernels(std::integer_sequence<int, i...>) {
    return std::array<std::array<Kernel, 2>, most_rows>{
        {{&multiply<i + 1>, &multiply_transposed<i + 1>}...}};
}

}  // namespace

bool is_few_rows(ConstMatrixView a, ConstMatrixView b) {
    return a.rows >= 1 && a.rows <= most_rows && a.cols <= longest_sum &&
           b.rows * b.cols >= least_size;
}

void multiply_few_rows(ConstMatrixView a, ConstMatrixView b, MatrixView c, const FewRows& options) {
    static constexpr auto all = kernels(std::make_integer_sequence<int, most_rows>());
    all[a.rows - 1][options.transpose_b](a, b, c, options);
}

}  // namespace vimach
