// Models that nobody trains but somebody loads: one layer, vectors of one number, neurons that
// never fire, one enormous number. Every chapter either runs and prints no "nan" and no "inf", or
// refuses with one line that says what does not vary.
#include <doctest/doctest.h>

#include <regex>

#include "model/gpt2_file.h"
#include "program.h"
#include "support.h"

using namespace vimach;
using test::Outcome;

namespace {

Gpt2 random_model(int64_t n_layer, int64_t n_head, int64_t d_model) {
    return random_gpt2({.n_layer = n_layer,
                        .n_head = n_head,
                        .d_model = d_model,
                        .d_mlp = 4 * d_model,
                        .n_ctx = 256,
                        .d_vocab = 50257},
                       1);
}

/// Runs all chapters that take a model; `target` is what chapter 4 climbs.
void run_all(const Gpt2& model, const std::string& target) {
    test::TempFolder folder;
    save_gpt2(model, folder.path(), "F32");
    const std::pair<const char*, std::string> chapters[] = {
        {"00_gpt2", ""},
        {"02_palinka_sae", ""},
        {"03_laminar_profile", "--epochs 2 --tokens 1024"},
        {"04_activation_maximization", "--dim 0 --layer " + target},
        {"05_him_her_ged", ""}};
    for (const auto& [name, words] : chapters) {
        Outcome outcome =
            test::run_chapter_in(folder, name, "--quick --model . --out out " + words);
        CAPTURE(std::string(name));
        CAPTURE(outcome.err);
        CHECK((outcome.status == 0 || outcome.status == 1));
        if (outcome.status == 1) {
            CHECK(outcome.err.find("does not vary") != std::string::npos);
            CHECK(std::ranges::count(outcome.err, '\n') == 1);
        }
        CHECK_FALSE(std::regex_search(outcome.out, std::regex("\\b-?(nan|inf)\\b")));
    }
}

}  // namespace

TEST_CASE("odd models: vectors of one number") { run_all(random_model(2, 1, 1), "hidden:1"); }

TEST_CASE("odd models: one layer, whose neurons never fire, and one enormous number") {
    Gpt2 model = random_model(1, 2, 8);
    std::ranges::fill(model.blocks[0].b_in.data, Real(-100));
    model.blocks[0].b_out.data[0] = 1e6;
    run_all(model, "mlp:0");
}
