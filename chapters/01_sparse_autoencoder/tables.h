// Chapter 1's tables and sentences: what the data are, what a linear method can do, what each arm
// came to, and how the penalties' weights were chosen.
#pragma once

#include <string>

#include "controls.h"
#include "show/table.h"

namespace vimach::ch01 {

/// What the sources and the mixtures are: correlation, means, variances.
Table data_table(const Matrix& sources, const Matrix& mixed);

/// What PCA and random rotations of its components do, and the ceiling of half a sine.
Table linear_methods(const Matrix& sources, const Matrix& mixed, uint64_t seed);

/// The terms of the loss in the first training.
Table loss_table(const Arm& arm);

/// Which latents of the first training follow the sources.
std::string followers(const Arm& arm);

Table ablation_table(const Arms& arms);

/// The sharpness of the step's edges over the trainings.
std::string sharpness_text(const Arm& arm, const Matrix& sources);

/// The answer to the chapter's question.
std::string answer(const Arms& arms, const Arm& chance);

/// How the penalties' weights were chosen: sixteen pairs, `n` starts each. Pairs within one
/// standard error of the pair that recovers both sources most often are not told apart by it; of
/// those the least redundant is taken (Hastie, Tibshirani and Friedman 2009, 7.10).
Table sweep_table(const Trainer& train, int64_t n, uint64_t seed);

}  // namespace vimach::ch01
