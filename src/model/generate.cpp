// Continuing a text; see model/generate.h.
// Sampling draws a point on a line on which every token has the length of its probability.
#include "model/generate.h"

#include <algorithm>
#include <numeric>

#include "core/ensure.h"
#include "math/vector_ops.h"

namespace vimach {

Continuation::Continuation(const Gpt2& model, std::vector<int> ids)
    : model_(&model), ids_(std::move(ids)) {
    ensure(!ids_.empty(), "there is no token to continue", "Continuation", "pass one or more");
    std::span<const int> all(ids_);
    read(all.last(std::min(all.size(), static_cast<size_t>(model.config.n_ctx))));
}

void Continuation::append(int id) {
    ids_.push_back(id);
    std::span<const int> all(ids_);
    if (!slides()) return read(all.last(1));
    past_.n_token = 0;
    read(all.last(static_cast<size_t>(model_->config.n_ctx)));
}

/// Runs the tokens that come after the past.
void Continuation::read(std::span<const int> ids) {
    Tensor resid = embed_ids(*model_, ids, 1, false);
    add_position_embeddings(*model_, resid, 1, past_.n_token);
    run_blocks(*model_, resid, 1, {.past = &past_});
    Tensor last({1, model_->config.d_model});
    std::ranges::copy(resid.row(resid.rows() - 1), last.data.begin());
    logits_ = unembed(*model_, last);
}

std::vector<int> most_probable(std::span<const Real> logits, int64_t n) {
    std::vector<int> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    n = std::min(n, std::ssize(order));
    std::partial_sort(order.begin(), order.begin() + n, order.end(), [&](int a, int b) {
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    });
    order.resize(static_cast<size_t>(n));
    return order;
}

int choose_token(const Tensor& logits, const Sampling& sampling, Rng& rng) {
    if (sampling.temperature <= 0) return most_probable(logits.data, 1).front();

    // Keep the tokens in the order of their ids, or the best of them in their own.
    bool all = sampling.top_k < 1;
    std::vector<int> ids = all ? std::vector<int>{} : most_probable(logits.data, sampling.top_k);
    std::vector<Real> weights;
    if (all) weights = logits.data;
    for (int id : ids) weights.push_back(logits.data[id]);

    // Draw a point, and find whose part of the line it lies on.
    Real best = maximum(weights);
    for (Real& value : weights) value = (value - best) / static_cast<Real>(sampling.temperature);
    Real total = exp_and_sum(weights, 0);
    double rest = rng.uniform() * static_cast<double>(total);
    size_t at = 0;
    while (at + 1 < weights.size() && rest >= weights[at]) rest -= weights[at++];
    return all ? static_cast<int>(at) : ids[at];
}

}  // namespace vimach
