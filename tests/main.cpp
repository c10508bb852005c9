// The entry point of the unit tests. Prints which number type they were built with, so that a
// log shows that both builds ran.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "core/tensor.h"
#include "math/blas.h"

int main(int argc, char** argv) {
    vimach::take_fast_kernels(argv);
    std::printf("unit tests, Real = %s, %s\n", sizeof(vimach::Real) == 4 ? "float" : "double",
                vimach::blas_kernels().c_str());
    std::fflush(stdout);
    return doctest::Context(argc, argv).run();
}
