// The parts of nano's training (weights/nano): schedule, step, checkpoint, samples. What a step
// reads: texts_test; the program itself: train_program_test.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/ensure.h"
#include "core/files.h"
#include "model/gpt2_backward.h"
#include "model/gpt2_file.h"
#include "model/json.h"
#include "support.h"
#include "weights/nano/training.h"

using namespace vimach;
using namespace vimach::nano;
using namespace vimach::test;

namespace {

constexpr Settings tiny = {
    .config = {.n_layer = 2, .n_head = 2, .d_model = 8, .d_mlp = 16, .n_ctx = 6, .d_vocab = 40},
    .n_step = 100,
    .n_window = 3,
    .peak_rate = 0.01,
    .n_warm_up = 4};

/// Text of which every token follows from the one before.
std::vector<int> counting_text(int n) {
    std::vector<int> ids;
    for (int i = 0; i < n; ++i) ids.push_back(i * 7 % 40);
    return ids;
}

/// Steps up to `stop`; returns the last one's loss.
double run_steps(State& state, const Settings& s, const std::vector<int>& ids, int64_t stop) {
    double loss = 0;
    Gpt2 grad = zeros_like(state.model);
    Text text = rank_tokens(ids, s.config.d_vocab);
    while (state.n_done < stop) loss = train_step(state, s, text, grad).loss;
    return loss;
}

/// The largest difference between two models' numbers.
double gap(Gpt2& a, Gpt2& b) {
    double worst = 0;
    std::vector<Parameter> x = parameters(a), y = parameters(b);
    for (size_t i = 0; i < x.size(); ++i) {
        for (size_t j = 0; j < x[i].tensor->data.size(); ++j) {
            double difference = std::abs(x[i].tensor->data[j] - y[i].tensor->data[j]);
            worst = difference > worst || std::isnan(difference) ? difference : worst;
        }
    }
    return worst;
}

}  // namespace

// --- one step -----------------------------------------------------------------------------------

TEST_CASE("train: the learning rate rises, stays, and falls to 0 along a cosine") {
    CHECK(learning_rate(tiny, 0) == doctest::Approx(0.0025));
    CHECK(learning_rate(tiny, 1) == doctest::Approx(0.005));
    for (int64_t step : {3, 10, 50, 70}) CHECK(learning_rate(tiny, step) == doctest::Approx(0.01));
    CHECK(learning_rate(tiny, 71) < 0.01);
    CHECK(learning_rate(tiny, 85) == doctest::Approx(0.005));
    CHECK(learning_rate(tiny, 99) > 0);
    CHECK(learning_rate(tiny, 100) == doctest::Approx(0));

    // Before the fall, the number of steps does not matter.
    Settings longer = tiny;
    longer.n_step = 1000;
    for (int64_t step : {0, 3, 69}) CHECK(learning_rate(longer, step) == learning_rate(tiny, step));
    CHECK(learning_rate(longer, 85) != learning_rate(tiny, 85));
}

TEST_CASE(
    "train: a training that starts with a model warms up again, in its place of the schedule") {
    Settings s = tiny;
    s.n_step = 1000;
    s.n_before = 500;
    s.n_warm_up = 10;
    s.decay_share = 0.2;
    s.peak_rate = 1;
    CHECK(learning_rate(s, 500) == doctest::Approx(0.1));
    CHECK(learning_rate(s, 509) == 1);
    CHECK(learning_rate(s, 900) == doctest::Approx(0.5));

    // As the program asks for it, the rate falls from the first of the new steps on.
    Settings more = continued({.n_step = 1500, .n_before = 500, .peak_rate = 1});
    CHECK(learning_rate(more, 500) == doctest::Approx(0.01));
    CHECK(learning_rate(more, 750) == doctest::Approx(0.5 + std::sqrt(0.5) / 2));
    CHECK(learning_rate(more, 1000) == doctest::Approx(0.5));
    CHECK(learning_rate(more, 1500) == doctest::Approx(0));

    Gpt2 model = start(tiny).model;
    State state = start_with(s, model);
    CHECK(state.n_done == 500);
    CHECK(state.model.W_E.data == model.W_E.data);

    // The first step is as large as the first of all: the means begin anew, and so does their bias.
    Gpt2 grad = zeros_like(model);
    grad.ln_final_bias.data[0] = 1;
    Real before = state.model.ln_final_bias.data[0];
    update(state, grad, s);
    CHECK(before - state.model.ln_final_bias.data[0] == doctest::Approx(0.1).epsilon(1e-3));
}

