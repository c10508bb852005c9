// Chapter 1's data, scores and controls; see controls.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/lapack.h"
#include "math/stats.h"
#include "math/vector_ops.h"

namespace vimach::unmixing {

namespace {

/// Columns centred and scaled to length 1; 0 where they do not vary.
Matrix standardised(const Matrix& m) {
    Matrix out = centred(m);
    std::vector<double> squares(static_cast<size_t>(m.cols));
    for (int64_t i = 0; i < m.rows; ++i) {
        for (int64_t j = 0; j < m.cols; ++j) squares[j] += out.at(i, j) * out.at(i, j);
    }
    for (int64_t i = 0; i < m.rows; ++i) {
        for (int64_t j = 0; j < m.cols; ++j) {
            out.at(i, j) *= squares[j] > 1e-12 ? 1 / std::sqrt(squares[j]) : 0;
        }
    }
    return out;
}

}  // namespace

// --- data ---------------------------------------------------------------------------------------

Matrix make_sources(int64_t n) {
    ensure(n >= 2, "needs two samples", "make_sources", "ask for more");
    Matrix z(n, 2);
    for (int64_t i = 0; i < n; ++i) {
        double t = 14 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n - 1);
        double wave = std::sin(3 * t);
        z.at(i, sine) = std::sin(t) + 1;
        z.at(i, step) = wave > 0 ? 2 : wave < 0 ? 0 : 1;
    }
    return z;
}

Matrix mix(const Matrix& sources) {
    Matrix mixing(2, 2);
    mixing.data = {1, 0.4, 0.6, 1};
    return product(sources, mixing);
}

// --- scores -------------------------------------------------------------------------------------

bool Score::recovered(double threshold) const {
    return std::abs(r[sine]) >= threshold && std::abs(r[step]) >= threshold;
}

double edge_sharpness(const std::vector<double>& signal, const Matrix& sources) {
    auto [low, high] = std::ranges::minmax_element(signal);
    double range = *high - *low;
    std::vector<double> jumps;
    for (size_t i = 2; i < signal.size(); ++i) {
        auto row = static_cast<int64_t>(i);
        bool edge = sources.at(row, step) != sources.at(row - 1, step);
        if (edge) jumps.push_back(std::abs(signal[i] - signal[i - 1]));
    }
    return range > 0 && !jumps.empty() ? quantile(jumps, 0.5) / range : 0;
}

Score score_latents(const Matrix& latents, const Matrix& sources) {
    // Correlate every latent with both sources and with every other latent.
    Matrix z = standardised(latents), s = standardised(sources);
    Matrix with_sources = product(z, s, true), together = product(z, z, true);
    int64_t n = latents.cols;
    Score out;

    // Take the best latent of each source, and the best two different ones.
    double top = -1;
    for (int64_t i = 0; i < n; ++i) {
        for (int source : {sine, step}) {
            double r = with_sources.at(i, source);
            if (std::abs(r) > std::abs(out.best[source])) out.best[source] = r;
        }
        for (int64_t j = 0; j < n; ++j) {
            double a = with_sources.at(i, sine), b = with_sources.at(j, step);
            if (i == j || std::abs(a) + std::abs(b) <= top) continue;
            top = std::abs(a) + std::abs(b);
            out.r[sine] = a;
            out.r[step] = b;
            out.latent[sine] = i;
            out.latent[step] = j;
        }
    }
    out.sharpness = edge_sharpness(column(latents, out.latent[step]), sources);

    // Average |r| over pairs of live latents.
    std::vector<int64_t> live;
    double total = 0, n_above = 0;
    for (int64_t j = 0; j < n; ++j) {
        int64_t above = 0;
        for (int64_t i = 0; i < latents.rows; ++i) above += latents.at(i, j) > 0;
        n_above += static_cast<double>(above);
        if (above > 0 && together.at(j, j) > 0.5) live.push_back(j);
    }
    for (int64_t i : live) {
        for (int64_t j : live) total += i < j ? std::abs(together.at(i, j)) : 0;
    }
    out.n_live = static_cast<int64_t>(live.size());
    auto n_pair = static_cast<double>(out.n_live * (out.n_live - 1)) / 2;
    out.redundancy = n_pair > 0 ? total / n_pair : 0;
    out.density = n_above / static_cast<double>(latents.rows * n);
    return out;
}

namespace {

/// d recon / d x at one row: J = W_enc diag(act'(pre)) W_dec, [d_in, d_in].
Matrix slope_at(const Sae& sae, const Real* x) {
    const SaeConfig& c = sae.config;
    Matrix J(c.d_in, c.d_in);
    for (int64_t k = 0; k < c.n_latent; ++k) {
        Real pre = c.bias ? sae.b_enc.data[k] : 0;
        for (int64_t i = 0; i < c.d_in; ++i) pre += x[i] * sae.W_enc.data[i * c.n_latent + k];
        Normal at = vector_normal(pre);
        double slope = c.activation == Activation::relu ? pre > 0 : at.cdf + pre * at.density;
        for (int64_t i = 0; i < c.d_in; ++i) {
            double in = slope * sae.W_enc.data[i * c.n_latent + k];
            for (int64_t j = 0; j < c.d_in; ++j) J.at(i, j) += in * sae.W_dec.data[k * c.d_in + j];
        }
    }
    return J;
}

}  // namespace

