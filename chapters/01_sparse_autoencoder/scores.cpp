// Scores of an SAE against the sources; see scores.h.
// Correlations are products of columns that were centred and scaled to length 1.
#include "scores.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "math/blas.h"
#include "math/stats.h"
#include "math/vector_ops.h"

namespace vimach::ch01 {

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

/// Redundancy, density, and the two latents of largest variance.
void measure_redundancy(const Matrix& latents, const Matrix& together, Score& out) {
    // Average |r| over pairs of active latents.
    int64_t n = latents.cols;
    std::vector<int64_t> active;
    double total = 0, n_above = 0;
    for (int64_t j = 0; j < n; ++j) {
        int64_t above = 0;
        for (int64_t i = 0; i < latents.rows; ++i) above += latents.at(i, j) > 0;
        n_above += static_cast<double>(above);
        if (above > 0 && together.at(j, j) > 0.5) active.push_back(j);
    }
    for (int64_t i : active) {
        for (int64_t j : active) total += i < j ? std::abs(together.at(i, j)) : 0;
    }
    out.n_active = static_cast<int64_t>(active.size());
    auto n_pair = static_cast<double>(out.n_active * (out.n_active - 1)) / 2;
    out.redundancy = n_pair > 0 ? total / n_pair : 0;
    out.density = n_above / static_cast<double>(latents.rows * n);

    // Find the two latents of largest variance.
    std::vector<double> variances;
    for (int64_t j = 0; j < n; ++j) variances.push_back(variance(column(latents, j)));
    auto first = std::ranges::max_element(variances);
    out.largest[0] = first - variances.begin();
    *first = -1;
    out.largest[1] = std::ranges::max_element(variances) - variances.begin();
}

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

double Score::weaker() const { return std::min(std::abs(r[sine]), std::abs(r[step])); }

bool Score::recovered() const { return weaker() >= follows; }

bool Score::best_follow() const {
    return std::min(std::abs(best[sine]), std::abs(best[step])) >= follows;
}

bool Score::size_tells() const {
    return std::min(largest[0], largest[1]) == std::min(latent[sine], latent[step]) &&
           std::max(largest[0], largest[1]) == std::max(latent[sine], latent[step]);
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

    measure_redundancy(latents, together, out);
    out.together = std::move(together);
    return out;
}

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

Run examine(const Sae& sae, const Tensor& x, const Matrix& sources,
            const std::vector<SaeLosses>& losses) {
    Matrix z = to_matrix(encode(sae, x.matrix()));
    Run run = {.losses = losses};
    run.score = score_latents(z, sources);
    run.found = Matrix(z.rows, 2);
    for (int64_t i = 0; i < z.rows; ++i) {
        for (int source : {sine, step}) run.found.at(i, source) = z.at(i, run.score.latent[source]);
    }
    run.fvu = summarise(sae, x.matrix()).fvu;
    run.identity_gap = identity_gap(sae, x.matrix());
    return run;
}

std::vector<double> curve(const Run& run, double SaeLosses::*term) {
    std::vector<double> out;
    for (const SaeLosses& losses : run.losses) out.push_back(losses.*term);
    return out;
}

std::optional<int64_t> half_time(const std::vector<double>& curve) {
    ensure(!curve.empty(), "the curve is empty", "half_time", "pass the losses of a training");
    if (curve.back() >= curve.front()) return {};
    auto peak = std::ranges::max_element(curve);
    double half = (*peak + curve.back()) / 2;
    return std::find_if(peak, curve.end(), [&](double v) { return v <= half; }) - curve.begin();
}

bool rises_first(const std::vector<double>& curve) {
    ensure(!curve.empty(), "the curve is empty", "rises_first", "pass the losses of a training");
    double above = 1.01 * curve.front(), below = 0.99 * curve.front();
    auto left = std::ranges::find_if(curve, [&](double v) { return v >= above || v <= below; });
    return left != curve.end() && *left >= above && curve.back() <= below;
}

}  // namespace vimach::ch01
