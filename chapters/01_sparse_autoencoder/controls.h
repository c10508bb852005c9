// Chapter 1's data, scores and controls: two sources and their mixture, how well each latent
// follows a source, how redundant latents are, how sharp an edge is; and the same scores where
// nothing was learnt. Latents are columns, samples are rows.
#pragma once

#include <string>
#include <vector>

#include "lens/sae.h"
#include "math/matrix.h"
#include "show/old_claims.h"

namespace vimach::unmixing {

/// Which of two sources: the columns of the sources and the entries of pairs below.
enum Source { sine = 0, step = 1 };

/// The sources [n, 2]: 1 + sin t and 1 + sign(sin 3t), t from 0 to 14 pi.
Matrix make_sources(int64_t n);

/// [n, 2] times the mixing matrix {{1, 0.4}, {0.6, 1}}.
Matrix mix(const Matrix& sources);

/// How the latents of one SAE answer to the sources.
struct Score {
    double best[2] = {};     ///< signed correlation of the latent that follows a source best
    double r[2] = {};        ///< the same, each source with a latent of its own
    int64_t latent[2] = {};  ///< those latents
    double redundancy = 0;   ///< mean |correlation| between two live latents
    int64_t n_live = 0;      ///< latents above 0 on one sample or more, that vary
    double density = 0;      ///< share of latents and samples above 0
    double sharpness = 0;    ///< of the step's latent, see edge_sharpness

    bool recovered(double threshold) const;
};
Score score_latents(const Matrix& latents, const Matrix& sources);

/// How much of its whole range a signal crosses, at the median edge of the step, from one sample to
/// the next: 1 for the step itself, less where anything else moves the signal.
double edge_sharpness(const std::vector<double>& signal, const Matrix& sources);

/// One trained SAE.
struct Run {
    Score score = {};
    Matrix found = {};  ///< [n_sample, 2]: the latent that follows each source
    std::vector<double> mse = {}, l1 = {},
                        decorrelation = {};  ///< before each epoch, and at the end
    double fvu = 0;                          ///< final error as a share of the variance
    double identity_gap = 0;  ///< |J - I| / |I|, J the slope of decoder after encoder, mean of rows
};

/// The mean over rows of |J - I| / |I|, where J = d recon / d x.
double identity_gap(const Sae& sae, ConstMatrixView x);

/// Epochs until a curve has made half of its way from its highest point down to its end.
double half_time(const std::vector<double>& curve);

/// A training arm: which penalties are on, and its runs, one a seed.
struct Arm {
    const char* name;
    double l1, decorrelation;
    std::vector<Run> runs = {};
};
/// both, L1 only, decorrelation only, none; their places in a list of arms.
enum ArmIndex { both = 0, l1_only = 1, decorrelation_only = 2, none = 3 };

/// Untrained SAEs of the same kind, scored in the same way.
std::vector<Score> score_untrained(const SaeConfig& config, const Matrix& sources,
                                   ConstMatrixView x, int64_t n_draw, uint64_t seed);

/// The principal components, each of variance 1; and how well both sources are followed by them
/// after random rotations, which leave them uncorrelated.
Matrix components(const Matrix& mixed);
std::vector<Score> score_rotations(const Matrix& components, const Matrix& sources, int64_t n_draw,
                                   uint64_t seed);

// --- verdicts -----------------------------------------------------------------------------------

/// Thresholds of the verdicts, chosen before any run.
struct Criteria {
    double very_high = 0.8;  ///< 1a: above it two variables share 64 % of their variance
    double follows = 0.95;   ///< 1b: the document's own figure
    double share = 0.5;      ///< 1b: the document shows one run; it is typical where half do so
    double slower = 0.301;   ///< 1c: log10; L1 takes twice as long to come halfway down
    double redundant = 0.1;  ///< 1d: a tenth of the scale of |r| more redundancy
    double sharp = 0.9;      ///< 1e: nine tenths of the range in one sample
    double finicky = 0.05;   ///< 1e: one seed in twenty comes out the other way
    double identity = 0.05;  ///< 1f: error and gap below 5 %
};

/// The numbers on which the verdicts rest.
struct Findings {
    double r_observed = 0, r_sources = 0, r_predicted = 0;
    Measure recovered = {}, recovered_untrained = {};
    Measure slower = {}, slower_none = {};
    Measure redundancy = {}, redundancy_null = {};
    bool both_on = true;  ///< whether both penalties have a weight that can be left out
    Measure finicky = {}, finicky_untrained = {};
    Measure identity = {}, identity_untrained = {};
};

/// All findings of the four arms and of the untrained SAEs.
Findings find(const std::vector<Arm>& arms, const std::vector<Score>& untrained,
              const std::vector<Run>& untrained_runs, const Matrix& sources, const Matrix& mixed,
              const Criteria& criteria, uint64_t seed);

/// Claims 1a to 1f.
std::vector<OldClaim> judge(const Findings& findings, const Criteria& criteria);

}  // namespace vimach::unmixing
