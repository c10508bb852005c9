// Chapter 5's controls; see controls.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/stats.h"

namespace vimach {

namespace {

int64_t count_groups(const std::vector<int64_t>& group) {
    return group.empty() ? 0 : *std::max_element(group.begin(), group.end()) + 1;
}

/// Swaps the rows of every group for which the coin says so.
Pairs swap_groups(const Pairs& centred_pairs, Rng& rng) {
    Pairs out = centred_pairs;
    std::vector<bool> swap(static_cast<size_t>(count_groups(out.group)));
    for (size_t g = 0; g < swap.size(); ++g) swap[g] = rng.below(2) == 1;
    for (int64_t i = 0; i < out.him.rows; ++i) {
        if (swap[out.group[i]]) std::ranges::swap_ranges(out.him.row(i), out.her.row(i));
    }
    return out;
}

double top_eigenvalue(const Matrix& s, const Matrix& r, double gamma) {
    GeneralizedEigen solved = generalized_eigen(s, shrunk(r, gamma));
    return solved.info == 0 ? solved.eigen.values[0] : 0;
}

/// A bootstrap over groups: the pairs of a resampled list of groups.
std::vector<int64_t> resample(const std::vector<int64_t>& group, Rng& rng) {
    int64_t n_group = count_groups(group);
    std::vector<int64_t> times(static_cast<size_t>(n_group)), pairs;
    for (int64_t g = 0; g < n_group; ++g) ++times[rng.below(n_group)];
    for (size_t i = 0; i < group.size(); ++i) {
        pairs.insert(pairs.end(), static_cast<size_t>(times[group[i]]), static_cast<int64_t>(i));
    }
    return pairs;
}

std::vector<int64_t> all_pairs(size_t n) {
    std::vector<int64_t> pairs(n);
    for (size_t i = 0; i < n; ++i) pairs[i] = static_cast<int64_t>(i);
    return pairs;
}

double mean_square(const std::vector<double>& x, std::span<const int64_t> which) {
    double total = 0;
    for (int64_t i : which) total += x[i] * x[i];
    return total / static_cast<double>(which.size());
}

std::vector<double> pick(const std::vector<double>& x, std::span<const int64_t> which) {
    std::vector<double> out;
    for (int64_t i : which) out.push_back(x[i]);
    return out;
}

/// One fold: fits on `train`, writes what happens on `test` into `out`.
void run_fold(const Pairs& pairs, const GedSettings& settings, const std::vector<int64_t>& train,
              const std::vector<int64_t>& test, HeldOut& out) {
    // Fit everything on the training pairs alone.
    Matrix train_him = take_rows(pairs.him, train), train_her = take_rows(pairs.her, train);
    GedFit fit = fit_ged(train_him, train_her, settings);
    auto project = [&](const Matrix& x, const std::vector<double>& centre) {
        return product(centred(x, centre), fit.components, false, true);
    };
    Matrix a = projected(fit, train_him), b = projected(fit, train_her);
    std::vector<double> mean_a = column_means(a), mean_b = column_means(b);

    // Take the three directions that should score him higher.
    std::span<const double> forward = fit.a_over_b.vectors.row(0),
                            back = fit.b_over_a.vectors.row(0);
    std::vector<double> difference(mean_a.size()), ged(forward.begin(), forward.end());
    double agreement = 0;
    for (size_t k = 0; k < mean_a.size(); ++k) {
        difference[k] = mean_a[k] - mean_b[k];
        agreement += difference[k] * ged[k];
    }
    for (double& value : ged) value *= agreement < 0 ? -1 : 1;
    std::vector<double> logistic = logistic_weights(a, b, 1);

    // Apply them to the pairs left out.
    Matrix him = take_rows(pairs.him, test), her = take_rows(pairs.her, test);
    auto place = [&](std::vector<double>& to, const std::vector<double>& values) {
        for (size_t i = 0; i < test.size(); ++i) to[test[i]] = values[i];
    };
    place(out.him_forward, along(project(him, fit.mean_a), forward));
    place(out.her_forward, along(project(her, fit.mean_b), forward));
    place(out.him_back, along(project(him, fit.mean_a), back));
    place(out.her_back, along(project(her, fit.mean_b), back));
    Matrix him_scores = projected(fit, him), her_scores = projected(fit, her);
    place(out.ged.him, along(him_scores, ged));
    place(out.ged.her, along(her_scores, ged));
    place(out.means.him, along(him_scores, difference));
    place(out.means.her, along(her_scores, difference));
    place(out.logistic.him, along(him_scores, logistic));
    place(out.logistic.her, along(her_scores, logistic));
}

}  // namespace

Pairs swapped(const Pairs& pairs, uint64_t seed) {
    Rng rng(seed);
    return swap_groups({centred(pairs.him), centred(pairs.her), pairs.group}, rng);
}

SwapTest swap_test(const Pairs& pairs, const GedFit& fit, double gamma, int64_t n_swap,
                   uint64_t seed) {
    // Centre per class and go to the fixed components.
    Pairs z = {product(centred(pairs.him), fit.components, false, true),
               product(centred(pairs.her), fit.components, false, true), pairs.group};

    SwapTest test;
    test.null_him_over_her.resize(static_cast<size_t>(n_swap));
    std::vector<double> null_back(static_cast<size_t>(n_swap));
    parallel_for(n_swap, [&](int64_t i) {
        Rng rng(run_seed(seed, i));
        Pairs mixed = swap_groups(z, rng);
        Matrix s = covariance(centred(mixed.him)), r = covariance(centred(mixed.her));
        test.null_him_over_her[i] = top_eigenvalue(s, r, gamma);
        null_back[i] = top_eigenvalue(r, s, gamma);
    });
    test.p_him_over_her = permutation_p(fit.a_over_b.values[0], test.null_him_over_her);
    test.p_her_over_him = permutation_p(fit.b_over_a.values[0], null_back);
    return test;
}

HeldOut hold_out(const Pairs& pairs, const GedSettings& settings, int64_t n_fold, uint64_t seed) {
    // Deal the groups to the folds in random order.
    int64_t n_group = count_groups(pairs.group);
    ensure(n_fold >= 2 && n_fold <= n_group, "number of folds out of range", "hold_out",
           "use 2 ... the number of groups");
    std::vector<int64_t> fold_of(static_cast<size_t>(n_group));
    std::vector<int64_t> order = Rng(seed).permutation(n_group);
    for (int64_t i = 0; i < n_group; ++i) fold_of[order[i]] = i % n_fold;

    auto n = static_cast<size_t>(pairs.him.rows);
    std::vector<double> zeros(n);
    HeldOut out = {zeros, zeros, zeros, zeros, {zeros, zeros}, {zeros, zeros}, {zeros, zeros}};
    parallel_for(n_fold, [&](int64_t fold) {
        std::vector<int64_t> train, test;
        for (size_t i = 0; i < n; ++i) {
            (fold_of[pairs.group[i]] == fold ? test : train).push_back(static_cast<int64_t>(i));
        }
        run_fold(pairs, settings, train, test, out);
    });
    return out;
}

double held_out_contrast(const HeldOut& held_out, std::span<const int64_t> pairs) {
    double forward =
        mean_square(held_out.him_forward, pairs) / mean_square(held_out.her_forward, pairs);
    double back = mean_square(held_out.her_back, pairs) / mean_square(held_out.him_back, pairs);
    return std::log10(std::min(forward, back));
}

Measure contrast_measure(const HeldOut& held_out, const std::vector<int64_t>& group,
                         int64_t n_bootstrap, uint64_t seed) {
    Rng rng(seed);
    std::vector<double> samples;
    for (int64_t i = 0; i < n_bootstrap; ++i) {
        samples.push_back(held_out_contrast(held_out, resample(group, rng)));
    }
    return {held_out_contrast(held_out, all_pairs(group.size())), central_95(samples)};
}

Measure contrast_null(const Pairs& pairs, const GedSettings& settings, int64_t n_fold,
                      int64_t n_null, uint64_t seed) {
    std::vector<double> samples(static_cast<size_t>(n_null));
    parallel_for(n_null, [&](int64_t i) {
        uint64_t own_seed = run_seed(seed, i);
        HeldOut out = hold_out(swapped(pairs, own_seed), settings, n_fold, own_seed);
        samples[i] = held_out_contrast(out, all_pairs(pairs.group.size()));
    });
    return {mean(samples), central_95(samples)};
}

Measure auc_measure(const HeldOut::Scores& scores, const std::vector<int64_t>& group,
                    int64_t n_bootstrap, uint64_t seed) {
    Rng rng(seed);
    std::vector<double> samples;
    for (int64_t i = 0; i < n_bootstrap; ++i) {
        std::vector<int64_t> which = resample(group, rng);
        samples.push_back(auc(pick(scores.him, which), pick(scores.her, which)));
    }
    return {auc(scores.him, scores.her), central_95(samples)};
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
    constexpr int n_step = 25;
    std::vector<double> w(static_cast<size_t>(a.cols));
    for (int step = 0; step < n_step; ++step) {
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
        for (int64_t i = 0; i < hessian.rows; ++i) {
            std::span<const double> v = eigen.vectors.row(i);
            for (size_t k = 0; k < w.size(); ++k) w[k] -= slopes[i] / eigen.values[i] * v[k];
        }
    }
    return w;
}

namespace {

/// How many components keep the wanted share of the variance.
double count_components(const Matrix& him, const Matrix& her, const GedSettings& ged) {
    Pca pca = average_pca(centred(him), centred(her));
    return static_cast<double>(components_for_share(pca.variances, ged.share, ged.rule));
}

Matrix gaussian(int64_t rows, int64_t cols, Rng& rng) {
    Matrix m(rows, cols);
    for (double& value : m.data) value = rng.normal();
    return m;
}

/// 5d: the place of the pronoun when the tokens after the first are ordered by |score|; 1 is first.
int64_t rank_of_pronoun(const Matrix& tokens, int64_t pronoun, std::span<const double> filter) {
    std::vector<double> scores = along(tokens, filter);
    int64_t rank = 1;
    for (size_t i = 1; i < scores.size(); ++i) {
        rank += std::abs(scores[i]) > std::abs(scores[pronoun]);
    }
    return rank;
}

/// For every sentence, 1 if the pronoun comes first: along `him` for him, along `her` for her.
std::vector<double> comes_first(const std::vector<Matrix>& tokens,
                                const std::vector<Sentence>& sentences, std::span<const double> him,
                                std::span<const double> her) {
    std::vector<double> first;
    for (size_t i = 0; i < tokens.size(); ++i) {
        bool is_him = sentences[i].is_him;
        first.push_back(rank_of_pronoun(tokens[i], sentences[i].pronoun, is_him ? him : her) == 1);
    }
    return first;
}

}  // namespace

void measure_components(const Pairs& pairs, const GedSettings& ged, uint64_t seed, Findings& f) {
    std::vector<double> without_one, noise;
    for (int64_t left_out = 0; left_out < pairs.him.rows; ++left_out) {
        std::vector<int64_t> rest;
        for (int64_t i = 0; i < pairs.him.rows; ++i) {
            if (i != left_out) rest.push_back(i);
        }
        without_one.push_back(
            count_components(take_rows(pairs.him, rest), take_rows(pairs.her, rest), ged));
    }
    Rng rng(seed);
    for (int i = 0; i < 20; ++i) {
        Matrix a = gaussian(pairs.him.rows, pairs.him.cols, rng);
        noise.push_back(count_components(a, gaussian(a.rows, a.cols, rng), ged));
    }
    f.n_component = {count_components(pairs.him, pairs.her, ged), central_95(without_one)};
    f.n_component_control = {mean(noise), central_95(noise)};
}

void measure_tokens(const std::vector<Matrix>& tokens, const std::vector<Sentence>& sentences,
                    const GedFit& fit, const Draws& draws, uint64_t seed, Findings& f) {
    // Resample the sentences for the interval.
    Rng rng(seed);
    std::vector<double> first =
        comes_first(tokens, sentences, fit.a_over_b.vectors.row(0), fit.b_over_a.vectors.row(0));
    std::vector<double> shares, random_shares;
    auto n = static_cast<int64_t>(first.size());
    for (int64_t b = 0; b < draws.n_bootstrap; ++b) {
        double total = 0;
        for (int64_t i = 0; i < n; ++i) total += first[rng.below(n)];
        shares.push_back(total / static_cast<double>(n));
    }

    // Set beside it directions drawn at random in the space of the components.
    for (int64_t r = 0; r < draws.n_random; ++r) {
        Matrix w = gaussian(2, fit.components.rows, rng);
        random_shares.push_back(mean(comes_first(tokens, sentences, w.row(0), w.row(1))));
    }
    f.first_rank = {mean(first), central_95(shares)};
    f.first_rank_control = {mean(random_shares), central_95(random_shares)};
}

void measure_angles(const GedFit& fit, Findings& f) {
    std::vector<double> ged, pca;
    int64_t n = std::min<int64_t>(10, fit.components.rows);
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) {
            const Matrix& filters = fit.a_over_b.vectors;
            ged.push_back(std::abs(cosine(filters.row(i), filters.row(j))));
            pca.push_back(std::abs(cosine(fit.components.row(i), fit.components.row(j))));
        }
    }
    f.cosine_ged = {mean(ged), central_95(ged)};
    f.cosine_pca = {mean(pca), central_95(pca)};
}