double identity_gap(const Sae& sae, ConstMatrixView x) {
    const SaeConfig& c = sae.config;
    ensure(!c.tied && c.top_k == 0, "is for untied SAEs without top-k", "identity_gap", "");
    double total = 0;
    for (int64_t row = 0; row < x.rows; ++row) {
        Matrix J = slope_at(sae, x.data + row * x.stride);
        double gap = 0;
        for (int64_t i = 0; i < c.d_in; ++i) J.at(i, i) -= 1;
        for (double value : J.data) gap += value * value;
        total += std::sqrt(gap / static_cast<double>(c.d_in));
    }
    return total / static_cast<double>(x.rows);
}

double half_time(const std::vector<double>& curve) {
    auto peak = std::ranges::max_element(curve);
    double half = (*peak + curve.back()) / 2;
    auto reached = std::find_if(peak, curve.end(), [&](double v) { return v <= half; });
    if (*peak <= curve.back()) return static_cast<double>(curve.size());
    return static_cast<double>(reached - peak) + static_cast<double>(peak - curve.begin());
}

// --- baselines ----------------------------------------------------------------------------------

std::vector<Score> score_untrained(const SaeConfig& config, const Matrix& sources,
                                   ConstMatrixView x, int64_t n_draw, uint64_t seed) {
    std::vector<Score> scores(static_cast<size_t>(n_draw));
    parallel_for(n_draw, [&](int64_t i) {
        Rng rng(run_seed(seed, i));
        scores[i] = score_latents(to_matrix(encode(random_sae(config, rng), x)), sources);
    });
    return scores;
}

Matrix components(const Matrix& mixed) {
    Eigen eigen = symmetric_eigen(covariance(centred(mixed)));
    Matrix out = product(centred(mixed), eigen.vectors, false, true);
    for (int64_t i = 0; i < out.rows; ++i) {
        for (int64_t j = 0; j < out.cols; ++j) out.at(i, j) /= std::sqrt(eigen.values[j]);
    }
    return out;
}

std::vector<Score> score_rotations(const Matrix& components, const Matrix& sources, int64_t n_draw,
                                   uint64_t seed) {
    Rng rng(seed);
    std::vector<Score> scores;
    for (int64_t i = 0; i < n_draw; ++i) {
        double angle = 2 * std::numbers::pi * rng.uniform();
        Matrix turn(2, 2);
        turn.data = {std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle)};
        scores.push_back(score_latents(product(components, turn), sources));
    }
    return scores;
}

// --- verdicts -----------------------------------------------------------------------------------

namespace {

constexpr int64_t n_draw = 1000;  // of a bootstrap and of random signs

/// How many of a list of scores meet a condition, as a share.
Measure share_of(const std::vector<Score>& scores, const std::function<bool(const Score&)>& meets) {
    return share_measure(std::ranges::count_if(scores, meets), static_cast<int64_t>(scores.size()));
}

std::vector<Score> scores_of(const Arm& arm) {
    std::vector<Score> scores;
    for (const Run& run : arm.runs) scores.push_back(run.score);
    return scores;
}

/// The share of seeds that come out the rarer way: both ways must occur.
Measure rarer(const std::vector<Score>& scores, const std::function<bool(const Score&)>& meets) {
    auto n = static_cast<int64_t>(scores.size());
    int64_t count = std::ranges::count_if(scores, meets);
    return share_measure(std::min(count, n - count), n);
}

std::vector<double> log_slowness(const Arm& arm) {
    std::vector<double> out;
    for (const Run& run : arm.runs) {
        out.push_back(
            std::log10(std::max(half_time(run.l1), 1.0) / std::max(half_time(run.mse), 1.0)));
    }
    return out;
}

std::vector<double> extra_redundancy(const Arm& arm, const Arm& reference) {
    std::vector<double> out;
    for (size_t i = 0; i < arm.runs.size(); ++i) {
        out.push_back(arm.runs[i].score.redundancy - reference.runs[i].score.redundancy);
    }
    return out;
}

}  // namespace

