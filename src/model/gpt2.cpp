// GPT-2's forward pass; see model/gpt2.h. Scratch memory is allocated once and reused by every
// block; a tap costs its own memory and one copy, and nothing where it is not asked for.
#include "model/gpt2.h"

#include <algorithm>
#include <charconv>

#include "core/ensure.h"
#include "core/parallel.h"
#include "model/attention.h"
#include "model/layers.h"

namespace vimach {

namespace {

constexpr const char* names[] = {
    "resid_pre", "ln_1",      "q",    "k",       "v",        "attn_scores", "attn_pattern", "z",
    "attn_out",  "resid_mid", "ln_2", "mlp_pre", "mlp_post", "mlp_out",     "resid_post"};
constexpr int64_t logit_rows = 128;  // rows of logits held at a time where only losses are wanted

int64_t window_length(int64_t n_row, int64_t n_window, const Gpt2Config& config,
                      int64_t n_before = 0) {
    if (n_window < 1 || n_row < 1 || n_row % n_window != 0) {
        fail(format("%ld rows do not divide into %ld windows", n_row, n_window), "gpt2",
             "pass n_window windows of equal length, at least 1");
    }
    int64_t n_token = n_row / n_window;
    if (n_before + n_token <= config.n_ctx) return n_token;
    fail(format("%ld tokens do not fit into the context of %ld", n_before + n_token, config.n_ctx),
         "gpt2", "cut the text into windows of at most that length");
}

void copy(ConstMatrixView from, MatrixView to) {
    for (int64_t i = 0; i < to.rows; ++i) {
        std::copy_n(from.data + i * from.stride, to.cols, to.data + i * to.stride);
    }
}

/// Adds b to a, rectangle to rectangle.
void add(ConstMatrixView b, MatrixView a) {
    for (int64_t i = 0; i < a.rows; ++i) {
        Real* to = a.data + i * a.stride;
        const Real* from = b.data + i * b.stride;
        for (int64_t j = 0; j < a.cols; ++j) to[j] += from[j];
    }
}

/// The part of m that lies where `tile` lies in its own matrix.
MatrixView same_place(MatrixView m, MatrixView tile, int64_t row, int64_t col) {
    return columns(row_range(m, row, tile.rows), col, tile.cols);
}

// --- taps ---------------------------------------------------------------------------------------

/// Refuses names that no block in first ... stop - 1 has.
void check_tap(const std::string& tap, int64_t first, int64_t stop) {
    auto [layer, name] = cut_tap(tap);
    bool known = std::find(std::begin(names), std::end(names), name) != std::end(names);
    if (known && layer >= first && layer < stop) return;

    std::string list;
    for (const char* name : names) list += std::string(" ") + name;
    fail(
        "there is no activation '" + tap + "'", "run_blocks",
        format("use blocks.N.NAME with N from %ld to %ld and NAME one of", first, stop - 1) + list);
}

/// The taps of one block: which are wanted, and where they are kept.
class BlockTaps {
public:
    BlockTaps(const std::vector<std::string>& wanted, int64_t layer, Taps& kept)
        : wanted_(wanted), prefix_(format("blocks.%ld.", layer)), kept_(kept) {}

    bool wants(const char* name) const {
        return std::find(wanted_.begin(), wanted_.end(), prefix_ + name) != wanted_.end();
    }

    /// Keeps a copy of a matrix if it is wanted.
    void keep(const char* name, ConstMatrixView m) const {
        if (!wants(name)) return;
        Tensor copy;
        copy.shape = {m.rows, m.cols};
        copy.data.reserve(static_cast<size_t>(m.rows * m.cols));
        for (int64_t i = 0; i < m.rows; ++i) {
            const Real* row = m.data + i * m.stride;
            copy.data.insert(copy.data.end(), row, row + m.cols);
        }
        kept_[prefix_ + name] = std::move(copy);
    }

