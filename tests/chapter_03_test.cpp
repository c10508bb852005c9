// Chapter 3's shapes of a profile, and each of its claims on profiles made by hand: once so that it
// holds beyond its controls, once so that it does not, and once so that a control does the same.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "chapters/03_laminar_profile/tables.h"
#include "core/rng.h"
#include "support.h"
#include "verdict_of.h"

using namespace vimach;
using namespace vimach::ch03;

namespace {

const Draws few = {.n_bootstrap = 300, .n_permutation = 999};
using Curve = std::function<double(double layer)>;

Verdict verdict_of(const std::string& id, const Finding& finding) {
    return test::verdict_of("03_laminar_profile", id, finding);
}

Layers layers_to(int64_t n) {
    Layers layers;
    for (int64_t i = 0; i < n; ++i) layers.push_back(i);
    return layers;
}

double rising(double layer) { return 0.1 + 0.02 * layer; }
double falling(double layer) { return 0.4 - 0.02 * layer; }
double flat(double) { return 0.2; }
double u_shape(double layer) { return 0.2 + 0.01 * (layer - 6) * (layer - 6); }
double hill(double layer) { return 0.9 - u_shape(layer); }
double mixed(double layer) {  // Kendall's tau of 0.12
    constexpr double order[] = {6, 2, 8, 4, 0, 10, 7, 1, 11, 3, 9, 5};
    return 0.1 + 0.02 * order[static_cast<size_t>(layer)];
}
double zigzag(double layer) { return std::fmod(layer * 5, 12) < 6 ? 0.1 : 0.3; }

/// A profile of a few seeds: the curve with a little noise.
Profile make_profile(const Curve& curve, int64_t n_seed, uint64_t seed, int64_t n_layer = 12) {
    Rng rng(seed);
    Profile p(n_seed, n_layer);
    for (int64_t i = 0; i < n_seed * n_layer; ++i) {
        p.data[i] = curve(static_cast<double>(i % n_layer)) + 0.002 * rng.normal();
    }
    return p;
}

/// Profiles of one number: the trained arm, random weights, and Gaussian rows like the trained arm.
Profiles with(Field field, const Curve& here, const Curve& random, int64_t n_seed = 3,
              int64_t n_layer = 12) {
    Profiles p = {.layers = layers_to(n_layer), .n_layer = n_layer, .n_seed = n_seed};
    p.of[trained][field] = make_profile(here, n_seed, 1, n_layer);
    p.of[gaussian][field] = make_profile(here, n_seed, 2, n_layer);
    p.of[random_weights][field] = make_profile(random, n_seed, 3, n_layer);
    return p;
}

}  // namespace

TEST_CASE("chapter 3: shapes of a profile") {
    Layers twelve = layers_to(12);
    std::vector<double> up, u;
    for (int64_t i = 0; i < 12; ++i) {
        up.push_back(rising(static_cast<double>(i)));
        u.push_back(u_shape(static_cast<double>(i)));
    }
    CHECK(order_of(up, twelve) == doctest::Approx(1));
    CHECK(rise_of(up, twelve) == doctest::Approx(0.22 / 0.21));
    CHECK(line_of(up, twelve) == doctest::Approx(1));
    CHECK(line_of(u, twelve) < 0.3);
    std::vector<double> down(up.rbegin(), up.rend());
    CHECK(line_of(down, twelve) == doctest::Approx(1));
    CHECK(curve_of(u, twelve) > 0.3);
    CHECK(curve_of(up, twelve) < 0);
    CHECK(ends_of(u) == doctest::Approx(0.45 / 0.45));
    CHECK(lowest_of(u, twelve) == 6);
    CHECK(early_of(up, twelve, middle_of(12)) == doctest::Approx(0.1 / 0.22));
    CHECK((middle_of(12).centre == 6 && middle_of(12).reach == 1));
    CHECK((middle_of(36).centre == 15 && middle_of(36).reach == 5));

    // A list of layers is not their number: depth is where they stand.
    CHECK(rise_of(std::vector<double>{1, 2, 12}, {0, 1, 11}) == doctest::Approx(11 / 5.0));
    CHECK(lowest_of(std::vector<double>{3, 1, 2}, {0, 4, 9}) == 4);

    // Few layers, one layer: no crash, and no number where there is none.
    std::vector<double> one = {0.3};
    for (ShapeOf shape : {order_of, rise_of, line_of, curve_of, lowest_of}) {
        CHECK(std::isnan(shape(one, {4})));
    }
    CHECK(std::isnan(ends_of(one)));
    CHECK(std::isnan(early_of(one, {4}, middle_of(12))));
}

