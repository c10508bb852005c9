// GPT-2's forward pass against PyTorch float64 (tests/gpt2_reference.py records it), and the
// properties that need no reference: causality, batches, starting and stopping at a layer.
// Parity is max |a - b| / max |b| per tensor.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "model/gpt2_file.h"
#include "model/layers.h"
#include "model/safetensors.h"
#include "support.h"

using namespace vimach;

namespace {

// Float rounds to 6e-8 and a forward pass adds up some thousand terms a layer.
constexpr double tolerance = sizeof(Real) == 4 ? 2e-5 : 1e-10;

Tensor recorded(const SafetensorsReader& file, const std::string& name) {
    const TensorEntry* entry = file.find(name);
    REQUIRE_MESSAGE(entry != nullptr, name);
    return file.read(*entry);
}

std::vector<int> recorded_ids(const SafetensorsReader& file, const std::string& name) {
    Tensor values = recorded(file, name);
    return {values.data.begin(), values.data.end()};
}

/// max |a - b| / max |b|; masked scores are -infinity in a and 0 in b, and do not count.
double difference(std::span<const Real> a, std::span<const Real> b) {
    REQUIRE(a.size() == b.size());
    double worst = 0, largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        if (a[i] == -std::numeric_limits<Real>::infinity() && b[i] == 0) continue;
        double gap = std::abs(static_cast<double>(a[i]) - b[i]);
        worst = gap > worst || std::isnan(gap) ? gap : worst;
        largest = std::max(largest, std::abs(static_cast<double>(b[i])));
    }
    return worst / largest;
}

double difference(const std::vector<double>& a, const Tensor& b) {
    std::vector<Real> narrow(a.begin(), a.end());
    return difference(narrow, b.data);
}

std::vector<std::string> every_tap(const Gpt2& model) {
    std::vector<std::string> taps;
    for (int64_t layer = 0; layer < model.config.n_layer; ++layer) {
        for (const char* name : tap_names()) {
            taps.push_back("blocks." + std::to_string(layer) + "." + name);
        }
    }
    return taps;
}

void check_parity(const Gpt2& model, const std::string& expected_path, int64_t n_window) {
    SafetensorsReader file(expected_path);
    std::vector<int> ids = recorded_ids(file, "ids");

    Tensor resid = embed_ids(model, ids, n_window);
    Taps taps = run_blocks(model, resid, n_window, {.taps = every_tap(model)});
    CHECK(taps.size() == every_tap(model).size());
    for (const auto& [name, tensor] : taps) {
        Tensor expected = recorded(file, name);
        CHECK_MESSAGE(tensor.shape == expected.shape, name);
        CHECK_MESSAGE(difference(tensor.data, expected.data) < tolerance, name);
    }

    CHECK(difference(final_norm(model, resid).data, recorded(file, "final_norm").data) < tolerance);
    Tensor expected = recorded(file, "logits"), logits = unembed(model, resid);
    std::span<const Real> last(logits.data.end() - expected.size(), logits.data.end());
    CHECK(difference(last, expected.data) < tolerance);
    CHECK(difference(next_token_losses(model, resid, ids, n_window), recorded(file, "losses")) <
          tolerance);

    // The same without position embeddings.
    Tensor bare = embed_ids(model, ids, n_window, false);
    run_blocks(model, bare, n_window);
    Tensor bare_logits = unembed(model, bare);
    expected = recorded(file, "logits_without_positions");
    CHECK(difference(bare_logits.row(bare.rows() - 1), expected.data) < tolerance);
}

Gpt2 tiny() { return load_gpt2("tests/fixtures/tiny_a"); }

std::vector<int> tiny_ids(const Gpt2& model, int64_t count) {
    std::vector<int> ids;
    for (int64_t i = 0; i < count; ++i) {
        ids.push_back(static_cast<int>((7 * i + 3) % model.config.d_vocab));
    }
    return ids;
}

}  // namespace

TEST_CASE("forward: every tap, logits and losses agree with PyTorch on tiny models") {
    check_parity(tiny(), find_in_project("tests/fixtures/tiny_a/expected.safetensors"), 3);
    check_parity(load_gpt2("tests/fixtures/tiny_b"),
                 find_in_project("tests/fixtures/tiny_b/expected.safetensors"), 3);
}

TEST_CASE("forward: every tap, logits and losses agree with PyTorch on the embedded model") {
    Gpt2 nano = load_gpt2("weights/nano");
    std::string path = find_in_project("tests/fixtures/nano_expected.safetensors");
    check_parity(nano, path, 1);

    // Two whole contexts, so that attention runs over several blocks of queries.
    SafetensorsReader file(path);
    std::vector<int> ids = recorded_ids(file, "long_ids");
    Tensor resid = embed_ids(nano, ids, 2);
    run_blocks(nano, resid, 2);
    CHECK(difference(next_token_losses(nano, resid, ids, 2), recorded(file, "long_losses")) <
          tolerance);
}

TEST_CASE("forward: the same digits on 1, 2 and 3 threads and whatever taps are kept") {
    Gpt2 nano = load_gpt2("weights/nano");
    std::vector<int> ids(2 * 200);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int>((i * 7919) % 50257);
    int before = thread_count();
    std::vector<Tensor> results;
    for (int n_thread : {1, 2, 3}) {
        set_thread_count(n_thread);
        Tensor resid = embed_ids(nano, ids, 2);
        run_blocks(nano, resid, 2,
                   {.taps = n_thread == 1 ? std::vector<std::string>{} : every_tap(nano)});
        results.push_back(unembed(nano, resid));
    }
    set_thread_count(before);
    CHECK(results[0].data == results[1].data);
    CHECK(results[0].data == results[2].data);
}