    /// A buffer that a layer fills, or null if it is not wanted.
    Tensor* buffer(const char* name, const std::vector<int64_t>& shape) const {
        if (!wants(name)) return nullptr;
        return &(kept_[prefix_ + name] = Tensor(shape));
    }

private:
    const std::vector<std::string>& wanted_;
    std::string prefix_;
    Taps& kept_;
};

// --- one block ----------------------------------------------------------------------------------

/// Memory that the blocks reuse one after the other.
struct Scratch {
    Tensor normed, qkv, z, sublayer_out, mlp;

    Scratch(int64_t n_row, const Gpt2Config& c)
        : normed({n_row, c.d_model}),
          qkv({n_row, 3 * c.d_model}),
          z({n_row, c.d_model}),
          sublayer_out({n_row, c.d_model}),
          mlp({n_row, c.d_mlp}) {}
};

/// Puts the keys and values of new tokens behind those of the past; the queries see them all.
void attend_to_past(ConstMatrixView qkv, Tensor& past_keys, Tensor& past_values, int64_t n_past,
                    int64_t n_head, MatrixView z) {
    int64_t d = z.cols, n_new = qkv.rows;
    copy(columns(qkv, d, d), row_range(past_keys.matrix(), n_past, n_new));
    copy(columns(qkv, 2 * d, d), row_range(past_values.matrix(), n_past, n_new));
    causal_attention(columns(qkv, 0, d), row_range(past_keys.matrix(), 0, n_past + n_new),
                     row_range(past_values.matrix(), 0, n_past + n_new), n_head, z);
}

void run_attention(const Gpt2Block& block, const Gpt2Config& c, int64_t n_window, Tensor& resid,
                   Scratch& s, const BlockTaps& taps, Past* past, int64_t layer) {
    // Normalise, and project to queries, keys and values.
    int64_t d = c.d_model, n_token = resid.rows() / n_window;
    layer_norm(resid.matrix(), block.ln_1_gain, block.ln_1_bias, s.normed.matrix());
    taps.keep("ln_1", s.normed.matrix());
    linear(s.normed.matrix(), block.W_QKV, block.b_QKV, s.qkv.matrix());
    taps.keep("q", columns(s.qkv.matrix(), 0, d));
    taps.keep("k", columns(s.qkv.matrix(), d, d));
    taps.keep("v", columns(s.qkv.matrix(), 2 * d, d));

    // Let every head move information between tokens.
    if (past) {
        attend_to_past(s.qkv.matrix(), past->keys[layer], past->values[layer], past->n_token,
                       c.n_head, s.z.matrix());
    } else {
        std::vector<int64_t> square = {n_window, c.n_head, n_token, n_token};
        causal_attention(s.qkv.matrix(), n_window, c.n_head, s.z.matrix(),
                         {.scores = taps.buffer("attn_scores", square),
                          .pattern = taps.buffer("attn_pattern", square)});
    }
    taps.keep("z", s.z.matrix());

    // Project back and add to the stream, tile by tile.
    linear(s.z.matrix(), block.W_O, block.b_O, s.sublayer_out.matrix(),
           [&](MatrixView tile, int64_t row, int64_t col) {
               add(tile, same_place(resid.matrix(), tile, row, col));
           });
    taps.keep("attn_out", s.sublayer_out.matrix());
}

void run_mlp(const Gpt2Block& block, Tensor& resid, Scratch& s, const BlockTaps& taps) {
    // Normalise, expand, and apply the nonlinearity to each tile while it is in the cache.
    layer_norm(resid.matrix(), block.ln_2_gain, block.ln_2_bias, s.normed.matrix());
    taps.keep("ln_2", s.normed.matrix());
    Tensor* pre = taps.buffer("mlp_pre", s.mlp.shape);
    linear(s.normed.matrix(), block.W_in, block.b_in, s.mlp.matrix(),
           [&](MatrixView tile, int64_t row, int64_t col) {
               if (pre) copy(tile, same_place(pre->matrix(), tile, row, col));
               gelu(tile, tile);
           });
    taps.keep("mlp_post", s.mlp.matrix());

    // Project back and add to the stream.
    linear(s.mlp.matrix(), block.W_out, block.b_out, s.sublayer_out.matrix(),
           [&](MatrixView tile, int64_t row, int64_t col) {
               add(tile, same_place(resid.matrix(), tile, row, col));
           });
    taps.keep("mlp_out", s.sublayer_out.matrix());
}

}  // namespace

std::span<const char* const> tap_names() { return names; }

TapParts cut_tap(const std::string& tap) {
    constexpr std::string_view prefix = "blocks.";
    if (!tap.starts_with(prefix)) return {};
    int64_t layer = -1;
    auto [end, error] = std::from_chars(tap.data() + prefix.size(), tap.data() + tap.size(), layer);
    if (error != std::errc{} || *end != '.') return {};
    std::string name = end + 1;
    return tap == format("blocks.%ld.", layer) + name ? TapParts{layer, name} : TapParts{};
}

int64_t Gpt2Config::n_parameter() const {
    int64_t block = 4 * d_model + d_model * 4 * d_model + 4 * d_model +  // norms, attention
                    2 * d_model * d_mlp + d_mlp + d_model;               // MLP
    return (d_vocab + n_ctx) * d_model + n_layer * block + 2 * d_model;
}

std::string describe(const Gpt2& model) {
    const Gpt2Config& c = model.config;
    return format("%s, %ld parameters, %s of %s, d_model %ld, context %ld%s%s",
                  model.source.c_str(), c.n_parameter(), plural(c.n_layer, "layer").c_str(),
                  plural(c.n_head, "head").c_str(), c.d_model, c.n_ctx,
                  model.note.empty() ? "" : "; ", model.note.c_str());
}

// --- embed --------------------------------------------------------------------------------------

Tensor embed_ids(const Gpt2& model, std::span<const int> ids, int64_t n_window,
                 bool add_positions) {
    window_length(static_cast<int64_t>(ids.size()), n_window, model.config);
    Tensor resid({static_cast<int64_t>(ids.size()), model.config.d_model});
    for (size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < 0 || ids[i] >= model.config.d_vocab) {
            fail(format("the id %d is not in the model's vocabulary", ids[i]), "embed_ids",
                 format("use ids from 0 to %ld", model.config.d_vocab - 1));
        }
        std::ranges::copy(model.W_E.row(ids[i]), resid.row(static_cast<int64_t>(i)).begin());
    }
    if (add_positions) add_position_embeddings(model, resid, n_window);
    return resid;
}

