// Is all there that the README names? Built before everything else, so that a package that is
// missing gets a name.
#include <cblas.h>
#include <lapacke.h>
#include <utf8proc.h>

#if !__has_include(<doctest/doctest.h>)
#error "doctest/doctest.h: no such file"
#endif

int main() { return *openblas_get_corename() + LAPACKE_get_nancheck() + *utf8proc_version(); }
