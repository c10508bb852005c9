// Chapter 3's way through a model: a page's windows, and their residual stream, which is carried
// from block to block so that no block runs twice and only one layer's activations exist at a time.
// Windows run one by one, so that a block's scratch memory is that of one window.
#pragma once

#include <string>
#include <vector>

#include "core/rng.h"
#include "model/gpt2.h"

namespace vimach::laminar {

/// "0-3,11" as layers in rising order; all where the text is empty. Throws UsageError.
std::vector<int64_t> parse_layers(const std::string& text, int64_t n_layer);

/// Where the windows of n_ctx tokens begin: one after the other, or at random.
std::vector<int64_t> window_starts(int64_t n_window, int64_t n_ctx, int64_t n_id, bool at_random,
                                   Rng& rng);

/// How many different tokens of the page stand in the windows.
int64_t coverage(std::vector<int64_t> starts, int64_t n_ctx);

/// The residual stream, window by window: each [n_ctx, d_model].
using Stream = std::vector<Tensor>;
Stream embed_windows(const Gpt2& model, std::span<const int> ids,
                     const std::vector<int64_t>& starts, int64_t n_ctx);

/// One layer's activations.
struct LayerRows {
    Tensor x;                          ///< [n_row, width], without the rows that were cut
    std::vector<double> first_ratios;  ///< of every window: how far its first row stands out
};

/// Runs one block on every window. `hook` names the activation; the first n_cut rows of each window
/// are cut off.
LayerRows run_block(const Gpt2& model, Stream& stream, int64_t layer, const char* hook,
                    int64_t n_cut);

}  // namespace vimach::laminar
