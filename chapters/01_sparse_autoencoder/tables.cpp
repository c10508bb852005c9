// Tables and sentences of chapter 1; see tables.h.
// Nothing is measured here that a claim rests on.
#include "tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/lapack.h"
#include "math/stats.h"
#include "show/claims.h"

namespace vimach::ch01 {

namespace {

constexpr int64_t n_rotation = 1000;

/// The principal components, each of variance 1.
Matrix components(const Matrix& mixed) {
    Eigen eigen = symmetric_eigen(covariance(centred(mixed)));
    Matrix out = product(centred(mixed), eigen.vectors, false, true);
    for (int64_t i = 0; i < out.rows; ++i) {
        for (int64_t j = 0; j < out.cols; ++j) out.at(i, j) /= std::sqrt(eigen.values[j]);
    }
    return out;
}

/// How well both sources are followed by the components after random rotations, which leave them
/// uncorrelated.
std::vector<double> rotated_scores(const Matrix& components, const Matrix& sources, uint64_t seed) {
    Rng rng(seed);
    std::vector<double> scores;
    for (int64_t i = 0; i < n_rotation; ++i) {
        double angle = 2 * std::numbers::pi * rng.uniform();
        Matrix turn(2, 2);
        turn.data = {std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle)};
        scores.push_back(score_latents(product(components, turn), sources).weaker());
    }
    return scores;
}

std::vector<std::string> ablation_row(const Arm& arm) {
    double n_active = 0, density = 0, mse = 0, l1 = 0;
    int64_t n_best = 0;
    for (const Run& run : arm.runs) {
        n_active += static_cast<double>(run.score.n_active);
        density += run.score.density;
        mse += arm.trained ? run.losses.back().mse : std::nan("");
        l1 += arm.trained ? run.losses.back().l1 : std::nan("");
        n_best += run.score.best_follow();
    }
    auto n = static_cast<double>(arm.runs.size());
    auto interval = [](const Measure& m) {
        return format("%.3f [%.3f, %.3f]", m.value, m.interval.low, m.interval.high);
    };
    return {arm.name,
            interval(share_measure(recovered(arm))),
            interval(mean_measure(redundancy(arm))),
            format("%.3f", static_cast<double>(n_best) / n),
            format("%.1f", n_active / n),
            format("%.3f", density / n),
            value_text(mse / n),
            value_text(l1 / n)};
}

}  // namespace

Table data_table(const Matrix& sources, const Matrix& mixed) {
    Table table = {.header = {"signals", "correlation", "means", "variances"}};
    auto add = [&](const char* name, const Matrix& m) {
        std::vector<double> a = column(m, 0), b = column(m, 1);
        add_row(table,
                {name, format("%.6f", correlation(a, b)), format("%.4f %.4f", mean(a), mean(b)),
                 format("%.4f %.4f", variance(a), variance(b))});
    };
    add("sine and step", sources);
    add("mixtures", mixed);
    return table;
}

Table linear_methods(const Matrix& sources, const Matrix& mixed, uint64_t seed) {
    Matrix principal = components(mixed);
    Score pca = score_latents(principal, sources);
    std::vector<double> rotated = rotated_scores(principal, sources, seed);
    std::vector<double> wave = column(sources, sine), half_wave = wave;
    for (double& value : half_wave) value = std::max(value - 1, 0.0);

    Table table = {.header = {"direction", "|r|"}};
    auto add = [&](const char* name, double r) { add_row(table, {name, format("%.4f", r)}); };
    add("PCA, with the sine", std::abs(pca.r[sine]));
    add("PCA, with the step", std::abs(pca.r[step]));
    add("1000 rotations of its components, the weaker: lowest", quantile(rotated, 0));
    add("  median", quantile(rotated, 0.5));
    add("  highest", quantile(rotated, 1));
    add("half of the sine, with the sine", correlation(wave, half_wave));
    return table;
}

Table loss_table(const Arm& arm) {
    const Run& run = arm.runs[0];
    Table table = {.header = {"epoch", "MSE", "L1", "decorrelation"}};
    for (size_t epoch : {0, 1, 3, 10, 30, 100, 300, 600}) {
        if (epoch >= run.losses.size()) break;
        const SaeLosses& losses = run.losses[epoch];
        add_row(table,
                {std::to_string(epoch), format("%.4f", losses.mse), format("%.4f", losses.l1),
                 arm.decorrelation > 0 ? format("%.4f", losses.decorrelation) : "-"});
    }
    return table;
}

