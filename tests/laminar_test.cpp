// Chapter 3's parts: its page, its windows and stream, its controls, its tests of a profile, and
// verdicts that come out one way and then another. Profiles here are made by hand, so that what a
// test must find in them is known.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "chapters/03_laminar_profile/controls.h"
#include "chapters/03_laminar_profile/plan.h"
#include "chapters/03_laminar_profile/store.h"
#include "chapters/03_laminar_profile/stream.h"
#include "core/files.h"
#include "core/rng.h"
#include "math/stats.h"
#include "model/gpt2_file.h"
#include "support.h"
#include "text/html_text.h"
#include "text/tokenizer.h"

using namespace vimach;
using namespace vimach::laminar;

namespace {

constexpr Gpt2Config tiny = {
    .n_layer = 3, .n_head = 2, .d_model = 8, .d_mlp = 32, .n_ctx = 16, .d_vocab = 50};
const Draws few = {.n_bootstrap = 300, .n_permutation = 499};

std::vector<int64_t> layers_to(int64_t n) {
    std::vector<int64_t> layers;
    for (int64_t i = 0; i < n; ++i) layers.push_back(i);
    return layers;
}

/// A profile of three seeds: f(layer) with a little noise.
Profile make_profile(int64_t n_layer, double noise, double (*f)(double layer)) {
    Rng rng(1);
    Profile p(3, n_layer);
    for (int64_t i = 0; i < p.rows * n_layer; ++i) {
        p.data[i] = f(static_cast<double>(i % n_layer)) + noise * rng.normal();
    }
    return p;
}

Trend trend_of(int64_t n_layer, double noise, double (*f)(double layer)) {
    return measure_trend(make_profile(n_layer, noise, f), layers_to(n_layer), few, 1);
}

double rising(double layer) { return 0.1 + 0.02 * layer; }
double flat(double) { return 0.2; }
double u_shaped(double layer) { return 0.2 + 0.01 * (layer - 6) * (layer - 6); }

std::string verdict_of(const std::vector<OldClaim>& claims, const std::string& id) {
    for (const OldClaim& claim : claims) {
        if (claim.id == id) return verdict(claim);
    }
    return "no such claim";
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
    for (int64_t start : window_starts(200, 16, 18, true, rng)) CHECK((start >= 0 && start <= 2));
    CHECK(coverage({0, 16, 32}, 16) == 48);
    CHECK(coverage({8, 0, 8}, 16) == 24);
    CHECK(coverage({40, 0}, 16) == 32);
}

TEST_CASE("laminar: the stream that is carried gives what one run of the whole model gives") {
    Gpt2 model = random_gpt2(tiny, 1);
    std::vector<int> ids;
    Rng rng(2);
    for (int i = 0; i < 40; ++i) ids.push_back(static_cast<int>(rng.below(50)));
    std::vector<int64_t> starts = {0, 16, 24};
    Stream stream = embed_windows(model, ids, starts, 16);
    for (int64_t layer = 0; layer < 3; ++layer) {
        LayerRows rows = run_block(model, stream, layer, "mlp_out", 1);
        REQUIRE(rows.x.shape == std::vector<int64_t>{45, 8});
        for (size_t w = 0; w < 3; ++w) {
            Tensor resid = embed_ids(model, std::span<const int>(ids).subspan(starts[w], 16), 1);
            std::string tap = format("blocks.%ld.mlp_out", layer);
            Taps taps = run_blocks(model, resid, 1, {.taps = {tap}});
            const Tensor& whole = taps.at(tap);
            auto first = static_cast<int64_t>(w) * 15;
            CHECK(std::equal(whole.data.begin() + 8, whole.data.end(), rows.x.row(first).begin()));
            CHECK(rows.first_ratios[w] == first_row_ratio(whole.matrix()));
        }
    }
    CHECK(run_block(model, stream, 0, "mlp_pre", 0).x.shape == std::vector<int64_t>{48, 32});
}

// --- controls -----------------------------------------------------------------------------------

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
    CHECK(first_row_ratio(row_range(window.matrix(), 0, 1)) == 0);
    Measure ratio = mean_measure({5, 5, 5, 5}, few.n_bootstrap, 1);
    CHECK((ratio.value == 5 && ratio.interval.low == 5 && ratio.interval.high == 5));
    Measure spread = mean_measure({1, 3, 5, 7}, few.n_bootstrap, 1);
    CHECK((spread.value == 4 && spread.interval.low < 3 && spread.interval.high > 5));
}

TEST_CASE("laminar: density x activation, each from 0 to 1") {
    SaeSummary summary = {.losses = {}, .n_row = 10};
    summary.n_live = {0, 10, 5};
    summary.mean_latent = {0, 4, 1};
    CHECK(std::abs(density_times_activation(summary) - (0 + 1 + 0.5 * 0.25) / 3) < 1e-12);
    summary.n_live = {5, 5, 5};
    CHECK(density_times_activation(summary) == 0);
}

