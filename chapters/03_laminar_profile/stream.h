// Chapter 3's way through a model: a page's windows, and their residual stream, which is carried
// from block to block so that no block runs twice and only one layer's activations exist at a time.
// Windows run one by one, so that a block's scratch memory is that of one window.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/rng.h"
#include "model/gpt2.h"

namespace vimach::ch03 {

/// "0-3,11" as layers in rising order; all where the text is empty. Throws UsageError.
std::vector<int64_t> parse_layers(const std::string& text, int64_t n_layer);

/// A window: ids that follow each other in the article.
using Window = std::span<const int>;

/// Where n_window windows of n_ctx tokens begin: one after the other, or at random.
std::vector<int64_t> window_starts(int64_t n_window, int64_t n_ctx, int64_t n_id, bool at_random,
                                   Rng& rng);

/// The windows of n_seed seeds, from first_seed on, of an article's ids. Throws, naming `where`, if
/// the article is too short.
struct WindowPlan {
    int64_t n_window, n_ctx;
    bool at_random;
    uint64_t first_seed;
    int64_t n_seed;
};
std::vector<std::vector<Window>> draw_windows(std::span<const int> ids, const WindowPlan& plan,
                                              const std::string& where);

/// How many different tokens of the article stand in the windows.
int64_t coverage(std::vector<Window> windows);

/// The residual stream, window by window: each [n_ctx, d_model].
using Stream = std::vector<Tensor>;
Stream embed_windows(const Gpt2& model, const std::vector<Window>& windows);

/// One layer's activations.
struct LayerRows {
    Tensor x;                          ///< [n_row, width], without the rows that were cut
    std::vector<double> first_ratios;  ///< of every window: how far its first row stands out
};

/// Runs one block on every window. `hook` names the activation; the first n_cut rows of each window
/// are cut off.
LayerRows run_block(const Gpt2& model, Stream& stream, int64_t layer, const char* hook,
                    int64_t n_cut);

/// The rows of x in batches, in a new order every epoch; a batch of all rows needs neither order
/// nor copy.
class RowBatches {
public:
    /// Batches of n_row rows; 0: all rows in one.
    RowBatches(const Tensor& x, int64_t n_row);

    int64_t size() const { return n_row_; }
    void shuffle(Rng& rng) { order_ = rng.permutation(x_.rows()); }

    /// The rows from the first-th in order on, as many as there are, up to a full batch.
    ConstMatrixView from(int64_t first);

private:
    const Tensor& x_;
    int64_t n_row_;
    std::vector<int64_t> order_ = {};
    Tensor batch_ = {};
};

}  // namespace vimach::ch03
