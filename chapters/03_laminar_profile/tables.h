// Chapter 3's tables and sentences: profiles by layer, their shapes beside those of the controls
// and of published SAEs, and what the weight of L1 does. Numbers are means over seeds; a bracket is
// the 95 % interval over seeds, where there is more than one.
#pragma once

#include <string>

#include "controls.h"
#include "show/table.h"
#include "stream.h"

namespace vimach::ch03 {

/// How many windows, of how many tokens, and how much of the article those of each seed hold.
std::string windows_text(const std::vector<std::vector<Window>>& windows, uint64_t first_seed);

/// What came of the SAEs of the trained model, by layer.
Table result_table(const Profiles& p);

/// One number of all arms by layer.
Table compared_table(const Profiles& p, Field field);

/// Everything: a line for every arm, seed and layer.
Table long_table(const Profiles& p);

/// What these weights of L1 do in one layer.
Table sweep_table(const Store& store, std::vector<double> weights, const Job& job);

/// Does a profile of density rise? Of all arms, and of published SAEs.
Table rise_table(const Profiles& p, const Draws& draws);

/// What the Gaussian arm is and what it is not.
extern const char* const gaussian_note;

/// Is the error U-shaped? The loss and FVU of all arms.
Table curve_table(const Profiles& p);

/// What the model loses by layer with the mean or a reconstruction in place, and the share of the
/// former that is recovered: by the trained SAE, before its training, by that of Gaussian rows.
Table recovered_table(const Profiles& p);
extern const char* const recovered_note;

Table first_token_table(const FirstTokens& first, const Draws& draws);

/// The name of what is plotted as the loss: "MSE" or "MSE + L1".
std::string loss_name(const Profiles& p);

/// The answer to the chapter's question.
std::string answer(const Profiles& p);

}  // namespace vimach::ch03