// --- profiles -----------------------------------------------------------------------------------

TEST_CASE("laminar: a straight rise is found, and so is that there is none") {
    Trend up = trend_of(12, 0.002, rising);
    CHECK(std::abs(up.rise.value - 0.22 / 0.21) < 0.05);
    CHECK(up.rise.interval.low > 0.9);
    CHECK(up.line.value > 0.98);
    CHECK(up.tau > 0.95);
    CHECK(up.tau_p == 1.0 / 500);
    CHECK(up.minimum.value == 0);
    Trend none = trend_of(12, 0.002, flat);
    CHECK((none.rise.interval.low < 0 && none.rise.interval.high > 0));
    CHECK(none.tau_p > 0.05);
    Trend down = trend_of(12, 0.002, [](double layer) { return 0.4 - 0.02 * layer; });
    CHECK(down.rise.interval.high < -0.5);
    CHECK(down.tau_p > 0.99);

    // A rise that one layer makes alone is no rise of the network: its interval reaches zero.
    Trend jump = trend_of(12, 0.002, [](double layer) { return layer == 11 ? 0.9 : 0.1; });
    CHECK(jump.rise.value > 0.5);
    CHECK(jump.rise.interval.low < 0.1);
}

TEST_CASE("laminar: a U is found, with its place") {
    Trend u = trend_of(12, 0.002, u_shaped);
    CHECK(u.curve.interval.low > 0.3);
    CHECK(u.minimum.value == 6);
    CHECK((u.minimum.interval.low >= 5 && u.minimum.interval.high <= 7));
    CHECK(trend_of(12, 0.001, flat).curve.interval.low < 0);
    Trend hill = trend_of(12, 0.002, [](double layer) { return 1 - u_shaped(layer); });
    CHECK(hill.curve.interval.high < 0);

    // Few layers, one layer: no crash, and no confidence.
    Profile one(1, 1);
    one.data = {0.3};
    Trend alone = measure_trend(one, {4}, few, 1);
    CHECK((alone.rise.value == 0 && alone.curve.value == 0 && alone.minimum.value == 4));
}

// --- verdicts -----------------------------------------------------------------------------------

namespace {

const std::vector<std::string> profile_ids = {"3a rise",       "3a line",   "3b U, MSE",
                                              "3b place, MSE", "3b U, FVU", "3b place, FVU"};

/// Numbers as the document has them, and controls that do nothing of it.
Findings as_in_document() {
    Findings f;
    f.n_layer = 12;
    f.whole = true;
    for (int arm = 0; arm < n_arm; ++arm) {
        bool network = arm == trained || arm == unit_scale;
        auto falling = [](double layer) { return 0.3 - 0.01 * layer; };
        f.density[arm] = trend_of(12, 0.002, network ? rising : flat);
        f.mse[arm] = f.fvu[arm] = trend_of(12, 0.002, network ? u_shaped : +falling);
    }
    f.density[random_weights].line = f.density[gaussian].line = {0.1, {0, 0.4}};
    f.first_token = {8, {7, 9}};
    f.first_token_control = {1, {0.9, 1.1}};
    return f;
}

void check_verdicts(const Findings& f, const std::string& size, const std::string& expected) {
    for (const std::string& id : profile_ids) {
        std::string found = verdict_of(judge(f, {}), id + size);
        CHECK_MESSAGE(found == expected, id << size << ": " << found);
    }
}

}  // namespace

TEST_CASE("chapter 3: verdicts follow the document's numbers, for the size at hand") {
    Findings f = as_in_document();
    check_verdicts(f, ", small", "reproduced");
    check_verdicts(f, ", large", "not tested");
    CHECK(verdict_of(judge(f, {}), "3c") == "reproduced");

    // Some layers only; the other size; a size that the document does not speak of.
    f.whole = false;
    check_verdicts(f, ", small", "not tested");
    f.whole = true;
    f.n_layer = 36;
    check_verdicts(f, ", small", "not tested");
    CHECK(verdict_of(judge(f, {}), "3a rise, large") == "reproduced");
    f.n_layer = 24;
    check_verdicts(f, ", large", "not tested");
}

