// Chapter 3's parts: its page, its windows and stream, its arms, reconstructions spliced into the
// model, and what a run costs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "chapters/03_laminar_profile/plan.h"
#include "chapters/03_laminar_profile/splice.h"
#include "chapters/03_laminar_profile/store.h"
#include "core/files.h"
#include "math/stats.h"
#include "math/vector_ops.h"
#include "model/gpt2_file.h"
#include "support.h"
#include "text/html_text.h"
#include "text/tokenizer.h"

using namespace vimach;
using namespace vimach::ch03;

namespace {

constexpr Gpt2Config tiny = {
    .n_layer = 3, .n_head = 2, .d_model = 8, .d_mlp = 32, .n_ctx = 16, .d_vocab = 50};

std::vector<int> random_ids(int64_t n) {
    Rng rng(2);
    std::vector<int> ids;
    for (int64_t i = 0; i < n; ++i) ids.push_back(static_cast<int>(rng.below(50)));
    return ids;
}

/// Windows of 16 ids.
std::vector<Window> windows_at(std::span<const int> ids, const std::vector<size_t>& starts) {
    std::vector<Window> windows;
    for (size_t start : starts) windows.push_back(ids.subspan(start, 16));
    return windows;
}

/// Random weights whose MLPs matter.
Gpt2 model_with_loud_mlps() {
    Gpt2 model = random_gpt2(tiny, 1);
    for (Gpt2Block& block : model.blocks) {
        for (Real& w : block.W_out.data) w *= 30;
    }
    return model;
}

/// An SAE that gives back what it reads: x = relu(x) - relu(-x).
Sae identity_sae(int64_t width) {
    Rng rng(1);
    Sae sae = random_sae({.d_in = width, .n_latent = 2 * width}, rng);
    for (Tensor* t : {&sae.W_enc, &sae.b_enc, &sae.W_dec, &sae.b_dec}) {
        std::ranges::fill(t->data, Real(0));
    }
    for (int64_t i = 0; i < width; ++i) {
        sae.W_enc.row(i)[i] = sae.W_dec.row(i)[i] = 1;
        sae.W_enc.row(i)[width + i] = sae.W_dec.row(width + i)[i] = -1;
    }
    return sae;
}

}  // namespace

// --- the page -----------------------------------------------------------------------------------

