// What a run of chapter 3 costs before it begins: its memory, from the shapes, and its time, from a
// few steps measured at each shape. Latents die as they train, so later epochs take less: the time
// is an upper estimate.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lens/sae.h"
#include "model/gpt2.h"
#include "show/table.h"
#include "stream.h"

namespace vimach::ch03 {

/// The size of a run, and what else decides its SAEs.
struct RunShape {
    std::string hook;  ///< "mlp_out" or "mlp_pre"
    Gpt2Config model = {};
    SaeConfig sae = {};
    int64_t n_layer = 0, n_sae = 0;    ///< layers with SAEs; SAEs of a layer: arms times seeds
    int64_t n_token = 0, n_epoch = 0;  ///< rows of the residual stream; epochs of every SAE
    int64_t n_cut = 0, n_batch_row = 0, n_spliced_token = 0;
    double learning_rate = 0;
    uint64_t seed = 0;  ///< of the first SAEs

    int64_t n_training() const { return n_layer * n_sae; }  ///< but for the sweep of L1
};

/// The width of an activation, "mlp_out" or "mlp_pre".
int64_t width_of(const Gpt2Config& model, const std::string& hook);

/// The density that top-k allows; 0 where there is none.
double density_ceiling(const SaeConfig& sae);

/// What runs, and what of it is less than in a whole run: "blocks.N.mlp_out, 128 wide, in 12
/// layers, ...; 15 epochs; scaled down: 512 of 10240 tokens".
std::string run_text(const RunShape& here, const RunShape& whole);

/// Of whatever decides the result of one SAE, but its own arm and layer: settings, the windows'
/// ids, the weights, the run's seed.
uint64_t run_hash(const RunShape& shape, const std::vector<std::vector<Window>>& windows,
                  const std::string& model_folder);

/// Bytes: weights + residual stream + 1.5 x one layer's activations + the SAE's state (weights,
/// gradients and two moments) + what one block of rows takes (9 for a latent: itself, and 14 in the
/// lists of at most 35 % that are active; 8 for an input: itself and its error) + 58 MB for
/// everything else.
double memory_bound(const RunShape& shape);

/// The most memory that this process has had, in bytes; and a line that sets it beside the bound.
double peak_memory();
void report_memory(const RunShape& shape);

/// Memory and time of a run, from steps at the beginning of a training on random rows; and of a
/// whole one on GPT-2 small and large, whose SAEs are as `sae_of` says.
using SaeOf = std::function<SaeConfig(int64_t width)>;
Table plan_table(const RunShape& here, RunShape whole, const SaeOf& sae_of);

}  // namespace vimach::ch03
