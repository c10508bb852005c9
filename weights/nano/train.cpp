// Trains the embedded model on a folder of texts, from random weights, by the project's own forward
// and backward pass. Every few minutes it leaves a checkpoint in OUT from which the next run goes
// on, so that a kill at any moment loses minutes; beside it loss.csv, loss.svg and the weights,
// model.safetensors (float16), with which another training can start. The second form measures a
// model and lets it speak.
// Run: make train-nano TEXT=FOLDER          (STEPS=9500 in all, OUT=weights/trained)
//      make nano-card TEXT=FOLDER           (MODEL=weights/nano)
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <sstream>

#include "core/ensure.h"
#include "core/files.h"
#include "math/stats.h"
#include "model/gpt2_file.h"
#include "model/vocabulary.h"
#include "show/console.h"
#include "show/document.h"
#include "show/html.h"
#include "show/plot.h"
#include "show/table.h"
#include "weights/nano/training.h"

using namespace vimach;
using namespace vimach::nano;

namespace {

constexpr int64_t report_every = 100, validate_every = 500;  // steps
constexpr double save_every = 300;                           // seconds
constexpr int64_t most_valid = 120;                          // windows of held-out text

double now() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

// --- the curve ----------------------------------------------------------------------------------

/// The rows of loss.csv up to a step; a run that was killed may have written more.
Table read_curve(const std::string& path, int64_t n_done) {
    Table curve = {.header = {"step", "tokens", "seconds", "train_loss", "validation_loss",
                              "learning_rate", "gradient_norm"}};
    if (!std::filesystem::exists(path)) return curve;
    std::istringstream lines(read_text(path));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::vector<std::string> cells;
        std::istringstream row(line);
        for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
        bool whole = cells.size() == curve.header.size();
        if (whole && std::strtoll(cells[0].c_str(), nullptr, 10) <= n_done) add_row(curve, cells);
    }
    return curve;
}

void write_curve(const Table& curve, const std::string& out) {
    write_csv(out + "/loss.csv", curve);
    Series train = {.name = "training text", .x = {}, .y = {}};
    Series held_out = {.name = "held-out books", .x = {}, .y = {}};
    for (const std::vector<std::string>& row : curve.rows) {
        double tokens = std::strtod(row[1].c_str(), nullptr) / 1e6;
        train.x.push_back(tokens);
        train.y.push_back(std::strtod(row[3].c_str(), nullptr));
        if (row[4].empty()) continue;
        held_out.x.push_back(tokens);
        held_out.y.push_back(std::strtod(row[4].c_str(), nullptr));
    }
    std::vector<Series> series = {train, held_out};
    PlotText text = {.title = "Loss of the embedded model in training",
                     .x_label = "tokens seen, millions",
                     .y_label = "loss, nats a token"};
    write_text(out + "/loss.svg", svg_file(draw_lines(text, series, {.log_x = true})));
}

// --- training -----------------------------------------------------------------------------------

/// Losses and gradient norms since the last row of the curve, or since this run began.
struct Recent {
    std::vector<double> losses = {}, norms = {};
    double begin = now();
};

/// Mean loss over the held-out text: over 120 windows of it, or over as many as it has.
double held_out_loss(const Gpt2& model, const Split& held_out) {
    int64_t n_whole = (std::ssize(held_out.ids) - 1) / model.config.n_ctx;
    return validation_loss(model, held_out.ids, std::clamp<int64_t>(n_whole, 1, most_valid));
}

/// Adds a row to the curve and prints it.
void report(const Settings& s, const State& state, const Split& held_out, Recent& recent,
            Table& curve) {
    double seconds = now() - recent.begin;
    bool validate = state.n_done % validate_every == 0 || state.n_done == s.n_step;
    std::string valid = validate ? format("%.4f", held_out_loss(state.model, held_out)) : "";
    int64_t n_token = s.n_window * s.config.n_ctx;
    double loss = mean(recent.losses);
    add_row(curve, {std::to_string(state.n_done), std::to_string(state.n_done * n_token),
                    format("%.0f", state.seconds), format("%.4f", loss), valid,
                    format("%.3g", learning_rate(s, state.n_done - 1)),
                    format("%.3f", mean(recent.norms))});
    std::printf("step %ld, loss %.4f%s, %.0f tokens a second\n", state.n_done, loss,
                validate ? (", held out " + valid).c_str() : "",
                static_cast<double>(recent.losses.size()) * static_cast<double>(n_token) / seconds);
    std::fflush(stdout);
    recent = {};
}

/// How good a model is on the held-out text, in both units.
void print_validation(const Gpt2& model, const Split& held_out) {
    double loss = held_out_loss(model, held_out);
    std::printf("validation loss %.4f nats a token, %.4f bits a byte\n", loss,
                loss / std::log(2.0) * static_cast<double>(held_out.ids.size()) /
                    static_cast<double>(held_out.n_byte));
    std::fflush(stdout);
}

/// Begins with random weights, or with those of a model of the same shape.
State begin(const Settings& s, const std::string& from) {
    if (from.empty()) return start(s);
    Gpt2 model = load_gpt2(from);
    if (model.config != s.config) {
        fail("is of another shape than the embedded model", from, "start with one of its own");
    }
    tokenizer_of(model);
    if (!model.note.empty()) {
        fail("is read with other tokens than GPT-2's: " + model.note, from,
             "start with a model of GPT-2's vocabulary");
    }
    return start_with(s, model);
}

