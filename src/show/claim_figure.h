// A claim as a picture: the measure and what it is compared with, as dots with intervals on one
// axis, the threshold marked and the claimed side tinted.
#pragma once

#include <string>

#include "show/claims.h"

namespace vimach {

/// HTML of the drawing, in both widths; nothing where the claim has no number.
std::string claim_figure(const Claim& claim);

}  // namespace vimach
