// Chapter 4's claims: each is one function that returns a Finding, a measure beside the same
// measure along random directions, in a model of shuffled weights, of random vectors, of random
// tokens, of real text. Null distributions are sets as large as what is measured, drawn 1000 times.
#pragma once

#include <cstdint>
#include <vector>

#include "arms.h"
#include "show/measure.h"
#include "tokens.h"

namespace vimach::ch04 {

/// Of 4e: vectors explode where they grow tenfold.
constexpr double exploding = 10;

/// Of 4b: dimensions to either side.
constexpr int64_t n_neighbour = 5;

/// 4a: orders of growth over starts, against random directions and shuffled weights from the same
/// starts; beside them the distribution over dimensions.
Finding grows_by_orders(const Arms& arms);

/// 4b: share of the neighbouring dimensions whose size falls, against random sets of the others.
Finding neighbours_fall(const Arm& own, uint64_t seed);

/// 4e: growth of |theta| without the L2 term, against the same starts with it. Forced where the
/// rate times the steps cannot make any vector explode, or where the term has no weight.
Finding explodes_without_term(const Arm& free, const Arm& with);

/// About how far a climb can let vectors grow: every number away from 0 by the rate at each step.
double growth_bound(const Arm& arm);

/// 4d: how far the best cosine lies above what chance reaches, against vectors like tokens.
Finding cosine_above_chance(const Cosines& cosines, uint64_t seed);

/// 4d: share of the gain that the decoded tokens keep, against the best windows of a real text.
Finding gain_kept(const Reached& reached);

/// 4c: the loss of the decoded windows on the scale from real text, 0, to random tokens, 1,
/// against real text.
Finding makes_no_sense(const Losses& losses, uint64_t seed);

}  // namespace vimach::ch04