/// `from`: a model to start with, or nothing.
void train(const Settings& s, const std::string& text, const std::string& from,
           const std::string& out) {
    // Read the texts, and what an earlier run left.
    Tokenizer tokenizer = load_tokenizer();
    Split works = read_split(tokenizer, text, "train");
    Split held_out = read_split(tokenizer, text, "validation");
    Text training = rank_tokens(std::move(works.ids), s.config.d_vocab);
    State state = begin(s, from);
    std::string recipe = nano::recipe(s, training.ids, from.empty() ? nullptr : &state.model);
    bool resumed = std::filesystem::exists(out + "/checkpoint.safetensors");
    if (resumed) state = load_state(s, recipe, out);
    Table curve = read_curve(out + "/loss.csv", state.n_done);
    std::printf("%ld works, %zu tokens; held out %ld works, %zu tokens; step %ld of %ld\n",
                works.n_work, training.ids.size(), held_out.n_work, held_out.ids.size(),
                state.n_done, s.n_step);
    std::fflush(stdout);

    // Begin with what can fail, not after minutes: the held-out text, the folder.
    if (!resumed) {
        std::printf("before training: ");
        print_validation(state.model, held_out);
        save_state(state, s, recipe, out);
    }

    // Step by step: loss and gradients, clipping, the optimisers.
    Recent recent;
    Gpt2 grad = zeros_like(state.model);
    double begin = now() - state.seconds, saved = now();
    while (state.n_done < s.n_step) {
        Step step = train_step(state, s, training, grad);
        recent.losses.push_back(step.loss);
        recent.norms.push_back(step.norm);
        state.seconds = now() - begin;

        // Report, and leave a checkpoint.
        bool last = state.n_done == s.n_step;
        if (state.n_done % report_every == 0 || last) report(s, state, held_out, recent, curve);
        if (now() - saved > save_every || last) {
            write_curve(curve, out);
            save_state(state, s, recipe, out);
            saved = now();
        }
    }

    // Say how good the file is that the last checkpoint left.
    print_validation(load_gpt2(out), held_out);
}

// --- the card -----------------------------------------------------------------------------------

void print_card(const std::string& text, const std::string& folder) {
    constexpr const char* prompts[] = {"The king", "She took his hand and", "In the year 1812",
                                       "The sun is"};
    Gpt2 model = load_gpt2(folder);
    Tokenizer tokenizer = tokenizer_of(model);
    print_validation(model, read_split(tokenizer, text, "validation"));
    uint64_t seed = 0;
    for (const char* prompt : prompts) {
        ++seed;
        std::vector<int> ids = {tokenizer.end_of_text()};
        std::vector<int> more = tokenizer.encode(prompt);
        ids.insert(ids.end(), more.begin(), more.end());
        ids = continue_text(model, ids, {.seed = seed});
        std::istringstream lines(tokenizer.decode(std::span<const int>(ids).subspan(1)));
        std::printf("\nseed %lu: ", seed);
        for (std::string line; std::getline(lines, line);) {
            std::printf("%s\n", visible_text(line, false).c_str());
        }
    }
}

const ChapterInfo info = {
    .name = "train_nano",
    .purpose = "Trains the embedded model, or measures one and lets it speak (--card).",
    .options = {{"--text", "FOLDER", "texts and SOURCES.tsv, with the columns split and file"},
                {"--steps", "N", "steps in all (9500); may change until the rate falls"},
                {"--rate", "R", "the highest learning rate (0.004)"},
                {"--start", "DIR", "a model to start with; the rate falls from its first step on"},
                {"--before", "N", "of the steps, those that it has seen (0)"},
                {"--card", "", "no training: print the held-out loss of --model, and samples"}},
    .has_presets = false};

void run(const Options& options) {
    keep_memory();
    std::string text = options.text("--text", "");
    if (text.empty()) throw UsageError("there is no text", "--text", "pass --text FOLDER");
    bool card = options.has("--card");
    for (const char* name :
         {"--steps", "--rate", "--start", "--before", "--seed", "--out", "--quick"}) {
        if (card && options.has(name))
            throw UsageError("does not train", "--card", format("leave out %s", name));
    }
    if (card) return print_card(text, options.text("--model", "weights/nano"));
    if (options.has("--model")) {
        throw UsageError("is for the card", "--model", "pass it with --card, or --start");
    }
    int64_t n_step =
        options.integer("--steps", options.has("--quick") ? 100 : 9500, 1, 100'000'000);
    if (options.has("--before") && !options.has("--start")) {
        throw UsageError("random weights have seen no step", "--before", "pass --start as well");
    }
    Settings settings = {.n_step = n_step,
                         .n_before = options.integer("--before", 0, 0, n_step - 1),
                         .seed = static_cast<uint64_t>(
                             options.integer("--seed", 1, 0, std::numeric_limits<int>::max()))};
    settings.peak_rate = options.real("--rate", settings.peak_rate, 1e-12);
    if (options.has("--start")) settings = continued(settings);
    train(settings, text, options.text("--start", ""), options.text("--out", "weights/trained"));
}

}  // namespace

int main(int argc, char** argv) { return run_chapter(argc, argv, info, run); }
