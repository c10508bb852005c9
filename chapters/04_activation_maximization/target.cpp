// Chapter 4's target, its vectors and what a run reads; see target.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "target.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/ensure.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/vector_ops.h"
#include "model/gpt2_file.h"
#include "model/vocabulary.h"
#include "text/html_text.h"
#include "text/prose.h"

namespace vimach::ch04 {

// --- the target ---------------------------------------------------------------------------------

Target parse_target(const std::string& text, const Gpt2Config& config) {
    // Read KIND:N.
    size_t colon = text.find(':');
    std::string kind = colon == text.npos ? "hidden" : text.substr(0, colon);
    std::string number = colon == text.npos ? text : text.substr(colon + 1);
    int64_t n = -1;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), n);
    bool whole = error == std::errc{} && end == number.data() + number.size();
    bool known = kind == "hidden" || kind == "block" || kind == "mlp";
    if (!whole || !known || n < 0 || n >= config.n_layer) {
        throw UsageError(
            "there is no target '" + text + "'", "--layer",
            format("use hidden:N, block:N or mlp:N with N from 0 to %ld", config.n_layer - 1));
    }

    // hidden:N is the stream before block N, which is the stream after the block below.
    Target target = {.name = kind + ":" + number, .tap = {}, .n_block = n + 1, .width = 0};
    bool is_neuron = kind == "mlp";
    if (kind == "hidden") --target.n_block;
    target.width = is_neuron ? config.d_mlp : config.d_model;
    target.tap = target.n_block == 0 ? "blocks.0.resid_pre"
                                     : format("blocks.%ld.%s", target.n_block - 1,
                                              is_neuron ? "mlp_post" : "resid_post");
    return target;
}

Target choose_target(const Options& options, const Choice& preset, const Gpt2Config& config) {
    Target target = parse_target(options.text("--layer", preset.target), config);
    int64_t last = target.width - 1;
    target.dim = options.integer("--dim", std::min(preset.dim, last), 0, last);
    target.n_token = options.integer("--tokens", 5, 1, config.n_ctx);
    target.at = options.has("--at") ? options.integer("--at", 0, 0, target.n_token - 1) : -1;
    std::string positions = options.text("--positions", preset.add_positions ? "on" : "off");
    if (positions != "on" && positions != "off") {
        throw UsageError("'" + positions + "' is neither on nor off", "--positions",
                         "use on or off");
    }
    target.add_positions = positions == "on";
    return target;
}

Counts choose_counts(const Options& options, Counts counts) {
    counts.n_start = options.integer("--starts", counts.n_start, 2, 1000);
    counts.n_step = options.integer("--steps", counts.n_step, 1, 1'000'000);
    return counts;
}

Tensor axis(const Target& target, int64_t n) {
    return axes(target, std::vector<int64_t>(static_cast<size_t>(n), target.dim));
}

Tensor axes(const Target& target, const std::vector<int64_t>& dims) {
    Tensor directions({std::ssize(dims), target.width});
    for (int64_t i = 0; i < directions.rows(); ++i) directions.row(i)[dims[i]] = 1;
    return directions;
}

Tensor random_directions(const Target& target, int64_t n, uint64_t seed) {
    Rng rng(seed);
    Tensor directions({n, target.width});
    for (Real& value : directions.data) value = static_cast<Real>(rng.normal());
    for (int64_t i = 0; i < n; ++i) {
        Real length = std::sqrt(sum_of_squares(directions.row(i)));
        for (Real& value : directions.row(i)) value /= length;
    }
    return directions;
}

// --- vectors and weights ------------------------------------------------------------------------

Tensor token_embeddings(const Gpt2& model) {
    int64_t n_token = model.config.d_vocab - model.n_padding;
    Tensor rows({n_token, model.config.d_model});
    std::copy_n(model.W_E.data.begin(), rows.size(), rows.data.begin());
    return rows;
}