void add_position_embeddings(const Gpt2& model, Tensor& embeddings, int64_t n_window,
                             int64_t first) {
    require_shape(embeddings, {-1, model.config.d_model}, "add_position_embeddings: embeddings");
    int64_t n_token = window_length(embeddings.rows(), n_window, model.config, first);
    for (int64_t window = 0; window < n_window; ++window) {
        add(row_range(model.W_pos.matrix(), first, n_token),
            row_range(embeddings.matrix(), window * n_token, n_token));
    }
}

// --- blocks -------------------------------------------------------------------------------------

namespace {

/// Gives an empty past its memory.
void prepare(Past& past, const Gpt2Config& c, bool is_whole_window) {
    ensure(is_whole_window, "a past is that of one window in all blocks", "run_blocks",
           "pass one window, and run from the first block to the last");
    if (past.keys.empty()) {
        past.keys.assign(static_cast<size_t>(c.n_layer), Tensor({c.n_ctx, c.d_model}));
        past.values = past.keys;
    }
}

}  // namespace

Taps run_blocks(const Gpt2& model, Tensor& resid, int64_t n_window, const RunOptions& options) {
    const Gpt2Config& c = model.config;
    int64_t stop = options.stop < 0 ? c.n_layer : options.stop;
    Past* past = options.past;
    require_shape(resid, {-1, c.d_model}, "run_blocks: resid");
    window_length(resid.rows(), n_window, c, past ? past->n_token : 0);
    if (options.first < 0 || options.first > stop || stop > c.n_layer) {
        fail(format("cannot run blocks %ld to %ld", options.first, stop), "run_blocks",
             format("the model has blocks 0 to %ld", c.n_layer - 1));
    }
    for (const std::string& tap : options.taps) check_tap(tap, options.first, stop);
    if (past) prepare(*past, c, n_window == 1 && options.first == 0 && stop == c.n_layer);

    Taps kept;
    Scratch scratch(resid.rows(), c);
    for (int64_t layer = options.first; layer < stop; ++layer) {
        BlockTaps taps(options.taps, layer, kept);
        const Gpt2Block& block = model.blocks[layer];
        taps.keep("resid_pre", resid.matrix());
        run_attention(block, c, n_window, resid, scratch, taps, past, layer);
        taps.keep("resid_mid", resid.matrix());
        run_mlp(block, resid, scratch, taps);
        taps.keep("resid_post", resid.matrix());
    }
    if (past) past->n_token += resid.rows();
    return kept;
}

