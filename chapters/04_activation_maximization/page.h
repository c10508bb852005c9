// Chapter 4's page: the figures of its report. Nothing is computed here but what a figure needs.
// Curves are means over starts; bands reach from the lowest start to the highest.
#pragma once

#include <string>
#include <vector>

#include "controls.h"
#include "show/report.h"
#include "text/tokenizer.h"

namespace vimach::climbing {

/// A climb with its name.
struct NamedClimb {
    std::string name;
    const Climb* climb;
};

/// Activation and gradient norm, step by step.
void draw_activations(Report& report, const std::vector<NamedClimb>& climbs);
void draw_gradients(Report& report, const Climb& climb);

/// |theta|^2, step by step.
void draw_norms(Report& report, const std::vector<NamedClimb>& climbs);

/// How the numbers of the vectors are distributed before and after.
void draw_embeddings(Report& report, const Tensor& starts, const Climb& climb);

/// The target's coordinate among all others of its tap.
void draw_others(Report& report, const Climb& climb, const Target& target);

/// Best cosines, in ascending order.
void draw_cosines(Report& report, const std::vector<double>& optimised,
                  const std::vector<double>& isotropic, const std::vector<double>& matched);

/// The five nearest tokens of every vector of the first start; the nearest of every start.
void add_decoding(Report& report, const Tokenizer& tokenizer,
                  const std::vector<std::vector<Neighbour>>& nearest, int64_t n_token);

/// The value of both searches against passes, beside what else was reached.
void draw_search(Report& report, const std::vector<SearchResult>& guided,
                 const std::vector<SearchResult>& blind, double best_text, double optimised);

/// Tokens as one line of visible text.
std::string tokens_text(const Tokenizer& tokenizer, const std::vector<int>& ids);

}  // namespace vimach::climbing