TEST_CASE("forward: a token does not see what follows it") {
    Gpt2 nano = load_gpt2("weights/nano");
    std::vector<int> ids(200);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int>((i * 104729) % 50257);
    Tensor whole = embed_ids(nano, ids, 1);
    run_blocks(nano, whole, 1);
    Tensor prefix = embed_ids(nano, std::span(ids).first(150), 1);
    run_blocks(nano, prefix, 1);
    std::span<const Real> same(whole.data.data(), prefix.data.size());
    CHECK(difference(same, prefix.data) < tolerance);
}

TEST_CASE("forward: running to a layer and on from it is running through") {
    Gpt2 model = tiny();
    std::vector<int> ids = tiny_ids(model, 10);
    Tensor through = embed_ids(model, ids, 2);
    Taps taps = run_blocks(model, through, 2, {.taps = {"blocks.1.resid_pre"}});

    Tensor parts = embed_ids(model, ids, 2);
    run_blocks(model, parts, 2, {.stop = 1});
    CHECK(parts.data == taps.at("blocks.1.resid_pre").data);
    run_blocks(model, parts, 2, {.first = 1});
    CHECK(parts.data == through.data);
}

TEST_CASE("forward: embeddings of one's own, with and without positions") {
    Gpt2 model = tiny();
    std::vector<int> ids = tiny_ids(model, 6);
    Tensor embeddings({6, model.config.d_model});
    for (int64_t i = 0; i < 6; ++i)
        std::ranges::copy(model.W_E.row(ids[i]), embeddings.row(i).begin());
    CHECK(embeddings.data == embed_ids(model, ids, 2, false).data);
    add_position_embeddings(model, embeddings, 2);
    CHECK(embeddings.data == embed_ids(model, ids, 2).data);
}

TEST_CASE("forward: a pattern's rows sum to one and hide the future") {
    Gpt2 model = tiny();
    std::vector<int> ids = tiny_ids(model, 9);
    Tensor resid = embed_ids(model, ids, 1);
    Taps taps = run_blocks(model, resid, 1, {.taps = {"blocks.0.attn_pattern"}});
    const Tensor& pattern = taps.at("blocks.0.attn_pattern");
    for (int64_t i = 0; i < pattern.rows(); ++i) {
        std::span<const Real> row = pattern.row(i);
        CHECK(std::accumulate(row.begin(), row.end(), 0.0) == doctest::Approx(1));
        for (int64_t key = i % 9 + 1; key < 9; ++key) CHECK(row[key] == 0);
    }
}

TEST_CASE("forward: scores hide the future too, and their softmax is the pattern") {
    Gpt2 model = tiny();
    std::vector<int> ids = tiny_ids(model, 9);
    Tensor resid = embed_ids(model, ids, 1);
    Taps taps =
        run_blocks(model, resid, 1, {.taps = {"blocks.0.attn_scores", "blocks.0.attn_pattern"}});
    const Tensor &scores = taps.at("blocks.0.attn_scores"),
                 &pattern = taps.at("blocks.0.attn_pattern");
    for (int64_t i = 0; i < scores.rows(); ++i) {
        double total = 0;
        for (Real score : scores.row(i)) total += std::exp(double{score});
        for (int64_t key = 0; key < 9; ++key) {
            double score = scores.row(i)[key];
            CHECK((score == -std::numeric_limits<double>::infinity()) == (key > i % 9));
            CHECK(std::abs(std::exp(score) / total - pattern.row(i)[key]) < 1e-6);
        }
    }
}

TEST_CASE("forward: what cannot be run is refused by name") {
    Gpt2 model = tiny();
    std::vector<int> ids = tiny_ids(model, 10);
    auto check_refused = [](const char* phrase, const std::function<void()>& action) {
        test::check_contains(test::error_of(action), phrase);
    };
    Tensor resid = embed_ids(model, ids, 1);
    check_refused("use blocks.N.NAME with N from 0 to 1",
                  [&] { run_blocks(model, resid, 1, {.taps = {"blocks.2.mlp_pre"}}); });
    check_refused("there is no activation 'blocks.1.mlp'",
                  [&] { run_blocks(model, resid, 1, {.taps = {"blocks.1.mlp"}}); });
    for (const char* tap : {"blocks.01.mlp_pre", "blocks.-1.mlp_pre", "blocks.1mlp_pre", "blocks.",
                            "block.1.mlp_pre", "blocks.1.", ""}) {
        check_refused("use blocks.N.NAME", [&] { run_blocks(model, resid, 1, {.taps = {tap}}); });
    }
    check_refused("cannot run blocks 2 to 1",
                  [&] { run_blocks(model, resid, 1, {.first = 2, .stop = 1}); });
    check_refused("cannot run blocks 0 to 3", [&] { run_blocks(model, resid, 1, {.stop = 3}); });
    check_refused("do not divide into 3 windows", [&] { embed_ids(model, ids, 3); });
    check_refused("do not fit into the context of 16",
                  [&] { embed_ids(model, tiny_ids(model, 17), 1); });
    check_refused("the id 61 is not in the model's vocabulary",
                  [&] { embed_ids(model, std::vector<int>{61}, 1); });
    check_refused("the id -1", [&] { embed_ids(model, std::vector<int>{-1}, 1); });
    check_refused("has the shape", [&] {
        Tensor wrong({4, 11});
        run_blocks(model, wrong, 1);
    });
}

TEST_CASE("load: weights that are not finite are refused by name") {
    Gpt2 model = tiny();
    model.blocks[1].W_in.data[7] = std::numeric_limits<Real>::quiet_NaN();
    test::TempFolder folder;
    save_gpt2(model, folder.path());
    test::check_contains(test::error_of([&] { load_gpt2(folder.path()); }),
                         "h.1.mlp.c_fc.weight holds a value that is NaN or infinite");
}
