// GPT-2 backwards; see model/gpt2_backward.h. A block's forward equations, quoted from model/gpt2:
//   resid_mid  = resid_pre + attn_out,  attn_out = attention(layer_norm(resid_pre))
//   resid_post = resid_mid + mlp_out,   mlp_out  = mlp(layer_norm(resid_mid))
// A gradient flows past each sum unchanged, and what comes back through the sublayer is added.
#include "model/gpt2_backward.h"

#include <algorithm>

#include "core/ensure.h"
#include "core/parallel.h"
#include "math/vector_ops.h"
#include "model/attention.h"
#include "model/gpt2_file.h"
#include "model/layers.h"

namespace vimach {

namespace {

constexpr const char* kept_names[] = {"resid_pre", "q", "k", "v", "z", "resid_mid", "mlp_pre"};
constexpr const char* target_names[] = {"resid_pre", "resid_mid", "mlp_pre",
                                        "mlp_post",  "mlp_out",   "resid_post"};

/// The activations of one block in a trace.
class BlockTaps {
public:
    BlockTaps(const Taps& taps, int64_t layer)
        : taps_(taps), prefix_(format("blocks.%ld.", layer)) {}
    ConstMatrixView operator[](const char* name) const { return taps_.at(prefix_ + name).matrix(); }

private:
    const Taps& taps_;
    std::string prefix_;
};

/// The gradients of a layer's two parameters, if any are wanted.
ParameterGradients pick(Gpt2Block* grad, Tensor Gpt2Block::*weight, Tensor Gpt2Block::*bias) {
    if (grad == nullptr) return {};
    return {&(grad->*weight), &(grad->*bias)};
}

/// A layer norm's output, computed again.
Tensor normed(ConstMatrixView x, const Tensor& gain, const Tensor& bias) {
    Tensor y({x.rows, x.cols});
    layer_norm(x, gain, bias, y.matrix());
    return y;
}

// --- one block ----------------------------------------------------------------------------------

/// From the gradient of mlp_pre to that of resid_mid, added to grad_resid.
void backward_mlp_input(const Gpt2Block& b, const BlockTaps& taps, const Tensor& grad_mlp,
                        Tensor& grad_resid, Gpt2Block* grad) {
    // Undo mlp_pre = ln_2 W_in + b_in.
    ConstMatrixView resid_mid = taps["resid_mid"];
    Tensor ln_2 = grad ? normed(resid_mid, b.ln_2_gain, b.ln_2_bias) : Tensor();
    Tensor grad_ln({resid_mid.rows, resid_mid.cols});
    linear_backward(ln_2.matrix(), b.W_in, grad_mlp.matrix(), grad_ln.matrix(),
                    pick(grad, &Gpt2Block::W_in, &Gpt2Block::b_in));

    // Undo ln_2 = layer_norm(resid_mid).
    layer_norm_backward(resid_mid, b.ln_2_gain, grad_ln.matrix(), grad_resid.matrix(),
                        pick(grad, &Gpt2Block::ln_2_gain, &Gpt2Block::ln_2_bias));
}

/// From the gradient of resid_post to that of resid_mid, in place.
void backward_mlp(const Gpt2Block& b, const BlockTaps& taps, Tensor& grad_resid, Gpt2Block* grad) {
    // Undo resid_post = resid_mid + mlp_post W_out + b_out, then mlp_post = gelu(mlp_pre) on every
    // tile of its gradient while it is in the cache.
    ConstMatrixView mlp_pre = taps["mlp_pre"];
    Tensor grad_mlp({mlp_pre.rows, mlp_pre.cols}), mlp_post;
    if (grad) {
        mlp_post = Tensor(grad_mlp.shape);
        gelu(mlp_pre, mlp_post.matrix());
    }
    linear_backward(mlp_post.matrix(), b.W_out, grad_resid.matrix(), grad_mlp.matrix(),
                    pick(grad, &Gpt2Block::W_out, &Gpt2Block::b_out),
                    [&](MatrixView tile, int64_t row, int64_t col) {
                        gelu_backward(columns(row_range(mlp_pre, row, tile.rows), col, tile.cols),
                                      tile);
                    });
    backward_mlp_input(b, taps, grad_mlp, grad_resid, grad);
}

/// From the gradient of resid_mid to that of resid_pre, in place.
void backward_attention(const Gpt2Block& b, const BlockTaps& taps, int64_t n_window, int64_t n_head,
                        Tensor& grad_resid, Gpt2Block* grad) {
    // Undo resid_mid = resid_pre + z W_O + b_O.
    ConstMatrixView resid_pre = taps["resid_pre"];
    Tensor grad_z({resid_pre.rows, resid_pre.cols});
    linear_backward(taps["z"], b.W_O, grad_resid.matrix(), grad_z.matrix(),
                    pick(grad, &Gpt2Block::W_O, &Gpt2Block::b_O));

    // Undo z = attention(q, k, v).
    Tensor grad_qkv({resid_pre.rows, 3 * resid_pre.cols});
    causal_attention_backward(taps["q"], taps["k"], taps["v"], n_window, n_head, grad_z.matrix(),
                              grad_qkv.matrix());

    // Undo qkv = ln_1 W_QKV + b_QKV, then ln_1 = layer_norm(resid_pre).
    Tensor ln_1 = grad ? normed(resid_pre, b.ln_1_gain, b.ln_1_bias) : Tensor();
    Tensor& grad_ln = grad_z;
    linear_backward(ln_1.matrix(), b.W_QKV, grad_qkv.matrix(), grad_ln.matrix(),
                    pick(grad, &Gpt2Block::W_QKV, &Gpt2Block::b_QKV));
    layer_norm_backward(resid_pre, b.ln_1_gain, grad_ln.matrix(), grad_resid.matrix(),
                        pick(grad, &Gpt2Block::ln_1_gain, &Gpt2Block::ln_1_bias));
}

/// What the backward pass of blocks first ... stop - 1 reads, by name.
std::vector<std::string> taps_to_keep(int64_t stop) {
    std::vector<std::string> taps;
    for (int64_t layer = 0; layer < stop; ++layer) {
        for (const char* name : kept_names) taps.push_back(format("blocks.%ld.", layer) + name);
    }
    return taps;
}

}  // namespace

// --- from an activation to the embeddings -------------------------------------------------------

Trace trace_blocks(const Gpt2& model, const Tensor& embeddings, int64_t n_window,
                   const std::string& target) {
    TapParts parts = cut_tap(target);
    Trace trace = {
        .n_window = n_window, .layer = parts.layer, .name = parts.name, .target = embeddings};
    bool known = std::ranges::find(target_names, trace.name) != std::end(target_names);
    if (!known || trace.layer < 0 || trace.layer >= model.config.n_layer) {
        std::string list;
        for (const char* name : target_names) list += std::string(" ") + name;
        fail("no gradient starts at '" + target + "'", "trace_blocks",
             format("use blocks.N.NAME with N from 0 to %ld and NAME one of",
                    model.config.n_layer - 1) +
                 list);
    }

    // The stream before a block is what the blocks below it leave; no block need run for it.
    int64_t stop = trace.name == "resid_pre" ? trace.layer : trace.layer + 1;
    std::vector<std::string> keep = taps_to_keep(stop);
    bool is_stream = trace.name == "resid_pre" || trace.name == "resid_post";
    if (!is_stream) keep.push_back(target);
    trace.taps = run_blocks(model, trace.target, n_window, {.stop = stop, .taps = keep});
    if (!is_stream) trace.target = trace.taps.at(target);
    return trace;
}

Tensor backward_to_embeddings(const Gpt2& model, const Trace& trace, const Tensor& grad_target) {
    const Gpt2Config& c = model.config;
    ensure(grad_target.shape == trace.target.shape, "the gradient has another shape",
           "backward_to_embeddings", "pass one number for every number of the target");

    // Come from the target to the stream at the end of its block, or at its middle.
    Tensor grad_resid = grad_target;
    int64_t layer = trace.layer;
    bool in_mlp = trace.name == "mlp_pre" || trace.name == "mlp_post";
    if (trace.name == "resid_pre") --layer;
    if (layer < 0) return grad_resid;
    BlockTaps taps(trace.taps, layer);
    const Gpt2Block& last = model.blocks[layer];
    if (in_mlp) {
        Tensor grad_mlp = grad_target;
        if (trace.name == "mlp_post") gelu_backward(taps["mlp_pre"], grad_mlp.matrix());
        grad_resid = Tensor({grad_target.rows(), c.d_model});
        backward_mlp_input(last, taps, grad_mlp, grad_resid, nullptr);
    } else if (trace.name == "mlp_out") {
        // Only the sublayer counts, not what flows past it: take that off again.
        backward_mlp(last, taps, grad_resid, nullptr);
        for (int64_t i = 0; i < grad_resid.size(); ++i) grad_resid.data[i] -= grad_target.data[i];
    } else if (trace.name != "resid_mid") {
        backward_mlp(last, taps, grad_resid, nullptr);
    }
    backward_attention(last, taps, trace.n_window, c.n_head, grad_resid, nullptr);

    // Go down block by block.
    while (--layer >= 0) {
        BlockTaps below(trace.taps, layer);
        backward_mlp(model.blocks[layer], below, grad_resid, nullptr);
        backward_attention(model.blocks[layer], below, trace.n_window, c.n_head, grad_resid,
                           nullptr);
    }
    return grad_resid;
}

// --- from the loss to all parameters ------------------------------------------------------------

namespace {

/// One window of a training step. Windows run side by side, each with its own share of the
/// gradients, and the shares are added in the order of the windows.
struct WindowPass {
    std::span<const int> inputs;  // [n_token]
    Tensor resid;                 // [n_token, d_model]: the stream after the last block
    Tensor grad_resid;            // [n_token, d_model]: in the end, of the stream before block 0
    Taps taps;
    Gpt2 grad;  // of all parameters but W_E
};

/// Runs a window; `last` receives the final layer norm's output.
void run_forward(const Gpt2& model, WindowPass& pass, MatrixView last) {
    pass.resid = embed_ids(model, pass.inputs, 1);
    pass.taps = run_blocks(model, pass.resid, 1, {.taps = taps_to_keep(model.config.n_layer)});
    layer_norm(pass.resid.matrix(), model.ln_final_gain, model.ln_final_bias, last);
}

/// Runs a window back from the gradient of `last`, and drops what the forward pass kept.
void run_backward(const Gpt2& model, WindowPass& pass, ConstMatrixView grad_last) {
    Gpt2 shape;  // the model's, without a vocabulary
    shape.config = model.config;
    shape.config.d_vocab = 0;
    shape.blocks.resize(model.blocks.size());
    pass.grad = zeros_like(shape);
    pass.grad_resid = Tensor(pass.resid.shape);

    // Undo the final layer norm, then the blocks from the last to the first.
    layer_norm_backward(pass.resid.matrix(), model.ln_final_gain, grad_last,
                        pass.grad_resid.matrix(),
                        {&pass.grad.ln_final_gain, &pass.grad.ln_final_bias});
    for (int64_t layer = model.config.n_layer - 1; layer >= 0; --layer) {
        BlockTaps kept(pass.taps, layer);
        const Gpt2Block& block = model.blocks[layer];
        Gpt2Block* grad = &pass.grad.blocks[layer];
        backward_mlp(block, kept, pass.grad_resid, grad);
        backward_attention(block, kept, 1, model.config.n_head, pass.grad_resid, grad);
    }

    // Undo resid_pre = W_E[id] + W_pos[position] for the positions.
    std::ranges::copy(pass.grad_resid.data, pass.grad.W_pos.data.begin());
    pass.taps.clear();
}

/// Adds the shares of all windows to the gradients.
void add_shares(std::vector<WindowPass>& passes, Gpt2& grad) {
    std::vector<Parameter> sums = parameters(grad);
    std::vector<std::vector<Parameter>> shares;
    for (WindowPass& pass : passes) shares.push_back(parameters(pass.grad));
    parallel_for(static_cast<int64_t>(sums.size()), [&](int64_t i) {
        for (const std::vector<Parameter>& share : shares) {
            add(share[i].tensor->data, sums[i].tensor->data);
        }
    });

    // Undo resid_pre = W_E[id] + W_pos[position] for the tokens.
    for (const WindowPass& pass : passes) {
        for (int64_t i = 0; i < pass.grad_resid.rows(); ++i) {
            add(pass.grad_resid.row(i), grad.W_E.row(pass.inputs[i]));
        }
    }
}

}  // namespace

double loss_and_gradients(const Gpt2& model, std::span<const int> ids, int64_t n_window, Gpt2& grad,
                          const Candidates* candidates) {
    auto n_id = static_cast<int64_t>(ids.size()), length = n_window < 1 ? 0 : n_id / n_window;
    ensure(length >= 2 && n_id == n_window * length, "ids do not divide into windows",
           "loss_and_gradients", "pass n_window windows of n_token + 1 ids");

    // Inputs are all ids of a window but the last, targets all but the first.
    int64_t n_token = length - 1;
    auto size = static_cast<size_t>(n_token);
    std::vector<WindowPass> passes(static_cast<size_t>(n_window));
    std::vector<int> targets;
    for (size_t window = 0; window < passes.size(); ++window) {
        std::span<const int> all = ids.subspan(window * (size + 1), size + 1);
        passes[window].inputs = all.first(size);
        targets.insert(targets.end(), all.begin() + 1, all.end());
    }

    // Forward, window by window; the loss of all rows at once; backward, window by window.
    Tensor last({n_window * n_token, model.config.d_model}), grad_last(last.shape);
    auto rows_of = [&](Tensor& t, int64_t window) {
        return row_range(t.matrix(), window * n_token, n_token);
    };
    parallel_for(n_window, [&](int64_t window) {
        run_forward(model, passes[window], rows_of(last, window));
    });
    ConstMatrixView x = last.matrix();
    MatrixView grad_x = grad_last.matrix();
    double loss =
        candidates ? head_loss_and_gradients(x, model.W_E, targets, *candidates, grad_x, grad.W_E)
                   : head_loss_and_gradients(x, model.W_E, targets, grad_x, grad.W_E);
    parallel_for(n_window, [&](int64_t window) {
        run_backward(model, passes[window], rows_of(grad_last, window));
    });
    add_shares(passes, grad);
    return loss;
}

}  // namespace vimach
