// Chapter 5's figures, each from numbers to a Figure. Captions say what to see, and which figures
// show what the filter was made from.
#pragma once

#include <string>
#include <vector>

#include "controls.h"
#include "show/svg.h"
#include "tokens.h"

namespace vimach::ch05 {

/// Activations as an image: sentences by neurons, him above her.
Figure activations_figure(const Pairs& pairs);

/// The covariance of him, of her, and their difference: of the 64 axes of largest variance of both,
/// or of all where there are fewer.
Figure covariances_figure(const Matrix& s, const Matrix& r, const PlotText& text);

/// How much of the variance the first n components carry, with both readings of the share.
Figure cumulative_figure(const Pca& pca, double share);

/// Eigenspectra of both directions, and those of one permutation.
Figure spectra_figure(const Eigen& for_him, const Eigen& for_her, const SwapTest& swaps);

/// Every sentence along the first filter of either direction, in the space of the components V;
/// centred between the classes or as it is.
struct BothWays {
    const Eigen &for_him, &for_her;
};
Figure sentences_figure(const Pairs& pairs, const Matrix& V, const BothWays& filters, bool centre);

/// One pair of sentences along a direction, token by token; the first token is left out. `tokens`
/// are those of the him-sentence.
Figure pair_figure(const std::vector<std::string>& tokens, const TokenPair& pair,
                   std::span<const double> direction);

/// The pattern of him > her against that of her > him, neuron by neuron.
Figure patterns_figure(std::span<const double> him, std::span<const double> her);

/// The run's answer: his variance as a multiple of hers in sample, on pairs left out, and what an
/// untrained model reaches.
std::string answer_text(const Eigen& for_him, const SwapTest& swaps, const Measure& left_out,
                        const Control& untrained);

/// The opening: how many times the variance of the other pronoun, in sample, on pairs left out
/// (log10), and where there is nothing to find.
Figure ratios_figure(const Eigen& for_him, const Eigen& for_her, const SwapTest& swaps,
                     const Measure& left_out, const std::vector<Control>& controls);

}  // namespace vimach::ch05
