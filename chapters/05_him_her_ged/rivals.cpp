// Claim 5e; see rivals.h.
// All but the autoencoder work in the space of the fold's components, [n, k].
#include "rivals.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "show/claims.h"
#include "show/progress.h"

namespace vimach::ch05 {

namespace {

/// Scores every pair by what `score` makes of the rows that its fold left out: [n_test] each.
Scores by_fold(const std::vector<FoldFit>& folds, int64_t n_pair,
               const std::function<Scores(int64_t fold)>& score) {
    Scores out = {std::vector<double>(static_cast<size_t>(n_pair)),
                  std::vector<double>(static_cast<size_t>(n_pair))};
    parallel_for(std::ssize(folds), [&](int64_t f) {
        Scores of_fold = score(f);
        for (size_t i = 0; i < folds[f].test.size(); ++i) {
            out.him[folds[f].test[i]] = of_fold.him[i];
            out.her[folds[f].test[i]] = of_fold.her[i];
        }
    });
    return out;
}

/// Some pairs, centred between the two training means, in the space of the components.
Pairs placed(const Pairs& pairs, const GedFit& fit, const std::vector<int64_t>& which) {
    return {projected(fit, take_rows(pairs.him, which)),
            projected(fit, take_rows(pairs.her, which)),
            {}};
}

Scores project(const Pairs& x, std::span<const double> w) {
    return {along(x.him, w), along(x.her, w)};
}

/// Scores along a direction that each fold makes for itself.
Scores linear_scores(const Pairs& pairs, const std::vector<FoldFit>& folds,
                     const std::function<std::vector<double>(const FoldFit&)>& direction) {
    return by_fold(folds, pairs.him.rows, [&](int64_t f) {
        return project(placed(pairs, folds[f].fit, folds[f].test), direction(folds[f]));
    });
}

std::vector<double> pick(const std::vector<double>& x, std::span<const int64_t> which) {
    std::vector<double> out;
    for (int64_t i : which) out.push_back(x[i]);
    return out;
}

double auc_of(const Scores& scores, std::span<const int64_t> pairs) {
    return auc(pick(scores.him, pairs), pick(scores.her, pairs));
}

double lead(const GedScores& ged, const Scores& rival, std::span<const int64_t> pairs) {
    return std::max(auc_of(ged.projection, pairs), auc_of(ged.ratio, pairs)) - auc_of(rival, pairs);
}

}  // namespace

// --- GED, means, logistic regression ------------------------------------------------------------

GedScores ged_scores(const Pairs& pairs, const std::vector<FoldFit>& folds) {
    Scores projection = linear_scores(pairs, folds, [](const FoldFit& fold) {
        std::span<const double> filter = him_over_her(fold.fit);
        std::vector<double> means = mean_difference(fold.fit), w(filter.begin(), filter.end());
        bool turned = cosine(means, w) < 0;
        for (double& value : w) value = turned ? -value : value;
        return w;
    });
    Scores ratio = by_fold(folds, pairs.him.rows, [&](int64_t f) {
        Pairs x = placed(pairs, folds[f].fit, folds[f].test);
        Scores high = project(x, him_over_her(folds[f].fit)),
               low = project(x, her_over_him(folds[f].fit));
        auto divide = [](std::vector<double>& a, const std::vector<double>& b) {
            for (size_t i = 0; i < a.size(); ++i) {
                bool neither = a[i] == 0 && b[i] == 0;
                a[i] = neither ? 0 : std::log(a[i] * a[i] / (b[i] * b[i]));
            }
        };
        divide(high.him, low.him);
        divide(high.her, low.her);
        return high;
    });
    return {projection, ratio};
}

Scores means_scores(const Pairs& pairs, const std::vector<FoldFit>& folds) {
    return linear_scores(pairs, folds,
                         [](const FoldFit& fold) { return mean_difference(fold.fit); });
}

Scores logistic_scores(const Pairs& pairs, const std::vector<FoldFit>& folds) {
    return linear_scores(pairs, folds, [&](const FoldFit& fold) {
        Pairs train = placed(pairs, fold.fit, fold.train);
        return logistic_weights(train.him, train.her, 1);
    });
}

namespace {

/// Adds a class's share of the gradient and the Hessian of the logistic loss; target is 1 or 0.
void add_class(const Matrix& x, double target, std::span<const double> w,
               std::vector<double>& gradient, Matrix& hessian) {
    std::vector<double> scores = along(x, w);
    Matrix weighted = x;
    for (int64_t i = 0; i < x.rows; ++i) {
        double p = 1 / (1 + std::exp(-scores[i]));
        for (int64_t k = 0; k < x.cols; ++k) {
            gradient[k] += (p - target) * x.at(i, k);
            weighted.at(i, k) *= p * (1 - p);
        }
    }
    Matrix part = product(weighted, x, true);
    for (size_t k = 0; k < part.data.size(); ++k) hessian.data[k] += part.data[k];
}

}  // namespace

std::vector<double> logistic_weights(const Matrix& a, const Matrix& b, double penalty) {
    // Minimise sum log(1 + e^(-y w.x)) + penalty / 2 |w|^2 with y = 1 for a, -1 for b.
    constexpr int most_steps = 25;
    constexpr double settled = 1e-12;
    std::vector<double> w(static_cast<size_t>(a.cols));
    double change = 1;
    for (int step = 0; step < most_steps && change > settled; ++step) {
        Matrix hessian(a.cols, a.cols);
        std::vector<double> gradient(w.size());
        for (int64_t k = 0; k < a.cols; ++k) {
            gradient[k] = penalty * w[k];
            hessian.at(k, k) = penalty;
        }
        add_class(a, 1, w, gradient, hessian);
        add_class(b, 0, w, gradient, hessian);

        // Take the Newton step H^-1 g through the eigenvectors of H.
        Eigen eigen = symmetric_eigen(hessian);
        std::vector<double> slopes = along(eigen.vectors, gradient);
        change = 0;
        for (int64_t i = 0; i < hessian.rows; ++i) {
            std::span<const double> v = eigen.vectors.row(i);
            double length = slopes[i] / eigen.values[i];
            change = std::max(change, std::abs(length));
            for (size_t k = 0; k < w.size(); ++k) w[k] -= length * v[k];
        }
    }
    return w;
}

// --- the sparse autoencoder ---------------------------------------------------------------------

std::vector<Pairs> fold_latents(const Pairs& pairs, const std::vector<FoldFit>& folds,
                                const SaePlan& plan, const Draws& draws) {
    std::vector<Pairs> out(folds.size());
    Progress progress("trained", std::ssize(folds), "autoencoders");
    parallel_for(std::ssize(folds), [&](int64_t f) {
        // Stack both classes; training rows have a mean square of 1.
        Matrix rows = take_rows(pairs.him, folds[f].train);
        Matrix her = take_rows(pairs.her, folds[f].train);
        rows.data.insert(rows.data.end(), her.data.begin(), her.data.end());
        rows.rows += her.rows;
        double square = 0;
        for (double value : rows.data) square += value * value;
        double scale = std::sqrt(static_cast<double>(rows.data.size()) / square);
        auto scaled = [&](const Matrix& m) {
            Tensor x = to_tensor(m);
            for (Real& value : x.data) value *= static_cast<Real>(scale);
            return x;
        };

        // Train, then read the latents of all pairs.
        Rng rng(run_seed(draws.seed, f));
        Sae sae =
            random_sae({.d_in = rows.cols, .n_latent = plan.n_latent, .top_k = plan.top_k}, rng);
        SaeAdam adam = {.settings = {.learning_rate = 1e-3}};
        Tensor x = scaled(rows);
        for (int64_t step = 0; step < draws.n_sae_step; ++step)
            sae_train_step(sae, x.matrix(), adam);
        out[f] = {to_matrix(encode(sae, scaled(pairs.him).matrix())),
                  to_matrix(encode(sae, scaled(pairs.her).matrix())), pairs.group};
        progress.step();
    });
    return out;
}

namespace {

/// The scores of one latent of a fold, if it tells the training pairs apart.
struct Latent {
    int64_t index = 0;
    double sign = 1, mean = 0, deviation = 1;
};

Latent best_latent(const Pairs& latents, const std::vector<int64_t>& train) {
    Latent best;
    double most = -1;
    for (int64_t j = 0; j < latents.him.cols; ++j) {
        Scores x = {column(latents.him, j), column(latents.her, j)};
        x = {pick(x.him, train), pick(x.her, train)};
        std::vector<double> all = x.him;
        all.insert(all.end(), x.her.begin(), x.her.end());
        if (std::ranges::max(all) <= 0) continue;
        double apart = auc(x.him, x.her) - 0.5, spread = variance(all);
        if (std::abs(apart) <= most || spread <= 0) continue;
        most = std::abs(apart);
        best = {j, apart < 0 ? -1.0 : 1.0, mean(all), std::sqrt(spread)};
    }
    return best;
}

}  // namespace

Scores latent_scores(const std::vector<Pairs>& latents, const std::vector<FoldFit>& folds) {
    return by_fold(folds, latents.at(0).him.rows, [&](int64_t f) {
        Latent best = best_latent(latents[f], folds[f].train);
        auto read = [&](const Matrix& of_class) {
            std::vector<double> x = pick(column(of_class, best.index), folds[f].test);
            for (double& value : x) value = best.sign * (value - best.mean) / best.deviation;
            return x;
        };
        return Scores{read(latents[f].him), read(latents[f].her)};
    });
}

Rivals left_out_scores(const Pairs& pairs, const std::vector<FoldFit>& folds,
                       const std::vector<Pairs>& latents) {
    return {ged_scores(pairs, folds), means_scores(pairs, folds), logistic_scores(pairs, folds),
            latent_scores(latents, folds), pairs.group};
}

// --- comparison ---------------------------------------------------------------------------------

Measure auc_measure(const Scores& scores, const std::vector<int64_t>& group, const Draws& draws) {
    return over_groups(
        group, [&](std::span<const int64_t> pairs) { return auc_of(scores, pairs); },
        draws.n_bootstrap, draws.seed);
}

Table auc_table(const Rivals& rivals, const Draws& draws) {
    Table table = {.header = {"score", "AUC", "low", "high"}};
    auto add = [&](const char* name, const Scores& scores) {
        Measure m = auc_measure(scores, rivals.group, draws);
        add_row(table, {name, value_text(m.value), value_text(m.interval.low),
                        value_text(m.interval.high)});
    };
    add("GED, signed projection", rivals.ged.projection);
    add("GED, ratio of variances", rivals.ged.ratio);
    add("difference of means", rivals.means);
    add("logistic regression", rivals.logistic);
    add("best SAE latent", rivals.latent);
    return table;
}

Measure lead_measure(const Rivals& rivals, const Scores& rival, const Draws& draws) {
    return over_groups(
        rivals.group,
        [&](std::span<const int64_t> pairs) { return lead(rivals.ged, rival, pairs); },
        draws.n_bootstrap, draws.seed);
}

SwappedLeads swapped_leads(const Pairs& pairs, const std::vector<Pairs>& latents,
                           const GedSettings& settings, const Draws& draws) {
    std::vector<int64_t> all(pairs.group.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    std::vector<double> over_logistic(static_cast<size_t>(draws.n_rival));
    std::vector<double> over_latent(over_logistic.size());
    Progress progress("compared", draws.n_rival, "swapped samples");
    parallel_for(draws.n_rival, [&](int64_t i) {
        // Swap activations and latents alike; the same seed deals the same folds as before.
        std::vector<bool> swap = draw_swaps(count_groups(pairs.group), run_seed(draws.seed, i));
        Pairs mixed = swap_groups(pairs, swap);
        std::vector<Pairs> mixed_latents;
        for (const Pairs& of_fold : latents) mixed_latents.push_back(swap_groups(of_fold, swap));

        std::vector<FoldFit> folds = fit_folds(mixed, settings, draws.n_fold, draws.seed);
        GedScores ged = ged_scores(mixed, folds);
        over_logistic[i] = lead(ged, logistic_scores(mixed, folds), all);
        over_latent[i] = lead(ged, latent_scores(mixed_latents, folds), all);
        progress.step();
    });
    return {null_control("labels swapped", over_logistic),
            null_control("labels swapped", over_latent)};
}

}  // namespace vimach::ch05