TEST_CASE("laminar: the page is long enough, says nothing twice, and has both marks") {
    std::string path = find_in_project("chapters/03_laminar_profile/data/led.html");
    std::string page = test::read_raw(path);
    std::string text = read_article(page, PageForm::text, path);
    std::string markup = read_article(page, PageForm::markup, path);
    Tokenizer tokenizer = load_tokenizer();
    CHECK(tokenizer.encode(text).size() >= 10'240);
    CHECK(tokenizer.encode(markup).size() >= 10'240);
    CHECK(text.starts_with("Light-emitting diode\n"));
    CHECK(page.find("cite_note-2\"><span", page.find("id=\"References\"")) != page.npos);
    for (const char* beyond :
         {"Candela-class", "This notice stands before", "client-js", "<", "&#"}) {
        CHECK_MESSAGE(text.find(beyond) == text.npos, beyond);
    }

    // No sentence of eight words or more comes twice, and so no paragraph.
    std::set<std::string> seen;
    for (size_t at = 0, end; at < text.size(); at = end + 1) {
        end = std::min(text.find_first_of(".\n", at), text.size());
        std::string sentence = text.substr(at, end - at);
        if (std::ranges::count(sentence, ' ') < 8) continue;
        CHECK_MESSAGE(seen.insert(sentence).second, sentence);
    }
    CHECK(seen.size() > 300);
}

// --- windows and the stream ---------------------------------------------------------------------

TEST_CASE("laminar: a list of layers") {
    CHECK(parse_layers("", 3) == std::vector<int64_t>{0, 1, 2});
    CHECK(parse_layers("4,0-2,1", 12) == std::vector<int64_t>{0, 1, 2, 4});
    CHECK(parse_layers("11", 12) == std::vector<int64_t>{11});
    for (const char* bad : {"12", "3-1", "a", "1,", ",1", "1--2", "-1", "1-", "0-12", "1 2", "1.5",
                            "99999999999999999999"}) {
        CAPTURE(std::string(bad));
        test::check_contains(test::error_of([&] { parse_layers(bad, 12); }), "--layers");
    }
}

TEST_CASE("laminar: windows one after the other or at random, and what they cover") {
    Rng rng(1);
    CHECK(window_starts(3, 16, 50, false, rng) == std::vector<int64_t>{0, 16, 32});
    std::vector<int64_t> drawn = window_starts(200, 16, 18, true, rng);
    std::ranges::sort(drawn);
    drawn.erase(std::unique(drawn.begin(), drawn.end()), drawn.end());
    CHECK(drawn == std::vector<int64_t>{0, 1, 2});
    CHECK(window_starts(2, 16, 16, true, rng) == std::vector<int64_t>{0, 0});
    std::vector<int> ids = random_ids(60);
    CHECK(coverage(windows_at(ids, {0, 16, 32})) == 48);
    CHECK(coverage(windows_at(ids, {8, 0, 8})) == 24);
    CHECK(coverage(windows_at(ids, {40, 0})) == 32);

    // Every seed draws its own; too short an article is refused.
    WindowPlan plan = {.n_window = 3, .n_ctx = 16, .at_random = true, .first_seed = 1, .n_seed = 2};
    auto windows = draw_windows(ids, plan, "page");
    REQUIRE((windows.size() == 2 && windows[0].size() == 3));
    CHECK(windows[0][0].data() != windows[1][0].data());
    plan.at_random = false;
    CHECK(draw_windows(ids, plan, "page")[1][2].data() == ids.data() + 32);
    plan.n_window = 4;
    test::check_contains(test::error_of([&] { draw_windows(ids, plan, "page"); }),
                         "the article has 60 tokens, 64 are needed (page)");
}

TEST_CASE("laminar: rows in batches, each row once an epoch") {
    Tensor x({10, 1});
    for (int64_t i = 0; i < 10; ++i) x.row(i)[0] = static_cast<Real>(i);
    RowBatches batches(x, 4);
    Rng rng(1);
    batches.shuffle(rng);
    std::multiset<Real> seen;
    for (int64_t first = 0; first < 10; first += batches.size()) {
        ConstMatrixView rows = batches.from(first);
        CHECK(rows.rows == std::min<int64_t>(4, 10 - first));
        for (int64_t i = 0; i < rows.rows; ++i) seen.insert(rows.data[i * rows.stride]);
    }
    CHECK(seen == std::multiset<Real>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    RowBatches all(x, 0);
    CHECK((all.size() == 10 && all.from(0).data == x.data.data()));
}

TEST_CASE("laminar: the stream that is carried gives what one run of the whole model gives") {
    Gpt2 model = random_gpt2(tiny, 1);
    std::vector<int> ids = random_ids(40);
    std::vector<Window> windows = windows_at(ids, {0, 16, 24});
    Stream stream = embed_windows(model, windows);
    for (int64_t layer = 0; layer < 3; ++layer) {
        LayerRows rows = run_block(model, stream, layer, "mlp_out", 1);
        REQUIRE(rows.x.shape == std::vector<int64_t>{45, 8});
        for (size_t w = 0; w < 3; ++w) {
            Tensor whole = activations(model, windows[w], 1, format("blocks.%ld.mlp_out", layer));
            auto first = static_cast<int64_t>(w) * 15;
            CHECK(std::equal(whole.data.begin() + 8, whole.data.end(), rows.x.row(first).begin()));
            CHECK(rows.first_ratios[w] == first_row_ratio(whole.matrix()));
        }
    }
    CHECK(run_block(model, stream, 0, "mlp_pre", 0).x.shape == std::vector<int64_t>{48, 32});
}

// --- splices ------------------------------------------------------------------------------------

TEST_CASE("laminar: what the model loses with something else in a layer's place") {
    Gpt2 model = model_with_loud_mlps();
    std::vector<int> ids = random_ids(40);
    std::vector<Window> windows = windows_at(ids, {0, 16, 24});
    std::vector<double> costs_of_mean;
    for (const char* hook : {"mlp_out", "mlp_pre"}) {
        CAPTURE(std::string(hook));
        Splice splice(model, windows, 32, hook, 1);  // the first two windows
        Stream stream = embed_windows(model, windows);
        for (int64_t layer = 0; layer < 3; ++layer) {
            LayerRows rows = run_block(model, stream, layer, hook, 1);
            splice.enter(layer, stream, rows.x);
            CHECK(std::abs(splice.cost(identity_sae(rows.x.cols()))) < 1e-4);
        }
        costs_of_mean.push_back(splice.cost_of_mean());
    }

    // The mean of the MLP's output costs the same from either side of gelu and W_out.
    CHECK(costs_of_mean[0] == doctest::Approx(costs_of_mean[1]).epsilon(1e-3));
    CHECK(test::error_of([&] {
              Splice(model, windows, 32, "attn_out", 1);
          }).starts_with("cannot splice"));
}

TEST_CASE("laminar: the mean in a layer's place costs what the whole model says it does") {
    Gpt2 model = model_with_loud_mlps();
    std::vector<int> ids = random_ids(40);
    std::vector<Window> windows = windows_at(ids, {0, 16, 24});
    Splice splice(model, windows, 32, "mlp_out", 1);
    Stream stream = embed_windows(model, windows);
    for (int64_t layer : {0, 1}) {
        LayerRows rows = run_block(model, stream, layer, "mlp_out", 1);
        splice.enter(layer, stream, rows.x);
        if (layer == 0) continue;

        // Run both windows on with the mean in rows 1 to 15.
        rows.x.shape = {30, 8};
        rows.x.data.resize(240);
        Matrix own = to_matrix(rows.x);
        std::vector<double> means = column_means(own);
        double cost = 0;
        for (int64_t w = 0; w < 2; ++w) {
            Tensor clean = stream[w], other = stream[w];
            for (int64_t i = 0; i < 15 * 8; ++i) {
                other.row(i / 8 + 1)[i % 8] +=
                    static_cast<Real>(means[i % 8] - own.at(15 * w + i / 8, i % 8));
            }
            run_blocks(model, clean, 1, {.first = 2});
            run_blocks(model, other, 1, {.first = 2});
            cost += mean(next_token_losses(model, other, windows[w], 1)) -
                    mean(next_token_losses(model, clean, windows[w], 1));
        }
        CHECK(std::abs(cost / 2) > 0.001);
        CHECK(splice.cost_of_mean() == doctest::Approx(cost / 2).epsilon(1e-3));

        // An SAE that gives the mean whatever it reads is mean ablation.
        Sae constant = identity_sae(8);
        std::ranges::fill(constant.W_dec.data, Real(0));
        for (size_t j = 0; j < 8; ++j) constant.b_dec.data[j] = static_cast<Real>(means[j]);
        CHECK(splice.cost(constant) == doctest::Approx(splice.cost_of_mean()).epsilon(1e-3));
    }
}

// --- arms ---------------------------------------------------------------------------------------

TEST_CASE("laminar: Gaussian rows share mean and covariance with the data, and nothing else") {
    // Data of two clusters: far from Gaussian along the first axis, correlated with the second.
    Rng rng(3);
    Tensor x({20'000, 3});
    for (int64_t i = 0; i < x.rows(); ++i) {
        double side = rng.below(2) == 0 ? -1 : 1;
        x.row(i)[0] = static_cast<Real>(2 + side);
        x.row(i)[1] = static_cast<Real>(0.5 * side + 0.1 * rng.normal());
        x.row(i)[2] = static_cast<Real>(-1);
    }
    Tensor y = x;
    make_gaussian(y, 1, 7);
    auto column = [](const Tensor& t, int64_t j) {
        std::vector<double> values;
        for (int64_t i = 0; i < t.rows(); ++i) values.push_back(t.row(i)[j]);
        return values;
    };
    for (int64_t j = 0; j < 3; ++j) {
        CHECK(std::abs(mean(column(y, j)) - mean(column(x, j))) < 0.03);
        CHECK(std::abs(variance(column(y, j)) - variance(column(x, j))) < 0.03);
    }
    CHECK(std::abs(correlation(column(y, 0), column(y, 1)) -
                   correlation(column(x, 0), column(x, 1))) < 0.01);
    auto kurtosis = [&](std::vector<double> values) {
        double centre = mean(values), fourth = 0;
        for (double v : values) fourth += std::pow(v - centre, 4);
        return fourth / static_cast<double>(values.size()) / std::pow(variance(values), 2);
    };
    CHECK(kurtosis(column(x, 0)) < 1.1);
    CHECK(std::abs(kurtosis(column(y, 0)) - 3) < 0.15);

    // The covariance is that of a sample: n - 1 stands below, as four rows show.
    double squares = 0;
    for (uint64_t seed = 0; seed < 2000; ++seed) {
        Tensor four({4, 1});
        four.data = {-1, 1, -1, 1};
        make_gaussian(four, 1, seed);
        squares += sum_of_squares(four.data);
    }
    CHECK(squares / 8000 == doctest::Approx(4.0 / 3).epsilon(0.08));

    // The unit multiplies all of it; the same seed gives the same numbers.
    Tensor again = x, doubled = x;
    make_gaussian(again, 1, 7);
    make_gaussian(doubled, 2, 7);
    CHECK(again.data == y.data);
    CHECK(std::abs(doubled.row(5)[0] - 2 * y.row(5)[0]) < 1e-5);
}

TEST_CASE("laminar: a layer in its own unit has mean square 1") {
    Tensor x({2, 2});
    x.data = {3, 4, 0, 5};
    double unit = scale_to_unit(x);
    CHECK(std::abs(unit - std::sqrt(12.5)) < 1e-6);
    CHECK(std::abs(x.data[3] * unit - 5) < 1e-5);
    Tensor zero({2, 2});
    CHECK(scale_to_unit(zero) == 1);
}

TEST_CASE("laminar: how far the first row of a window stands out") {
    Tensor window({4, 2});
    window.data = {6, 8, 1, 0, 0, 2, 0, -2};
    CHECK(std::abs(first_row_ratio(window.matrix()) - 5) < 1e-12);
    Tensor few({3, 1});
    few.data = {10, 1, 4};  // beside the median of two, not of three
    CHECK(std::abs(first_row_ratio(few.matrix()) - 4) < 1e-12);
    CHECK(std::isnan(first_row_ratio(row_range(window.matrix(), 0, 1))));
    window.data = {6, 8, 0, 0, 0, 0, 0, 1};  // the median of the others is 0
    CHECK(std::isnan(first_row_ratio(window.matrix())));
}

TEST_CASE("laminar: density x activation where active, each from 0 to 1") {
    SaeSummary summary = {.losses = {}, .n_row = 10};
    summary.n_active = {0, 10, 5};
    summary.mean_latent = {0, 4, 1};  // where active: -, 4, 2
    CHECK(std::abs(density_times_activation(summary) - (0 + 1 + 0.5 * 0.5) / 3) < 1e-12);
    summary.n_active = {5, 5, 5};
    CHECK(density_times_activation(summary) == 0);
}

// --- what is kept, and what it costs ------------------------------------------------------------

TEST_CASE("laminar: a run's hash changes with its settings and its windows") {
    std::vector<int> ids = random_ids(40);
    RunShape shape = {.hook = "mlp_out", .sae = {.d_in = 8, .n_latent = 32}, .n_token = 32};
    auto hash = [&](const RunShape& s, const std::vector<size_t>& starts) {
        return run_hash(s, {windows_at(ids, starts)}, "weights/nano");
    };
    uint64_t here = hash(shape, {0, 16});
    CHECK(hash(shape, {0, 16}) == here);
    CHECK(hash(shape, {0, 17}) != here);
    RunShape other = shape;
    other.learning_rate = 1;
    CHECK(hash(other, {0, 16}) != here);
    other = shape;
    other.n_cut = 1;
    CHECK(hash(other, {0, 16}) != here);
    other = shape;
    other.seed = 2;  // the windows may be the same
    CHECK(hash(other, {0, 16}) != here);
    other = shape;
    other.model.n_head = 2;  // config.json says it, the weights do not
    CHECK(hash(other, {0, 16}) != here);
}

TEST_CASE("laminar: the plan's memory, and what is said of a scaled run") {
    RunShape shape = {
        .hook = "mlp_out", .model = gpt2_small, .n_token = 10'240, .n_batch_row = 1024};
    shape.sae = {.d_in = 768, .n_latent = 3072};
    double numbers = 124'439'808 + 10'240.0 * 768 * 2.5 + 4.0 * (2 * 768 * 3072 + 768 + 3072);
    double block = 1024.0 * (9 * 3072 + 8 * 768);
    CHECK(std::abs(memory_bound(shape) - (numbers * sizeof(Real) + block + 58e6)) < 1);
    shape.n_batch_row = 0;  // all rows, in 5 blocks
    CHECK(memory_bound(shape) - numbers * sizeof(Real) - 2 * block == doctest::Approx(58e6));
    CHECK(peak_memory() > 1e6);
    RunShape here = shape, whole = shape;
    here.n_epoch = 5, whole.n_epoch = 75, here.n_layer = whole.n_layer = 12;
    CHECK(run_text(here, whole) ==
          "blocks.N.mlp_out, 768 wide, in 12 layers, first token of a window kept; 3072 latents; 5 "
          "epochs; scaled down: 5 of 75 epochs");
    CHECK(run_text(whole, whole).ends_with("75 epochs"));
    CHECK(width_of(gpt2_small, "mlp_pre") == 3072);
    CHECK(density_ceiling({.n_latent = 12, .top_k = 4}) == doctest::Approx(1 / 3.0));
}
