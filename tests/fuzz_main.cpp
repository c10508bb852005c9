// libFuzzer's entry point; FUZZ_TARGET is the name of one target of tests/fuzz_targets.h.
// Built and run by `make fuzz`.
#include "fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    vimach::test::FUZZ_TARGET({data, size});
    return 0;
}
