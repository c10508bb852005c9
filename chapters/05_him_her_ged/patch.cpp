// Claim 5g; see patch.h.
// All patches of a beginning run as windows side by side, the clean run as the first of them, so
// that both go through the same arithmetic.
#include "patch.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "model/layers.h"
#include "show/claims.h"

namespace vimach::ch05 {

namespace {

/// Makes a row as long as 1; a row of zeros stays.
void normalise(std::span<double> row) {
    double square = 0;
    for (double value : row) square += value * value;
    for (double& value : row) value = square > 0 ? value / std::sqrt(square) : 0;
}

/// log softmax, in double.
std::vector<double> log_softmax(std::span<const Real> logits) {
    double largest = *std::ranges::max_element(logits), sum = 0;
    for (Real value : logits) sum += std::exp(static_cast<double>(value) - largest);
    std::vector<double> out;
    for (Real value : logits) out.push_back(static_cast<double>(value) - largest - std::log(sum));
    return out;
}

/// KL(p || q) from log p and log q.
double divergence(const std::vector<double>& log_p, const std::vector<double>& log_q) {
    double total = 0;
    for (size_t i = 0; i < log_p.size(); ++i) total += std::exp(log_p[i]) * (log_p[i] - log_q[i]);
    return total;
}

double column_sum(const Matrix& m, int64_t column, std::span<const int64_t> rows) {
    double total = 0;
    for (int64_t i : rows) total += m.at(i, column);
    return total;
}

std::vector<int64_t> all_rows(const Matrix& m) {
    std::vector<int64_t> rows(static_cast<size_t>(m.rows));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
    return rows;
}

/// NaN where the whole vector changes nothing but the rounding of logits.
double share_of_whole(const Matrix& kl, int64_t column, std::span<const int64_t> rows) {
    constexpr double rounding = 1e-9;  // nats a sentence; equal vectors give some 1e-13
    double whole = column_sum(kl, 0, rows);
    bool changes = whole > rounding * static_cast<double>(rows.size());
    return changes ? column_sum(kl, column, rows) / whole : nan;
}

}  // namespace

PatchPlan plan_patches(const Pairs& pairs, const std::vector<Matrix>& filters_and_patterns,
                       const Matrix& components, const Draws& draws) {
    // Draw random directions among the components, and carry them to the neurons.
    Matrix inside(draws.n_patch, components.rows);
    Rng rng(draws.seed);
    for (double& value : inside.data) value = rng.normal();
    Matrix random = product(inside, components);

    PatchPlan plan = {{"difference of means", "filter him > her", "filter her > him",
                       "pattern of him > her", "pattern of her > him"},
                      {}};
    ensure(filters_and_patterns.size() + 1 == plan.names.size(), "needs 4 directions",
           "plan_patches", "pass two filters and two patterns");
    std::vector<double>& all = plan.directions.data;
    all = mean_difference(pairs);
    for (const Matrix& given : filters_and_patterns) {
        all.insert(all.end(), given.row(0).begin(), given.row(0).end());
    }
    all.insert(all.end(), random.data.begin(), random.data.end());
    plan.directions.rows = std::ssize(plan.names) + random.rows;
    plan.directions.cols = components.cols;
    for (int64_t i = 0; i < plan.directions.rows; ++i) normalise(plan.directions.row(i));
    return plan;
}

std::vector<double> patch_kl(const Gpt2& model, int64_t layer, std::span<const int> beginning,
                             const Matrix& values) {
    // Run up to the layer; keep what its MLP is added to, and what it would compute itself.
    std::string block = format("blocks.%ld.", layer);
    Tensor clean = embed_ids(model, beginning, 1);
    Taps taps = run_blocks(model, clean, 1,
                           {.stop = layer + 1, .taps = {block + "resid_mid", block + "mlp_pre"}});
    int64_t n_token = clean.rows(), last = n_token - 1, n_window = values.rows + 1;

    // Finish the MLP from each row of values: gelu, W_out.
    Tensor hidden = to_tensor(values);
    std::span<const Real> own = taps.at(block + "mlp_pre").row(last);
    hidden.data.insert(hidden.data.begin(), own.begin(), own.end());
    hidden.shape = {n_window, values.cols};
    Tensor mlp_out({n_window, model.config.d_model});
    gelu(hidden.matrix(), hidden.matrix());
    linear(hidden.matrix(), model.blocks[layer].W_out, model.blocks[layer].b_out, mlp_out.matrix());

    // resid_post = resid_mid + mlp_out at the last token; run the remaining blocks.
    Tensor resid({n_window * n_token, model.config.d_model});
    std::span<const Real> resid_mid = taps.at(block + "resid_mid").row(last);
    for (int64_t w = 0; w < n_window; ++w) {
        std::ranges::copy(clean.data, resid.row(w * n_token).begin());
        std::span<Real> to = resid.row(w * n_token + last);
        for (size_t j = 0; j < to.size(); ++j) to[j] = resid_mid[j] + mlp_out.row(w)[j];
    }
    run_blocks(model, resid, n_window, {.first = layer + 1});

    // Compare the next token's distributions.
    Tensor ends({n_window, model.config.d_model});
    for (int64_t w = 0; w < n_window; ++w) {
        std::ranges::copy(resid.row(w * n_token + last), ends.row(w).begin());
    }
    Tensor logits = unembed(model, ends);
    std::vector<double> log_p = log_softmax(logits.row(0)), kl;
    for (int64_t w = 1; w < n_window; ++w) {
        kl.push_back(divergence(log_p, log_softmax(logits.row(w))));
    }
    return kl;
}

Matrix patch_pairs(const Gpt2& model, int64_t layer, const std::vector<Sentence>& sentences,
                   const Pairs& pairs, const Matrix& directions) {
    Matrix kl(pairs.him.rows, 1 + directions.rows);
    parallel_for(kl.rows, [&](int64_t i) {
        std::span<const double> a = pairs.him.row(i), b = pairs.her.row(i);
        std::vector<double> step(b.begin(), b.end());
        for (size_t j = 0; j < step.size(); ++j) step[j] -= a[j];
        std::vector<double> lengths = along(directions, step);

        Matrix values(kl.cols, directions.cols);
        std::ranges::copy(b, values.row(0).begin());
        for (int64_t r = 0; r < directions.rows; ++r) {
            std::span<const double> u = directions.row(r);
            std::span<double> to = values.row(1 + r);
            for (size_t j = 0; j < to.size(); ++j) to[j] = a[j] + lengths[r] * u[j];
        }
        std::ranges::copy(patch_kl(model, layer, sentences[i].prefix(), values), kl.row(i).begin());
    });
    return kl;
}

Measure kl_share(const Matrix& kl, int64_t column, const std::vector<int64_t>& group,
                 const Draws& draws) {
    if (column_sum(kl, 0, all_rows(kl)) <= 0) {
        return not_measurable("the whole vector changes nothing");
    }
    return over_groups(
        group, [&](std::span<const int64_t> rows) { return share_of_whole(kl, column, rows); },
        draws.n_bootstrap, draws.seed);
}

Control random_kl_share(const Matrix& kl, const PatchPlan& plan) {
    std::vector<double> shares;
    for (int64_t j = 1 + std::ssize(plan.names); j < kl.cols; ++j) {
        shares.push_back(share_of_whole(kl, j, all_rows(kl)));
    }
    return null_control("random directions", shares);
}

Table patch_table(const Matrix& kl, const PatchPlan& plan) {
    Table table = {.header = {"her value along", "mean KL (nats)", "share of the whole"}};
    auto add = [&](const std::string& name, int64_t column) {
        std::vector<int64_t> rows = all_rows(kl);
        double value = column_sum(kl, column, rows) / static_cast<double>(kl.rows);
        add_row(table, {name, format("%.1e", value), value_text(share_of_whole(kl, column, rows))});
    };
    add("the whole vector", 0);
    for (size_t i = 0; i < plan.names.size(); ++i) {
        add(plan.names[i], static_cast<int64_t>(i) + 1);
    }
    explain_dashes(table, "the whole vector changes nothing");
    return table;
}

}  // namespace vimach::ch05
