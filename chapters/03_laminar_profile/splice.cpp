// Splicing reconstructions into the model; see splice.h.
// The stream behind a block is resid_mid + mlp_out, so a replacement is a difference added to it.
// Logits exist a few rows at a time, so that they need no more memory than a training.
#include "splice.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "lens/sae.h"
#include "math/blas.h"
#include "math/stats.h"
#include "model/layers.h"

namespace vimach::ch03 {

Splice::Splice(const Gpt2& model, const std::vector<Window>& windows, int64_t n_token,
               const std::string& hook, int64_t n_cut)
    : model_(&model), before_gelu_(hook == "mlp_pre"), n_cut_(n_cut), clean_(nan) {
    ensure(before_gelu_ || hook == "mlp_out", "cannot splice this activation", "Splice",
           "use mlp_out or mlp_pre");
    ensure(!windows.empty(), "there is no window", "Splice", "pass one or more");
    int64_t n = std::max<int64_t>(n_token / std::ssize(windows[0]), 1);
    windows_.assign(windows.begin(), windows.begin() + std::min(n, std::ssize(windows)));
}

void Splice::enter(int64_t layer, const Stream& stream, const Tensor& x) {
    // Keep these windows alone.
    auto n_window = static_cast<int64_t>(windows_.size());
    layer_ = layer;
    stream_.assign(stream.begin(), stream.begin() + n_window);
    x_ = Tensor({n_window * (stream_[0].rows() - n_cut_), x.cols()});
    std::copy_n(x.data.begin(), x_.data.size(), x_.data.begin());

    // What the model makes of them as they are is the same for every layer.
    if (!std::isnan(clean_)) return;
    double total = 0;
    for (size_t w = 0; w < windows_.size(); ++w) total += loss_from(w, stream_[w], layer_ + 1);
    clean_ = total / static_cast<double>(n_window);
}

double Splice::cost(const Sae& sae) const {
    return cost_of(
        [&](const Tensor& x) { return mlp_out(decode(sae, encode(sae, x.matrix()).matrix())); });
}

double Splice::cost_of_mean() const {
    std::vector<double> means(static_cast<size_t>(model_->config.d_model));
    for (size_t w = 0; w < windows_.size(); ++w) {
        std::vector<double> of_window_alone = column_means(to_matrix(mlp_out(of_window(w))));
        for (size_t j = 0; j < means.size(); ++j) means[j] += of_window_alone[j];
    }
    for (double& value : means) value /= static_cast<double>(windows_.size());
    return cost_of([&](const Tensor& x) {
        Tensor out({x.rows(), static_cast<int64_t>(means.size())});
        for (int64_t i = 0; i < out.rows(); ++i) {
            for (int64_t j = 0; j < out.cols(); ++j) out.row(i)[j] = static_cast<Real>(means[j]);
        }
        return out;
    });
}

/// The MLP's output from what the hook gives, but for the bias, which no difference shows.
Tensor Splice::mlp_out(const Tensor& x) const {
    if (!before_gelu_) return x;
    Tensor post = x;
    gelu(post.matrix(), post.matrix());
    return product(post, model_->blocks[layer_].W_out);
}

Tensor Splice::of_window(size_t window) const {
    Tensor x({stream_[window].rows() - n_cut_, x_.cols()});
    auto first = x_.data.begin() + static_cast<std::ptrdiff_t>(window) * x.size();
    std::copy_n(first, x.data.size(), x.data.begin());
    return x;
}

double Splice::cost_of(const Replacement& replacement) const {
    double total = 0;
    for (size_t w = 0; w < windows_.size(); ++w) {
        Tensor x = of_window(w), own = mlp_out(x), other = replacement(x), resid = stream_[w];
        for (int64_t i = 0; i < own.rows(); ++i) {
            std::span<Real> to = resid.row(n_cut_ + i);
            for (int64_t j = 0; j < own.cols(); ++j) to[j] += other.row(i)[j] - own.row(i)[j];
        }
        total += loss_from(w, std::move(resid), layer_ + 1);
    }
    return total / static_cast<double>(windows_.size()) - clean_;
}

/// Runs the blocks from this one on; the mean loss of every prediction within the window.
double Splice::loss_from(size_t window, Tensor resid, int64_t first_block) const {
    constexpr int64_t n_strip_row = 64;
    run_blocks(*model_, resid, 1, {.first = first_block});
    Tensor normed = final_norm(*model_, resid);
    Tensor logits({n_strip_row, model_->config.d_vocab});
    double total = 0;
    int64_t n_prediction = resid.rows() - 1;
    for (int64_t row = 0; row < n_prediction; row += n_strip_row) {
        int64_t n = std::min(n_strip_row, n_prediction - row);
        MatrixView strip = row_range(logits.matrix(), 0, n);
        matmul(row_range(normed.matrix(), row, n), model_->W_E.matrix(), strip,
               {.transpose_b = true});
        auto targets =
            windows_[window].subspan(static_cast<size_t>(row + 1), static_cast<size_t>(n));
        for (double loss : cross_entropy(strip, targets)) total += loss;
    }
    return total / static_cast<double>(n_prediction);
}

}  // namespace vimach::ch03
