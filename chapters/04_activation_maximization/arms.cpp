// Chapter 4's climbs; see arms.h.
// Every arm is a batch of its own, so what one prints does not depend on which others run.
#include "arms.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/stats.h"
#include "math/vector_ops.h"

namespace vimach::ch04 {

void Climb::keep(const std::vector<double>& a, const Tensor& tap, const Tensor& grad) {
    auto n_start = std::ssize(a);
    if (activation.empty()) before = tap;
    after = tap;
    activation.push_back(a);
    square_norm.push_back(sum_of_squares(theta.data) / static_cast<double>(n_start));

    // Take the mean length of the starts' gradients.
    int64_t n_token = grad.rows() / n_start;
    double norm = 0;
    for (int64_t start = 0; start < n_start; ++start) {
        ConstMatrixView rows = row_range(grad.matrix(), start * n_token, n_token);
        norm += std::sqrt(sum_of_squares({rows.data, static_cast<size_t>(rows.rows * rows.cols)}));
    }
    gradient_norm.push_back(norm / static_cast<double>(n_start));
    if (!std::isfinite(mean(a)) || !std::isfinite(norm)) {
        fail("the climb diverged: a value is no finite number",
             format("step %zu", activation.size() - 1),
             "use a smaller --lambda, or check the model's weights");
    }

    // Take the mean size of every dimension.
    std::vector<double> size(static_cast<size_t>(tap.cols()));
    for (int64_t i = 0; i < tap.rows(); ++i) {
        std::span<const Real> row = tap.row(i);
        for (size_t j = 0; j < size.size(); ++j) size[j] += std::abs(double{row[j]});
    }
    for (double& value : size) value /= static_cast<double>(tap.rows());
    sizes.push_back(size);
}

Arms climb_arms(const Climber& climb, const Study& study, const Tensor& starts, const Rates& rates,
                const Counts& counts, uint64_t seed) {
    // Give every arm its name, its direction and its rates.
    const Target& target = study.target;
    Tensor W_E = token_embeddings(study.model);
    double lambda = rates.lambda, rate = rates.learning_rate, fast = rates.fast_rate;
    int64_t n_start = counts.n_start, n_dim = std::min(counts.n_dim, target.width);
    Tensor along = axis(target, n_start);
    auto named = [](const char* pattern, double number) { return format(pattern, number); };
    Arms arms = {
        .own = {named("lambda %g", lambda), target, along, starts, lambda, rate},
        .free = {"lambda 0", target, along, starts, 0, rate},
        .held = {named("lambda %g", 10 * lambda), target, along, starts, 10 * lambda, rate},
        .directions = {"random directions", target, {}, starts, lambda, rate},
        .weights = {"shuffled weights", target, along, starts, lambda, rate},
        .bare = {"no block: the input itself", target, {}, starts, lambda, rate},
        .fast = {named("rate %g", fast), target, along, starts, lambda, fast},
        .fast_free = {named("rate %g, lambda 0", fast), target, along, starts, 0, fast}};
    arms.directions.directions = random_directions(target, n_start, seed + 1);
    arms.bare.target.tap = "blocks.0.resid_pre";
    arms.bare.target.width = study.model.config.d_model;
    arms.bare.target.dim = std::min(target.dim, study.model.config.d_model - 1);
    arms.bare.directions = axis(arms.bare.target, n_start);

    // Draw dimensions, and a start for each.
    arms.dim = Rng(seed + 5).permutation(target.width);
    arms.dim.resize(static_cast<size_t>(n_dim));
    arms.dims = {format("%ld dimensions", n_dim),
                 target,
                 axes(target, arms.dim),
                 isotropic_vectors(W_E, n_dim * target.n_token, seed + 6),
                 lambda,
                 rate};

    // Climb side by side, the largest first; what diverges says so in the order of the list.
    Gpt2 shuffled = shuffled_blocks(study.model, std::max<int64_t>(target.n_block, 1), seed);
    Arm* list[] = {&arms.dims,    &arms.own,  &arms.free, &arms.held,     &arms.directions,
                   &arms.weights, &arms.bare, &arms.fast, &arms.fast_free};
    parallel_for(std::ssize(list), [&](int64_t i) {
        Arm& arm = *list[i];
        arm.climb = climb(&arm == &arms.weights ? shuffled : study.model, arm);
    });
    return arms;
}

int64_t count_passes(const Target& target, const Counts& counts) {
    int64_t n_window = 8 * counts.n_start + std::min(counts.n_dim, target.width);
    return 2 * n_window * (counts.n_step + 1) + 2 * counts.n_search * counts.n_search_pass;
}

// --- start by start -----------------------------------------------------------------------------

std::vector<double> orders_of_growth(const Arm& arm) {
    std::vector<double> orders;
    for (int64_t i = 0; i < arm.n_start(); ++i) {
        // Measure all starts along this one's direction.
        Tensor same(arm.directions.shape);
        for (int64_t j = 0; j < same.rows(); ++j) {
            std::ranges::copy(arm.directions.row(i), same.row(j).begin());
        }
        std::vector<double> start = climbed(arm.target, arm.climb.before, same);
        for (double& value : start) value = std::abs(value);
        double from = quantile(start, 0.5), to = std::abs(arm.ends()[i]);
        orders.push_back(from > 0 && to > 0 ? std::log10(to / from) : nan);
    }
    return orders;
}

std::vector<double> finite(const std::vector<double>& values) {
    std::vector<double> out;
    std::ranges::copy_if(values, std::back_inserter(out),
                         [](double value) { return std::isfinite(value); });
    return out;
}

std::vector<double> growth_of_norm(const Arm& arm) {
    int64_t n_token = arm.target.n_token;
    std::vector<double> growth;
    for (int64_t first = 0; first < arm.starts.rows(); first += n_token) {
        double before = 0, after = 0;
        for (int64_t row = first; row < first + n_token; ++row) {
            before += sum_of_squares(arm.starts.row(row));
            after += sum_of_squares(arm.climb.theta.row(row));
        }
        growth.push_back(std::sqrt(after / before));
    }
    return growth;
}

double mean_norm_growth(const Arm& arm) {
    return std::sqrt(arm.climb.square_norm.back() / arm.climb.square_norm.front());
}

Matrix falls(const Arm& arm) {
    const Tensor &before = arm.climb.before, &after = arm.climb.after;
    Matrix shares(arm.n_start(), before.cols());
    for (int64_t row = 0; row < before.rows(); ++row) {
        int64_t start = row / arm.target.n_token;
        for (int64_t j = 0; j < shares.cols; ++j) {
            shares.at(start, j) += std::abs(after.row(row)[j]) < std::abs(before.row(row)[j]);
        }
    }
    for (double& value : shares.data) value /= static_cast<double>(arm.target.n_token);
    return shares;
}

}  // namespace vimach::ch04
