// Chapter 4's measures by hand, and each of its claims with climbs, cosines, activations and losses
// made up so that it holds and so that it does not, beside the controls that the chapter has.
#include <doctest/doctest.h>

#include <cmath>

#include "chapters/04_activation_maximization/controls.h"
#include "chapters/04_activation_maximization/tables.h"
#include "core/rng.h"
#include "support.h"
#include "verdict_of.h"

using namespace vimach;
using namespace vimach::ch04;

namespace {

Verdict verdict_of(const char* id, const Finding& finding) {
    return test::verdict_of("04_activation_maximization", id, finding);
}

/// A climb of two starts with two tokens each and a tap of three dimensions.
Arm hand_made() {
    Arm arm = {.name = "by hand"};
    arm.target = {.name = "hidden:1", .tap = "blocks.0.resid_post", .n_block = 1};
    arm.target.width = 3, arm.target.n_token = 2, arm.target.at = -1;
    arm.directions = axis(arm.target, 2);
    arm.starts = Tensor({4, 3});
    Climb& c = arm.climb;
    c.before = c.after = c.theta = Tensor({4, 3});
    c.before.data = {-2, 2, 3, -2, -2, 3, 4, 2, 3, 4, 2, 3};
    c.after.data = {2, 1, 3, 2, -3, 1, 2, -1, 4, 2, 1, 4};
    c.activation = {{-2, 4}, {300, 30}};
    c.square_norm = {4, 9};
    return arm;
}

/// Ten starts with one token, a tap of 40 dimensions, the target in the middle. Every value goes
/// from `start` to `end`, a little different from start to start.
Arm climb_of(const std::string& name, double start, double end) {
    Arm arm = {.name = name};
    arm.target = {.name = "hidden:1", .tap = "blocks.0.resid_post", .n_block = 1};
    arm.target.width = 40, arm.target.dim = 20, arm.target.at = -1;
    arm.directions = axis(arm.target, 10);
    arm.starts = Tensor({10, 8});
    arm.climb.before = arm.climb.after = Tensor({10, 40});
    arm.climb.activation = {{}, {}};
    for (int64_t i = 0; i < 10; ++i) {
        double wobble = 1 + 0.02 * static_cast<double>(i);
        std::ranges::fill(arm.climb.before.row(i), static_cast<Real>(start * wobble));
        std::ranges::fill(arm.climb.after.row(i), static_cast<Real>(end * wobble));
        arm.climb.activation[0].push_back(start * wobble);
        arm.climb.activation[1].push_back(end * wobble);
    }
    return arm;
}

/// A climb of `n_step` steps at a rate whose vectors grow `growth` times.
Arm grown(double growth, double rate, double lambda, int64_t n_step = 500) {
    Arm arm = climb_of("grown", 1, 2);
    arm.learning_rate = rate, arm.lambda = lambda;
    arm.climb.activation.resize(static_cast<size_t>(n_step) + 1);
    Rng rng(1);
    for (Real& value : arm.starts.data) value = static_cast<Real>(0.2 * rng.normal());
    arm.climb.theta = arm.starts;
    for (int64_t i = 0; i < 10; ++i) {
        for (Real& value : arm.climb.theta.row(i)) {
            value *= static_cast<Real>(growth * (1 + 0.01 * static_cast<double>(i)));
        }
    }
    return arm;
}

/// `n` numbers spread evenly from `low` to `high`.
std::vector<double> spread(double low, double high, int n = 10) {
    std::vector<double> out;
    for (int i = 0; i < n; ++i) out.push_back(low + (high - low) * i / (n - 1));
    return out;
}

}  // namespace

TEST_CASE("chapter 4: growth, falls and kept shares by hand") {
    Arm arm = hand_made();
    std::vector<double> orders = orders_of_growth(arm);  // the median of 2 and 4 is 3
    CHECK(orders[0] == doctest::Approx(2));
    CHECK(orders[1] == doctest::Approx(1));
    arm.directions = axes(arm.target, {0, 1});
    orders = orders_of_growth(arm);  // medians of {2, 4} and of {0, 2}
    CHECK(orders[0] == doctest::Approx(2));
    CHECK(orders[1] == doctest::Approx(std::log10(30)));
    arm.climb.before.data = {1, 2, 3, 1, -2, 3, 1, 2, 3, 1, 2, 3};
    CHECK(falls(arm).data == std::vector<double>{0, 0.5, 0.5, 0, 1, 0});
    CHECK(mean_norm_growth(arm) == doctest::Approx(1.5));
    arm.starts.data = {1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0};
    arm.climb.theta.data = {0, 3, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0};
    CHECK(growth_of_norm(arm) == std::vector<double>{5, 1});  // 5 / 1 and 2 / 2

    // Ten steps of 0.1 move every number by 1: the second start grows most, from 2 to sqrt(9 + 5).
    arm.learning_rate = 0.1;
    arm.climb.activation.resize(11);
    arm.starts.data = {1, 1, 1, 1, 1, 1, 0, 2, 0, 0, 0, 0};
    CHECK(growth_bound(arm) == doctest::Approx(2));
    arm.starts.data[0] = 0;
    CHECK(growth_bound(arm) == doctest::Approx(std::sqrt(21.0 / 5)));

    Reached reached = {.optimised = {2, 4}, .random = {0, 2}};
    CHECK(reached.kept({1, 2, 3}) == std::vector<double>{0, 0.5, 1});
}

