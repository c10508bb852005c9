// Chapter 3's page: tables of profiles and the figures of its report, each arm beside its controls.
// Nothing is computed here but means and ranges over seeds.
#pragma once

#include <string>
#include <vector>

#include "controls.h"
#include "store.h"
#include "show/report.h"
#include "show/table.h"

namespace vimach::laminar {

/// The profiles of a run: one for every arm and number.
struct Profiles {
    std::vector<int64_t> layers;
    Profile of[n_arm][std::size(result_fields)];
};

/// Every SAE of a run but those of the sweep: n_seed seeds from first_seed on.
Profiles gather(const Store& store, double l1, const std::vector<int64_t>& layers,
                uint64_t first_seed, int64_t n_seed);

/// The first token of a window in every layer of the model, [layer]: trained and random weights.
struct FirstTokens {
    std::vector<Measure> trained, random;
};

/// From ratios[random weights?][layer], one number for every window; layers without are left out.
using Ratios = std::vector<std::vector<double>>;
FirstTokens first_tokens(const Ratios (&ratios)[2], const Draws& draws, uint64_t seed);

/// Every number of one arm by layer, as means over seeds.
Table arm_table(const Profiles& profiles, Arm arm);

/// Density and FVU of all arms by layer, as means over seeds.
Table compared_table(const Profiles& profiles);

/// Everything: one line for every arm, layer and seed.
Table long_table(const Profiles& profiles, uint64_t first_seed);

/// What these weights of L1 do in one layer.
Table sweep_table(const Store& store, std::vector<double> weights, int64_t layer, uint64_t seed);

/// The trends of one number in all arms.
Table rise_table(const Trend (&density)[n_arm], const Trend& resid, const Trend& mlp);
Table curve_table(const Trend (&mse)[n_arm], const Trend (&fvu)[n_arm], const Trend& mlp_fvu);

Table first_token_table(const FirstTokens& first);

/// All figures of profiles; `ceiling` is the density that top-k allows, 0 where there is none.
void draw_profiles(Report& report, const Profiles& profiles, double ceiling);

void draw_first_tokens(Report& report, const FirstTokens& first);

/// The published profiles of GPT-2 small.
void draw_published(Report& report);

}  // namespace vimach::laminar
