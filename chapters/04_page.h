// Chapter 4's page: the tables that the terminal shows as well, and the figures of the report.
// Nothing is computed here but what a figure needs.
#pragma once

#include <string>
#include <vector>

#include "04_controls.h"
#include "show/report.h"
#include "text/tokenizer.h"

namespace vimach::actmax {

/// One climb with its name.
struct NamedClimb {
    const char* name;
    const Climb* climb;
};

/// Activation, gradient norm and squared norm along the way.
Table way_table(const Climb& climb);

/// Beginning and end of several climbs, means over starts; `deviations` of each climb's target.
Table climb_table(const std::vector<NamedClimb>& climbs, const std::vector<double>& deviations,
                  int64_t n_start);

/// The tokens nearest to each vector of the first starts, with their cosines.
Table decoded_table(const Tokenizer& tokenizer, const std::vector<Decoded>& decoded,
                    int64_t n_token, int64_t n_start);

/// Activations of several sets of windows: the mean, the highest, and both in deviations.
struct NamedActivations {
    std::string name;
    std::vector<double> values;
    std::string example;  ///< the best window as text
};
Table put_back_table(const std::vector<NamedActivations>& sets, double deviation);

/// Tokens as one line of visible text.
std::string tokens_text(const Tokenizer& tokenizer, std::span<const int> ids);

void draw_way(Report& report, const std::vector<NamedClimb>& climbs);

/// Embedding values before and after, and the target among all other dimensions.
void draw_values(Report& report, const Climb& climb, const Tensor& W_E);
void draw_dimensions(Report& report, const Climb& climb, int64_t dim);

void draw_search(Report& report, const std::vector<double>& by_gradient, int64_t forward_per_step,
                 const std::vector<double>& at_random, int64_t forward_per_random_step);

}  // namespace vimach::actmax
