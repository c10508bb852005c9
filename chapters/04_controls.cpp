// Chapter 4's controls and verdicts; see 04_controls.h.
// Random draws come from generators seeded per call, so that runs repeat.
#include "04_controls.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/ensure.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/lapack.h"
#include "math/stats.h"
#include "math/vector_ops.h"

namespace vimach::actmax {

// --- targets ------------------------------------------------------------------------------------

Target parse_target(const std::string& text, const Gpt2Config& config) {
    size_t colon = text.find(':');
    std::string kind = text.substr(0, colon),
                digits = colon == text.npos ? "" : text.substr(colon + 1);
    int64_t n = -1;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    bool number = !digits.empty() && error == std::errc{} && end == digits.data() + digits.size();
    int64_t last = config.n_layer - 1, first = kind == "hidden" ? 1 : 0;
    bool known = kind == "hidden" || kind == "block" || kind == "mlp";
    if (!known || !number || n < first || n > last) {
        throw UsageError("there is no target '" + text + "'", "--layer",
                         format("use hidden:1 to hidden:%ld, block:0 to block:%ld, or mlp:0 to "
                                "mlp:%ld",
                                last, last, last));
    }
    int64_t block = kind == "hidden" ? n - 1 : n;
    Target target;
    target.hook = format("blocks.%ld.", block) + (kind == "mlp" ? "mlp_post" : "resid_post");
    target.text = target.hook;
    if (kind != "mlp" && block < last) {
        target.text = format("hidden_states[%ld] = ", block + 1) + target.hook;
    }
    return target;
}

std::vector<Real> axis(int64_t width, int64_t dim) {
    std::vector<Real> out(static_cast<size_t>(width));
    out[dim] = 1;
    return out;
}

std::vector<Real> random_direction(int64_t width, uint64_t seed) {
    Rng rng(seed);
    std::vector<Real> out;
    for (int64_t i = 0; i < width; ++i) out.push_back(static_cast<Real>(rng.normal()));
    Real length = std::sqrt(sum_of_squares(out));
    for (Real& value : out) value /= length;
    return out;
}

std::vector<double> window_means(const Tensor& hooked, std::span<const Real> direction,
                                 int64_t n_window) {
    int64_t n_token = n_window >= 1 ? hooked.rows() / n_window : 0;
    ensure(n_token >= 1, "there is no window", "window_means",
           "pass one row or more for every window");
    std::vector<double> out(static_cast<size_t>(n_window));
    for (int64_t i = 0; i < hooked.rows(); ++i) {
        std::span<const Real> row = hooked.row(i);
        double along = 0;
        for (size_t j = 0; j < row.size(); ++j) along += double{row[j]} * double{direction[j]};
        out[i / n_token] += along / static_cast<double>(n_token);
    }
    return out;
}

std::vector<double> activation_of(const Gpt2& model, const Target& target, std::span<const int> ids,
                                  int64_t n_window, bool add_positions) {
    Tensor resid = embed_ids(model, ids, n_window, add_positions);
    int64_t block = std::atoll(target.hook.c_str() + std::string("blocks.").size());
    Taps taps = run_blocks(model, resid, n_window, {.stop = block + 1, .taps = {target.hook}});
    return window_means(taps.at(target.hook), target.direction, n_window);
}

// --- decoding -----------------------------------------------------------------------------------

namespace {

/// Rows scaled to length 1.
Tensor unit_rows(Tensor x) {
    for (int64_t i = 0; i < x.rows(); ++i) {
        std::span<Real> row = x.row(i);
        Real length = std::sqrt(sum_of_squares(row));
        for (Real& value : row) value = length > 0 ? value / length : 0;
    }
    return x;
}

constexpr int64_t decode_rows_at_once = 64;  // rows of cosines with all tokens in memory

}  // namespace

std::vector<Decoded> decode_vectors(const Tensor& W_E, const Tensor& vectors, int64_t n_top) {
    Tensor tokens = unit_rows(W_E), rows = unit_rows(vectors);
    std::vector<Decoded> out;
    std::vector<int> order(static_cast<size_t>(W_E.rows()));
    for (int64_t first = 0; first < rows.rows(); first += decode_rows_at_once) {
        int64_t n = std::min(decode_rows_at_once, rows.rows() - first);
        Tensor cosines({n, W_E.rows()});
        matmul(row_range(rows.matrix(), first, n), tokens.matrix(), cosines.matrix(),
               {.transpose_b = true});
        for (int64_t i = 0; i < n; ++i) {
            std::span<const Real> row = cosines.row(i);
            std::iota(order.begin(), order.end(), 0);
            std::ranges::partial_sort(order, order.begin() + n_top, [&](int a, int b) {
                return row[a] != row[b] ? row[a] > row[b] : a < b;
            });
            Decoded best;
            for (int64_t k = 0; k < n_top; ++k) {
                best.ids.push_back(order[k]);
                best.cosines.push_back(row[order[k]]);
            }
            out.push_back(best);
        }
    }
    return out;
}

std::vector<double> best_cosines(const std::vector<Decoded>& decoded, int64_t n_token) {
    std::vector<double> out(decoded.size() / static_cast<size_t>(n_token), -1);
    for (size_t i = 0; i < out.size() * static_cast<size_t>(n_token); ++i) {
        double& best = out[i / static_cast<size_t>(n_token)];
        best = std::max(best, decoded[i].cosines[0]);
    }
    return out;
}

Tensor isotropic_vectors(int64_t n, int64_t width, uint64_t seed) {
    Rng rng(seed);
    Tensor out({n, width});
    for (Real& value : out.data) value = static_cast<Real>(rng.normal());
    return out;
}

Tensor matched_vectors(const Tensor& W_E, int64_t n, uint64_t seed) {
    // Normal numbers along the eigenvectors of the covariance, each with its own deviation.
    Matrix tokens(W_E.rows(), W_E.cols());
    std::ranges::copy(W_E.data, tokens.data.begin());
    std::vector<double> means = column_means(tokens);
    Eigen eigen = symmetric_eigen(covariance(centred(tokens)));
    Rng rng(seed);
    Matrix along(n, W_E.cols());
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < along.cols; ++j) {
            along.at(i, j) = rng.normal() * std::sqrt(std::max(eigen.values[j], 0.0));
        }
    }
    Matrix rows = product(along, eigen.vectors);
    Tensor out({n, W_E.cols()});
    for (int64_t i = 0; i < out.size(); ++i) {
        out.data[i] = static_cast<Real>(rows.data[i] + means[i % W_E.cols()]);
    }
    return out;
}