TEST_CASE("chapter 3: a run speaks about the sizes that the document names, in whole") {
    Profiles p = {.layers = layers_to(12), .n_layer = 12};
    CHECK(p.untested(12).empty());
    CHECK(p.untested(36) == "it speaks of 36 layers, this model has 12");
    p.layers = {0, 1, 11};
    CHECK(p.untested(12) == "it speaks of all 12 layers, this run leaves some out");
}

// --- every claim, both ways ---------------------------------------------------------------------

TEST_CASE("chapter 3: claim 3a can hold, and can fail") {
    auto rises = [](const Curve& here, const Curve& random) {
        return verdict_of("3a", density_rises(with(density, here, random), few));
    };
    CHECK(rises(rising, flat) == Verdict::reproduced);
    CHECK(rises(rising, rising) == Verdict::control_holds);
    CHECK(rises(falling, flat) == Verdict::not_reproduced);

    // A rise that a random order of the layers often gives is none; one seed has no interval.
    CHECK(rises(mixed, falling) == Verdict::control_holds);
    CHECK(verdict_of("3a", density_rises(with(density, rising, flat, 1), few)) ==
          Verdict::undecided);
    CHECK(verdict_of("3a large", density_rises(with(density, rising, flat, 3, 36), few)) ==
          Verdict::reproduced);
    CHECK(verdict_of("3a large", density_rises(with(density, falling, flat, 3, 36), few)) ==
          Verdict::not_reproduced);

    // What the covariance leaves stands beside it, and decides nothing.
    Finding beside = density_rises(with(density, rising, flat), few);
    REQUIRE(beside.controls.size() == 4);
    for (size_t i : {2, 3}) CHECK(beside.controls[i].kind == Control::Kind::reference);
    CHECK(beside.controls[2].measure.value == doctest::Approx(1));
    CHECK(std::abs(beside.controls[3].measure.value) < 0.5);
}

TEST_CASE("chapter 3: all seeds have their layers in the same random order") {
    // So seeds that are copies of one say no more than that one does.
    auto null_of = [](int64_t n_seed) {
        Profiles p = with(density, mixed, flat, n_seed);
        for (int64_t i = 0; i < n_seed * 12; ++i) {
            p.of[trained][density].data[i] = mixed(static_cast<double>(i % 12));
        }
        Control null = density_rises(p, few).controls.at(0);
        REQUIRE(null.kind == Control::Kind::null);
        return null.measure.interval;
    };
    CHECK(null_of(4).low == doctest::Approx(null_of(1).low));
    CHECK(null_of(4).high == doctest::Approx(null_of(1).high));
}

TEST_CASE("chapter 3: claims 3a linear and 3a early can hold, and can fail") {
    auto line = [](const Curve& here, const Curve& random) {
        return verdict_of("3a linear", density_on_a_line(with(density, here, random), few));
    };
    CHECK(line(rising, flat) == Verdict::reproduced);
    CHECK(line(rising, rising) == Verdict::control_holds);
    CHECK(line([](double layer) { return layer < 9 ? 0.1 : 0.4; }, flat) ==
          Verdict::not_reproduced);

    auto early = [](const Curve& here, const Curve& random) {
        return verdict_of("3a early", early_layers_sparse(with(density, here, random)));
    };
    Curve sparse = [](double layer) { return layer == 0 ? 0.02 : 0.2; };
    CHECK(early(sparse, flat) == Verdict::reproduced);
    CHECK(early(sparse, sparse) == Verdict::control_holds);
    CHECK(early(flat, flat) == Verdict::not_reproduced);
}

