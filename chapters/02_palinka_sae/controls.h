// Chapter 2's controls and verdicts: what depends on seed and settings, what a smaller number of
// parameters buys, how many neurons any word lights; and the claims that follow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scores.h"
#include "lens/sae.h"
#include "show/old_claims.h"

namespace vimach::palinka {

/// To how many tokens latents answer: shares of all latents.
struct Responses {
    double none = 0, few = 0, some = 0, most = 0,
           all = 0;  ///< 0; to 10 %; to 50 %; more; every one
};
Responses responses(const SaeSummary& summary);

/// The share of tokens on which a latent is live, over latents that are live at all.
enum Middle { mean_of, median_of };
double live_density(const SaeSummary& summary, Middle middle);

/// The mean of a - b, pair by pair, and what chance makes of it: the differences between members
/// of one sample, which differ in their seed alone.
Measure difference_measure(const std::vector<double>& a, const std::vector<double>& b,
                           uint64_t seed);
Measure seed_null(const std::vector<double>& sample);

/// Share of the best latents of `a` by AUC that have a partner among those of `b`: a correlation of
/// their activations over the same tokens of at least `same`. Latents of two SAEs have no common
/// order, so their numbers say nothing.
double overlap(const Examined& a, const Examined& b, double same);

/// Overlaps of every two of a list, and of each with its partner in another list.
std::vector<double> pair_overlaps(const std::vector<Examined>& list, double same);
std::vector<double> paired_overlaps(const std::vector<Examined>& a, const std::vector<Examined>& b,
                                    double same);

/// SAEs that differ in one thing each.
struct Stability {
    std::vector<Examined> seeds = {}, blank = {}, nudged = {}, richer = {}, other_k = {};
};

/// How many neurons are above `lit` at every token of mlp_post [n_token, d_mlp].
std::vector<double> lit_neurons(const Tensor& mlp_post, double lit);

/// Their mean over a topic's tokens, with a bootstrap over these; and over as many random others.
Measure lit_by_topic(const std::vector<double>& lit, const std::vector<int64_t>& topic,
                     uint64_t seed);
Measure lit_by_others(const std::vector<double>& lit, const std::vector<int64_t>& topic,
                      uint64_t seed);

// --- verdicts -----------------------------------------------------------------------------------

/// Thresholds of the verdicts, chosen before any run.
struct Criteria {
    double overfitting = 0.05;  ///< 2a: a twentieth of the variance of tokens held out
    double small_part = 0.1;    ///< 2b: a tenth, the document's 6.5 % rounded up
    double dead = 0.5;          ///< 2c: the document's own "more than half"
    double always = 0.01;       ///< 2c: "a rare few": one in a hundred
    double high = 2;            ///< 2d: twice as much on the topic as elsewhere is a high score
    double many = 0.1;          ///< 2d: one latent in ten
    double on_filler = 0.1;     ///< 2e: a tenth of what the best latents do
    double same = 0.8;          ///< 2f: two latents are one where they share 64 % of their variance
    double comes_back = 0.5;    ///< 2f: results are stable where half of the best latents return
    double lit = 0.1;           ///< 2g: a neuron above a tenth of its unit, far from gelu's floor
    double hundreds = 100;      ///< 2g: the document's own word
};

/// The numbers on which the verdicts rest.
struct Findings {
    int64_t n_tied = 0, n_untied = 0;  ///< parameters
    Measure overfitting = {}, overfitting_null = {};
    Measure density = {}, density_untrained = {};
    double ceiling = 1;  ///< of density: k / n_latent
    Measure alive = {}, alive_untrained = {};
    Measure dead = {}, dead_untrained = {};
    Measure always = {}, always_untrained = {};
    Measure high = {}, high_null = {};
    Measure on_filler = {}, on_filler_untrained = {};
    Measure seeds = {}, nudged = {};
    Measure richer = {};
    Measure lit = {}, lit_others = {};
};

/// What follows from SAEs of several seeds, from the one looked at closely, and from stability.
Findings find(const std::vector<SaeSummary>& trained, const std::vector<SaeSummary>& untrained,
              const Examined& own, const Stability& stable, const Criteria& criteria,
              uint64_t seed);

/// Claims 2a to 2g.
std::vector<OldClaim> judge(const Findings& findings, const Criteria& criteria);

}  // namespace vimach::palinka
