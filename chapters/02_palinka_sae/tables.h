// Chapter 2's tables and sentences: what the first SAE does beside the same one untrained, and what
// of it comes back. Nothing is measured here that a claim rests on.
#pragma once

#include <string>
#include <vector>

#include "controls.h"
#include "show/table.h"

namespace vimach::ch02 {

/// The SAE, the activation it reads, the passage and its words.
std::string settings_text(const Study& study, const SaeConfig& config, const Lengths& lengths);

/// The loss before some of the epochs, and before the last; beside it that of the plain step.
Table loss_table(const Arms& arms);

/// How well the SAE rebuilds, and how many latents are active.
std::string density_text(const Examined& trained, const Examined& untrained);

/// How far the latents are from their random start, as in the document and trained longer.
std::string moved_text(const Arms& arms, const Groups& groups);

/// On how many tokens latents are active, trained and untrained.
Table responses_table(const Examined& trained, const Examined& untrained);

/// Parameters and errors, tied and untied.
Table tying_table(const Fits& tied, const Fits& untied);

/// How many latents have a high ratio, for the topic and for random sets; how many scores stand
/// out against random sets.
Table count_table(const Examined& trained, const Examined& untrained);

/// What the best latents by AUC, and those by ratio, have in common: no single one, for rounding
/// alone can exchange them.
Table best_table(const Examined& examined);

/// What the ten best latents of SAEs that differ in one thing have in common.
Table overlap_table(const Groups& groups);

/// How many active latents have a twin.
std::string twins_text(const Twins& twins);

/// Neurons that are lit at each of the topic's tokens, and at the median token.
Table lit_table(const Study& study, const std::vector<double>& lit);

/// The answer to the chapter's question.
std::string answer_text(const Groups& groups);

}  // namespace vimach::ch02
