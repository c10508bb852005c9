// Continuing a text; see model/generate.h.
// Sampling draws a point on a line on which every token has the length of its probability.
#include "model/generate.h"

#include <algorithm>

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
    logits_ = unembed_last(*model_, resid);
}

int choose_token(const Tensor& logits, const Sampling& sampling, Rng& rng) {
    auto temperature = static_cast<Real>(sampling.temperature);
    if (!(temperature > 0)) return largest(logits.data, 1).front();  // or too small for a Real

    // Keep the tokens in the order of their ids, or the best of them in their own.
    bool all = sampling.top_k < 1;
    std::vector<int> ids = all ? std::vector<int>{} : largest(logits.data, sampling.top_k);
    std::vector<Real> weights;
    if (all) weights = logits.data;
    for (int id : ids) weights.push_back(logits.data[id]);

    // Draw a point, and find whose part of the line it lies on.
    Real best = maximum(weights);
    for (Real& value : weights) value = (value - best) / temperature;
    Real total = exp_and_sum(weights, 0);
    double rest = rng.uniform() * static_cast<double>(total);
    size_t at = 0;
    while (at + 1 < weights.size() && rest >= weights[at]) rest -= weights[at++];
    return all ? static_cast<int>(at) : ids[at];
}

}  // namespace vimach
