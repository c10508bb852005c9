// Chapter 2's controls: the same measures in SAEs that were never trained, for random words, for
// another start, with more text. Each claim is one function that returns a Finding: the measure
// beside what it is compared with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arms.h"
#include "scores.h"
#include "show/measure.h"

namespace vimach::ch02 {

/// SAEs of one kind looked at closely, one a start.
using Group = std::vector<Examined>;

/// All that the claims look at; SAE i of each group begins like SAE i of the others.
struct Groups {
    Group trained = {}, untrained = {}, nudged = {}, more_text = {}, longer = {}, longer_more = {},
          other_k = {};
};
Groups examine_all(const Arms& arms, const Study& study, const Tensor& x, RatioRule ratio,
                   int64_t n_set);

// --- how many tokens latents are active on ------------------------------------------------------

/// On how many tokens latents are active: shares of all latents.
struct Responses {
    double none = 0, few = 0, some = 0, most = 0,
           all = 0;  ///< 0; to 10 %; to 50 %; more; every one
};
Responses responses(const SaeSummary& summary);

/// The share of tokens on which a latent is active, over latents that are active at all.
enum Middle { mean_of, median_of };
double active_density(const SaeSummary& summary, Middle middle);

/// 2b volume: forced where k latents are active on every token, for then density is k / n_latent.
double density_ceiling(const Examined& examined);
Finding small_volume(const Groups& groups);

/// 2b latents, 2c none, 2c all: shares of the latents, against the same SAEs untrained.
Finding latents_survive(const Groups& groups);
Finding latents_silent(const Groups& groups);
Finding latents_always(const Groups& groups);

// --- tying --------------------------------------------------------------------------------------

/// FVU on the tokens learnt and on those held out, one number a start; before training as well.
struct Fits {
    int64_t n_parameter = 0;
    std::vector<double> fit = {}, held = {}, untrained_fit = {}, untrained_held = {};
};
Fits fits(const std::vector<Training>& trainings, const Data& data);

/// 2a half: forced where one matrix stands for two of the same size.
Finding half_parameters(const Fits& tied, const Fits& untied);

/// 2a fit: FVU on tokens held out, untied minus tied. 2a gap: what FVU rises to there from that on
/// the tokens learnt, untied minus tied. Against the same SAEs untrained.
Finding held_out_error(const Fits& tied, const Fits& untied);
Finding overfitting_gap(const Fits& tied, const Fits& untied);

// --- the score ----------------------------------------------------------------------------------

/// 2d: share of active latents with a high ratio, against random sets of words.
Finding high_scores(const Groups& groups);

/// 2e: share of their activation that the best by ratio have on function words and punctuation.
Finding fires_on_filler(const Groups& groups);

// --- what comes back ----------------------------------------------------------------------------

/// Share of the best latents of `a` by AUC that have a partner among those of `b`: a correlation of
/// their activations over the same tokens of at least same_latent. Latents of two SAEs have no
/// common order, so their numbers say nothing.
double overlap(const Examined& a, const Examined& b);

/// Overlaps of 0 and 1, of 2 and 3, ...: pairs that share no SAE, so that they are independent.
std::vector<double> pair_overlaps(const Group& group);

/// Overlaps of each with its partner in another list.
std::vector<double> paired_overlaps(const Group& a, const Group& b);

Moved moved(const Training& training, const Examined& now, const Examined& start);
constexpr double hardly_moved = 0.95;  ///< a cosine: rows within 18 degrees of their start

/// 2f seed: overlap per pair of starts, against the lowest that any start has with itself at a rate
/// 1 % higher.
Finding start_matters(const Groups& groups);

/// 2f data: overlap per pair of starts with more text, against the same starts without. Forced
/// where the latents have hardly moved, by the length of the trainings.
Finding text_helps(const std::vector<Training>& trainings, const Group& more, const Group& without);

// --- redundancy ---------------------------------------------------------------------------------

/// Of active latents, over the tokens: the mean |r| of two, and the share that have a twin, another
/// one that correlates by same_latent or more.
struct Redundancy {
    double mean_r = 0, twins = 0;  // mean_r is NaN where fewer than two latents vary
};
Redundancy redundancy(const Tensor& latents);

/// Of every SAE, trained and untrained.
struct Twins {
    std::vector<Redundancy> trained, untrained;
};
Twins find_twins(const Groups& groups);

/// 2h: mean |r| against the same SAEs untrained.
Finding latents_correlate(const Twins& twins);

// --- neurons ------------------------------------------------------------------------------------

/// How many neurons are above 0.1 at every token of mlp_post [n_token, d_mlp].
std::vector<double> lit_neurons(const Tensor& mlp_post);

/// 2g and 2g share: their mean over a topic's tokens, in units of `unit` neurons, against as many
/// random other tokens.
Finding word_lights(const std::vector<double>& lit, const std::vector<int64_t>& topic, double unit,
                    uint64_t seed);

/// States both; 2g only where the model's MLP is as wide as GPT-2's, of which it speaks.
void state_neurons(Page& page, const Study& study, const std::vector<double>& lit);

}  // namespace vimach::ch02
