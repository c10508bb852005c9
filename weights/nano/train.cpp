// Trains the embedded model on a folder of texts, from random weights, by the project's own forward
// and backward pass. Every few minutes it leaves a checkpoint from which the next run goes on;
// killed at any moment it loses the steps since. At the end stand model.safetensors (float16) and
// loss.csv.
// Run: make train-nano TEXT=folder          (N steps in all: STEPS=N; folder to write to:
// OUT=out/nano)
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <sstream>

#include "core/ensure.h"
#include "core/files.h"
#include "model/gpt2_backward.h"
#include "model/gpt2_file.h"
#include "show/table.h"
#include "training.h"

using namespace vimach;
using namespace vimach::nano;

namespace {

constexpr int64_t report_every = 100;  // steps
constexpr double save_every = 300;     // seconds
constexpr int64_t n_valid = 120;  // windows of the final validation; a fifth of them on the way

double seconds() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

/// The rows of loss.csv up to a step; a run that was killed may have written more.
Table read_log(const std::string& path, int64_t n_done) {
    Table log = {.header = {"step", "tokens", "seconds", "train_loss", "validation_loss",
                            "learning_rate", "gradient_norm"}};
    if (!std::filesystem::exists(path)) return log;
    std::istringstream lines(read_text(path));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::vector<std::string> cells;
        std::istringstream row(line);
        for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
        if (cells.size() == log.header.size() && std::atoll(cells[0].c_str()) <= n_done) {
            add_row(log, cells);
        }
    }
    return log;
}

void train(const Settings& s, const std::string& text, const std::string& out) {
    // Read the texts, and what an earlier run left.
    Tokenizer tokenizer = load_tokenizer();
    Split training = read_split(tokenizer, text, "train");
    Split held_out = read_split(tokenizer, text, "validation");
    std::printf("%ld works, %zu tokens; held out %ld works, %zu tokens\n", training.n_work,
                training.ids.size(), held_out.n_work, held_out.ids.size());
    bool resumed = std::filesystem::exists(out + "/checkpoint.safetensors");
    State state = resumed ? load_state(s, out) : start(s);
    Table log = read_log(out + "/loss.csv", state.n_done);
    if (resumed) std::printf("goes on after step %ld\n", state.n_done);

    // Step: loss and gradients, clipping, AdamW.
    std::vector<double> losses, norms;
    double begun = seconds() - state.seconds, saved = seconds(), reported = saved;
    Gpt2 grad = zeros_like(state.model);
    while (state.n_done < s.n_step) {
        for (const Parameter& p : parameters(grad)) std::ranges::fill(p.tensor->data, Real(0));
        std::vector<int> ids = step_windows(s, training.ids, state.n_done);
        double loss = loss_and_gradients(state.model, ids, s.n_window, grad);
        if (!std::isfinite(loss)) {
            fail(format("the loss is no number in step %ld", state.n_done), "training",
                 "lower the learning rate");
        }
        losses.push_back(loss);
        norms.push_back(clip(grad, s.most_norm));
        double rate = learning_rate(s, state.n_done);
        update(state, grad, s);
        state.seconds = seconds() - begun;
        bool last = state.n_done == s.n_step;

        // Report, and leave a checkpoint.
        if (state.n_done % report_every == 0 || last) {
            auto n = static_cast<double>(losses.size());
            double mean_loss = std::accumulate(losses.begin(), losses.end(), 0.0) / n;
            double mean_norm = std::accumulate(norms.begin(), norms.end(), 0.0) / n;
            bool validate = state.n_done % (5 * report_every) == 0 || last;
            double valid =
                validate ? validation_loss(state.model, held_out.ids, last ? n_valid : n_valid / 5)
                         : std::nan("");
            int64_t n_token = s.n_window * s.config.n_ctx;
            add_row(log, {std::to_string(state.n_done), std::to_string(state.n_done * n_token),
                          format("%.0f", state.seconds), format("%.4f", mean_loss),
                          validate ? format("%.4f", valid) : "", format("%.3g", rate),
                          format("%.3f", mean_norm)});
            std::printf("step %ld, loss %.4f%s, %.0f tokens a second\n", state.n_done, mean_loss,
                        validate ? format(", held out %.4f", valid).c_str() : "",
                        n * static_cast<double>(n_token) / (seconds() - reported));
            std::fflush(stdout);
            losses.clear();
            norms.clear();
            reported = seconds();
        }
        if (seconds() - saved > save_every || last) {
            write_csv(out + "/loss.csv", log);
            save_state(state, s, out);
            saved = seconds();
        }
    }

    // Write the model as it is embedded, and say how good that file is.
    save_gpt2(state.model, out, "F16");
    double valid = validation_loss(load_gpt2(out), held_out.ids, n_valid);
    auto n_id = static_cast<double>(held_out.ids.size() - static_cast<size_t>(held_out.n_work));
    std::printf("validation loss %.4f nats a token, %.4f bits a byte\n", valid,
                valid / std::log(2.0) * n_id / static_cast<double>(held_out.n_byte));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: build/train_nano TEXT_FOLDER STEPS OUT_FOLDER\n");
        return 2;
    }
    try {
        // Keep the memory of a step for the next one; to ask the system for it takes long.
        mallopt(M_MMAP_THRESHOLD, 1 << 30);
        mallopt(M_TRIM_THRESHOLD, 1 << 30);
        Settings settings = {.n_step = std::atoll(argv[2])};
        train(settings, argv[1], argv[3]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
    return 0;
}
