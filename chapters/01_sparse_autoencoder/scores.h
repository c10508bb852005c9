// How well an SAE has unmixed the sources of chapter 1: which latent follows which source, how
// redundant the latents are, how sharp an edge is, how near the SAE is to the identity, and how
// the terms of its loss fell. Latents are columns, samples are rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lens/sae.h"
#include "math/matrix.h"

namespace vimach::ch01 {

/// Which of two sources: the columns of the sources and the entries of pairs below.
enum Source { sine = 0, step = 1 };

constexpr double follows = 0.95;  ///< the document's figure for |r|

/// How the latents of one SAE follow the sources.
struct Score {
    double best[2] = {};      ///< signed correlation of the latent that follows a source best
    double r[2] = {};         ///< the same, each source with a latent of its own
    int64_t latent[2] = {};   ///< those latents
    int64_t largest[2] = {};  ///< the two latents of largest variance
    double redundancy = 0;    ///< mean |correlation| between two active latents
    int64_t n_active = 0;     ///< latents above 0 on one sample or more, that vary
    double density = 0;       ///< share of latents and samples above 0
    double sharpness = 0;     ///< of the step's latent, see edge_sharpness
    Matrix together = {};     ///< correlations between latents, [n_latent, n_latent]

    double weaker() const;     ///< the weaker of the two |r|
    bool recovered() const;    ///< whether both sources are followed
    bool best_follow() const;  ///< the same of the best latents, which may be one
    bool size_tells() const;   ///< whether the two largest latents are the two that follow
};
Score score_latents(const Matrix& latents, const Matrix& sources);

/// How much of its whole range a signal crosses, at the median edge of the step, from one sample to
/// the next: 1 for the step itself, less where anything else moves the signal.
double edge_sharpness(const std::vector<double>& signal, const Matrix& sources);

/// What came of one SAE.
struct Run {
    Score score = {};
    Matrix found = {};                   ///< [n_sample, 2]: the latent that follows each source
    std::vector<SaeLosses> losses = {};  ///< before each epoch, and at the end
    double fvu = 0;                      ///< final error as a share of the variance
    double identity_gap = 0;  ///< |J - I| / |I|, J the slope of decoder after encoder, mean of rows
};
Run examine(const Sae& sae, const Tensor& x, const Matrix& sources,
            const std::vector<SaeLosses>& losses = {});

/// The mean over rows of |J - I| / |I|, where J = d recon / d x.
double identity_gap(const Sae& sae, ConstMatrixView x);

/// One term of the loss over a training.
std::vector<double> curve(const Run& run, double SaeLosses::*term);

/// Epochs until a curve has made half of its way from its highest point down to its end; nothing
/// where it does not end below its start.
std::optional<int64_t> half_time(const std::vector<double>& curve);

/// Whether a curve leaves the band of 1 % around its start upwards first, and ends below the band.
bool rises_first(const std::vector<double>& curve);

/// SAEs with the same penalties, one a start.
struct Arm {
    std::string name;
    double l1 = 0, decorrelation = 0;
    double nudge = 0;     ///< standard deviation of what is added to the encoder at the start
    bool trained = true;  ///< or scored as it starts
    std::vector<Run> runs = {};
};

}  // namespace vimach::ch01
