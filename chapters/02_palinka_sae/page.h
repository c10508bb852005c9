// Chapter 2's page: its tables, which the terminal shows as well, its figures, and the dashboard of
// single latents.
#pragma once

#include <vector>

#include "controls.h"
#include "show/report.h"

namespace vimach::palinka {

/// The loss before some of the epochs, and before the last.
Table loss_table(const std::vector<SaeLosses>& losses);

/// To how many tokens latents answer, trained and untrained.
Table responses_table(const SaeSummary& trained, const SaeSummary& untrained);

/// Latents with their scores and their p, one row each.
Table tested_table(const std::vector<Tested>& tested, const std::vector<int64_t>& latents);

/// How many latents have a high ratio, for the topic and for random sets; how many scores stand
/// out against random sets.
Table count_table(const Examined& trained, const Examined& untrained, double high);

/// What the best latents by AUC, and those by ratio, have in common: no single one, for rounding
/// alone can exchange them.
Table best_table(const Examined& examined);

/// What the ten best latents of SAEs that differ in one thing have in common.
Table overlap_table(const Stability& stable, double same);

/// Neurons that are lit at each of the topic's tokens.
Table lit_table(const Tokenizer& tokenizer, const std::vector<int>& passage, const Topic& topic,
                const std::vector<double>& lit);

/// What SAEDashboard and Neuronpedia show of a latent, and where that stands here.
Table other_dashboards();

/// The loss by epoch, each term without its weight.
void draw_losses(Report& report, const std::vector<SaeLosses>& losses, const SaeConfig& config);

/// How many latents answer to how many tokens.
void draw_responses(Report& report, const SaeSummary& trained, const SaeSummary& untrained);

/// Ratio and AUC of every live latent, the largest that random sets reach beside them.
void draw_scores(Report& report, const Examined& examined);

/// Cards of the best latents by AUC, ratio, activity and density, `n_card` in all, and of every
/// token.
void draw_dashboard(Report& report, const Tokenizer& tokenizer, const std::vector<int>& passage,
                    const Examined& examined, int64_t n_card);

}  // namespace vimach::palinka
