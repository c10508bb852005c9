// The loss over the vocabulary and its gradients; see model/head.h. With the logits l_j of a row
// and its target t:
//   p_j = e^(l_j - l_t),  Z = sum_j p_j,  loss = log Z
//   d loss / d l_j = p_j / Z - (1 if j = t, else 0)
// Shifting by l_t, known before all other logits, saves the search for the largest one. Every
// row's loss is summed in a share of the vocabulary first, then over the shares in their order.
#include "model/head.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/ensure.h"
#include "core/parallel.h"
#include "math/blas.h"
#include "math/vector_ops.h"
#include "model/layers.h"

namespace vimach {

namespace {

constexpr int64_t row_block = 256;    // rows whose powers are held at a time
constexpr int64_t strip_width = 256;  // columns of the vocabulary that stay in the cache
constexpr int64_t most_shares = 32;   // of the vocabulary, given to the threads

/// The vocabulary cut into strips, and strips into shares.
struct Division {
    int64_t d_vocab, n_strip, n_share;
};

Division divide(int64_t d_vocab) {
    int64_t n_strip = (d_vocab + strip_width - 1) / strip_width;
    return {d_vocab, n_strip, std::min(most_shares, n_strip)};
}

/// Calls work(share, begin, count) for every strip; shares run side by side.
void for_each_strip(const Division& cut,
                    const std::function<void(int64_t, int64_t, int64_t)>& work) {
    parallel_for(cut.n_share, [&](int64_t share) {
        int64_t end = (share + 1) * cut.n_strip / cut.n_share;
        for (int64_t strip = share * cut.n_strip / cut.n_share; strip < end; ++strip) {
            int64_t begin = strip * strip_width;
            work(share, begin, std::min(strip_width, cut.d_vocab - begin));
        }
    });
}

/// One block of rows on its way through the vocabulary.
struct RowBlock {
    ConstMatrixView x;                       // [n_row, d_model]
    std::span<const int> targets;            // [n_row]
    std::span<const Real> log_weights = {};  // [d_vocab]; none: every column counts once
    Tensor powers = {};                      // strip after strip, each [n_row, its width]
    Tensor sums = {};                        // [n_share, n_row]: of the powers of a share
    Tensor mixed = {};  // [n_share, n_row, d_model]: sum of p_j W_E[j] over a share