TEST_CASE("train: weights shrink where there is no gradient, biases and layer norms do not") {
    State state = start(tiny);
    for (Parameter& p : parameters(state.model)) std::ranges::fill(p.tensor->data, Real(2));
    Gpt2 grad = zeros_like(state.model);
    update(state, grad, tiny);
    double kept = 2 * (1 - learning_rate(tiny, 0) * tiny.weight_decay);
    int n_shrunk = 0;
    for (const Parameter& p : parameters(state.model)) {
        bool shrinks =
            p.name == "wte.weight" || p.name == "wpe.weight" || p.name.find(".c_") != p.name.npos;
        if (p.name.ends_with(".bias")) shrinks = false;
        n_shrunk += shrinks ? 1 : 0;
        CHECK_MESSAGE(p.tensor->data[0] == doctest::Approx(shrinks ? kept : 2).epsilon(1e-6),
                      p.name);
    }
    CHECK(n_shrunk == 2 + 2 * 4);
    CHECK(kept < 2);
    CHECK(state.n_done == 1);
}

TEST_CASE("train: Muon has the matrices of the blocks, and Q, K and V apart; Adam the rest") {
    // Muon keeps no mean of squares.
    State state = start(tiny);
    Gpt2 grad = zeros_like(state.model), before = state.model;
    for (Parameter& p : parameters(grad)) std::ranges::fill(p.tensor->data, Real(0.1));
    for (int64_t i = 0; i < 8; ++i) grad.blocks[0].W_QKV.row(i)[0] = 100;  // in Q alone
    update(state, grad, tiny);
    for (const Parameter& p : parameters(state.v)) {
        bool by_muon = p.name.starts_with("h.") && p.shape.size() == 2;
        CHECK_MESSAGE((p.tensor->data[0] == 0) == by_muon, p.name);
    }

    // Three matrices of equal rank take steps of equal length, whatever their gradients' lengths.
    double length[3] = {};
    for (int64_t i = 0; i < 8; ++i) {
        for (int64_t j = 0; j < 24; ++j) {
            double old =
                before.blocks[0].W_QKV.row(i)[j] * (1 - learning_rate(tiny, 0) * tiny.weight_decay);
            length[j / 8] += std::pow(state.model.blocks[0].W_QKV.row(i)[j] - old, 2);
        }
    }
    CHECK(length[0] == doctest::Approx(length[1]).epsilon(1e-3));
    CHECK(length[2] == doctest::Approx(length[1]).epsilon(1e-3));
}

TEST_CASE("train: long gradients are scaled to the norm, short ones stay") {
    Gpt2 grad = zeros_like(start(tiny).model);
    grad.W_E.data[5] = 3;
    grad.ln_final_bias.data[0] = -4;
    CHECK(clip(grad, 10) == doctest::Approx(5));
    CHECK(grad.W_E.data[5] == 3);
    CHECK(clip(grad, 1) == doctest::Approx(5));
    CHECK(grad.W_E.data[5] == doctest::Approx(0.6));
    CHECK(grad.ln_final_bias.data[0] == doctest::Approx(-0.8));
    CHECK(clip(grad, 1) == doctest::Approx(1));
}

TEST_CASE("train: a model learns a text that can be learnt, and leaves no gradient behind") {
    Settings longer = tiny;
    longer.n_step = 400;
    State state = start(longer);
    std::vector<int> ids = counting_text(200);
    double first = run_steps(state, longer, ids, 1), last = run_steps(state, longer, ids, 400);
    CHECK(first == doctest::Approx(std::log(40.0)).epsilon(0.02));
    CHECK(last < 0.5);
    CHECK(validation_loss(state.model, ids, 5) < 0.5);
}

TEST_CASE("train: estimated among few candidates, the loss falls as over the whole vocabulary") {
    Settings s = tiny;
    s.n_step = 400;
    std::vector<int> ids = counting_text(200);
    std::vector<double> lasts;
    for (int64_t n_frequent : {0, 4}) {
        s.n_frequent = n_frequent;
        State state = start(s);
        run_steps(state, s, ids, 400);
        lasts.push_back(validation_loss(state.model, ids, 5));
    }
    CHECK(lasts[0] < 0.5);
    CHECK(lasts[1] < 0.5);
    CHECK(lasts[0] != lasts[1]);
}

TEST_CASE("train: a step whose loss is no number leaves the weights as they were") {
    State state = start(tiny);
    state.model.W_E.data[3] = std::numeric_limits<Real>::infinity();
    Gpt2 before = state.model, grad = zeros_like(state.model);
    std::string error =
        error_of([&] { train_step(state, tiny, rank_tokens(counting_text(200), 40), grad); });
    check_contains(error, "step 1");
    check_contains(error, "pass a smaller --rate");
    CHECK(state.n_done == 0);
    before.W_E.data[3] = state.model.W_E.data[3] = 0;
    CHECK(gap(before, state.model) == 0);
}

