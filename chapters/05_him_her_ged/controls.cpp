// Measures and controls of claims 5a to 5c and 5f; see controls.h.
// Draw i of a control has a generator of its own, so draws may run on any thread.
#include "controls.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "show/claims.h"
#include "show/progress.h"

namespace vimach::ch05 {

namespace {

/// Number i, or NaN behind the last.
double value_or_nan(const std::vector<double>& values, size_t i) {
    return i < values.size() ? values[i] : nan;
}

double top_eigenvalue(const GeneralizedEigen& solved) {
    return solved.info == 0 ? value_or_nan(solved.eigen.values, 0) : nan;
}

/// w^T M w: the variance along w where M is a covariance.
double variance_along(std::span<const double> w, const Matrix& m) {
    std::vector<double> mw = along(m, w);
    double total = 0;
    for (size_t i = 0; i < mw.size(); ++i) total += w[i] * mw[i];
    return total;
}

/// A statistic of the GED of two samples of white noise, for every draw.
std::vector<double> of_noise(const Matrix& x, const Draws& draws,
                             const std::function<double(const Matrix&, const Matrix&)>& statistic) {
    std::vector<double> values(static_cast<size_t>(draws.n_noise));
    parallel_for(draws.n_noise, [&](int64_t i) {
        Rng rng(run_seed(draws.seed, i));
        Matrix a(x.rows, x.cols), b(x.rows, x.cols);
        for (double& value : a.data) value = rng.normal();
        for (double& value : b.data) value = rng.normal();
        values[i] = statistic(a, b);
    });
    return values;
}

}  // namespace

// --- 5a, 5b -------------------------------------------------------------------------------------

std::string pairs_text(const Pairs& pairs, const Words& words, const Draws& draws) {
    int64_t n_group = count_groups(pairs.group), n_alike = pairs.him.rows - n_group;
    std::string text = format("%ld pairs; %ld begin%s like another up to the pronoun, '%s' or '%s'",
                              pairs.him.rows, n_alike, n_alike == 1 ? "s" : "", words.him.c_str(),
                              words.her.c_str());
    if (n_group >= draws.n_fold) return text + ".";
    return text + format("; too few for %ld folds, so one is left out at a time.", draws.n_fold);
}

std::string rank_text(const Pairs& pairs) {
    // X^T X and X X^T have the same rank; average_pca takes the smaller of the two.
    auto rank = [](const Matrix& x) {
        return average_pca(centred(x), centred(x)).variances.size();
    };
    std::vector<int64_t> different;
    for (size_t i = 0; i < pairs.group.size(); ++i) {
        if (pairs.group[i] == std::ssize(different)) different.push_back(static_cast<int64_t>(i));
    }
    return format("Rank of her covariance: %zu with %ld sentences, %zu with the %zu that differ.",
                  rank(pairs.her), pairs.her.rows, rank(take_rows(pairs.her, different)),
                  different.size());
}

std::string components_text(const Pca& pca, const GedSettings& settings) {
    auto count = [&](ShareRule rule) {
        return components_for_share(pca.variances, settings.share, rule);
    };
    return format(
        "%zu components carry variance; %.0f %% of it needs %ld (%ld stay below it); kept %ld.",
        pca.variances.size(), 100 * settings.share, count(ShareRule::reach),
        count(ShareRule::stay_below), count(settings.rule));
}

Measure refused(const Matrix& s, const Matrix& r) {
    constexpr double absurd = 1e6;
    double value = std::abs(top_eigenvalue(generalized_eigen(s, r)));
    return exact_measure(value <= absurd ? 0 : 1);
}

Finding beside_shrunk(const Measure& measured, const Measure& when_shrunk,
                      const std::string& forced_by) {
    if (!forced_by.empty()) return {measured, {}, forced_by};
    return {measured, {exact_control("R shrunk", measured, when_shrunk.value)}, {}};
}

std::string singular_by(int64_t n_sample, int64_t n_dim) {
    if (n_sample - 1 >= n_dim) return "";
    return format("%ld different sentences give rank %ld at most, in %ld dimensions", n_sample,
                  n_sample - 1, n_dim);
}

Measure kept_share(const Pca& pca, const GedSettings& settings) {
    int64_t kept = components_for_share(pca.variances, settings.share, settings.rule);
    Measure m =
        exact_measure(static_cast<double>(kept) / static_cast<double>(pca.variances.size()));
    m.detail = format("%ld of %zu", kept, pca.variances.size());
    return m;
}

Control noise_share(const Matrix& x, const GedSettings& settings, const Draws& draws) {
    return null_control("white noise", of_noise(x, draws, [&](const Matrix& a, const Matrix& b) {
                            return kept_share(average_pca(centred(a), centred(b)), settings).value;
                        }));
}

Measure missing_rank(const Matrix& covariance) {
    int64_t rank = numerical_rank(symmetric_eigen(covariance).values);
    Measure m = exact_measure(static_cast<double>(covariance.rows - rank));
    m.detail = format("rank %ld of %ld", rank, covariance.rows);
    return m;
}

// --- 5c: in sample ------------------------------------------------------------------------------

Table spectrum_table(const Eigen& for_him, const Eigen& for_her, const Matrix& s, const Matrix& r) {
    Table table = {.header = {"filter", "eigenvalue 1", "2", "3", "variance of S", "of R"}};
    auto add = [&](const char* name, const Eigen& eigen, const Matrix& high, const Matrix& low) {
        std::vector<std::string> cells = {name};
        for (size_t i = 0; i < 3; ++i) cells.push_back(value_text(value_or_nan(eigen.values, i)));
        std::span<const double> w = eigen.vectors.row(0);
        cells.push_back(value_text(variance_along(w, high)));
        cells.push_back(value_text(variance_along(w, low)));
        add_row(table, cells);
    };
    add("him > her", for_him, s, r);
    add("her > him", for_her, r, s);
    explain_dashes(
        table, "there are as many filters as components, " + std::to_string(for_him.values.size()));
    return table;
}

Table shrinkage_table(const Matrix& s, const Matrix& r) {
    Table table = {.header = {"gamma", "largest eigenvalue", "times gamma"}};
    for (double gamma : {0.001, 0.003, 0.01, 0.03, 0.1}) {
        double lambda = top_eigenvalue(generalized_eigen(s, shrunk(r, gamma)));
        add_row(table, {format("%.3f", gamma), value_text(lambda), value_text(lambda * gamma)});
    }
    explain_dashes(table, "LAPACK refuses the problem");
    return table;
}

SwapTest swap_test(const Pairs& pairs, const Matrix& components, double gamma, const Draws& draws) {
    // Centre per class and go to the fixed components.
    Pairs z = {product(centred(pairs.him), components, false, true),
               product(centred(pairs.her), components, false, true), pairs.group};

    SwapTest test;
    for (auto* values : {&test.for_him, &test.for_her, &test.angles}) {
        values->resize(static_cast<size_t>(draws.n_swap));
    }
    parallel_for(draws.n_swap, [&](int64_t i) {
        Pairs mixed = swap_groups(z, draw_swaps(count_groups(z.group), run_seed(draws.seed, i)));
        Matrix s = covariance(centred(mixed.him)), r = covariance(centred(mixed.her));
        GeneralizedEigen forward = generalized_eigen(s, shrunk(r, gamma)),
                         back = generalized_eigen(r, shrunk(s, gamma));
        test.for_him[i] = top_eigenvalue(forward);
        test.for_her[i] = top_eigenvalue(back);
        test.angles[i] = mean_cosine(forward.eigen.vectors);
        if (i > 0) return;
        test.one_for_him = forward.eigen;
        test.one_for_her = back.eigen;
    });
    return test;
}

Control labels_swapped(const std::vector<double>& values) {
    return null_control("labels swapped", values);
}

std::string p_text(double observed, const std::vector<double>& of_swaps) {
    double p = permutation_p(observed, of_swaps);
    return std::isnan(p) ? "no p" : format("p = %.4f", p);
}

std::string swaps_text(const SwapTest& swaps, const Eigen& for_him, const Eigen& for_her) {
    return format("%zu paired swaps of the labels: %s (him > her), ", swaps.for_him.size(),
                  p_text(for_him.values[0], swaps.for_him).c_str()) +
           p_text(for_her.values[0], swaps.for_her) + " (her > him).";
}

// --- 5c: on pairs left out ----------------------------------------------------------------------

Squares left_out_squares(const Pairs& pairs, const std::vector<FoldFit>& folds) {
    std::vector<double> zeros(static_cast<size_t>(pairs.him.rows));
    Squares out = {zeros, zeros, zeros, zeros};
    for (const FoldFit& fold : folds) {
        const GedFit& fit = fold.fit;
        Matrix him = in_components(fit, take_rows(pairs.him, fold.test), fit.mean_a),
               her = in_components(fit, take_rows(pairs.her, fold.test), fit.mean_b);
        auto place = [&](std::vector<double>& to, const Matrix& x, std::span<const double> w) {
            std::vector<double> scores = along(x, w);
            for (size_t i = 0; i < scores.size(); ++i) to[fold.test[i]] = scores[i] * scores[i];
        };
        place(out.him_forward, him, him_over_her(fit));
        place(out.her_forward, her, him_over_her(fit));
        place(out.him_back, him, her_over_him(fit));
        place(out.her_back, her, her_over_him(fit));
    }
    return out;
}

double contrast(const Squares& squares, std::span<const int64_t> pairs) {
    auto sum = [&](const std::vector<double>& x) {
        double total = 0;
        for (int64_t i : pairs) total += x[i];
        return total;
    };
    double him = sum(squares.him_forward), her = sum(squares.her_forward);
    double her_back = sum(squares.her_back), him_back = sum(squares.him_back);
    if (him <= 0 || her <= 0 || her_back <= 0 || him_back <= 0) return nan;
    return std::log10(std::min(him / her, her_back / him_back));
}

Measure contrast_measure(const Squares& squares, const std::vector<int64_t>& group,
                         const Draws& draws) {
    Measure m = over_groups(
        group, [&](std::span<const int64_t> pairs) { return contrast(squares, pairs); },
        draws.n_bootstrap, draws.seed);
    return std::isnan(m.value) ? not_measurable("a class does not vary along a filter") : m;
}

Control swapped_contrast(const Pairs& pairs, const GedSettings& settings, const Draws& draws) {
    std::vector<double> values(static_cast<size_t>(draws.n_null));
    std::vector<int64_t> all(pairs.group.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    Progress progress("fitted", draws.n_null, "swapped samples");
    parallel_for(draws.n_null, [&](int64_t i) {
        uint64_t seed = run_seed(draws.seed, i);
        Pairs mixed = swapped(pairs, seed);
        std::vector<FoldFit> folds = fit_folds(mixed, settings, draws.n_fold, seed);
        values[i] = contrast(left_out_squares(mixed, folds), all);
        progress.step();
    });
    return labels_swapped(values);
}

Control untrained_contrast(const Squares& trained, const Pairs& untrained,
                           const GedSettings& settings, const Draws& draws) {
    const std::vector<int64_t>& group = untrained.group;
    ensure(trained.him_forward.size() == group.size(), "the two models saw other sentences",
           "untrained_contrast", "pass as many pairs of both");
    Squares other =
        left_out_squares(untrained, fit_folds(untrained, settings, draws.n_fold, draws.seed));
    auto difference = [&](std::span<const int64_t> pairs) {
        return contrast(trained, pairs) - contrast(other, pairs);
    };
    return {"an untrained model", Control::Kind::sample, contrast_measure(other, group, draws),
            over_groups(group, difference, draws.n_bootstrap, draws.seed).interval};
}

std::string untrained_text(const Pairs& untrained, const GedSettings& settings) {
    GedFit fit = fit_ged(untrained.him, untrained.her, settings);
    return format("An untrained model, in sample: %ld components, largest eigenvalue %.4f.",
                  fit.components.rows, fit.a_over_b.values[0]);
}

// --- 5f -----------------------------------------------------------------------------------------

double mean_cosine(const Matrix& filters) {
    std::vector<double> cosines;
    int64_t n = std::min<int64_t>(10, filters.rows);
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) {
            cosines.push_back(std::abs(cosine(filters.row(i), filters.row(j))));
        }
    }
    return cosines.empty() ? nan : mean(cosines);
}

Measure filter_cosine(const Matrix& filters) {
    if (filters.rows < 2) return not_measurable("there is one filter only");
    return exact_measure(mean_cosine(filters));
}

Control pca_cosine(const Matrix& components) {
    return reference("PCA's components", filter_cosine(components));
}

Control noise_cosine(const Matrix& x, const GedSettings& settings, const Draws& draws) {
    return null_control("white noise", of_noise(x, draws, [&](const Matrix& a, const Matrix& b) {
                            return mean_cosine(fit_ged(a, b, settings).a_over_b.vectors);
                        }));
}

std::string cosines_text(const Eigen& for_him, const Eigen& for_her) {
    std::span<const double> w = for_him.vectors.row(0);
    std::string text = format("Cosines: him > her and her > him %.4f; him > her and PC 1, 2, 3:",
                              cosine(w, for_her.vectors.row(0)));
    double length = std::sqrt(std::inner_product(w.begin(), w.end(), w.begin(), 0.0));
    for (size_t axis = 0; axis < 3 && axis < w.size(); ++axis) {
        text += format(" %.4f", w[axis] / length);
    }
    return text;
}

}  // namespace vimach::ch05
