// Chapter 2's figures: each is one function from numbers to a Figure. Those of the lecture are the
// loss, the image of tokens and latents, and activation against density.
#pragma once

#include "controls.h"
#include "show/svg.h"

namespace vimach::ch02 {

/// The whole loss by epoch, and its terms without their weights.
Figure loss_figure(const Training& training);

/// Tokens x latents as an image: some of the active latents, the densest first.
Figure image_figure(const Examined& examined);

/// On how many tokens latents are active; their mean activation; activation against density.
Figure latents_figure(const Examined& trained, const Examined& untrained);

/// The share of latents with a high ratio, and what the best fire on, for geography and for every
/// random set of words.
Figure words_figure(const Group& trained);

/// Ratio and AUC of every active latent, the largest ratio for random sets beside them.
Figure scores_figure(const Examined& examined);

}  // namespace vimach::ch02
