// What a layer's SAE is worth to the model: its reconstruction is put in the place of what it
// reads, the rest of the model runs on, and the loss of the next token shows what is missing.
//   recovered = 1 - (spliced - clean) / (ablated - clean),
// where `ablated` has the mean of the MLP's output in its place. Measured on the first windows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lens/sae_weights.h"
#include "stream.h"

namespace vimach::ch03 {

class Splice {
public:
    /// For a model that reads these windows, of which the first that hold n_token tokens are looked
    /// at, or one. Their first n_cut rows stay as they are.
    Splice(const Gpt2& model, const std::vector<Window>& windows, int64_t n_token,
           const std::string& hook, int64_t n_cut);

    /// Comes to a layer: the stream behind its block, and what `hook` gives there without the rows
    /// that are cut, window by window.
    void enter(int64_t layer, const Stream& stream, const Tensor& x);

    /// What the loss grows by with the SAE's reconstruction in place of what it reads.
    double cost(const Sae& sae) const;

    /// What it grows by with the mean of the MLP's output in place of the MLP's output.
    double cost_of_mean() const;

private:
    using Replacement = std::function<Tensor(const Tensor& x)>;
    Tensor mlp_out(const Tensor& x) const;
    Tensor of_window(size_t window) const;
    double cost_of(const Replacement& replacement) const;
    double loss_from(size_t window, Tensor resid, int64_t first_block) const;

    const Gpt2* model_;
    std::vector<Window> windows_;
    bool before_gelu_;  ///< whether the hook is mlp_pre
    int64_t n_cut_, layer_ = 0;
    double clean_;  ///< loss of the model as it is; NaN before the first layer
    Stream stream_ = {};
    Tensor x_ = {};  ///< of these windows
};

}  // namespace vimach::ch03
