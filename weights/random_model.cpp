// Writes a model of GPT-2 small's exact shapes with seeded random weights, so that everything can
// be run and timed at real size without a download; or, with --tiny, of two narrow layers, for runs
// under a sanitizer. It has learnt nothing.
// Run: make weights/gpt2-shape    (498 MB, float32)
#include <cstdio>
#include <exception>
#include <string_view>

#include "model/gpt2_file.h"
#include "show/html.h"

int main(int argc, char** argv) {
    bool tiny = argc == 3 && std::string_view(argv[2]) == "--tiny";
    if (argc != 2 && !tiny) {
        std::fprintf(stderr, "usage: build/random_model FOLDER [--tiny]\n");
        return 2;
    }
    try {
        vimach::Gpt2Config shape = vimach::gpt2_small;
        if (tiny) shape.n_layer = 2, shape.n_head = 2, shape.d_model = 32, shape.d_mlp = 128;
        constexpr uint64_t seed = 20'190'214;  // no run's own, whose draws would be the weights
        vimach::save_gpt2(vimach::random_gpt2(shape, seed), argv[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", vimach::visible_text(error.what(), false).c_str());
        return 1;
    }
    return 0;
}
