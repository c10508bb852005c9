// What a run of chapter 3 costs before it begins: its memory, from the shapes, and its time, from a
// few steps measured at each shape. Latents die as they train, so later epochs take less: the time
// is an upper estimate.
#pragma once

#include <string>
#include <vector>

#include "lens/sae.h"
#include "model/gpt2.h"
#include "show/table.h"

namespace vimach::laminar {

/// The size of a run.
struct RunShape {
    std::string name;
    Gpt2Config model = {};
    SaeConfig sae = {};
    int64_t n_token = 0;  ///< rows of the residual stream
    int64_t n_batch_row = 0, n_epoch = 0;
    int64_t n_layer = 0;  ///< layers with SAEs
    int64_t n_sae = 0;    ///< SAEs of a layer: arms times seeds
};

/// Bytes: weights + residual stream + 1.5 x one layer's activations + the SAE's state (weights,
/// gradients and two moments) + 64 MB for everything else.
double memory_bound(const RunShape& shape);

/// The most memory that this process has had, in bytes.
double peak_memory();

/// Seconds of one epoch at this shape: a step on up to 1024 rows of x, times the steps.
double measure_epoch(const RunShape& shape, ConstMatrixView x);

/// The same on random rows.
double measure_epoch(const RunShape& shape);

/// "15 of 75 epochs, 2 of 12 layers": what is less than in a full run, or nothing.
struct Extent {
    int64_t here, full;
    const char* name;
};
std::string scaled_down(const std::vector<Extent>& extents);

/// A row of "run", "memory", "one arm, one seed", "all" for each shape, given its epoch's seconds.
void add_plan(Table& table, const RunShape& shape, double epoch_seconds);

}  // namespace vimach::laminar
