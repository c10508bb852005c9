// Chapter 1's page: the figures of its report. Nothing is computed here but what a figure needs.
// Seeds are drawn in the order of their score.
#pragma once

#include <vector>

#include "controls.h"
#include "show/report.h"

namespace vimach::unmixing {

/// Sources and mixtures over the first samples.
void draw_data(Report& report, const Matrix& sources, const Matrix& mixed);

/// The terms of the loss over one training.
void draw_losses(Report& report, const Run& run);

/// The two latents that follow the sources, over the first samples.
void draw_found(Report& report, const Run& run);

/// The weaker of the two |r| of every seed, by arm; and redundancy against it.
void draw_seeds(Report& report, const std::vector<Arm>& arms, const std::vector<Score>& untrained,
                double threshold);

}  // namespace vimach::unmixing