namespace {

/// 5a is arithmetic wherever there are fewer independent sentences than dimensions.
std::string singular_by(const Findings& f) {
    if (f.n_pair - 1 >= f.n_dim) return "";
    return format("%ld sentences give rank %ld at most, in %ld dimensions", f.n_pair, f.n_pair - 1,
                  f.n_dim);
}

}  // namespace

std::vector<OldClaim> judge(const Findings& f, const Criteria& criteria) {
    using Side = Criterion::Side;
    return {
        {.id = "5a",
         .text = "without PCA and shrinkage GED fails: R is singular",
         .document = "error",
         .measure = "whether LAPACK refuses the unshrunk problem, 1 or 0",
         .measured = exact_measure(f.unshrunk_fails ? 1 : 0),
         .control = exact_measure(0),
         .criterion = {Side::at_least, 1},
         .forced_by = singular_by(f)},
        {.id = "5b",
         .text = "99 % of the variance needs few components",
         .document = "63",
         .measure = "components for 99 % of the variance; control: white noise of the same size",
         .measured = f.n_component,
         .control = f.n_component_control,
         .criterion = {Side::at_most, criteria.few_components * static_cast<double>(f.n_carrying)}},
        {.id = "5c",
         .text = "the top filter varies for him and not for her, and the reverse",
         .document = "eigenspectrum",
         .measure = "log10 of the variance ratio on pairs left out; control: the stronger of "
                    "swapped labels and untrained model",
         .measured = f.contrast,
         .control = f.contrast_control,
         .criterion = {Side::at_least, criteria.contrast}},
        {.id = "5d",
         .text = "over a sentence only the pronoun stands out",
         .document = "per-token plot",
         .measure = "share of new sentences in which the pronoun stands out most; control: random "
                    "directions",
         .measured = f.first_rank,
         .control = f.first_rank_control,
         .criterion = {Side::at_least, criteria.first_rank}},
        {.id = "5e",
         .text = "GED separates better than logistic regression",
         .document = "-",
         .measure = "area under the ROC curve on pairs left out; control: logistic regression",
         .measured = f.auc_ged,
         .control = f.auc_logistic,
         .criterion = {Side::at_least, f.auc_logistic.value}},
        {.id = "5f",
         .text = "the vectors are not orthogonal, unlike those of PCA",
         .document = "-",
         .measure = "mean |cos| of the first ten filters; control: of the principal components",
         .measured = f.cosine_ged,
         .control = f.cosine_pca,
         .criterion = {Side::at_least, criteria.orthogonal}},
    };
}

}  // namespace vimach
