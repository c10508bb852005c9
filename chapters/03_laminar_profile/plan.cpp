// The cost of a run of chapter 3; see plan.h.
// Measured steps go through the same training step as the run itself.
#include "plan.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/ensure.h"
#include "core/hash.h"
#include "core/rng.h"
#include "model/weight_files.h"
#include "store.h"

namespace vimach::ch03 {

namespace {

/// Seconds of one epoch at this shape: a step on up to 1024 random rows, times the steps.
double measure_epoch(const RunShape& shape) {
    constexpr int64_t most = 1024;
    constexpr int n_step = 3;
    Tensor x({std::min(most, shape.n_token), shape.sae.d_in});
    Rng rng(1);
    for (Real& value : x.data) value = static_cast<Real>(rng.normal());
    Sae sae = random_sae(shape.sae, rng);
    SaeAdam adam = {.settings = {.learning_rate = 1e-4}};
    sae_train_step(sae, x.matrix(), adam);
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < n_step; ++i) sae_train_step(sae, x.matrix(), adam);
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    double n_batch = static_cast<double>(shape.n_token) / static_cast<double>(x.rows());
    return took.count() / n_step * n_batch;
}

std::string duration_text(double seconds) {
    if (seconds < 90) return format("%.0f s", seconds);
    return seconds < 5400 ? format("%.0f min", seconds / 60) : format("%.1f h", seconds / 3600);
}

void add_plan(Table& table, const std::string& name, const RunShape& s, double epoch_seconds) {
    double one = epoch_seconds * static_cast<double>(s.n_epoch * s.n_layer);
    add_row(table, {name, format("%.0f MB", memory_bound(s) / 1e6), duration_text(one),
                    duration_text(one * static_cast<double>(s.n_sae))});
}

/// "15 of 75 epochs, 2 of 12 layers": what is less than in a whole run, or nothing.
std::string scaled_down(const RunShape& here, const RunShape& whole) {
    std::string text;
    auto add = [&](int64_t part, int64_t all, const char* name) {
        if (part >= all) return;
        text += format("%s%ld of %ld %s", text.empty() ? "" : ", ", part, all, name);
    };
    add(here.n_epoch, whole.n_epoch, "epochs");
    add(here.n_token, whole.n_token, "tokens");
    add(here.n_layer, whole.n_layer, "layers");
    return text;
}

}  // namespace

int64_t width_of(const Gpt2Config& model, const std::string& hook) {
    return hook == "mlp_out" ? model.d_model : model.d_mlp;
}

double density_ceiling(const SaeConfig& sae) {
    return static_cast<double>(sae.top_k) / static_cast<double>(sae.n_latent);
}

std::string run_text(const RunShape& s, const RunShape& whole) {
    std::string text =
        format("blocks.N.%s, %ld wide, in %s, first token of a window %s; %ld latents",
               s.hook.c_str(), s.sae.d_in, plural(s.n_layer, "layer").c_str(),
               s.n_cut > 0 ? "cut off" : "kept", s.sae.n_latent);
    if (s.sae.top_k > 0) text += format(", the %ld largest kept", s.sae.top_k);
    text += "; " + plural(s.n_epoch, "epoch");
    std::string less = scaled_down(s, whole);
    return less.empty() ? text : text + "; scaled down: " + less;
}

uint64_t run_hash(const RunShape& s, const std::vector<std::vector<Window>>& windows,
                  const std::string& model_folder) {
    std::string text =
        format("%lu %s %ld %ld %d %d %ld %ld %ld %ld %ld %ld %.17g", s.seed, s.hook.c_str(),
               s.model.n_head, s.sae.n_latent, s.sae.tied, s.sae.bias, s.sae.top_k, s.n_token,
               s.n_epoch, s.n_cut, s.n_batch_row, s.n_spliced_token, s.learning_rate);
    for (const auto& of_seed : windows) {
        for (Window window : of_seed) {
            for (int id : window) text += format(" %d", id);
        }
    }
    uint64_t hash = fnv_1a(text);
    for (const std::string& path : weight_files(model_folder)) hash = hash_file(path, hash);
    return hash;
}

double memory_bound(const RunShape& s) {
    double numbers = static_cast<double>(s.model.n_parameter()) +
                     static_cast<double>(s.n_token * s.model.d_model) +
                     1.5 * static_cast<double>(s.n_token * s.sae.d_in) +
                     4 * static_cast<double>(s.sae.n_parameter());
    int64_t batch = s.n_batch_row > 0 ? std::min(s.n_batch_row, s.n_token) : s.n_token;
    auto rows = static_cast<double>(sae_block_rows(batch, s.sae.n_latent));
    double block =
        rows * (9 * static_cast<double>(s.sae.n_latent) + 8 * static_cast<double>(s.sae.d_in));
    return numbers * sizeof(Real) + block + 58e6;
}

double peak_memory() {
    rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return 1024 * static_cast<double>(usage.ru_maxrss);
}

void report_memory(const RunShape& shape) {
    std::fprintf(stderr, "memory: at most %.0f MB, allowed are %.0f MB\n", peak_memory() / 1e6,
                 memory_bound(shape) / 1e6);
}

Table plan_table(const RunShape& here, RunShape whole, const SaeOf& sae_of) {
    Table table = {
        .header = {"run", "memory at most", "time at most: an arm, a seed", "all arms and seeds"}};
    add_plan(table, "this run", here, measure_epoch(here));
    for (const Gpt2Config& model : {gpt2_small, gpt2_large}) {
        whole.model = model;
        whole.n_layer = model.n_layer;
        whole.sae = sae_of(width_of(model, whole.hook));
        add_plan(table, format("%ld layers, d_model %ld", model.n_layer, model.d_model), whole,
                 measure_epoch(whole));
    }
    return table;
}

}  // namespace vimach::ch03
