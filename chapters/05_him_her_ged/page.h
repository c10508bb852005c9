// Chapter 5's page: the figures of its report. Nothing is computed here but what a figure needs.
// Projections are along the first filter of him > her.
#pragma once

#include "controls.h"
#include "show/report.h"
#include "text/tokenizer.h"

namespace vimach {

/// Scree plot with the cut, and the eigenspectra of both directions.
void draw_spectra(Report& report, const GedFit& fit);

/// Every sentence of both samples along the filter, in sample.
void draw_projections(Report& report, const GedFit& fit, const Pairs& pairs, bool centre);

/// Whole new sentences, token by token; tokens[i] as for measure_tokens.
void draw_tokens(Report& report, const Tokenizer& tokenizer, const std::vector<Sentence>& probes,
                 const std::vector<Matrix>& tokens, std::span<const double> filter);

/// The filter's pattern over the MLP's neurons.
void draw_pattern(Report& report, const GedFit& fit);

}  // namespace vimach