TEST_CASE("chapter 4: claim 4a can hold, and can fail") {
    auto now = [](const Arm& own, const Arm& directions, const Arm& weights) {
        Arms arms;
        arms.own = own, arms.directions = directions, arms.weights = weights;
        arms.dims = climb_of("10 dimensions", 1, 20);
        return verdict_of("4a", grows_by_orders(arms));
    };
    Arm little = climb_of("little", 1, 3), much = climb_of("much", 1, 1000),
        wide = climb_of("wide", 1, 100);
    for (size_t i = 0; i < 10; ++i) wide.climb.activation[1][i] = i % 2 == 0 ? 10 : 2000;
    CHECK(now(much, little, little) == Verdict::reproduced);
    CHECK(now(much, much, little) == Verdict::control_holds);
    CHECK(now(much, little, much) == Verdict::control_holds);
    CHECK(now(little, little, little) == Verdict::not_reproduced);
    CHECK(now(wide, little, little) == Verdict::undecided);

    // The figure beside it counts dimensions that grow less.
    Arms arms;
    arms.own = little, arms.dims = much;
    test::check_contains(dimension_text(arms), "Of 10 dimensions, one start each, 0 grow by fewer");
    arms.own = much, arms.dims = little;
    test::check_contains(dimension_text(arms), "10 grow by fewer orders than dimension 20");
    arms.directions = arms.weights = little;
    for (int i = 0; i < 10; ++i) arms.dims.climb.activation[1][i] = std::pow(10, i);
    // Of 0 to 9 orders, less the logarithm of the median start, 1.1.
    CHECK(grows_by_orders(arms).controls.back().measure.detail == "quartiles 2.21, 4.46, 6.71");
}

TEST_CASE("chapter 4: claim 4b compares neighbours with the other dimensions") {
    // Those within 5 of the target fall, or all do, or none, or they do in half of the starts.
    enum { near, all, none, half };
    auto now = [](int which) {
        Arm arm = climb_of("own", 2, 3);
        for (int64_t row = 0; row < 10; ++row) {
            for (int64_t j = 0; j < 40; ++j) {
                bool is_near = std::abs(j - 20) <= n_neighbour;
                bool fall = which == all || (which == near && is_near) ||
                            (which == half && is_near && row % 2 == 0);
                if (fall) arm.climb.after.row(row)[j] = 1;
            }
        }
        return neighbours_fall(arm, 1);
    };
    CHECK(now(near).measured.value == doctest::Approx(1));
    CHECK(now(near).controls[0].measure.interval.high == 0);
    CHECK(verdict_of("4b", now(near)) == Verdict::reproduced);
    CHECK(verdict_of("4b", now(all)) == Verdict::control_holds);
    CHECK(verdict_of("4b", now(none)) == Verdict::not_reproduced);
    CHECK(verdict_of("4b", now(half)) == Verdict::undecided);
}

