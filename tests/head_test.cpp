// The head of GPT-2 in training (model/head): its loss and gradients against the same sums written
// out, the same digits on any number of threads, and what it refuses.
#include "model/head.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/matrix.h"

using namespace vimach;

namespace {

Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed, double scale) {
    Tensor t(std::move(shape));
    Rng rng(seed);
    for (Real& value : t.data) value = static_cast<Real>(scale * rng.normal());
    return t;
}

}  // namespace

TEST_CASE("head: loss and gradients agree with softmax and its gradient written out") {
    // 300 rows are two blocks, 9,000 ids 36 strips in 32 shares; the last ones are not full.
    constexpr int64_t n = 300, d = 5, d_vocab = 9000;
    Tensor x = random_tensor({n, d}, 1, 1), W_E = random_tensor({d_vocab, d}, 2, 1);
    Rng rng(3);
    std::vector<int> targets;
    for (int64_t i = 0; i < n; ++i) targets.push_back(static_cast<int>(rng.below(d_vocab)));
    targets[7] = targets[8];
    Tensor before = random_tensor({d_vocab, d}, 4, 1e-3), grad_W = before, grad_x({n, d});
    double loss = head_loss_and_gradients(x.matrix(), W_E, targets, grad_x.matrix(), grad_W);

    Matrix right_x(n, d), right_W(d_vocab, d);
    double right_loss = 0;
    for (int64_t i = 0; i < n; ++i) {
        std::vector<double> p(d_vocab);
        double total = 0;
        for (int64_t j = 0; j < d_vocab; ++j) {
            double logit = 0;
            for (int64_t k = 0; k < d; ++k) logit += double{x.row(i)[k]} * W_E.row(j)[k];
            total += p[j] = std::exp(logit);
        }
        right_loss -= std::log(p[targets[i]] / total) / n;
        for (int64_t j = 0; j < d_vocab; ++j) {
            double g = (p[j] / total - (j == targets[i] ? 1 : 0)) / n;
            for (int64_t k = 0; k < d; ++k) {
                right_x.at(i, k) += g * W_E.row(j)[k];
                right_W.at(j, k) += g * x.row(i)[k];
            }
        }
    }
    // Gradients of x are of the size 1 / n, those of W_E of that of `before`.
    constexpr double tolerance = sizeof(Real) == 4 ? 2e-6 : 1e-13;
    CHECK(std::abs(loss - right_loss) < 10 * tolerance);
    double worst_x = 0, worst_W = 0;
    for (int64_t i = 0; i < n * d; ++i) {
        worst_x = std::max(worst_x, std::abs(grad_x.data[i] - right_x.data[i]));
    }
    for (int64_t i = 0; i < d_vocab * d; ++i) {
        double added = double{grad_W.data[i]} - before.data[i];
        worst_W = std::max(worst_W, std::abs(added - right_W.data[i]));
    }
    CHECK(worst_x < tolerance / 100);
    CHECK(worst_W < tolerance / 100);
}

TEST_CASE("head: a candidate of weight n counts as n equal rows of W_E") {
    // Row 3 three times, row 6 twice; among candidates once each, and in another order.
    constexpr int64_t n = 7, d = 4;
    Tensor x = random_tensor({n, d}, 1, 1), W = random_tensor({10, d}, 2, 1);
    std::vector<int> targets = {0, 1, 2, 0, 1, 2, 9};
    for (int i : {4, 5}) std::ranges::copy(W.row(3), W.row(i).begin());
    std::ranges::copy(W.row(6), W.row(7).begin());
    W.row(8)[0] = -1000;  // never likely: left out
    for (int64_t i = 0; i < n; ++i) x.row(i)[0] = 1;
    Tensor grad_x({n, d}), grad_W({10, d}), few_x({n, d}), few_W({10, d});
    double all = head_loss_and_gradients(x.matrix(), W, targets, grad_x.matrix(), grad_W);
    Candidates candidates = {.ids = {9, 6, 3, 2, 1, 0},
                             .log_weights = {0, static_cast<Real>(std::log(2.0)),
                                             static_cast<Real>(std::log(3.0)), 0, 0, 0}};
    double few = head_loss_and_gradients(x.matrix(), W, targets, candidates, few_x.matrix(), few_W);

    constexpr double tolerance = sizeof(Real) == 4 ? 1e-6 : 1e-14;
    CHECK(few == doctest::Approx(all).epsilon(tolerance));
    for (int64_t i = 0; i < n * d; ++i) {
        CHECK(std::abs(few_x.data[i] - grad_x.data[i]) < tolerance);
    }
    for (int64_t j = 0; j < d; ++j) {
        auto sum = [&](std::vector<int> rows) {
            double total = 0;
            for (int row : rows) total += grad_W.row(row)[j];
            return total;
        };
        CHECK(std::abs(few_W.row(3)[j] - sum({3, 4, 5})) < tolerance);
        CHECK(std::abs(few_W.row(6)[j] - sum({6, 7})) < tolerance);
        for (int row : {0, 1, 2, 9}) CHECK(std::abs(few_W.row(row)[j] - sum({row})) < tolerance);
        for (int row : {4, 5, 7, 8}) CHECK(few_W.row(row)[j] == 0);
    }

    // What is no list of candidates is refused.
    auto error = [&](const Candidates& wrong) {
        CHECK_THROWS_AS(
            head_loss_and_gradients(x.matrix(), W, targets, wrong, few_x.matrix(), few_W), Error);
    };
    error({.ids = {9, 2, 1}, .log_weights = {0, 0, 0}});
    error({.ids = {9, 2, 1, 0}, .log_weights = {0, 0, 0, 1}});
    error({.ids = {9, 2, 1, 0}, .log_weights = {0, 0, 0}});
    error({.ids = {9, 2, 1, 0, 0}, .log_weights = {0, 0, 0, 0, 0}});
    error({.ids = {9, 2, 1, 0, 10}, .log_weights = {0, 0, 0, 0, 0}});
}