std::vector<int> random_windows(int64_t n_window, int64_t n_token, int64_t d_vocab, uint64_t seed) {
    Rng rng(seed);
    std::vector<int> ids;
    for (int64_t i = 0; i < n_window * n_token; ++i) {
        ids.push_back(static_cast<int>(rng.below(d_vocab)));
    }
    return ids;
}

// --- what a climb changes -----------------------------------------------------------------------

Fallen fallen(const Climb& climb, int64_t n_start, int64_t dim, int64_t reach) {
    Fallen out;
    int64_t n_token = climb.hooked.rows() / n_start, width = climb.hooked.cols();
    for (int64_t start = 0; start < n_start; ++start) {
        double n_near = 0, near = 0, n_far = 0, far = 0;
        for (int64_t j = 0; j < width; ++j) {
            if (j == dim) continue;
            double before = 0, after = 0;
            for (int64_t i = start * n_token; i < (start + 1) * n_token; ++i) {
                before += std::abs(climb.hooked_start.row(i)[j]);
                after += std::abs(climb.hooked.row(i)[j]);
            }
            bool is_near = std::abs(j - dim) <= reach;
            (is_near ? n_near : n_far) += 1;
            (is_near ? near : far) += after < before ? 1 : 0;
        }
        out.near.push_back(n_near > 0 ? near / n_near : 0);
        out.far.push_back(n_far > 0 ? far / n_far : 0);
    }
    return out;
}

std::vector<double> orders(const Climb& climb) {
    std::vector<double> sizes, out;
    for (double a : climb.a_start) sizes.push_back(std::abs(a));
    double median = quantile(sizes, 0.5);
    for (double a : climb.a_end) out.push_back(std::log10(std::abs(a) / median));
    return out;
}

std::vector<double> deviations(const Climb& climb, double deviation) {
    std::vector<double> out;
    for (size_t i = 0; i < climb.a_end.size(); ++i) {
        out.push_back((climb.a_end[i] - climb.a_start[i]) / deviation);
    }
    return out;
}

std::vector<double> growth(const Climb& climb, int64_t n_start) {
    std::vector<double> out;
    size_t n = climb.theta.data.size() / static_cast<size_t>(n_start);
    for (size_t i = 0; i < static_cast<size_t>(n_start); ++i) {
        std::span<const Real> start(climb.start.data), end(climb.theta.data);
        out.push_back(sum_of_squares(end.subspan(i * n, n)) /
                      sum_of_squares(start.subspan(i * n, n)));
    }
    return out;
}

// --- verdicts -----------------------------------------------------------------------------------

std::vector<Claim> judge(const Findings& f, const Criteria& criteria) {
    using Side = Criterion::Side;
    return {
        {.id = "4a orders",
         .text = "the activation grows by orders of magnitude",
         .document = "~3 orders",
         .measure = "log10 of |end| over the median |start|; control: random weights",
         .measured = f.orders,
         .control = f.orders_random,
         .criterion = {Side::at_least, criteria.orders}},
        {.id = "4a far",
         .text = "the activation grows beyond anything real",
         .document = "very large values",
         .measure = "end minus start in standard deviations over real tokens; control: random "
                    "weights",
         .measured = f.deviations,
         .control = f.deviations_random,
         .criterion = {Side::at_least, criteria.deviations}},
        {.id = "4b",
         .text = "neighbouring dimensions are suppressed",
         .document = "-",
         .measure = format("share of the %ld dimensions on either side whose size falls; control: "
                           "all other dimensions",
                           criteria.reach),
         .measured = f.near,
         .control = f.far,
         .criterion = {Side::at_least, criteria.suppressed}},
        {.id = "4c",
         .text = "the decoded tokens make no sense",
         .document = "ad pc brisk brisk breast",
         .measure = "what the tokens, put back in, keep of the climb from random tokens to the "
                    "vectors; control: the best window of a real text",
         .measured = f.kept,
         .control = f.kept_text,
         .criterion = {Side::at_most, criteria.kept}},
        {.id = "4d",
         .text = "the best cosine is low: no token stands for the vector",
         .document = "0.17",
         .measure = "largest cosine with a token, of the vectors of a start; control: random "
                    "vectors",
         .measured = f.cosine,
         .control = f.cosine_chance,
         .criterion = {Side::at_most, criteria.low}},
        {.id = "4e",
         .text = "the L2 term keeps the embeddings from exploding",
         .document = "-",
         .measure =
             "squared norm at the end over that at the start, without the term; control: with "
             "it",
         .measured = f.growth_free,
         .control = f.growth,
         .criterion = {Side::at_least, criteria.explode},
         .forced_by = f.penalty == 0 ? "lambda = 0" : ""},
    };
}

}  // namespace vimach::actmax