TEST_CASE("chapter 4: claims 4e can hold, can fail, and are forced where no vector can explode") {
    for (const char* id : {"4e", "4e rate"}) {
        CHECK(test::claim_of("04_activation_maximization", id, {}).text.threshold == exploding);
        auto now = [&](double free, double with, double rate) {
            return verdict_of(id,
                              explodes_without_term(grown(free, rate, 0), grown(with, rate, 0.01)));
        };
        CHECK(now(1.1, 1, 0.001) == Verdict::forced);
        CHECK(now(20, 1, 0.1) == Verdict::reproduced);
        CHECK(now(20, 20, 0.1) == Verdict::control_holds);
        CHECK(now(2, 1, 0.1) == Verdict::not_reproduced);
        CHECK(verdict_of(id, explodes_without_term(grown(20, 0.1, 0), grown(20, 0.1, 0))) ==
              Verdict::forced);
    }

    // More steps of the small rate can make vectors explode.
    CHECK(verdict_of("4e", explodes_without_term(grown(20, 0.001, 0, 50'000),
                                                 grown(1, 0.001, 0.01, 50'000))) ==
          Verdict::reproduced);
    Finding finding = explodes_without_term(grown(1, 0.001, 0), grown(1, 0.001, 0.01));
    test::check_contains(finding.forced_by,
                         "500 steps of Adam at the rate 0.001 move a number by at most about 0.5");
}

TEST_CASE("chapter 4: claims about decoding can hold, and can fail") {
    auto cosine = [](const std::vector<double>& optimised, const std::vector<double>& matched) {
        Cosines cosines = {optimised, spread(0.3, 0.4, 100), matched};
        return verdict_of("4d cosine", cosine_above_chance(cosines, 1));
    };
    std::vector<double> chance = spread(0.32, 0.38), near = spread(0.95, 0.99, 100);
    CHECK(cosine(chance, near) == Verdict::reproduced);
    CHECK(cosine(chance, spread(0.3, 0.4, 100)) == Verdict::control_holds);
    CHECK(cosine(spread(0.5, 0.6), near) == Verdict::not_reproduced);
    CHECK(cosine(spread(0.3, 0.5), near) == Verdict::undecided);

    auto kept = [](const std::vector<double>& decoded, const std::vector<double>& parts) {
        Reached r = {.optimised = spread(39, 41), .decoded = decoded, .random = spread(15, 25)};
        r.text.parts = parts;
        r.found.guided = {{.ids = {}, .value = 33, .passes = {}, .values = {}},
                          {.ids = {}, .value = 34, .passes = {}, .values = {}}};
        return verdict_of("4d kept", gain_kept(r));
    };
    CHECK(kept(spread(19, 21), spread(25, 27)) == Verdict::reproduced);
    CHECK(kept(spread(19, 21), spread(19.2, 20.8)) == Verdict::control_holds);
    CHECK(kept(spread(30, 32), spread(25, 27)) == Verdict::not_reproduced);
    CHECK(kept(spread(17, 27), spread(25, 27)) == Verdict::undecided);
}

TEST_CASE("chapter 4: claim 4c can hold, and can fail") {
    auto sense = [](const std::vector<double>& decoded, const std::vector<double>& text) {
        Losses losses = {decoded, text, spread(8, 10, 100), spread(13, 14, 100)};
        return makes_no_sense(losses, 1);
    };
    std::vector<double> text = spread(4, 8, 100), uneven(100);
    for (size_t i = 0; i < 100; ++i) uneven[i] = i % 2 == 0 ? 1 : 20;
    CHECK(sense(spread(12, 14), text).measured.value == doctest::Approx(7 / 7.5));
    CHECK(verdict_of("4c", sense(spread(12, 14), text)) == Verdict::reproduced);
    CHECK(verdict_of("4c", sense(spread(6, 8), text)) == Verdict::not_reproduced);
    CHECK(verdict_of("4c", sense(spread(7, 13), text)) == Verdict::undecided);
    // Of a text whose windows differ as much as this, ten may well be as surprising.
    CHECK(verdict_of("4c", sense(spread(13.2, 13.4), uneven)) == Verdict::control_holds);

    // A model that does not tell text from random tokens has no such scale.
    Finding blind = makes_no_sense({text, spread(13, 14.1, 100), text, spread(13, 14, 100)}, 1);
    test::check_contains(blind.measured.detail, "random tokens cost the model no more");

    Finding nothing = makes_no_sense({}, 1);
    CHECK(verdict_of("4c", nothing) == Verdict::undecided);
    test::check_contains(nothing.measured.detail, "a window of one token");
}

TEST_CASE("chapter 4: growth is from the median start, so that one large start changes nothing") {
    Arm arm = climb_of("own", 1, 100);
    std::vector<double> before = orders_of_growth(arm);
    std::ranges::fill(arm.climb.before.row(9), Real(1e6));
    std::vector<double> after = orders_of_growth(arm);
    CHECK(before[0] == doctest::Approx(std::log10(100 / 1.09)));
    for (size_t i = 0; i < 10; ++i) CHECK(after[i] == doctest::Approx(before[i]));
}

TEST_CASE("chapter 4: random vectors are drawn apart from the starts of the climb") {
    Tensor W_E({30, 6});
    Rng rng(3);
    for (Real& value : W_E.data) value = static_cast<Real>(rng.normal());
    Arm own = {.name = "own", .target = {}};
    own.target.n_token = 2;
    for (uint64_t seed : {1, 2}) {
        own.climb.theta = isotropic_vectors(W_E, 8, seed);
        Cosines cosines = read_cosines(W_E, own, 4, seed);
        REQUIRE(cosines.isotropic.size() == 4);
        REQUIRE(cosines.matched.size() == 4);
        for (size_t i = 0; i < 4; ++i) {
            CHECK(cosines.isotropic[i] != cosines.optimised[i]);
            CHECK(cosines.matched[i] != cosines.optimised[i]);
        }
    }
}
