// Tokens put in; see tokens.h.
// Windows run a few hundred at a time, so that the model's activations stay small.
#include "tokens.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/stats.h"
#include "model/gpt2_backward.h"

namespace vimach::ch04 {

namespace {

constexpr int64_t windows_at_once = 256;

}  // namespace

// --- windows of ids -----------------------------------------------------------------------------

std::vector<int> random_ids(const Gpt2& model, int64_t n_window, int64_t n_token, uint64_t seed) {
    Rng rng(seed);
    std::vector<int> ids(static_cast<size_t>(n_window * n_token));
    for (int& id : ids) id = static_cast<int>(rng.below(model.config.d_vocab - model.n_padding));
    return ids;
}

std::vector<int> text_ids(const std::vector<int>& text, int64_t n_window, int64_t n_token,
                          bool drawn, uint64_t seed) {
    Rng rng(seed);
    std::vector<int> ids;
    int64_t length = drawn ? 1 : n_token;
    while (std::ssize(ids) < n_window * n_token) {
        auto from = text.begin() + rng.below(std::ssize(text) - length + 1);
        ids.insert(ids.end(), from, from + length);
    }
    return ids;
}

// --- what they do to the target -----------------------------------------------------------------

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
        std::vector<double> part = climbed(target, taps.at(target.tap), axis(target, count));
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
        Tensor grad = gradient_at_target(target, axis(target, 1));
        return backward_to_embeddings(model, trace, grad);
    };
    return objective;
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
    Matrix values(0, 1);
    for (int64_t row = 0; row < n_window * length; ++row) {
        if (row % length != 0) values.data.push_back(tap.row(row)[target.dim]);
    }
    values.rows = std::ssize(values.data);
    if (values.rows < 2) return nan;
    return varies(values) ? std::sqrt(variance(values.data)) : 0;
}

Searches search_both(const Study& study, const Counts& counts, uint64_t seed, Progress& progress) {
    // Count the passes of all searches.
    int64_t n_search = counts.n_search;
    Searches found;
    found.guided.resize(static_cast<size_t>(n_search));
    found.blind.resize(static_cast<size_t>(n_search));
    TokenObjective objective = token_objective(study.model, study.target), counted = objective;
    counted.values = [&](std::span<const int> ids, int64_t n_window) {
        std::vector<double> values = objective.values(ids, n_window);
        progress.step(n_window);
        return values;
    };

    // Search side by side, a guided and a blind one from each start.
    parallel_for(2 * n_search, [&](int64_t i) {
        SearchSettings settings = {.budget = counts.n_search_pass,
                                   .guided = i % 2 == 0,
                                   .n_padding = study.model.n_padding};
        uint64_t own_seed = run_seed(seed, i / 2);
        std::vector<int> start = random_ids(study.model, 1, study.target.n_token, own_seed);
        (settings.guided ? found.guided : found.blind)[i / 2] =
            search_tokens(study.model.W_E, counted, start, settings, own_seed);
    });
    progress.clear();
    return found;
}

std::vector<double> Reached::kept(const std::vector<double>& values) const {
    double base = mean(random), gain = mean(optimised) - base;
    std::vector<double> shares;
    for (double value : values) shares.push_back(gain > 0 ? (value - base) / gain : nan);
    return shares;
}

std::vector<double> values_of(const std::vector<SearchResult>& searches) {
    std::vector<double> values;
    for (const SearchResult& search : searches) values.push_back(search.value);
    return values;
}

// --- cosines and losses -------------------------------------------------------------------------

std::vector<double> best_cosines(const Tensor& W_E, const Tensor& vectors, int64_t n_token) {
    std::vector<double> best;
    std::vector<std::vector<Neighbour>> nearest = nearest_tokens(W_E, vectors, 1);
    for (size_t i = 0; i < nearest.size(); ++i) {
        if (static_cast<int64_t>(i) % n_token == 0) best.push_back(-1);
        best.back() = std::max(best.back(), nearest[i][0].cosine);
    }
    return best;
}

Cosines read_cosines(const Tensor& W_E, const Arm& own, int64_t n_noise, uint64_t seed) {
    int64_t n_token = own.target.n_token, n = n_noise * n_token;
    return {.optimised = best_cosines(W_E, own.climb.theta, n_token),
            .isotropic = best_cosines(W_E, isotropic_vectors(W_E, n, seed + 2), n_token),
            .matched = best_cosines(W_E, matched_vectors(W_E, n, seed + 3), n_token)};
}

std::vector<double> window_losses(const Gpt2& model, std::span<const int> ids, int64_t n_token) {
    ensure(n_token >= 2, "a window of one token has no next one", "window_losses",
           "pass windows of two tokens or more");
    int64_t n_window = std::ssize(ids) / n_token;
    std::vector<double> means;
    for (int64_t first = 0; first < n_window; first += windows_at_once) {
        int64_t count = std::min(windows_at_once, n_window - first);
        auto part =
            ids.subspan(static_cast<size_t>(first * n_token), static_cast<size_t>(count * n_token));
        Tensor resid = embed_ids(model, part, count);
        run_blocks(model, resid, count);
        std::vector<double> losses = next_token_losses(model, resid, part, count);
        for (auto at = losses.begin(); at < losses.end(); at += n_token - 1) {
            means.push_back(mean({at, at + n_token - 1}));
        }
    }
    return means;
}

Losses read_losses(const Study& study, const std::vector<int>& decoded, int64_t n_window,
                   uint64_t seed) {
    int64_t n_token = study.target.n_token;
    if (n_token < 2) return {};
    auto losses = [&](const std::vector<int>& ids) {
        return window_losses(study.model, ids, n_token);
    };
    return {.decoded = losses(decoded),
            .text = losses(text_ids(study.text, n_window, n_token, false, seed)),
            .drawn = losses(text_ids(study.text, n_window, n_token, true, seed + 1)),
            .random = losses(random_ids(study.model, n_window, n_token, seed + 2))};
}

}  // namespace vimach::ch04