TEST_CASE("chapter 3: top-k that is full in every layer decides the density by itself") {
    Profiles p = with(density, flat, flat);
    p.ceiling = 1 / 3.0;
    std::ranges::fill(p.of[trained][density].data, 0.3333);
    CHECK(verdict_of("3a", density_rises(p, few)) == Verdict::forced);
    CHECK(verdict_of("3a linear", density_on_a_line(p, few)) == Verdict::forced);
    CHECK(verdict_of("3a early", early_layers_sparse(p)) == Verdict::forced);
    for (double gap : {-0.0009, 0.0009}) {
        p.of[trained][density].data[5] = 1 / 3.0 + gap;
        CHECK(saturation(p.of[trained][density], p.ceiling).starts_with("density is k / n_latent"));
        p.of[trained][density].data[5] = 1 / 3.0 + 1.3 * gap;
        CHECK(saturation(p.of[trained][density], p.ceiling).empty());
    }
    p.of[trained][density].data[5] = 0.31;
    CHECK(saturation(p.of[trained][density], p.ceiling).empty());
    CHECK(saturation(p.of[trained][density], 0).empty());
}

TEST_CASE("chapter 3: claims 3b can hold, and can fail, on either error") {
    for (auto [field, in] : {std::pair{loss, ""}, {fvu, " FVU"}}) {
        std::string ends = std::string("3b ends") + in, lowest = std::string("3b lowest") + in,
                    u = std::string("3b U") + in;
        CAPTURE(ends);
        auto high = [&, f = field](const Curve& here, const Curve& random) {
            return verdict_of(ends, ends_highest(with(f, here, random), f, few));
        };
        Curve horns = [](double layer) { return layer == 0 || layer == 11 ? 0.9 : 0.3; };
        CHECK(high(horns, flat) == Verdict::reproduced);
        CHECK(high(horns, horns) == Verdict::control_holds);
        CHECK(high(rising, flat) == Verdict::not_reproduced);

        auto place = [&, f = field](const Curve& here, const Curve& random) {
            return verdict_of(lowest, lowest_in_middle(with(f, here, random), f));
        };
        CHECK(place(u_shape, falling) == Verdict::reproduced);
        CHECK(place(u_shape, u_shape) == Verdict::control_holds);
        CHECK(place(rising, falling) == Verdict::not_reproduced);

        auto shape = [&, f = field](const Curve& here, const Curve& random) {
            return verdict_of(u, u_shaped(with(f, here, random), f, few));
        };
        CHECK(shape(u_shape, flat) == Verdict::reproduced);
        CHECK(shape(u_shape, u_shape) == Verdict::control_holds);
        CHECK(shape(hill, flat) == Verdict::not_reproduced);
    }
    auto large = [](const Curve& here) {
        return verdict_of("3b large", lowest_in_middle(with(loss, here, falling, 3, 36), loss));
    };
    CHECK(large([](double layer) { return 0.2 + 0.01 * std::pow(layer - 12, 2); }) ==
          Verdict::reproduced);
    CHECK(large(rising) == Verdict::not_reproduced);
}

TEST_CASE("chapter 3: the lowest layer of the mean over seeds, and the range of single seeds") {
    Profiles p = {.layers = {0, 2, 4, 6, 9}, .n_layer = 12, .n_seed = 3};
    for (auto& arm : p.of) arm[loss] = arm[fvu] = Profile(3, 5);
    Profile& here = p.of[trained][loss];
    here.data = {9, 1, 4, 5, 9,   // lowest in layer 2
                 9, 7, 2, 1, 9,   // in layer 6
                 9, 7, 1, 5, 9};  // in layer 4, as the mean is
    CHECK(curve_table(p).rows[0][2] == "4 (2 to 6)");
    here.data = {9, 8, 1, 5, 9, 9, 8, 2, 5, 9, 9, 8, 1, 5, 9};
    CHECK(curve_table(p).rows[0][2] == "4");
}

