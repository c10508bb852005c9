// A claim on the page: its sentence, the drawing of its numbers, its verdict; and at the end all
// verdicts in one table.
#pragma once

#include <string>
#include <vector>

#include "show/claims.h"

namespace vimach {

/// The section of a claim that this run tested.
std::string claim_html(const Claim& claim);

/// The table of all claims; those that were not tested are folded away below it.
std::string verdicts_html(const std::vector<Claim>& claims);

}  // namespace vimach
