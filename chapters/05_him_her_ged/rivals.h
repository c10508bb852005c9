// Claim 5e: how well GED tells him from her on pairs left out, beside a logistic regression and the
// best latent of a sparse autoencoder, all made from the same training pairs.
#pragma once

#include "folds.h"
#include "lens/sae.h"
#include "show/table.h"

namespace vimach::ch05 {

/// Scores of the pairs left out that should be higher for him.
struct Scores {
    std::vector<double> him, her;
};

/// GED read in two ways: its him > her filter as a projection, with the sign that the training
/// means give it; and as the variance filter that it is, the log of the squared projection along
/// him > her over that along her > him, centred between the two classes.
struct GedScores {
    Scores projection, ratio;
};
GedScores ged_scores(const Pairs& pairs, const std::vector<FoldFit>& folds);

/// The difference of means, and L2 logistic regression.
Scores means_scores(const Pairs& pairs, const std::vector<FoldFit>& folds);
Scores logistic_scores(const Pairs& pairs, const std::vector<FoldFit>& folds);

/// L2 logistic regression by Newton's method: weights [k] that score rows of a higher than b's.
std::vector<double> logistic_weights(const Matrix& a, const Matrix& b, double penalty);

// --- the sparse autoencoder ---------------------------------------------------------------------

/// Top-k, ReLU, untied, with biases; all training rows at once, scaled to a mean square of 1.
struct SaePlan {
    int64_t n_latent = 1024, top_k = 16;
};

/// The latents of all pairs, by an autoencoder trained on each fold's training pairs; [n, n_latent]
/// of both classes. It sees no labels.
std::vector<Pairs> fold_latents(const Pairs& pairs, const std::vector<FoldFit>& folds,
                                const SaePlan& plan, const Draws& draws);

/// Of each fold the latent, and its sign, that tells the training pairs apart best, in standard
/// deviations of the training rows.
Scores latent_scores(const std::vector<Pairs>& latents, const std::vector<FoldFit>& folds);

/// All of these.
struct Rivals {
    GedScores ged;
    Scores means, logistic, latent;
    std::vector<int64_t> group;
};
Rivals left_out_scores(const Pairs& pairs, const std::vector<FoldFit>& folds,
                       const std::vector<Pairs>& latents);

// --- comparison ---------------------------------------------------------------------------------

/// Area under the ROC curve, and its bootstrap over groups.
Measure auc_measure(const Scores& scores, const std::vector<int64_t>& group, const Draws& draws);

/// The same for every way to score.
Table auc_table(const Rivals& rivals, const Draws& draws);

/// By how much the better of GED's two readings exceeds a rival's area under the ROC curve.
Measure lead_measure(const Rivals& rivals, const Scores& rival, const Draws& draws);

/// The same where him and her are swapped in every group with probability 1/2: everything that
/// sees labels is done again, the autoencoders are kept.
struct SwappedLeads {
    Control over_logistic, over_latent;
};
SwappedLeads swapped_leads(const Pairs& pairs, const std::vector<Pairs>& latents,
                           const GedSettings& settings, const Draws& draws);

}  // namespace vimach::ch05
