// Chapter 2's cards: single latents of the first SAE, to be looked at before their scores are
// believed. Every token leads to its strongest latents, and every latent named has a card.
#pragma once

#include "controls.h"
#include "show/svg.h"

namespace vimach::ch02 {

/// Cards of the latents that come first by AUC, ratio, activity and density, each beside the latent
/// of the same rank before training (`start`), and of the strongest latent of each token. Where the
/// SAE reads mlp_out, with the words that a latent raises and lowers.
Figure cards_figure(const Study& study, const Sae& sae, const Examined& examined,
                    const Examined& start);

/// A place, from 0 on, in the order of latents by a score.
struct Rank {
    int64_t place;
    double Tested::*by;
};

/// The latents that have a card: those listed, with their ranks, then the strongest of tokens.
struct Chosen {
    int64_t latent;
    std::vector<Rank> ranks = {};
    int64_t token = -1;  ///< where it is the strongest, if it has no rank
};
std::vector<Chosen> choose_latents(const Examined& examined, int64_t n_listed);

}  // namespace vimach::ch02
