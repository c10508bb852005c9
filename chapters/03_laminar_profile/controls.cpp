// Chapter 3's controls; see controls.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/lapack.h"

namespace vimach::laminar {

// --- what comes of an SAE
// --------------------------------------------------------------------------

double density_times_activation(const SaeSummary& summary) {
    auto [least, most] = std::ranges::minmax(summary.n_live);
    auto [low, high] = std::ranges::minmax(summary.mean_latent);
    if (least == most || low == high) return 0;
    double total = 0;
    for (size_t j = 0; j < summary.n_live.size(); ++j) {
        double density = static_cast<double>(summary.n_live[j] - least);
        total += density * (summary.mean_latent[j] - low);
    }
    return total / static_cast<double>(most - least) / (high - low) /
           static_cast<double>(summary.n_live.size());
}

// --- what the SAEs are trained on ---------------------------------------------------------------

double scale_to_unit(Tensor& x) {
    double total = 0;
    for (Real value : x.data) total += double{value} * double{value};
    double unit = std::sqrt(total / static_cast<double>(std::max<int64_t>(x.size(), 1)));
    if (unit == 0) return 1;
    for (Real& value : x.data) value = static_cast<Real>(value / unit);
    return unit;
}

namespace {

/// Takes the column means off, and returns them.
std::vector<double> centre(Tensor& x) {
    std::vector<double> means(static_cast<size_t>(x.cols()));
    for (int64_t i = 0; i < x.rows(); ++i) {
        for (int64_t j = 0; j < x.cols(); ++j) means[j] += x.row(i)[j];
    }
    for (double& value : means) value /= static_cast<double>(x.rows());
    for (int64_t i = 0; i < x.rows(); ++i) {
        for (int64_t j = 0; j < x.cols(); ++j) x.row(i)[j] -= static_cast<Real>(means[j]);
    }
    return means;
}

/// R with R^T R = the covariance of centred rows. Products that differ by rounding in their two
/// halves are no problem to LAPACK, which reads one of them.
Tensor covariance_root(const Tensor& centred_x) {
    int64_t d = centred_x.cols();
    Tensor root({d, d});
    matmul(centred_x.matrix(), centred_x.matrix(), root.matrix(), {.transpose_a = true});
    Eigen eigen = symmetric_eigen(to_matrix(root));
    for (int64_t i = 0; i < d; ++i) {
        double l = std::max(eigen.values[i], 0.0) / static_cast<double>(centred_x.rows() - 1);
        for (int64_t j = 0; j < d; ++j) {
            root.row(i)[j] = static_cast<Real>(std::sqrt(l) * eigen.vectors.at(i, j));
        }
    }
    return root;
}

}  // namespace

void make_gaussian(Tensor& x, double unit, uint64_t seed) {
    constexpr int64_t n_block_row = 256;
    ensure(x.rows() >= 2, "needs two rows", "make_gaussian", "pass [n_row, width]");
    std::vector<double> means = centre(x);
    Tensor root = covariance_root(x), g({std::min(n_block_row, x.rows()), x.cols()});
    Rng rng(seed);
    for (int64_t first = 0; first < x.rows(); first += n_block_row) {
        int64_t n = std::min(n_block_row, x.rows() - first);
        for (Real& value : g.data) value = static_cast<Real>(rng.normal());
        matmul(row_range(g.matrix(), 0, n), root.matrix(), row_range(x.matrix(), first, n));
        for (int64_t i = first; i < first + n; ++i) {
            for (int64_t j = 0; j < x.cols(); ++j) {
                x.row(i)[j] = static_cast<Real>(unit * (x.row(i)[j] + means[j]));
            }
        }
    }
}

double first_row_ratio(ConstMatrixView window) {
    if (window.rows < 2) return 0;
    std::vector<double> norms;
    for (int64_t i = 0; i < window.rows; ++i) {
        double total = 0;
        for (int64_t j = 0; j < window.cols; ++j) {
            double value = window.data[i * window.stride + j];
            total += value * value;
        }
        norms.push_back(std::sqrt(total));
    }
    double first = norms.front(), median = quantile({norms.begin() + 1, norms.end()}, 0.5);
    return median > 0 ? first / median : 0;
}

// --- how profiles are tested --------------------------------------------------------------------

namespace {

/// The points of one resampled profile: its layers as depth from -1 to 1, and their values.
struct Points {
    std::vector<double> depth, value;

