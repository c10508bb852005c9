// Continuing a text: what is kept of the tokens before gives the logits of a whole pass, at every
// position and beyond the context, and tokens are drawn as they should be.
#include "model/generate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/ensure.h"
#include "math/vector_ops.h"
#include "model/gpt2_file.h"
#include "support.h"

using namespace vimach;

namespace {

/// The logits after the last of some tokens, by one pass over the window.
Tensor logits_of_pass(const Gpt2& model, std::span<const int> ids) {
    ids = ids.last(std::min(ids.size(), static_cast<size_t>(model.config.n_ctx)));
    Tensor resid = embed_ids(model, ids, 1);
    run_blocks(model, resid, 1);
    return unembed_last(model, resid);
}

/// The largest difference as a share of the largest number.
double largest_gap(const Tensor& a, const Tensor& b) {
    double gap = 0, size = 0;
    for (size_t i = 0; i < a.data.size(); ++i) {
        gap = std::max(gap, std::abs(static_cast<double>(a.data[i]) - b.data[i]));
        size = std::max(size, std::abs(static_cast<double>(a.data[i])));
    }
    return gap / size;
}

Tensor logits_from(std::initializer_list<Real> values) {
    Tensor t({1, static_cast<int64_t>(values.size())});
    std::ranges::copy(values, t.data.begin());
    return t;
}

}  // namespace

TEST_CASE("generate: at every position the logits are those of a whole pass") {
    struct Case {
        const char* folder;
        size_t n_given, n_more;
    };
    for (Case c : {Case{"tests/fixtures/tiny_a", 1, 20},
                   {"tests/fixtures/tiny_a", 5, 12},
                   {"tests/fixtures/tiny_a", 40, 3},
                   {"weights/nano", 1, 140},
                   {"weights/nano", 200, 60}}) {
        Gpt2 model = load_gpt2(c.folder);
        auto id = [&](size_t i) { return static_cast<int>(i * 7919 % model.config.d_vocab); };
        std::vector<int> ids;
        for (size_t i = 0; i < c.n_given; ++i) ids.push_back(id(i));
        Continuation text(model, ids);
        bool slid = false;
        for (size_t i = c.n_given; i < c.n_given + c.n_more; ++i) {
            CAPTURE(c.folder);
            CAPTURE(i);
            CHECK(largest_gap(text.logits(), logits_of_pass(model, text.ids())) < 1e-5);
            slid = slid || text.slides();
            text.append(id(i));
        }
        CHECK(slid == (std::ssize(text.ids()) > model.config.n_ctx));
        CHECK(text.ids().back() == id(c.n_given + c.n_more - 1));
    }
}

TEST_CASE("generate: a past takes several tokens at a time, and what does not fit is refused") {
    Gpt2 model = load_gpt2("weights/nano");
    std::vector<int> ids;
    for (int i = 0; i < 200; ++i) ids.push_back(i * 7919 % 50257);
    Tensor whole = embed_ids(model, ids, 1);
    run_blocks(model, whole, 1);
    Past past;
    for (auto [begin, end] : {std::pair{0, 3}, {3, 150}, {150, 151}, {151, 200}}) {
        Tensor part = embed_ids(model, std::span(ids).subspan(begin, end - begin), 1, false);
        add_position_embeddings(model, part, 1, past.n_token);
        run_blocks(model, part, 1, {.past = &past});
        for (int64_t i = begin; i < end; ++i) {
            for (int64_t j = 0; j < whole.cols(); ++j) {
                CHECK(std::abs(part.row(i - begin)[j] - whole.row(i)[j]) < 2e-4);
            }
        }
    }
    CHECK(past.n_token == 200);
    Tensor more = embed_ids(model, std::span(ids).first(57), 1, false);
    CHECK_THROWS_WITH_AS(run_blocks(model, more, 1, {.past = &past}),
                         doctest::Contains("257 tokens do not fit"), Error);
    CHECK_THROWS_AS(run_blocks(model, more, 3, {.past = &past}), Error);
    CHECK_THROWS_AS(run_blocks(model, more, 1, {.first = 1, .past = &past}), Error);
    CHECK_THROWS_AS(Continuation(model, {}), Error);
}

TEST_CASE("generate: the best token, the best few, and draws in proportion") {
    Tensor logits = logits_from({0, 2, 1, 2});
    Rng rng(1);
    CHECK(largest(logits.data, 3) == std::vector<int>{1, 3, 2});
    CHECK(largest(logits.data, 9).size() == 4);
    CHECK(choose_token(logits, {}, rng) == 1);
    CHECK(choose_token(logits, {.temperature = 1, .top_k = 1}, rng) == 1);

    // So small a temperature leaves the best two, however large the quotients are.
    for (int i = 0; i < 50; ++i) CHECK(choose_token(logits, {.temperature = 1e-42}, rng) % 2 == 1);
    CHECK(choose_token(logits, {.temperature = 1e-60}, rng) % 2 == 1);  // 0 as a float

    // Among the best three at temperature 2: e^1, e^1 and e^0.5 of their sum.
    constexpr int n = 20'000;
    std::vector<int> count(4);
    for (int i = 0; i < n; ++i) {
        ++count[choose_token(logits, {.temperature = 2, .top_k = 3}, rng)];
    }
    double sum = 2 * std::exp(1.0) + std::exp(0.5);
    CHECK(count[0] == 0);
    CHECK(count[1] / double(n) == doctest::Approx(std::exp(1.0) / sum).epsilon(0.03));
    CHECK(count[2] / double(n) == doctest::Approx(std::exp(0.5) / sum).epsilon(0.03));
    CHECK(count[3] / double(n) == doctest::Approx(std::exp(1.0) / sum).epsilon(0.03));
}
