// Chapter 4's controls; see controls.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/vector_ops.h"
#include "model/gpt2_file.h"

namespace vimach::climbing {

namespace {

constexpr int64_t windows_at_once = 256;

}  // namespace

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

std::vector<double> climbed(const Target& target, ConstMatrixView tap, const Tensor& directions) {
    require_shape(directions, {-1, tap.cols}, "climbed: directions");
    std::vector<double> out(static_cast<size_t>(tap.rows / target.n_token));
    for (int64_t row = 0; row < tap.rows; ++row) {
        int64_t window = row / target.n_token;
        if (!target.climbs(row)) continue;
        std::span<const Real> values(tap.data + row * tap.stride, static_cast<size_t>(tap.cols));
        out[window] +=
            target.weight() * dot(values, directions.row(directions.rows() == 1 ? 0 : window));
    }
    return out;
}

Tensor gradient_at_target(const Target& target, int64_t n_row, const Tensor& directions) {
    Tensor grad({n_row, directions.cols()});
    for (int64_t row = 0; row < n_row; ++row) {
        if (!target.climbs(row)) continue;
        std::span<const Real> along =
            directions.row(directions.rows() == 1 ? 0 : row / target.n_token);
        std::span<Real> to = grad.row(row);
        for (size_t j = 0; j < to.size(); ++j) to[j] = target.weight() * along[j];
    }
    return grad;
}

Tensor axis(const Target& target) {
    Tensor direction({1, target.width});
    direction.data[target.dim] = 1;
    return direction;
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

// --- tokens -------------------------------------------------------------------------------------

std::vector<double> activation_of_ids(const Gpt2& model, const Target& target,
                                      std::span<const int> ids, int64_t n_window) {
    // Run a few windows at a time; only the blocks below the target.
    std::vector<double> out;
    int64_t stop = std::max<int64_t>(target.n_block, 1);
    for (int64_t first = 0; first < n_window; first += windows_at_once) {
        int64_t count = std::min(windows_at_once, n_window - first);
        Tensor resid = embed_ids(model,
                                 ids.subspan(static_cast<size_t>(first * target.n_token),
                                             static_cast<size_t>(count * target.n_token)),
                                 count, target.add_positions);
        Taps taps = run_blocks(model, resid, count, {.stop = stop, .taps = {target.tap}});
        std::vector<double> part = climbed(target, taps.at(target.tap).matrix(), axis(target));
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

TokenObjective token_objective(const Gpt2& model, const Target& target) {
    TokenObjective objective;
    objective.values = [&model, target](std::span<const int> ids, int64_t n_window) {
        return activation_of_ids(model, target, ids, n_window);
    };
    objective.gradient = [&model, target](std::span<const int> ids) {
        Tensor embeddings = embed_ids(model, ids, 1, target.add_positions);
        Trace trace = trace_blocks(model, embeddings, 1, target.tap);
        return backward_to_embeddings(model, trace,
                                      gradient_at_target(target, embeddings.rows(), axis(target)));
    };
    return objective;
}

std::vector<int> random_ids(const Gpt2& model, int64_t n_window, int64_t n_token, uint64_t seed) {
    Rng rng(seed);
    std::vector<int> ids(static_cast<size_t>(n_window * n_token));
    for (int& id : ids) id = static_cast<int>(rng.below(model.config.d_vocab));
    return ids;
}

TextWindows best_windows(const Gpt2& model, const Target& target, const std::vector<int>& ids,
                         int64_t n_part) {
    // Evaluate a window at every token of the text.
    int64_t n_token = target.n_token, n_window = static_cast<int64_t>(ids.size()) - n_token + 1;
    if (n_window < n_part) {
        fail(format("the text has %zu tokens; %ld parts with a window of %ld tokens need %ld",
                    ids.size(), n_part, n_token, n_part + n_token - 1),
             "--text", "give a longer text");
    }
    std::vector<int> windows;
    for (int64_t first = 0; first < n_window; ++first) {
        windows.insert(windows.end(), ids.begin() + first, ids.begin() + first + n_token);
    }
    std::vector<double> values = activation_of_ids(model, target, windows, n_window);

    // Take the best of all, and of each part.
    auto best = std::ranges::max_element(values);
    auto from = ids.begin() + (best - values.begin());
    TextWindows found = {*best, {from, from + n_token}, {}};
    for (int64_t part = 0; part < n_part; ++part) {
        found.parts.push_back(*std::max_element(values.begin() + n_window * part / n_part,
                                                values.begin() + n_window * (part + 1) / n_part));
    }
    return found;
}

double deviation_on_text(const Gpt2& model, const Target& target, const std::vector<int>& ids) {
    auto n_id = static_cast<int64_t>(ids.size());
    int64_t length = std::min(model.config.n_ctx, n_id), n_window = n_id / length;
    Tensor tap = activations(model, std::span(ids).first(static_cast<size_t>(n_window * length)),
                             n_window, target.tap);
    std::vector<double> values;
    for (int64_t row = 0; row < n_window * length; ++row) {
        if (row % length != 0) values.push_back(tap.row(row)[target.dim]);
    }
    return std::sqrt(variance(values));
}

std::vector<double> best_cosines(const Tensor& W_E, const Tensor& vectors, int64_t n_token) {
    std::vector<double> best;
    std::vector<std::vector<Neighbour>> nearest = nearest_tokens(W_E, vectors, 1);
    for (size_t i = 0; i < nearest.size(); ++i) {
        if (static_cast<int64_t>(i) % n_token == 0) best.push_back(-1);
        best.back() = std::max(best.back(), nearest[i][0].cosine);
    }
    return best;
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

// --- measures -----------------------------------------------------------------------------------

namespace {

std::vector<double> sizes(std::vector<double> x) {
    for (double& value : x) value = std::abs(value);
    return x;
}

}  // namespace

std::vector<double> orders_of_growth(const Climb& climb) {
    double median = quantile(sizes(climb.activation.front()), 0.5);
    std::vector<double> orders;
    for (double end : climb.activation.back()) orders.push_back(std::log10(std::abs(end) / median));
    return orders;
}

std::vector<double> orders_of_growth(const Climb& climb, const Target& target,
                                     const Tensor& directions) {
    // Start i climbs direction i; the median for that direction is taken over all starts.
    std::vector<double> orders;
    for (size_t i = 0; i < climb.activation.back().size(); ++i) {
        Tensor direction({1, directions.cols()});
        std::ranges::copy(directions.row(static_cast<int64_t>(i)), direction.data.begin());
        double median = quantile(sizes(climbed(target, climb.before.matrix(), direction)), 0.5);
        orders.push_back(std::log10(std::abs(climb.activation.back()[i]) / median));
    }
    return orders;
}

Matrix falls(const Climb& climb, const Target& target) {
    int64_t n_start = climb.before.rows() / target.n_token, width = climb.before.cols();
    Matrix shares(n_start, width);
    for (int64_t row = 0; row < climb.before.rows(); ++row) {
        std::span<const Real> before = climb.before.row(row), after = climb.after.row(row);
        for (int64_t j = 0; j < width; ++j) {
            if (std::abs(after[j]) < std::abs(before[j])) shares.at(row / target.n_token, j) += 1;
        }
    }
    for (double& value : shares.data) value /= static_cast<double>(target.n_token);
    return shares;
}

double norm_growth(const Climb& climb) {
    return std::sqrt(climb.square_norm.back() / climb.square_norm.front());
}

std::vector<double> kept_share(const std::vector<double>& values, double random, double optimised) {
    std::vector<double> shares;
    for (double value : values) shares.push_back((value - random) / (optimised - random));
    return shares;
}

void measure_neighbours(const Climb& climb, const Target& target, const Criteria& criteria,
                        uint64_t seed, Findings& findings) {
    // Part the dimensions into neighbours of the target and the rest.
    Matrix shares = falls(climb, target);
    std::vector<int64_t> near, far;
    for (int64_t j = 0; j < shares.cols; ++j) {
        int64_t distance = std::abs(j - target.dim);
        if (distance > 0) (distance <= criteria.n_neighbour ? near : far).push_back(j);
    }
    auto share_of = [&](int64_t start, const std::vector<int64_t>& dims) {
        double total = 0;
        for (int64_t j : dims) total += shares.at(start, j);
        return total / static_cast<double>(dims.size());
    };
    std::vector<double> by_start;
    for (int64_t start = 0; start < shares.rows; ++start) by_start.push_back(share_of(start, near));
    findings.neighbours_fall = mean_measure(by_start, criteria.n_bootstrap, seed);

    // Draw as many of the rest, again and again.
    Rng rng(seed);
    std::vector<double> drawn;
    for (int64_t i = 0; i < criteria.n_bootstrap; ++i) {
        std::vector<int64_t> order = rng.permutation(static_cast<int64_t>(far.size())), set;
        for (size_t j = 0; j < std::min(near.size(), far.size()); ++j) set.push_back(far[order[j]]);
        double total = 0;
        for (int64_t start = 0; start < shares.rows; ++start) total += share_of(start, set);
        drawn.push_back(total / static_cast<double>(shares.rows));
    }
    findings.others_fall = {mean(drawn), central_95(drawn)};
}

Measure measure_norms(const Climb& climb, const Tensor& starts, int64_t n_token,
                      const Criteria& criteria, uint64_t seed) {
    std::vector<double> growth;
    for (int64_t first = 0; first < starts.rows(); first += n_token) {
        double before = 0, after = 0;
        for (int64_t row = first; row < first + n_token; ++row) {
            before += sum_of_squares(starts.row(row));
            after += sum_of_squares(climb.theta.row(row));
        }
        growth.push_back(std::sqrt(after / before));
    }
    return mean_measure(growth, criteria.n_bootstrap, seed);
}

// --- verdicts -----------------------------------------------------------------------------------

std::vector<OldClaim> judge(const Findings& f, const Criteria& criteria) {
    using Side = Criterion::Side;
    bool weights = f.growth_weights.interval.high > f.growth_directions.interval.high;
    return {
        {.id = "4a",
         .text = "the activation grows by orders of magnitude",
         .document = "about 3 orders",
         .measure = "log10 of |end| over the median |start|; control: the stronger of random "
                    "directions and random weights",
         .measured = f.growth,
         .control = weights ? f.growth_weights : f.growth_directions,
         .criterion = {Side::at_least, criteria.orders}},
        {.id = "4b",
         .text = "neighbouring dimensions are suppressed",
         .document = "-",
         .measure = format("share of the %ld dimensions to either side whose size falls; control: "
                           "as many of the others",
                           criteria.n_neighbour),
         .measured = f.neighbours_fall,
         .control = f.others_fall,
         .criterion = {Side::at_least, criteria.suppressed}},
        {.id = "4c",
         .text = "the decoded tokens make no sense",
         .document = "\"ad pc brisk brisk breast\"",
         .measure = "share of the gain over random tokens that the decoded tokens keep; control: "
                    "the best windows of parts of a real text",
         .measured = f.kept,
         .control = f.kept_text,
         .criterion = {Side::at_most, criteria.kept}},
        {.id = "4d",
         .text = "the best cosine is low, so no token represents the vector",
         .document = "0.17",
         .measure = "best cosine over the positions with any token; control: random vectors",
         .measured = f.cosine,
         .control = f.isotropic,
         .criterion = {Side::at_most, criteria.low_cosine}},
        {.id = "4e",
         .text = "the L2 term keeps the embeddings from exploding",
         .document = "-",
         .measure =
             format("growth of |theta| without the term; control: with lambda = %g", f.lambda),
         .measured = f.growth_free,
         .control = f.growth_held,
         .criterion = {Side::at_least, criteria.exploding}},
    };
}

}  // namespace vimach::climbing