Tensor isotropic_vectors(const Tensor& W_E, int64_t n, uint64_t seed) {
    Rng rng(seed);
    Tensor vectors({n, W_E.cols()});
    double deviation = deviation_of(W_E);
    for (Real& value : vectors.data) value = static_cast<Real>(deviation * rng.normal());
    return vectors;
}

Tensor matched_vectors(const Tensor& W_E, int64_t n, uint64_t seed) {
    // Mix all tokens, their mean m taken off, by normal numbers g: the sum over tokens of
    // g_t (w_t - m) / sqrt(T - 1) is normal with exactly their covariance.
    int64_t n_token = W_E.rows(), width = W_E.cols();
    Tensor mix({n, n_token}), vectors({n, width});
    double scale = 1 / std::sqrt(static_cast<double>(n_token - 1));
    parallel_for(n, [&](int64_t i) {
        Rng rng(run_seed(seed, i));
        double total = 0;
        for (Real& value : mix.row(i)) {
            value = static_cast<Real>(scale * rng.normal());
            total += value;
        }
        // sum g (w - m) + m = sum (g + (1 - sum g) / T) w.
        auto shift = static_cast<Real>((1 - total) / static_cast<double>(n_token));
        for (Real& value : mix.row(i)) value += shift;
    });
    matmul(mix.matrix(), W_E.matrix(), vectors.matrix());
    return vectors;
}

double deviation_of(const Tensor& m) {
    double total = 0, squares = 0;
    for (Real value : m.data) total += value;
    double centre = total / static_cast<double>(m.size());
    for (Real value : m.data) squares += (value - centre) * (value - centre);
    return std::sqrt(squares / static_cast<double>(m.size()));
}

Gpt2 shuffled_blocks(const Gpt2& model, int64_t n_block, uint64_t seed) {
    Gpt2 shuffled = {.config = model.config,
                     .W_E = {},
                     .W_pos = model.W_pos,
                     .blocks = {model.blocks.begin(), model.blocks.begin() + n_block},
                     .ln_final_gain = {},
                     .ln_final_bias = {},
                     .source = "shuffled weights"};
    shuffled.config.n_layer = n_block;
    Rng rng(seed);
    for (const Parameter& parameter : parameters(shuffled)) {
        std::vector<Real>& data = parameter.tensor->data;
        for (size_t i = data.size(); i > 1; --i) {
            std::swap(data[i - 1], data[rng.below(static_cast<int64_t>(i))]);
        }
    }
    return shuffled;
}

// --- what a run reads ---------------------------------------------------------------------------

namespace {

std::vector<int> read_ids(const Options& options, const Tokenizer& tokenizer) {
    if (options.has("--text")) {
        std::string path = options.text("--text", "");
        return tokenizer.encode(read_prose(path), {.source = path});
    }
    std::string path = project_file("chapters/03_laminar_profile/data/led.html");
    return tokenizer.encode(read_article(read_text(path), PageForm::text, path));
}

}  // namespace

Study read_study(const Options& options, const Choice& preset, Page& page) {
    Gpt2 model = load_gpt2(options.text("--model", "weights/nano"));
    Tokenizer tokenizer = tokenizer_of(model);
    Study study = {.tokenizer = tokenizer, .model = model, .target = {}, .text = {}};
    if (deviation_of(token_embeddings(study.model)) == 0) {
        fail("the numbers of the embedding matrix are all equal", study.model.source,
             "use a model that has learnt something");
    }
    study.target = choose_target(options, preset, study.model.config);
    study.text = read_ids(options, study.tokenizer);

    // Say what is climbed.
    const Target& t = study.target;
    std::string over = t.at < 0 ? "mean over " + plural(t.n_token, "token")
                                : plural(t.n_token, "token") + format(", at position %ld", t.at);
    page.model(study.model.source);
    page.about("model: %s", describe(study.model).c_str());
    page.about("target %s = %s, dimension %ld, %s", t.name.c_str(), t.tap.c_str(), t.dim,
               over.c_str());
    return study;
}

}  // namespace vimach::ch04