// --- checkpoint ---------------------------------------------------------------------------------

TEST_CASE("train: a training that was interrupted ends where an uninterrupted one does") {
    TempFolder folder;
    std::vector<int> ids = counting_text(200);
    State whole = start(tiny), part = start(tiny);
    run_steps(whole, tiny, ids, 12);
    run_steps(part, tiny, ids, 5);
    part.seconds = 60;
    save_state(part, tiny, "r", folder.path());
    CHECK(folder.count() == 2);  // the checkpoint, and the weights alone
    State resumed = load_state(tiny, "r", folder.path());
    CHECK(resumed.n_done == 5);
    CHECK(resumed.seconds == 60);
    CHECK(gap(resumed.model, whole.model) > 1e-3);
    run_steps(resumed, tiny, ids, 12);

    // The file holds float32: exact in this build, rounded in the double one.
    constexpr double tolerance = sizeof(Real) == 4 ? 0 : 1e-6;
    CHECK(gap(resumed.model, whole.model) <= tolerance);
    CHECK(gap(resumed.m, whole.m) <= tolerance);
    CHECK(gap(resumed.v, whole.v) <= tolerance);

    // Without its means the optimiser takes another way.
    State forgetful = load_state(tiny, "r", folder.path());
    forgetful.m = zeros_like(forgetful.model);
    run_steps(forgetful, tiny, ids, 12);
    CHECK(gap(forgetful.model, whole.model) > 1e-4);
}