// --- unembed ------------------------------------------------------------------------------------

Tensor activations(const Gpt2& model, std::span<const int> ids, int64_t n_window,
                   const std::string& tap) {
    int64_t layer = cut_tap(tap).layer;
    int64_t stop = layer >= 0 && layer < model.config.n_layer ? layer + 1 : -1;  // -1 refuses it
    Tensor resid = embed_ids(model, ids, n_window);
    auto kept = run_blocks(model, resid, n_window, {.stop = stop, .taps = {tap}});
    Tensor out = std::move(kept.at(tap));
    return out;
}

Tensor final_norm(const Gpt2& model, const Tensor& resid) {
    require_shape(resid, {-1, model.config.d_model}, "final_norm: resid");
    Tensor normed(resid.shape);
    layer_norm(resid.matrix(), model.ln_final_gain, model.ln_final_bias, normed.matrix());
    return normed;
}

Tensor unembed(const Gpt2& model, const Tensor& resid) {
    Tensor normed = final_norm(model, resid), logits({resid.rows(), model.config.d_vocab});
    matmul(normed.matrix(), model.W_E.matrix(), logits.matrix(), {.transpose_b = true});
    return logits;
}

Tensor unembed_last(const Gpt2& model, const Tensor& resid) {
    Tensor last({1, model.config.d_model});
    std::ranges::copy(resid.row(resid.rows() - 1), last.data.begin());
    return unembed(model, last);
}

std::vector<double> next_token_losses(const Gpt2& model, const Tensor& resid,
                                      std::span<const int> ids, int64_t n_window) {
    ensure(static_cast<int64_t>(ids.size()) == resid.rows(), "ids and rows differ in number",
           "next_token_losses", "pass the ids that the residual stream was computed from");
    int64_t n_token = window_length(resid.rows(), n_window, model.config);
    Tensor normed = final_norm(model, resid);
    Tensor logits({std::min(logit_rows, n_token), model.config.d_vocab});

    // Walk each window in pieces; its last row predicts a token that is not there.
    std::vector<double> losses;
    for (int64_t window = 0; window < n_window; ++window) {
        int64_t begin = window * n_token, end = begin + n_token - 1;
        for (int64_t row = begin; row < end; row += logit_rows) {
            int64_t count = std::min(logit_rows, end - row);
            MatrixView piece = row_range(logits.matrix(), 0, count);
            matmul(row_range(normed.matrix(), row, count), model.W_E.matrix(), piece,
                   {.transpose_b = true});
            std::span<const int> targets =
                ids.subspan(static_cast<size_t>(row + 1), static_cast<size_t>(count));
            std::vector<double> part = cross_entropy(piece, targets);
            losses.insert(losses.end(), part.begin(), part.end());
        }
    }
    return losses;
}

}  // namespace vimach
