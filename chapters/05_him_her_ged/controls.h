// Chapter 5's controls: what the same arithmetic finds where there is nothing to find, and what
// holds on sentences that the filter has not seen. Pairs are row i of both samples; pairs of one
// group (twins, whose sentences share their beginning) stay together.
#pragma once

#include <string>
#include <vector>

#include "lens/ged.h"
#include "show/old_claims.h"

namespace vimach {

/// Two paired samples [n, d], and the group of each pair: 0 ... n_group - 1.
struct Pairs {
    Matrix him, her;
    std::vector<int64_t> group;
};

/// A sentence as token ids, with its one pronoun.
struct Sentence {
    std::vector<int> ids;
    int64_t pronoun;  // position of the pronoun's token
    bool is_him;
};

/// Paired swap test of the largest eigenvalue, both directions. Activations are centred per class
/// first (otherwise the difference of the means would enter both covariances), the components are
/// those of the fit, and every group is swapped or not as a whole.
struct SwapTest {
    double p_him_over_her = 1, p_her_over_him = 1;
    std::vector<double> null_him_over_her;  ///< largest eigenvalue of every swapped sample
};
SwapTest swap_test(const Pairs& pairs, const GedFit& fit, double gamma, int64_t n_swap,
                   uint64_t seed);

/// What the filters do on pairs left out of PCA, shrinkage and GED; row i belongs to pair i.
struct HeldOut {
    std::vector<double> him_forward, her_forward;  ///< along him > her, centred per class
    std::vector<double> him_back, her_back;        ///< along her > him, centred per class
    /// Scores that should be higher for him, by three ways to separate: GED's him > her filter
    /// with its sign taken from the training pairs, difference of means, logistic regression.
    struct Scores {
        std::vector<double> him, her;
    } ged, means, logistic;
};
HeldOut hold_out(const Pairs& pairs, const GedSettings& settings, int64_t n_fold, uint64_t seed);

/// log10 of the held-out variance of him over that of her along him > her, and the reverse along
/// her > him; the smaller of the two, because the claim needs both.
double held_out_contrast(const HeldOut& held_out, std::span<const int64_t> pairs);

/// The same with a bootstrap interval over groups.
Measure contrast_measure(const HeldOut& held_out, const std::vector<int64_t>& group,
                         int64_t n_bootstrap, uint64_t seed);

/// The contrast of samples whose groups were swapped at random after centring: its central 95 %.
Measure contrast_null(const Pairs& pairs, const GedSettings& settings, int64_t n_fold,
                      int64_t n_null, uint64_t seed);

/// Area under the ROC curve with a bootstrap interval over groups.
Measure auc_measure(const HeldOut::Scores& scores, const std::vector<int64_t>& group,
                    int64_t n_bootstrap, uint64_t seed);

/// L2 logistic regression by Newton's method: weights [k] that score a higher than b.
std::vector<double> logistic_weights(const Matrix& a, const Matrix& b, double penalty);

/// Copies of both samples, centred per class, in which every group is swapped with probability 1/2.
Pairs swapped(const Pairs& pairs, uint64_t seed);

/// The numbers on which the verdicts rest.
struct Findings {
    int64_t n_pair = 0, n_dim = 0, rank = 0;
    bool unshrunk_fails = false;
    int64_t n_carrying = 0;  ///< components that carry any variance
    Measure n_component = {}, n_component_control = {};
    Measure contrast = {}, contrast_control = {};
    Measure first_rank = {}, first_rank_control = {};
    Measure auc_ged = {}, auc_logistic = {};
    Measure cosine_ged = {}, cosine_pca = {};
};

/// How many random draws the controls make.
struct Draws {
    int64_t n_swap = 1000;       ///< paired swaps of the in-sample test
    int64_t n_null = 200;        ///< swapped samples taken through the whole cross-validation
    int64_t n_bootstrap = 1000;  ///< resampled lists of sentences
    int64_t n_random = 500;      ///< random directions
    int64_t n_fold = 11;         ///< five pairs left out at a time
};

/// 5b: the count of components, its range over leaving out one pair, and that of white noise.
void measure_components(const Pairs& pairs, const GedSettings& settings, uint64_t seed,
                        Findings& findings);

/// 5d: the share of new sentences in which the pronoun stands out most, among the tokens after the
/// first, along him > her or her > him; and the same for random directions. tokens[i] holds the
/// tokens of sentence i in the space of the components, [n_token, k].
void measure_tokens(const std::vector<Matrix>& tokens, const std::vector<Sentence>& sentences,
                    const GedFit& fit, const Draws& draws, uint64_t seed, Findings& findings);

/// 5f: |cos| between every two of the first ten filters, and the same for PCA's components.
void measure_angles(const GedFit& fit, Findings& findings);

/// Thresholds of the verdicts, chosen before any run.
struct Criteria {
    double few_components = 0.75;  ///< of those that carry variance, which the sentences limit
    double contrast = 1;           ///< log10: ten times the variance, both ways
    double first_rank = 0.9;       ///< share of sentences in which the pronoun stands out most
    double orthogonal = 0.01;      ///< |cos| above which two filters are not orthogonal
};

/// Claims 5a to 5f.
std::vector<OldClaim> judge(const Findings& findings, const Criteria& criteria);

}  // namespace vimach
