// Numbers that others have published for OpenAI's GPT-2: greedy continuations from the tests of
// huggingface/transformers and a loss from those of TransformerLens. They need the real weights;
// without weights/gpt2 each test says that it was skipped, and how to get them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "core/files.h"
#include "model/gpt2_file.h"
#include "text/tokenizer.h"

using namespace vimach;

namespace {

/// The model, or null after saying that the test is skipped.
const Gpt2* published_gpt2() {
    if (!std::filesystem::exists(find_in_project("weights/gpt2/model.safetensors"))) {
        std::printf("SKIPPED: needs weights/gpt2; run weights/fetch.sh gpt2\n");
        return nullptr;
    }
    static const Gpt2 model = load_gpt2("weights/gpt2");
    return &model;
}

std::vector<int> continue_greedily(const Gpt2& model, std::vector<int> ids, size_t length) {
    while (ids.size() < length) {
        Tensor resid = embed_ids(model, ids, 1);
        run_blocks(model, resid, 1);
        Tensor logits = unembed(model, resid);
        auto last = logits.row(logits.rows() - 1);
        auto best = std::max_element(last.begin(), last.end());
        ids.push_back(static_cast<int>(best - last.begin()));
    }
    return ids;
}

/// Checks that the continuation of a text, up to `length` tokens in all, is the published one.
void check_continuation(const char* text, const char* expected, size_t length) {
    const Gpt2* model = published_gpt2();
    if (model == nullptr) return;
    Tokenizer tokenizer = load_tokenizer();
    std::vector<int> ids = continue_greedily(*model, tokenizer.encode(text), length);
    CHECK(tokenizer.decode(ids) == std::string(text) + expected);
}

}  // namespace

TEST_CASE("gpt2, published: 20 greedy tokens from 'The dog' (transformers, test_modeling_gpt2)") {
    const Gpt2* model = published_gpt2();
    if (model == nullptr) return;
    CHECK(model->config.n_parameter() == 124'439'808);
    const std::vector<int> expected = {464, 3290, 373, 1043, 287,   257, 2214, 1474, 262, 16246,
                                       286, 2688, 290, 2688, 27262, 13,  198,  198,  464, 3290};
    CHECK(continue_greedily(*model, {464, 3290}, 20) == expected);
}

TEST_CASE("gpt2, published: greedy texts (transformers, test_batch_generation)") {
    check_continuation("Hello, my dog is a little", " bit of a mess. I'm not sure if he's going",
                       20);
    check_continuation("Today, I", "'m going to be doing a lot of research on this. I", 16);
}

TEST_CASE("gpt2, published: greedy text 'The flying machine' (transformers, TensorFlow test)") {
    check_continuation("The flying machine",
                       " is a small, lightweight, and lightweight aircraft that can be used for "
                       "any type of",
                       20);
}

TEST_CASE("gpt2, published: loss of 'Hello world!' (TransformerLens, test_hooked_transformer)") {
    const Gpt2* model = published_gpt2();
    if (model == nullptr) return;
    std::vector<int> ids = {50256, 15496, 995, 0};
    Tensor resid = embed_ids(*model, ids, 1);
    run_blocks(*model, resid, 1);
    std::vector<double> losses = next_token_losses(*model, resid, ids, 1);
    double mean = std::accumulate(losses.begin(), losses.end(), 0.0) / 3;
    CHECK(std::abs(mean - 5.331855773925781) < 4e-5);  // their tolerance
}