    int64_t n_depth() const {
        std::vector<double> sorted = depth;
        std::ranges::sort(sorted);
        return std::unique(sorted.begin(), sorted.end()) - sorted.begin();
    }
};

double depth_of(int64_t layer, const std::vector<int64_t>& layers) {
    double span = static_cast<double>(layers.back() - layers.front());
    return span > 0 ? 2 * static_cast<double>(layer - layers.front()) / span - 1 : 0;
}

/// From one end of the line to the other, in units of the profile's mean.
double rise_of(const Points& p, double unit) {
    return unit > 0 ? 2 * slope(p.depth, p.value) / unit : 0;
}

double line_of(const Points& p) {
    double r = correlation(p.depth, p.value);
    return r * r;
}

double curve_of(const Points& p) {
    std::vector<double> logs;
    for (double value : p.value) logs.push_back(std::log(std::max(value, 1e-300)));
    return curvature(p.depth, logs);
}

/// The layer, leaving one out, whose value is smallest.
int64_t lowest(std::span<const double> values, const std::vector<int64_t>& layers,
               size_t left_out) {
    size_t best = left_out == 0 ? 1 : 0;
    for (size_t i = 0; i < values.size(); ++i) {
        if (i != left_out && values[i] < values[best]) best = i;
    }
    return layers[std::min(best, layers.size() - 1)];
}

Measure measure_minimum(const Profile& profile, std::span<const double> means,
                        const std::vector<int64_t>& layers) {
    constexpr auto none = static_cast<size_t>(-1);
    auto at = static_cast<double>(lowest(means, layers, none));
    Measure out = {at, {at, at}};
    auto widen = [&](int64_t layer) {
        out.interval.low = std::min(out.interval.low, static_cast<double>(layer));
        out.interval.high = std::max(out.interval.high, static_cast<double>(layer));
    };
    for (int64_t s = 0; s < profile.rows; ++s) widen(lowest(profile.row(s), layers, none));
    for (size_t i = 0; i < layers.size(); ++i) widen(lowest(means, layers, i));
    return out;
}

/// A bootstrap sample: layers drawn with replacement, each with the value of a seed drawn for it.
Points resample(const Profile& profile, const std::vector<int64_t>& layers, Rng& rng) {
    Points p;
    for (int64_t i = 0; i < profile.cols; ++i) {
        int64_t column = rng.below(profile.cols);
        p.depth.push_back(depth_of(layers[column], layers));
        p.value.push_back(profile.at(rng.below(profile.rows), column));
    }
    return p;
}

/// The share of random orders of the layers in which Kendall's tau is at least as large.
double tau_p(std::span<const double> depth, std::span<const double> means, double tau,
             int64_t n_permutation, Rng& rng) {
    std::vector<double> null, mixed(means.size());
    for (int64_t i = 0; i < n_permutation; ++i) {
        std::vector<int64_t> order = rng.permutation(static_cast<int64_t>(means.size()));
        for (size_t k = 0; k < mixed.size(); ++k) mixed[k] = means[order[k]];
        null.push_back(kendall_tau(depth, mixed));
    }
    return permutation_p(tau, null);
}

}  // namespace

Trend measure_trend(const Profile& profile, const std::vector<int64_t>& layers, const Draws& draws,
                    uint64_t seed) {
    ensure(profile.rows >= 1 && profile.cols == static_cast<int64_t>(layers.size()),
           "the profile has other layers", "measure_trend", "pass [n_seed, n_layer]");
    Points whole;
    whole.value = column_means(profile);
    for (int64_t layer : layers) whole.depth.push_back(depth_of(layer, layers));

    double unit = mean(whole.value);

    // Resample; a sample of fewer than four layers has no curve.
    Rng rng(seed);
    std::vector<double> rises, lines, curves;
    int64_t n_needed = std::min<int64_t>(4, profile.cols);
    while (static_cast<int64_t>(rises.size()) < draws.n_bootstrap) {
        Points p = resample(profile, layers, rng);
        if (p.n_depth() < n_needed) continue;
        rises.push_back(rise_of(p, unit));
        lines.push_back(line_of(p));
        curves.push_back(curve_of(p));
    }
    double tau = kendall_tau(whole.depth, whole.value);
    return {.rise = {rise_of(whole, unit), central_95(rises)},
            .line = {line_of(whole), central_95(lines)},
            .curve = {curve_of(whole), central_95(curves)},
            .minimum = measure_minimum(profile, whole.value, layers),
            .tau = tau,
            .tau_p = tau_p(whole.depth, whole.value, tau, draws.n_permutation, rng)};
}

Trend published_trend(std::span<const double> values, const Draws& draws, uint64_t seed) {
    Profile profile(1, static_cast<int64_t>(values.size()));
    std::ranges::copy(values, profile.data.begin());
    std::vector<int64_t> layers;
    for (int64_t i = 0; i < profile.cols; ++i) layers.push_back(i);
    return measure_trend(profile, layers, draws, seed);
}

// --- verdicts -----------------------------------------------------------------------------------

namespace {

using Side = Criterion::Side;

/// How far apart two intervals are; 0 where they overlap.
double gap(const Interval& a, const Interval& b) {
    return std::max({0.0, a.low - b.high, b.low - a.high});
}

/// One measure of the three trends that a verdict compares: the trained model's, and that control's
/// which comes nearer to it.
struct Compared {
    Measure measured, control;
};
Compared compare(const Trend (&trends)[n_arm], Measure Trend::*which) {
    const Measure& measured = trends[trained].*which;
    const Measure &a = trends[random_weights].*which, &b = trends[gaussian].*which;
    double to_a = gap(measured.interval, a.interval), to_b = gap(measured.interval, b.interval);
    bool both_overlap = to_a == 0 && to_b == 0;
    if (both_overlap)
        to_a = std::abs(measured.value - a.value), to_b = std::abs(measured.value - b.value);
    return {measured, to_a < to_b ? a : b};
}

/// The distance of a minimum from the middle of the document's range, in layers.
Measure distance_from(const Measure& minimum, double middle) {
    double a = std::abs(minimum.interval.low - middle),
           b = std::abs(minimum.interval.high - middle);
    bool around = minimum.interval.low <= middle && middle <= minimum.interval.high;
    return {std::abs(minimum.value - middle), {around ? 0 : std::min(a, b), std::max(a, b)}};
}

/// The claims about one of the two sizes.
void judge_size(const Findings& f, const Criteria& c, bool small, std::vector<OldClaim>& claims) {
    bool about = f.whole && f.n_layer == (small ? 12 : 36);
    double middle = small ? c.small_middle : c.large_middle;
    const char* middle_layers = small ? "layers 5-7" : "layers 10-20";
    auto add = [&](const std::string& id, const char* text, const char* document,
                   const char* measure, const Compared& numbers, const Criterion& criterion) {
        claims.push_back({.id = id + (small ? ", small" : ", large"),
                          .text = text,
                          .document = document,
                          .measure = std::string(measure) + "; control: random weights or Gaussian "
                                                            "data, whichever comes nearer",
                          .measured = numbers.measured,
                          .control = numbers.control,
                          .criterion = criterion,
                          .forced_by = id.starts_with("3a") ? f.saturated : "",
                          .about_this_model = about});
    };
    add("3a rise", "density rises with depth", "line plot",
        "rise of the line from first to last layer, over the mean",
        compare(f.density, &Trend::rise), {Side::at_least, c.rise});
    add("3a line", "density rises linearly", "line plot", "share of the variance over layers, R^2",
        compare(f.density, &Trend::line), {Side::at_least, c.line});
    for (bool fvu : {false, true}) {
        const auto& trends = fvu ? f.fvu : f.mse;
        std::string error = fvu ? ", FVU" : ", MSE";
        add("3b U" + error, "the loss is U-shaped over depth", "line plot",
            "coefficient of depth squared in the logarithm", compare(trends, &Trend::curve),
            {Side::at_least, c.curve});
        Compared at = compare(trends, &Trend::minimum);
        add("3b place" + error, "the loss is lowest in the middle layers", middle_layers,
            "layers from the lowest one to the middle of those named",
            {distance_from(at.measured, middle), distance_from(at.control, middle)},
            {Side::at_most, small ? c.small_within : c.large_within});
    }
}

}  // namespace

std::string saturation(const Profile& density, double ceiling) {
    for (double value : density.data) {
        if (ceiling == 0 || std::abs(value - ceiling) > 1e-3) return "";
    }
    return format("density is k / n_latent = %.4f in every layer", ceiling);
}

std::vector<OldClaim> judge(const Findings& f, const Criteria& criteria) {
    std::vector<OldClaim> claims;
    judge_size(f, criteria, true, claims);
    judge_size(f, criteria, false, claims);
    claims.push_back({.id = "3c",
                      .text = "the first token of a window is an outlier",
                      .document = "-",
                      .measure = "norm over the median of its window, in the layer where that is "
                                 "largest; control: random weights",
                      .measured = f.first_token,
                      .control = f.first_token_control,
                      .criterion = {Side::at_least, criteria.first_token}});
    return claims;
}

}  // namespace vimach::laminar
