// Chapter 3's figures: each is one function from numbers to a Figure. Profiles are means over
// seeds; bands, where there is more than one seed, run from the lowest to the highest.
#pragma once

#include "controls.h"
#include "show/svg.h"

namespace vimach::ch03 {

/// Density by layer in all arms, with the ceiling that top-k sets.
Figure density_figure(const Profiles& p);

/// What the covariance leaves: density of the trained arm minus that of the Gaussian rows.
Figure beyond_covariance_figure(const Profiles& p);

/// The loss by layer in all arms, on a logarithmic axis; and the fraction unexplained.
Figure loss_figure(const Profiles& p);
Figure fvu_figure(const Profiles& p);

/// Latents that are ever active, on an axis from none to all; and density times activation, the
/// third plot of the lecturer's notebook.
Figure latents_figure(const Profiles& p);

/// What the model's loss grows by with a reconstruction, or the mean, in a layer's place.
Figure cost_figure(const Profiles& p);

/// How far the first token of a window stands out, by layer.
Figure first_token_figure(const FirstTokens& first, const Draws& draws);

/// The published profiles of GPT-2 small: active latents, and the fraction unexplained.
Figure published_figure();

/// The page's opening: density and loss, trained beside what they are compared with.
Figure opening_figure(const Profiles& p);

}  // namespace vimach::ch03