    /// The powers of the strip that begins at column `begin`.
    MatrixView strip(int64_t begin, int64_t count) {
        return {powers.data.data() + begin * x.rows, x.rows, count, count};
    }
    MatrixView mixed_share(int64_t share) {
        return {&mixed.data[share * x.rows * x.cols], x.rows, x.cols, x.cols};
    }
};

/// Fills powers, sums and mixed.
void fill_powers(RowBlock& block, const Tensor& W_E, const Division& cut) {
    std::vector<Real> target_logits(block.targets.size());
    for (size_t i = 0; i < target_logits.size(); ++i) {
        const Real* row = block.x.data + static_cast<int64_t>(i) * block.x.stride;
        target_logits[i] = dot(W_E.row(block.targets[i]), {row, static_cast<size_t>(block.x.cols)});
    }
    std::ranges::fill(block.sums.data, Real(0));
    std::ranges::fill(block.mixed.data, Real(0));
    for_each_strip(cut, [&](int64_t share, int64_t begin, int64_t count) {
        // powers = e^(x W^T + log weight - target logit)
        ConstMatrixView W = row_range(W_E.matrix(), begin, count);
        MatrixView powers = block.strip(begin, count);
        matmul_serial(block.x, W, powers, {.transpose_b = true});
        Real* sums = block.sums.row(share).data();
        for (int64_t i = 0; i < powers.rows; ++i) {
            std::span<Real> row(powers.data + i * count, static_cast<size_t>(count));
            if (!block.log_weights.empty()) {
                const Real* weights = block.log_weights.data() + begin;
                for (int64_t j = 0; j < count; ++j) row[j] += weights[j];
            }
            sums[i] += exp_and_sum(row, target_logits[i]);
        }

        // mixed += powers W: what grad_x needs of them, while they are in the cache.
        matmul_serial(powers, W, block.mixed_share(share), {.accumulate = true});
    });
}

/// From the shares of a row to its loss, the gradient of x, and x / (n_row Z). Returns the sum of
/// the losses.
double join_shares(RowBlock& block, const Tensor& W_E, Real scale, MatrixView grad_x,
                   Tensor& scaled_x) {
    double total = 0;
    int64_t n_share = block.sums.shape[0];
    for (int64_t i = 0; i < block.x.rows; ++i) {
        Real z = 0, *out = grad_x.data + i * grad_x.stride;
        std::fill_n(out, grad_x.cols, Real(0));
        for (int64_t share = 0; share < n_share; ++share) {
            z += block.sums.row(share)[i];
            const Real* part = block.mixed_share(share).data + i * grad_x.cols;
            for (int64_t j = 0; j < grad_x.cols; ++j) out[j] += part[j];
        }
        constexpr Real most = Real(1e38);  // e^87.5: beyond, float has no power for some logit
        total +=
            z < most ? std::log(static_cast<double>(z)) : std::numeric_limits<double>::infinity();

        // grad_x = (sum_j p_j W_E[j] / Z - W_E[t]) / n_row
        Real factor = scale / z, *scaled = scaled_x.row(i).data();
        const Real *target = W_E.row(block.targets[i]).data(),
                   *in = block.x.data + i * block.x.stride;
        for (int64_t j = 0; j < grad_x.cols; ++j) {
            out[j] = factor * out[j] - scale * target[j];
            scaled[j] = factor * in[j];
        }
    }
    return total;
}

/// grad_W_E[j] += sum_i p_ij x_i / (n_row Z_i); for a row's target also - x_i / n_row.
void add_to_grad_W_E(RowBlock& block, const Division& cut, Real scale, const Tensor& scaled_x,
                     Tensor& grad_W_E) {
    for_each_strip(cut, [&](int64_t, int64_t begin, int64_t count) {
        matmul_serial(block.strip(begin, count), scaled_x.matrix(),
                      row_range(grad_W_E.matrix(), begin, count),
                      {.transpose_a = true, .accumulate = true});
    });
    for (int64_t i = 0; i < block.x.rows; ++i) {
        Real* out = grad_W_E.row(block.targets[i]).data();
        const Real* in = block.x.data + i * block.x.stride;
        for (int64_t j = 0; j < block.x.cols; ++j) out[j] -= scale * in[j];
    }
}

/// Both losses: over all rows of W_E, with the weight of each if there are weights.
double weighted_loss(ConstMatrixView x, const Tensor& W_E, std::span<const int> targets,
                     std::span<const Real> log_weights, MatrixView grad_x, Tensor& grad_W_E) {
    require_shape(W_E, {-1, x.cols}, "head: W_E");
    require_shape(grad_W_E, {W_E.rows(), x.cols}, "head: grad_W_E");
    require_shape(grad_x, x.rows, x.cols, "head: grad_x");
    ensure(x.rows > 0, "there is no row", "head", "pass one or more");
    check_targets(targets, x.rows, W_E.rows(), "head");

    // Take the rows block by block: forward, then the two gradients.
    Division cut = divide(W_E.rows());
    Real scale = 1 / static_cast<Real>(x.rows);
    RowBlock block = {.x = x, .targets = targets, .log_weights = log_weights};
    Tensor scaled_x;
    double total = 0;
    for (int64_t first = 0; first < x.rows; first += row_block) {
        int64_t n = std::min(row_block, x.rows - first);
        if (first == 0 || n < block.x.rows) {
            block.powers = Tensor({cut.d_vocab, n});
            block.sums = Tensor({cut.n_share, n});
            block.mixed = Tensor({cut.n_share, n, x.cols});
            scaled_x = Tensor({n, x.cols});
        }
        block.x = row_range(x, first, n);
        block.targets = targets.subspan(static_cast<size_t>(first), static_cast<size_t>(n));
        fill_powers(block, W_E, cut);
        total += join_shares(block, W_E, scale, row_range(grad_x, first, n), scaled_x);
        add_to_grad_W_E(block, cut, scale, scaled_x, grad_W_E);
    }
    return total / static_cast<double>(x.rows);
}

/// The place of every target among the candidates.
std::vector<int> places(std::span<const int> targets, const Candidates& candidates,
                        int64_t d_vocab) {
    ensure(candidates.ids.size() == candidates.log_weights.size(),
           "candidates and weights differ in number", "head", "give every candidate a weight");
    std::vector<int> place(static_cast<size_t>(d_vocab), -1), out;
    for (size_t i = 0; i < candidates.ids.size(); ++i) {
        int id = candidates.ids[i];
        ensure(id >= 0 && id < d_vocab && place[id] < 0,
               "a candidate is outside the vocabulary or given twice", "head",
               "pass different ids below d_vocab");
        place[id] = static_cast<int>(i);
    }
    for (int target : targets) {
        ensure(place[target] >= 0 && candidates.log_weights[place[target]] == 0,
               "a target is no candidate of weight 1", "head", "make every target one");
        out.push_back(place[target]);
    }
    return out;
}

}  // namespace

double head_loss_and_gradients(ConstMatrixView x, const Tensor& W_E, std::span<const int> targets,
                               MatrixView grad_x, Tensor& grad_W_E) {
    return weighted_loss(x, W_E, targets, {}, grad_x, grad_W_E);
}

double head_loss_and_gradients(ConstMatrixView x, const Tensor& W_E, std::span<const int> targets,
                               const Candidates& candidates, MatrixView grad_x, Tensor& grad_W_E) {
    // Gather the rows of the candidates.
    require_shape(grad_W_E, {W_E.rows(), x.cols}, "head: grad_W_E");
    check_targets(targets, x.rows, W_E.rows(), "head");
    std::vector<int> at = places(targets, candidates, W_E.rows());
    auto n = static_cast<int64_t>(candidates.ids.size());
    Tensor W({n, W_E.cols()}), grad_W(W.shape);
    for (int64_t i = 0; i < n; ++i) {
        std::ranges::copy(W_E.row(candidates.ids[i]), W.row(i).begin());
    }
    double loss = weighted_loss(x, W, at, candidates.log_weights, grad_x, grad_W);

    // Undo the gathering: the gradient of every row goes where the row came from.
    for (int64_t i = 0; i < n; ++i) add(grad_W.row(i), grad_W_E.row(candidates.ids[i]));
    return loss;
}

}  // namespace vimach
