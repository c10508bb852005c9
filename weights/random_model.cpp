// Writes a model of GPT-2 small's exact shapes with seeded random weights, so that everything can
// be run and timed at real size without a download. It has learnt nothing.
// Run: make weights/gpt2-shape    (498 MB, float32)
#include <cstdio>
#include <exception>

#include "model/gpt2_file.h"
#include "show/html.h"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: build/random_model FOLDER\n");
        return 2;
    }
    try {
        vimach::save_gpt2(vimach::random_gpt2(vimach::gpt2_small, 1), argv[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", vimach::visible_text(error.what(), false).c_str());
        return 1;
    }
    return 0;
}
