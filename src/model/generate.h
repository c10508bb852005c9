// A text that a model continues token by token. Keys and values of what is there are kept, so that
// a new token costs one row, not another pass over the text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/rng.h"
#include "model/gpt2.h"

namespace vimach {

class Continuation {
public:
    /// Reads the text, one token or more; of a longer one than the context its end.
    Continuation(const Gpt2& model, std::vector<int> ids);

    /// The logits of the next token, [1, d_vocab].
    const Tensor& logits() const { return logits_; }
    const std::vector<int>& ids() const { return ids_; }

    /// Whether the next token takes the place of the first one in the context. All positions move
    /// then, so nothing that is kept fits, and a token costs a whole pass.
    bool slides() const { return past_.n_token == model_->config.n_ctx; }

    void append(int id);

private:
    void read(std::span<const int> ids);

    const Gpt2* model_;
    std::vector<int> ids_;
    Past past_ = {};
    Tensor logits_ = {};
};

/// How the next token is chosen.
struct Sampling {
    double temperature = 0;  ///< 0: always the most probable; else logits are divided by it
    int64_t top_k = 0;       ///< choose among the k most probable only; 0: among all
};

/// Draws an id from softmax(logits / temperature); logits [1, d_vocab]. Of equal logits the lower
/// id counts as the more probable.
int choose_token(const Tensor& logits, const Sampling& sampling, Rng& rng);

}  // namespace vimach
