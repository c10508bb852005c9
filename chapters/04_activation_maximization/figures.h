// Chapter 4's figures: each is one function from numbers to a Figure. Curves over steps are means
// over starts; histograms are shares, so that samples of any size lie over each other.
#pragma once

#include <vector>

#include "controls.h"
#include "show/svg.h"

namespace vimach::ch04 {

// --- the climb ----------------------------------------------------------------------------------

/// The activation of some climbs, step by step; the length of a loss's gradient.
Figure climb_figure(const Arms& arms);
Figure gradient_figure(const Arm& own);

/// The vectors of the first start as an image, before and after; and their numbers, all starts,
/// over those of the embedding matrix.
Figure image_figure(const Arm& own);
Figure numbers_figure(const Arm& own, const Tensor& W_E);

/// 4a: orders of growth by dimension, the target's own marked.
Figure dimensions_figure(const Arms& arms);

/// 4b: the target, its neighbours and all others, step by step; and the target's coordinate among
/// all others before and after.
Figure neighbours_figure(const Arm& own);
Figure others_figure(const Arm& own);

/// 4e: |theta|^2 of climbs at one rate, step by step.
Figure norms_figure(const std::vector<const Arm*>& arms);

// --- decoding -----------------------------------------------------------------------------------

/// The cosines with all tokens of each vector of the first start, the best of each named; and
/// those of a vector as it was drawn.
Figure strip_figure(const Arm& own, const Tensor& W_E, const Tokenizer& tokenizer);

/// Best cosines of windows, in ascending order.
Figure cosines_figure(const Cosines& cosines);

// --- tokens put in ------------------------------------------------------------------------------

/// The value of both searches against passes, beside what else was reached.
Figure search_figure(const Reached& reached);

/// Losses of windows, in ascending order.
Figure losses_figure(const Losses& losses);

/// What every input brings: mean and range over windows.
Figure reached_figure(const Reached& reached);

}  // namespace vimach::ch04