TEST_CASE("chapter 3: every verdict can come out another way") {
    // A control that does the same, either of the two.
    for (Arm arm : {gaussian, random_weights}) {
        Findings same = as_in_document();
        same.density[arm] = same.density[trained];
        same.mse[arm] = same.mse[trained];
        same.fvu[arm] = same.fvu[trained];
        check_verdicts(same, ", small", "not distinguishable from control");
    }

    // Distinct from every control, and still not what the document says.
    Findings other = as_in_document();
    other.density[trained].rise = {0.3, {0.25, 0.35}};
    other.density[trained].line = {0.7, {0.6, 0.75}};
    other.mse[trained].curve = other.fvu[trained].curve = {0.05, {0.04, 0.06}};
    other.mse[trained].minimum = other.fvu[trained].minimum = {3, {3, 3}};
    other.first_token = {2, {1.5, 2.5}};
    check_verdicts(other, ", small", "not reproduced");
    CHECK(verdict_of(judge(other, {}), "3c") == "not reproduced");
    other.first_token_control = {2, {1, 3}};
    CHECK(verdict_of(judge(other, {}), "3c") == "not distinguishable from control");

    // Top-k that is full in every layer decides the density by itself.
    Findings f = as_in_document();
    Profile full(2, 12);
    std::ranges::fill(full.data, 0.3333);
    f.saturated = saturation(full, 1 / 3.0);
    CHECK(verdict_of(judge(f, {}), "3a rise, small").starts_with("forced (density is k"));
    full.data[5] = 0.31;
    CHECK(saturation(full, 1 / 3.0) == "");
    CHECK(saturation(full, 0) == "");
}

// --- what is kept -------------------------------------------------------------------------------

TEST_CASE("laminar: finished layers come back to the last digit, for the same run only") {
    test::TempFolder folder;
    std::string path = folder.file("layers.tsv");
    Job a = {trained, 0.1, 3, 1}, b = {gaussian, 1, 3, 2};
    LayerResult result = {1.0 / 3, 2.0 / 7, 1e-17, 3e300, 0.1, 511.5, 0};
    {
        Store store(path, 42, false);
        CHECK(store.n_reused() == 0);
        store.add(a, result);
        store.add(b, {});
    }
    Store again(path, 42, false);
    CHECK(again.n_reused() == 2);
    REQUIRE(again.find(a) != nullptr);
    for (const ResultField& field : result_fields) {
        CHECK_MESSAGE(again.find(a)->*field.value == result.*field.value, field.name);
    }
    CHECK(again.find({trained, 0.1, 3, 2}) == nullptr);
    CHECK(again.profile(gaussian, 1, {3}, 2, 1, result_fields[0]).data == std::vector<double>{0});
    CHECK(test::error_of([&] {
              again.profile(trained, 1, {3}, 1, 1, result_fields[0]);
          }).starts_with("an SAE is missing"));

    std::string why = test::error_of([&] { Store other(path, 43, false); });
    test::check_contains(why, "other settings, seed, model or page (" + path + ")");
    test::check_contains(why, "--fresh");
    std::string text = test::read_raw(path);
    for (const std::string& damaged : {text.substr(0, text.size() - 4), text + "1\t2\n",
                                       text + "9" + text.substr(text.find('\n')), text + "x\n",
                                       std::string("no header\n"), std::string()}) {
        test::write_raw(path, damaged);
        test::check_contains(test::error_of([&] { Store broken(path, 42, false); }), "--fresh");
    }
    Store fresh(path, 43, true);
    CHECK(fresh.find(a) == nullptr);
    CHECK(folder.count() == 0);
    fresh.add(a, result);
    fresh.finish();
    CHECK(folder.count() == 0);
}

TEST_CASE("laminar: the hash sees every byte, in its place") {
    CHECK(hash_bytes("") == 14695981039346656037u);
    CHECK(hash_bytes("a") == 0xaf63dc4c8601ec8cu);  // published test values of FNV-1a
    CHECK(hash_bytes("foobar") == 0x85944171f73967e8u);
    CHECK(hash_bytes("bar", hash_bytes("foo")) == hash_bytes("foobar"));
    test::TempFolder folder;
    test::write_raw(folder.file("a"), std::string(3'000'000, 'x') + "y");
    CHECK(hash_file(folder.file("a"), hash_bytes("z")) ==
          hash_bytes(std::string(3'000'000, 'x') + "y", hash_bytes("z")));
}

TEST_CASE("laminar: the plan's memory, and what is said of a scaled run") {
    RunShape shape = {.name = "x", .model = gpt2_small, .n_token = 10'240};
    shape.sae = {.d_in = 768, .n_latent = 3072};
    double numbers = 124'439'808 + 10'240.0 * 768 * 2.5 + 4.0 * (2 * 768 * 3072 + 768 + 3072);
    CHECK(std::abs(memory_bound(shape) - (numbers * sizeof(Real) + 64e6)) < 1);
    CHECK(peak_memory() > 1e6);
    CHECK(scaled_down({{5, 75, "epochs"}, {12, 12, "layers"}, {90, 80, "tokens"}}) ==
          "5 of 75 epochs");
    CHECK(scaled_down({}) == "");
}