TEST_CASE("head: every candidate has its own weight, beyond one strip of them as well") {
    // A logarithmic weight is added to a logit: so is a column of W_E where x is 1.
    constexpr int64_t n = 3, d = 4, d_vocab = 700;
    Tensor x = random_tensor({n, d}, 1, 1), W = random_tensor({d_vocab, d}, 2, 1);
    for (int64_t i = 0; i < n; ++i) x.row(i)[0] = 1;
    std::vector<int> targets = {3, 300, 699};
    Candidates candidates;
    Tensor shifted = W;
    Rng rng(3);
    for (int id = 0; id < d_vocab; ++id) {
        bool is_target = std::ranges::count(targets, id) > 0;
        candidates.ids.push_back(id);
        candidates.log_weights.push_back(is_target ? 0 : static_cast<Real>(3 * rng.uniform()));
        shifted.row(id)[0] += candidates.log_weights.back();
    }
    Tensor grad_x({n, d}), grad_W({d_vocab, d}), right_x({n, d}), right_W({d_vocab, d});
    double loss =
        head_loss_and_gradients(x.matrix(), W, targets, candidates, grad_x.matrix(), grad_W);
    double right = head_loss_and_gradients(x.matrix(), shifted, targets, right_x.matrix(), right_W);
    constexpr double tolerance = sizeof(Real) == 4 ? 1e-5 : 1e-12;
    CHECK(loss == doctest::Approx(right).epsilon(tolerance));
    double worst = 0;
    for (size_t i = 0; i < grad_W.data.size(); ++i) {
        worst = std::max(worst, std::abs(double{grad_W.data[i]} - right_W.data[i]));
    }
    CHECK(worst < tolerance);
}

TEST_CASE("head: the same digits on any number of threads") {
    constexpr int64_t n = 300, d = 5, d_vocab = 9000;
    Tensor x = random_tensor({n, d}, 1, 1), W_E = random_tensor({d_vocab, d}, 2, 1);
    std::vector<int> targets(n, 17);
    int before = thread_count();
    std::vector<Tensor> results[2];
    for (int i : {0, 1}) {
        set_thread_count(1 + 2 * i);
        Tensor grad_x({n, d}), grad_W({d_vocab, d}), loss({1, 1});
        loss.data[0] = static_cast<Real>(
            head_loss_and_gradients(x.matrix(), W_E, targets, grad_x.matrix(), grad_W));
        results[i] = {loss, grad_x, grad_W};
    }
    set_thread_count(before);
    for (int i = 0; i < 3; ++i) CHECK(results[0][i].data == results[1][i].data);
}

TEST_CASE("head: what does not fit is refused; a loss beyond float is infinite") {
    Tensor x({2, 3}), W_E({4, 3}), grad_x({2, 3}), grad_W({4, 3});
    auto call = [&](const std::vector<int>& targets) {
        return head_loss_and_gradients(x.matrix(), W_E, targets, grad_x.matrix(), grad_W);
    };
    CHECK(call({0, 3}) == doctest::Approx(std::log(4.0)));
    CHECK_THROWS_AS(call({0}), Error);
    CHECK_THROWS_AS(call({0, 4}), Error);
    CHECK_THROWS_AS(call({-1, 0}), Error);
    std::ranges::fill(x.data, Real(1));
    W_E.row(1)[0] = 80;
    CHECK(call({0, 0}) == doctest::Approx(80));
    W_E.row(1)[0] = 400;
    CHECK(std::isinf(call({0, 1})));
    CHECK(call({1, 1}) == doctest::Approx(0));
}
