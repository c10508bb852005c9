// GPT-2 (Radford et al. 2019): its weights, and the forward pass in three parts that can be used
// one by one: embed_ids -> run_blocks -> unembed. Between them stands the residual stream,
// [n_window * n_token, d_model], to which every block adds what attention and MLP computed:
//   resid_mid  = resid_pre + attn_out,  attn_out = attention(layer_norm(resid_pre))
//   resid_post = resid_mid + mlp_out,   mlp_out  = mlp(layer_norm(resid_mid))
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace vimach {

struct Gpt2Config {
    int64_t n_layer = 0, n_head = 0, d_model = 0, d_mlp = 0, n_ctx = 0, d_vocab = 0;
    int64_t d_head() const { return d_model / n_head; }
    int64_t n_parameter() const;
    bool operator==(const Gpt2Config&) const = default;
};

/// The shape of OpenAI's smallest GPT-2: 124,439,808 parameters.
constexpr Gpt2Config gpt2_small = {
    .n_layer = 12, .n_head = 12, .d_model = 768, .d_mlp = 3072, .n_ctx = 1024, .d_vocab = 50257};

/// The shape of GPT-2 large: 774,030,080 parameters.
constexpr Gpt2Config gpt2_large = {
    .n_layer = 36, .n_head = 20, .d_model = 1280, .d_mlp = 5120, .n_ctx = 1024, .d_vocab = 50257};

/// One transformer block. W_QKV holds W_Q, W_K and W_V side by side: [d_model, 3 * d_model].
struct Gpt2Block {
    Tensor ln_1_gain, ln_1_bias, W_QKV, b_QKV, W_O, b_O;
    Tensor ln_2_gain, ln_2_bias, W_in, b_in, W_out, b_out;
};

struct Gpt2 {
    Gpt2Config config;
    Tensor W_E;    ///< [d_vocab, d_model]; also the unembedding, transposed
    Tensor W_pos;  ///< [n_ctx, d_model]
    std::vector<Gpt2Block> blocks;
    Tensor ln_final_gain, ln_final_bias;
    std::string source;     ///< where it came from, for titles and errors
    std::string note = {};  ///< what is unusual about it, or nothing
    int64_t n_padding = 0;  ///< last rows of W_E that stand for no token
};

/// One line: source, number of parameters, extents.
std::string describe(const Gpt2& model);

/// Token embeddings (+ position embeddings): ids of n_window windows of equal length, one window
/// after the other, to the residual stream before block 0.
Tensor embed_ids(const Gpt2& model, std::span<const int> ids, int64_t n_window,
                 bool add_positions = true);

/// Adds the position embeddings to embeddings of one's own, [n_window * n_token, d_model]; the
/// first of a window stands at the position `first`.
void add_position_embeddings(const Gpt2& model, Tensor& embeddings, int64_t n_window,
                             int64_t first = 0);

/// The keys and values of the tokens that one window begins with (the field's KV cache): tokens
/// after them are computed without another pass over those before.
struct Past {
    int64_t n_token = 0;
    std::vector<Tensor> keys = {}, values = {};  ///< of every block, [n_ctx, d_model]
};

struct RunOptions {
    int64_t first = 0;  ///< first block to run
    int64_t stop = -1;  ///< the block before which to stop; -1: run to the last
    /// Activations to keep, e.g. "blocks.3.mlp_pre". The names, each per block: resid_pre, ln_1,
    /// q, k, v, attn_scores, attn_pattern, z, attn_out, resid_mid, ln_2, mlp_pre, mlp_post,
    /// mlp_out, resid_post. All are [n_window * n_token, width], but attn_scores and attn_pattern
    /// [n_window, n_head, n_token, n_token].
    std::vector<std::string> taps = {};
    /// Where given, `resid` is what comes after these tokens in one window, and its keys and
    /// values are added to them; all blocks run, and no pattern is kept.
    Past* past = nullptr;
};

/// The parts of "blocks.N.NAME"; layer -1 and no name where it is written in any other way.
struct TapParts {
    int64_t layer = -1;
    std::string name = {};
};
TapParts cut_tap(const std::string& tap);

/// Activations by the names asked for.
using Taps = std::map<std::string, Tensor>;

/// The names of the taps of one block, in the order in which they are computed.
std::span<const char* const> tap_names();

/// Runs blocks first ... stop - 1 on the residual stream `resid`, in place. Which taps are kept
/// changes no digit of the result.
Taps run_blocks(const Gpt2& model, Tensor& resid, int64_t n_window, const RunOptions& options = {});

/// One activation of a text, the field's run_with_cache: embed_ids, then run_blocks as far as the
/// tap, e.g. "blocks.6.mlp_pre". [n_window * n_token, width], patterns as in RunOptions.
Tensor activations(const Gpt2& model, std::span<const int> ids, int64_t n_window,
                   const std::string& tap);

/// Final layer norm: [n, d_model] -> [n, d_model].
Tensor final_norm(const Gpt2& model, const Tensor& resid);

/// Logits of every row of a residual stream: final layer norm, then W_E transposed.
/// [n, d_model] -> [n, d_vocab].
Tensor unembed(const Gpt2& model, const Tensor& resid);

/// The same of the last row only, which says what follows a text: [1, d_vocab].
Tensor unembed_last(const Gpt2& model, const Tensor& resid);

/// Loss of every prediction, in nats: entry i of a window of n_token ids is the cross-entropy of
/// id i + 1 given the ids up to i, so n_window * (n_token - 1) entries. `resid` is the stream
/// after the last block. Logits are computed a few rows at a time, never all at once.
std::vector<double> next_token_losses(const Gpt2& model, const Tensor& resid,
                                      std::span<const int> ids, int64_t n_window);

}  // namespace vimach