TEST_CASE("train: a checkpoint that is cut off or of another training is refused by name") {
    TempFolder folder;
    State state = start(tiny);
    save_state(state, tiny, "r", folder.path());
    std::string path = folder.file("checkpoint.safetensors"), bytes = read_raw(path);
    auto error = [&](const Settings& s) {
        return error_of([&] { load_state(s, "r", folder.path()); });
    };
    std::string of_another = error_of([&] { load_state(tiny, "q", folder.path()); });
    check_contains(of_another, "another training: r; this one: q");
    Settings other = tiny;
    other.config.d_mlp = 12;
    check_contains(error(other), "weights.h.0.mlp.c_fc.weight");

    for (size_t size : {size_t{0}, size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
        write_raw(path, bytes.substr(0, size));
        check_contains(error(tiny), "checkpoint.safetensors");
    }
    size_t at = bytes.find("n_done");
    write_raw(path, bytes.substr(0, at) + "n_gone" + bytes.substr(at + 6));
    check_contains(error(tiny), "'n_done'");
    write_raw(path, bytes);
    CHECK(load_state(tiny, "r", folder.path()).n_done == 0);
    state.v.W_E.data[3] = std::numeric_limits<Real>::quiet_NaN();
    save_state(state, tiny, "r", folder.path());
    check_contains(error(tiny), "v.wte.weight");
}

TEST_CASE("train: the recipe tells trainings apart, but not by their length") {
    std::vector<int> ids = counting_text(50), changed = ids;
    std::swap(changed[3], changed[4]);
    std::set<std::string> all = {recipe(tiny, ids), recipe(tiny, changed)};
    auto with = [&](auto change) {
        Settings s = tiny;
        change(s);
        all.insert(recipe(s, ids));
    };
    with([](Settings& s) { s.n_window = 4; });
    with([](Settings& s) { s.config.n_head = 4; });
    with([](Settings& s) { s.peak_rate = 0.02; });
    with([](Settings& s) { s.n_warm_up = 5; });
    with([](Settings& s) { s.decay_share = 0.2; });
    with([](Settings& s) { s.weight_decay = 0; });
    with([](Settings& s) { s.most_norm = 2; });
    with([](Settings& s) { s.adam.beta2 = 0.9; });
    with([](Settings& s) { s.seed = 2; });
    with([](Settings& s) { s.n_frequent = 0; });
    with([](Settings& s) { s.muon_momentum = 0.9; });
    CHECK(all.size() == 13);
    with([](Settings& s) { s.n_step = 1000; });
    CHECK(all.size() == 13);

    // Of two models to start with, they tell apart a single weight.
    Gpt2 first = start(tiny).model;
    all.insert(recipe(tiny, ids, &first));
    first.ln_final_bias.data[0] += 1;
    all.insert(recipe(tiny, ids, &first));
    CHECK(all.size() == 15);
}

TEST_CASE("train: the number of steps may change as long as neither decay has begun") {
    TempFolder folder;
    State state = start(tiny);
    // Done, steps then, steps now, allowed.
    constexpr struct {
        int64_t n_done, before, now;
        bool allowed;
    } cases[] = {{70, 100, 200, true},  {71, 100, 200, false}, {70, 200, 100, true},
                 {71, 200, 100, false}, {90, 100, 100, true},  {100, 100, 100, true},
                 {101, 100, 100, false}};
    for (auto [n_done, before, now, allowed] : cases) {
        Settings then = tiny, here = tiny;
        state.n_done = n_done;
        then.n_step = before;
        here.n_step = now;
        save_state(state, then, "r", folder.path());
        std::string error = error_of([&] { load_state(here, "r", folder.path()); });
        std::string phrase = allowed ? "no Error" : "--steps " + std::to_string(before);
        CHECK_MESSAGE(error.find(phrase) != error.npos, n_done << " " << before << " " << now);
    }
}

TEST_CASE("train: a checkpoint that cannot be written leaves the old one") {
    TempFolder folder;
    State state = start(tiny);
    save_state(state, tiny, "r", folder.path());
    std::string before = read_raw(folder.file("checkpoint.safetensors"));
    state.n_done = 5;
    auto save = [&] { save_state(state, tiny, "r", folder.path()); };
    auto weights = std::filesystem::file_size(folder.file("model.safetensors"));
    check_contains(error_with_file_limit(1000, save), "model.safetensors");
    check_contains(error_with_file_limit(weights + 100, save), "checkpoint.safetensors");
    CHECK(folder.count() == 2);  // the checkpoint, and the weights alone
    CHECK(read_raw(folder.file("checkpoint.safetensors")) == before);
    CHECK(load_state(tiny, "r", folder.path()).n_done == 0);
}

// --- what the model can do ----------------------------------------------------------------------

TEST_CASE("train: the held-out loss is that of windows at equal distances") {
    Gpt2 model = start(tiny).model;
    std::vector<int> ids = counting_text(100), windows;
    ids[40] = 3;
    for (int64_t i = 0; i < 4; ++i) {
        auto begin = ids.begin() + i * ((100 - 7) / 4);
        windows.insert(windows.end(), begin, begin + 7);
    }
    Gpt2 ignored = zeros_like(model);
    CHECK(validation_loss(model, ids, 4) ==
          doctest::Approx(loss_and_gradients(model, windows, 4, ignored)).epsilon(1e-5));
    CHECK_THROWS_AS(validation_loss(model, ids, 94), Error);
    ids.resize(7);  // one window and the token after it
    CHECK(std::isfinite(validation_loss(model, ids, 1)));
    ids.pop_back();
    CHECK_THROWS_AS(validation_loss(model, ids, 1), Error);
}

TEST_CASE("train: samples follow the seed and the temperature, beyond the context as well") {
    Settings longer = tiny;
    longer.n_step = 400;
    State state = start(longer);
    run_steps(state, longer, counting_text(200), 400);
    std::vector<int> begin = {0, 7}, one = continue_text(state.model, begin, {.n_token = 20});
    REQUIRE(one.size() == 22);
    CHECK(one == continue_text(state.model, begin, {.n_token = 20}));
    CHECK(continue_text(state.model, begin, {.n_token = 20, .temperature = 20}) !=
          continue_text(state.model, begin, {.seed = 2, .n_token = 20, .temperature = 20}));
    std::vector<int> cold = continue_text(state.model, begin, {.n_token = 20, .temperature = 0.05});
    for (int i = 0; i < 22; ++i) CHECK(cold[i] == i * 7 % 40);
}

TEST_CASE("train: config.json says of the embedded model what its file says") {
    Json config = parse_json(read_text(find_in_project("weights/nano/config.json")), "config.json");
    Gpt2Config c = load_gpt2("weights/nano").config;
    std::pair<const char*, int64_t> extents[] = {
        {"vocab_size", c.d_vocab}, {"n_positions", c.n_ctx}, {"n_embd", c.d_model},
        {"n_layer", c.n_layer},    {"n_head", c.n_head},     {"n_inner", c.d_mlp}};
    for (auto [name, extent] : extents) {
        const Json* value = config.find(name);
        REQUIRE_MESSAGE(value != nullptr, name);
        CHECK_MESSAGE(json_integer(*value, "config.json") == extent, name);
    }
    CHECK(config.find("activation_function")->text == "gelu_new");
    Settings settings;
    CHECK(settings.config.n_parameter() == c.n_parameter());
}
