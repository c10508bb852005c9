// Chapter 1's figures: each is one function from numbers to a Figure. Signals are shown over the
// first samples, one and a half periods of the sine.
#pragma once

#include "controls.h"
#include "show/svg.h"

namespace vimach::ch01 {

/// Sources and mixtures over the first samples.
Figure data_figure(const Matrix& sources, const Matrix& mixed);

/// The whole loss of the first training, and its terms, those that have a weight.
Figure loss_figure(const Arm& arm);

/// The two latents that follow the sources in the first training, drawn over them, and the
/// histograms of sources, mixtures and latents.
Figure found_figure(const Arm& arm, const Matrix& sources, const Matrix& mixed);

/// Correlations between the latents of the first training: both penalties, none, untrained.
Figure together_figure(const Arms& arms);

/// Redundancy against the weaker of the two |r|, one point a training.
Figure redundancy_figure(const Arms& arms);

/// The weaker of the two |r| of every training, in ascending order, by arm and by chance.
Figure recovery_figure(const Arms& arms, const Arm& chance);

}  // namespace vimach::ch01
