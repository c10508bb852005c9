// Chapter 4's climbs: the document's own, and the same with other weights of the L2 term, at a
// rate at which vectors can explode, along other dimensions and random directions, in a model of
// shuffled weights, and without any block.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "math/matrix.h"
#include "target.h"

namespace vimach::ch04 {

/// What a climb of several starts leaves behind.
struct Climb {
    Tensor theta = {};                                 ///< the vectors [n_start * n_token, d_model]
    Tensor before = {};                                ///< the tap at the first step
    Tensor after = {};                                 ///< and at the last one
    std::vector<std::vector<double>> activation = {};  ///< of every start, at every step
    std::vector<double> gradient_norm = {}, square_norm = {};  ///< means over starts, at every step
    std::vector<std::vector<double>> sizes = {};  ///< mean |value| by dimension, at every step

    /// Keeps what a step shows; throws where a number is not finite.
    void keep(const std::vector<double>& a, const Tensor& tap, const Tensor& grad);
};

/// A climb's name, what it climbs and from where, at which rate and weight of |theta|^2. Start i
/// climbs along row i of `directions`.
struct Arm {
    std::string name = {};
    Target target = {};
    Tensor directions = {};  ///< [n_start, width]
    Tensor starts = {};      ///< [n_start * n_token, d_model]
    double lambda = 0, learning_rate = 0;
    Climb climb = {};

    int64_t n_start() const { return starts.rows() / target.n_token; }
    const std::vector<double>& ends() const { return climb.activation.back(); }
};

/// Climbs with the weights of a model.
using Climber = std::function<Climb(const Gpt2& model, const Arm& arm)>;

struct Rates {
    double lambda;                    ///< of the loss L = -a + lambda |theta|^2
    double learning_rate, fast_rate;  ///< Adam's: the document's, and one that lets vectors grow
};

/// All climbs. Those with the same number of starts begin at the same vectors.
struct Arms {
    Arm own = {}, free = {}, held = {};  ///< the weight lambda, 0, and ten times lambda
    Arm directions = {}, weights = {}, bare = {};
    Arm fast = {}, fast_free = {};  ///< lambda and 0, at the fast rate
    Arm dims = {};                  ///< one start for each of some dimensions
    std::vector<int64_t> dim = {};  ///< which

    std::vector<const Arm*> all() const {
        return {&own, &free, &held, &directions, &weights, &bare, &fast, &fast_free, &dims};
    }
};

/// Climbs all arms side by side, from `starts`; the dimensions, drawn at random, from their own.
Arms climb_arms(const Climber& climb, const Study& study, const Tensor& starts, const Rates& rates,
                const Counts& counts, uint64_t seed);

/// How many passes of one window, forward or backward, all climbs and searches take.
int64_t count_passes(const Target& target, const Counts& counts);

// --- start by start -----------------------------------------------------------------------------

/// log10(|end| / median |start|), the median over all starts along the same direction; NaN where
/// one of them is 0.
std::vector<double> orders_of_growth(const Arm& arm);

/// The numbers among some values.
std::vector<double> finite(const std::vector<double>& values);

/// |theta| at the end over |theta| at the start; and the same from the means over starts.
std::vector<double> growth_of_norm(const Arm& arm);
double mean_norm_growth(const Arm& arm);

/// For every start and dimension, the share of positions at which |value| fell: [n_start, width].
Matrix falls(const Arm& arm);

}  // namespace vimach::ch04
