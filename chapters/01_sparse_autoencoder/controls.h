// Chapter 1's controls: the same measures where nothing was learnt, where a penalty is missing,
// where a start is nudged, where chance decides. Each claim is one function that returns a Finding:
// the measure beside what it is compared with.
#pragma once

#include <functional>
#include <vector>

#include "scores.h"
#include "show/measure.h"

namespace vimach::ch01 {

/// Trains an SAE with the penalties of an arm from a start, or scores it as it starts.
using Trainer = std::function<Run(const Arm& arm, uint64_t start)>;

/// Trainings from the same starts. Where decorrelation has the weight 0, "L1 only" is the same arm
/// as "both", and "decorrelation only" the same as "none".
struct Arms {
    Arm both = {}, no_decorrelation = {}, no_l1 = {}, none = {};
    Arm nudged = {};     ///< both penalties, the encoder nudged by 0.001 before the first epoch
    Arm untrained = {};  ///< as the starts are

    bool alike() const { return both.decorrelation == 0; }

    /// both, L1 only, decorrelation only, none, untrained; those that are alike once.
    std::vector<const Arm*> distinct() const;
};
Arms train_arms(const Trainer& train, double l1, double decorrelation, int64_t n_start,
                uint64_t seed);

/// SAEs that were never trained, from starts of their own.
Arm untrained_arm(const Trainer& train, int64_t n, uint64_t seed);

/// Of every run: whether it recovers both sources, and its redundancy.
Outcomes recovered(const Arm& arm);
std::vector<double> redundancy(const Arm& arm);

// --- findings, one for each claim ---------------------------------------------------------------

/// 1a: forced wherever the mixing matrix alone predicts the correlation to 0.01.
Finding mixtures_correlate(const Matrix& sources, const Matrix& mixed, const Matrix& mixing);

/// 1b: share of trainings that recover both sources, against SAEs from other starts.
Finding recovery(const Arm& both, const Arm& untrained);

/// 1c: share in which L1 falls, and MSE makes half of its fall earlier; and in which L1 rises
/// first. Against the same starts without penalties.
Finding mse_falls_first(const Arm& both, const Arm& none);
Finding l1_rises(const Arm& both, const Arm& none);

/// 1d: redundancy without a penalty minus redundancy with both, start by start; and what is lost
/// of the recovered share without the less needed penalty.
Finding redundancy_without(const Arm& without, const Arm& both, uint64_t seed);
Finding recovery_lost(const Arms& arms, uint64_t seed);

/// 1e: share of trainings whose step is less than half as sharp as the step itself, against the
/// share that change sides where the start is nudged.
Finding edges_blunted(const Arm& both, const Arm& nudged, const Matrix& sources);

/// 1f: unexplained variance, and distance from the identity, without penalties.
Finding error_vanishes(const Arm& none, const Arm& untrained);
Finding is_identity(const Arm& none, const Arm& untrained);

/// 1g: of the trainings in which two latents follow the sources, the share in which they are the
/// two of largest variance. Beside it, how often two active latents at random are.
Finding size_tells(const Arm& both);

}  // namespace vimach::ch01