TEST_CASE("chapter 3: claim 3c can hold, and can fail") {
    auto windows = [](double ratio) {
        Rng rng(1);
        std::vector<double> out;
        for (int i = 0; i < 40; ++i) out.push_back(ratio + 0.3 * rng.normal());
        return out;
    };
    auto stands_out = [&](double here, double random) {
        FirstTokens first;
        for (int64_t layer : {0, 1}) {
            first.add(false, layer, windows(layer == 1 ? here : 1));
            first.add(true, layer, windows(layer == 0 ? random : 1));
        }
        return verdict_of("3c", first_token_stands_out(first, few));
    };
    CHECK(stands_out(5, 1) == Verdict::reproduced);
    CHECK(stands_out(5, 5) == Verdict::control_holds);
    CHECK(stands_out(2, 1) == Verdict::not_reproduced);
    CHECK(stands_out(3, 1) == Verdict::undecided);

    // Windows of further seeds join those of the first.
    FirstTokens first;
    first.add(false, 1, {1, 3});
    first.add(false, 1, {5, 7});
    Measure mean = over_windows(first.trained[1], few);
    CHECK((mean.value == 4 && mean.interval.low < 3 && mean.interval.high > 5));
}

TEST_CASE("chapter 3: claims 3d can hold, and can fail") {
    // What mean ablation costs, and the share of it that a reconstruction does.
    auto costs = [](const Curve& share, double untrained_share) {
        Profiles p = {.layers = layers_to(12), .n_layer = 12, .n_seed = 3};
        for (Field field : {ablated, spliced, untrained}) {
            for (Arm arm : {trained, gaussian}) p.of[arm][field] = make_profile(flat, 3, 1);
        }
        Profile& most = p.of[trained][ablated];
        for (size_t i = 0; i < most.data.size(); ++i) {
            p.of[trained][spliced].data[i] = most.data[i] * share(static_cast<double>(i % 12));
            p.of[trained][untrained].data[i] = most.data[i] * untrained_share;
        }
        return p;
    };
    auto keeps = [&](double share, double before) {
        return verdict_of("3d", loss_recovered(costs([&](double) { return share; }, before)));
    };
    CHECK(keeps(0.1, 1.5) == Verdict::reproduced);
    CHECK(keeps(0.1, 0.1) == Verdict::control_holds);
    CHECK(keeps(0.8, 1.5) == Verdict::not_reproduced);

    auto middle = [&](const Curve& share) {
        return verdict_of("3d middle", middle_recovered(costs(share, 1), few));
    };
    CHECK(middle([](double layer) { return 0.1 + 0.1 * std::abs(layer - 6); }) ==
          Verdict::reproduced);
    CHECK(middle([](double layer) { return layer == 0 || layer == 11 ? 0.3 : zigzag(layer); }) ==
          Verdict::control_holds);
    CHECK(middle([](double layer) { return 0.8 - 0.1 * std::abs(layer - 6); }) ==
          Verdict::not_reproduced);

    // The middle must lead both ends.
    CHECK(middle([](double layer) {
              return layer == 11 ? 0.02 : layer == 0 ? 0.9 : 0.1;
          }) == Verdict::not_reproduced);

    // A model that does not need its middle layers says nothing about their reconstructions.
    Profiles idle = costs([](double) { return 0.1; }, 1);
    for (int64_t s = 0; s < 3; ++s) {
        for (int64_t layer = 4; layer < 9; ++layer) idle.of[trained][ablated].at(s, layer) = -0.01;
    }
    Finding none = middle_recovered(idle, few);
    CHECK(verdict_of("3d middle", none) == Verdict::undecided);
    CHECK(none.measured.detail == "the mean in these layers' place costs nothing");
    std::vector<double> by_layer = recovered(idle.of[trained][spliced], idle.of[trained][ablated]);
    CHECK(std::isnan(by_layer[5]));
    CHECK(by_layer[0] == doctest::Approx(0.9));
}
