// Chapter 2's cards: single latents of the first SAE, to be looked at before their scores are
// believed. Every token leads to its strongest latents, and every latent named has a card.
#pragma once

#include "controls.h"
#include "show/svg.h"

namespace vimach::ch02 {

/// Cards of the latents that come first by AUC, ratio, activity and density, and of the strongest
/// latent of each token. Where the SAE reads mlp_out, with the words that a latent raises and
/// lowers.
Figure cards_figure(const Study& study, const Sae& sae, const Examined& examined);

/// The latents that have a card: those listed, each with its places in the lists, and the others.
struct Chosen {
    int64_t latent;
    std::string note;
    bool listed;
};
std::vector<Chosen> choose_latents(const Examined& examined, int64_t n_listed);

}  // namespace vimach::ch02