Findings find(const std::vector<Arm>& arms, const std::vector<Score>& untrained,
              const std::vector<Run>& untrained_runs, const Matrix& sources, const Matrix& mixed,
              const Criteria& criteria, uint64_t seed) {
    // 1a: what the mixing matrix makes of uncorrelated sources with these variances.
    Findings f;
    f.r_observed = correlation(column(mixed, 0), column(mixed, 1));
    f.r_sources = correlation(column(sources, 0), column(sources, 1));
    double v0 = variance(column(sources, 0)), v1 = variance(column(sources, 1));
    f.r_predicted = (0.4 * v0 + 0.6 * v1) / std::sqrt((v0 + 0.36 * v1) * (0.16 * v0 + v1));

    // 1b and 1e: shares of seeds.
    auto recovered = [&](const Score& s) { return s.recovered(criteria.follows); };
    auto sharp = [&](const Score& s) { return s.sharpness >= criteria.sharp; };
    f.recovered = share_of(scores_of(arms[both]), recovered);
    f.recovered_untrained = share_of(untrained, recovered);
    f.finicky = rarer(scores_of(arms[both]), sharp);
    f.finicky_untrained = rarer(untrained, sharp);

    // 1c: against the arm in which nothing pulls on L1.
    f.slower = mean_measure(log_slowness(arms[both]), n_draw, seed);
    f.slower_none = mean_measure(log_slowness(arms[none]), n_draw, seed);

    // 1d: both are needed where leaving out either costs, so the smaller cost counts.
    std::vector<double> without_l1 = extra_redundancy(arms[decorrelation_only], arms[both]);
    std::vector<double> without_decorrelation = extra_redundancy(arms[l1_only], arms[both]);
    bool l1_counts = mean(without_l1) < mean(without_decorrelation);
    const std::vector<double>& smaller = l1_counts ? without_l1 : without_decorrelation;
    f.redundancy = mean_measure(smaller, n_draw, seed);
    f.redundancy_null = sign_flip_null(smaller, n_draw, seed);
    f.both_on = arms[both].l1 > 0 && arms[both].decorrelation > 0;

    // 1f: error and distance from the identity, the larger of the two.
    auto distance = [](const std::vector<Run>& runs) {
        std::vector<double> out;
        for (const Run& run : runs) out.push_back(std::max(run.fvu, run.identity_gap));
        return out;
    };
    f.identity = mean_measure(distance(arms[none].runs), n_draw, seed);
    f.identity_untrained = mean_measure(distance(untrained_runs), n_draw, seed);
    return f;
}

std::vector<OldClaim> judge(const Findings& f, const Criteria& criteria) {
    using Side = Criterion::Side;

    // 1a is arithmetic where the matrix alone gives the correlation.
    bool predicted = std::abs(f.r_observed - f.r_predicted) < 0.01;
    return {
        {.id = "1a",
         .text = "the observed variables are highly correlated although the sources are not",
         .document = "very high",
         .measure = "|r| of the mixtures; control: of the sources",
         .measured = exact_measure(std::abs(f.r_observed)),
         .control = exact_measure(std::abs(f.r_sources)),
         .criterion = {Side::at_least, criteria.very_high},
         .forced_by = predicted ? "the mixing matrix" : ""},
        {.id = "1b",
         .text = "one latent tracks the sine, another the step: share of seeds",
         .document = "|r| >= 0.95",
         .measure = "share of seeds with both |r| >= 0.95, each source with a latent of its "
                    "own; control: untrained SAEs",
         .measured = f.recovered,
         .control = f.recovered_untrained,
         .criterion = {Side::at_least, criteria.share}},
        {.id = "1c",
         .text = "MSE falls fast, L1 slowly: log10 ratio of half times",
         .document = "loss curves",
         .measure = "log10 of the epochs until L1 has come halfway down over those of MSE; "
                    "control: trainings without penalties",
         .measured = f.slower,
         .control = f.slower_none,
         .criterion = {Side::at_least, criteria.slower}},
        {.id = "1d",
         .text = "without L1 or without decorrelation latents are more redundant",
         .document = "ablation",
         .measure = "growth of the mean |r| between live latents, the smaller of the two; "
                    "control: random signs",
         .measured = f.redundancy,
         .control = f.redundancy_null,
         .criterion = {Side::at_least, criteria.redundant},
         .forced_by = f.both_on ? "" : "a penalty has weight 0"},
        {.id = "1e",
         .text = "some initialisations blunt the step's edges: share of seeds, rarer outcome",
         .document = "several seeds",
         .measure =
             "share of seeds with the rarer outcome, sharp or blunt; control: untrained SAEs",
         .measured = f.finicky,
         .control = f.finicky_untrained,
         .criterion = {Side::at_least, criteria.finicky}},
        {.id = "1f",
         .text = "without penalties it learns the identity and the error goes to zero",
         .document = "-",
         .measure = "unexplained variance or distance of the slope from the identity, the "
                    "larger; control: untrained SAEs",
         .measured = f.identity,
         .control = f.identity_untrained,
         .criterion = {Side::at_most, criteria.identity}},
    };
}

}  // namespace vimach::unmixing