Table ablation_table(const Arms& arms) {
    Table table = {.header = {"arm", "both |r| >= 0.95", "redundancy", "best per source", "active",
                              "density", "MSE", "L1"}};
    for (const Arm* arm : arms.distinct()) add_row(table, ablation_row(*arm));
    return table;
}

std::string followers(const Arm& arm) {
    const Score& s = arm.runs[0].score;
    return format(
        "In the first training latent %ld follows the sine, r %.4f, and latent %ld the step, r "
        "%.4f; %ld of %ld latents are active, density %.4f.",
        s.latent[sine], s.r[sine], s.latent[step], s.r[step], s.n_active, s.together.rows,
        s.density);
}

std::string sharpness_text(const Arm& arm, const Matrix& sources) {
    std::vector<double> sharpness;
    for (const Run& run : arm.runs) sharpness.push_back(run.score.sharpness);
    return format(
        "Sharpness of the step's edges over the starts: lowest %.4f, median %.4f, highest %.4f "
        "(the step itself: %.4f).",
        quantile(sharpness, 0), quantile(sharpness, 0.5), quantile(sharpness, 1),
        edge_sharpness(column(sources, step), sources));
}

std::string answer(const Arms& arms, const Arm& chance) {
    Outcomes with = recovered(arms.both);
    auto extra = [&](const Arm& without) {
        return mean(redundancy(without)) - mean(redundancy(arms.both));
    };
    std::string out = format(
        "%ld of %zu trainings give each source a latent of its own; of the untrained SAEs %.0f %% "
        "have such latents already.",
        std::ranges::count(with, true), with.size(), 100 * share_measure(recovered(chance)).value);
    if (arms.alike()) return out;
    return out + format(
                     " Without L1 the mean |r| between active latents changes by %+.3f, without "
                     "decorrelation by %+.3f.",
                     extra(arms.no_l1), extra(arms.no_decorrelation));
}

Table sweep_table(const Trainer& train, int64_t n, uint64_t seed) {
    // Train every pair of weights from the same starts, which the chapter itself does not use.
    struct Pair {
        Arm arm;
        double recovered = 0, redundancy = 0, mse = 0;
    };
    std::vector<Pair> pairs;
    for (double l1 : {0.001, 0.01, 0.1, 1.0}) {
        for (double decorrelation : {0.001, 0.01, 0.1, 1.0}) {
            Pair pair = {.arm = {"sweep", l1, decorrelation}};
            pair.arm.runs.resize(static_cast<size_t>(n));
            parallel_for(n, [&](int64_t i) {
                pair.arm.runs[i] = train(pair.arm, run_seed(seed + 1000, i));
            });
            pair.recovered = share_measure(recovered(pair.arm)).value;
            pair.redundancy = mean(redundancy(pair.arm));
            for (const Run& run : pair.arm.runs)
                pair.mse += run.losses.back().mse / static_cast<double>(n);
            pairs.push_back(std::move(pair));
        }
    }

    // Choose the least redundant of those that recover as often as the best, but for chance.
    double best = std::ranges::max_element(pairs, {}, &Pair::recovered)->recovered;
    double near = best - std::sqrt(best * (1 - best) / static_cast<double>(n));
    const Pair* chosen = nullptr;
    for (const Pair& p : pairs) {
        bool better = chosen == nullptr || p.redundancy < chosen->redundancy;
        if (p.recovered >= near && better) chosen = &p;
    }
    Table table = {
        .header = {"L1", "decorrelation", "both |r| >= 0.95", "redundancy", "MSE", "choice"}};
    for (const Pair& p : pairs) {
        add_row(table, {format("%g", p.arm.l1), format("%g", p.arm.decorrelation),
                        format("%.3f", p.recovered), format("%.3f", p.redundancy),
                        format("%.4f", p.mse), &p == chosen ? "chosen" : ""});
    }
    return table;
}

}  // namespace vimach::ch01
