// The parts of nano's training that can be tested by themselves: the learning rate of a step, the
// step itself, the checkpoint, what the model can do. One step: mean cross-entropy among
// candidates and its gradients (model/gpt2_backward), clipping, then Muon (math/muon) for the
// matrices of the blocks and AdamW (math/adam) for all else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "math/adam.h"
#include "model/gpt2.h"
#include "weights/nano/texts.h"

namespace vimach::nano {

struct Settings {
    Gpt2Config config = {
        .n_layer = 12, .n_head = 4, .d_model = 128, .d_mlp = 512, .n_ctx = 256, .d_vocab = 50257};
    int64_t n_step = 0;    ///< of the whole training
    int64_t n_before = 0;  ///< of them, those that the weights have seen with which this one begins
    int64_t n_window = 8;  ///< of n_ctx tokens in a step
    /// Half the number of ids that are candidates in every step (step_candidates); 0: full softmax.
    int64_t n_frequent = 1024;
    double peak_rate = 4e-3;
    int64_t n_warm_up = 300;    ///< steps in which the rate rises from 0, from n_before on
    double decay_share = 0.3;   ///< of the steps, the last: the rate falls to 0 along a cosine
    double weight_decay = 0.1;  ///< on matrices and embeddings; none on biases and layer norms
    double most_norm = 1;       ///< gradients of a larger norm are scaled down to it
    double muon_momentum = 0.95;
    /// A step sees few tokens, so the mean of squares is kept over a hundred steps.
    AdamSettings adam = {.beta1 = 0.9, .beta2 = 0.99};
    uint64_t seed = 1;
};

/// The learning rate of a step, counted from 0: warm-up, plateau, cosine decay to 0 (Hu et al.
/// 2024, sec. 4). As long as the decay has not begun, n_step may still be changed.
double learning_rate(const Settings& settings, int64_t step);

/// Scales gradients down to a norm of at most `most`; returns the norm that they had.
double clip(Gpt2& grad, double most);

/// Lets the process keep the memory of a step for the next one; to ask the system for it every time
/// takes a twentieth of the step.
void keep_memory();

/// The settings of a training that starts with a trained model: the rate is back at its highest as
/// soon as the optimisers' new means can bear it, and falls from there on.
Settings continued(Settings settings);

/// A model in training: what the next step depends on, beside the settings and the tokens.
struct State {
    int64_t n_done = 0;  ///< steps
    double seconds = 0;  ///< that they took, over all runs; no number depends on it
    Gpt2 model, m, v;    ///< weights and the optimiser's running means
};
State start(const Settings& settings);

/// The same with the weights of a model instead of random ones; the optimisers' means are zero.
State start_with(const Settings& settings, const Gpt2& model);

/// One step of the optimisers on every parameter; leaves `grad` all zero for the next.
void update(State& state, Gpt2& grad, const Settings& settings);

/// Mean loss in nats of a step, before it, and the norm of its gradient before clipping.
struct Step {
    double loss, norm;
};

/// One whole step on its windows of the text. `grad` is all zero before and after. Throws, with
/// the weights as they were, where the loss or the norm is no number.
Step train_step(State& state, const Settings& settings, const Text& text, Gpt2& grad);

/// What the numbers of a training follow from: settings, seed, tokens, and the model that it starts
/// with, if any. Without n_step, which may still change before the decay.
std::string recipe(const Settings& settings, std::span<const int> ids, Gpt2* first = nullptr);

/// Writes and reads FOLDER/checkpoint.safetensors; under its name there is always a whole one, and
/// beside it the weights alone, model.safetensors in float16. A file of another recipe is refused,
/// and one from which n_step can no longer be reached.
void save_state(const State& state, const Settings& settings, const std::string& recipe,
                const std::string& folder);
State load_state(const Settings& settings, const std::string& recipe, const std::string& folder);

/// Mean loss in nats over `n_window` windows of n_ctx targets at equal distances: window i begins
/// at i * floor((n_id - n_ctx - 1) / n_window).
double validation_loss(const Gpt2& model, std::span<const int> ids, int64_t n_window);

struct SampleOptions {
    uint64_t seed = 1;
    int64_t n_token = 60;
    double temperature = 0.8;
};

/// The ids and n_token more, each drawn from softmax(logits / temperature).
std::vector<int> continue_text(const Gpt2& model, std::vector<int> ids,
                               const SampleOptions& options);

}  // namespace vimach::nano
