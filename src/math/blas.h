// Matrix products. OpenBLAS does the arithmetic on one thread at a time; `matmul` cuts the result
// into tiles that depend on the shapes alone and spreads them with core/parallel, so there is one
// pool of threads and the same digits on any number of them (OpenBLAS's own threads round
// differently at 1 and 2).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "core/tensor.h"
#include "math/matrix.h"

namespace vimach {

struct MatmulOptions {
    bool transpose_a = false;  ///< use A transposed: A is stored [k, m]
    bool transpose_b = false;  ///< use B transposed: B is stored [n, k]
    Real alpha = 1;            ///< scales the product
    bool accumulate = false;   ///< add to C instead of overwriting it
};

/// What to do with a finished tile of C, which starts at (row, col), while it is in the cache.
using TileWork = std::function<void(MatrixView tile, int64_t row, int64_t col)>;

/// C = alpha A B (+ C): [m, k] x [k, n] -> [m, n]. `finish`, if given, runs once on every tile.
void matmul(ConstMatrixView a, ConstMatrixView b, MatrixView c, const MatmulOptions& options = {},
            const TileWork& finish = {});

/// The same product as one BLAS call on the calling thread: for use inside a parallel block.
void matmul_serial(ConstMatrixView a, ConstMatrixView b, MatrixView c,
                   const MatmulOptions& options = {});

/// The product as a new tensor: [m, k] x [k, n] -> [m, n]; nothing to accumulate on.
Tensor product(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

/// A B of matrices in double, one BLAS call on the calling thread; either may be transposed.
Matrix product(const Matrix& a, const Matrix& b, bool transpose_a = false,
               bool transpose_b = false);

/// Before a call of BLAS or LAPACK, until it is done: pins OpenBLAS to one thread, and holds the
/// turn where the library was built without threads and must not be called from two at a time.
std::unique_lock<std::mutex> blas_turn();

/// First thing in main. Where OpenBLAS is older than the processor it does not know it, and takes
/// the kernels that run on any x86-64 ("Prescott", without AVX). This starts the program anew with
/// OPENBLAS_CORETYPE set to those that the processor's instructions allow, which is the only way
/// to change them. Does nothing where the variable is set.
void take_fast_kernels(char** argv);

/// OpenBLAS's version and the processor whose kernels it chose, e.g. "OpenBLAS 0.3.21 SkylakeX".
std::string blas_kernels();

}  // namespace vimach
