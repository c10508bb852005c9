// What has no number: layers that do not vary, samples that are constant, neurons that never fire.
// A library function says NaN or throws; a claim stays undecided and says why; a table shows a
// dash.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "chapters/03_laminar_profile/tables.h"
#include "chapters/04_activation_maximization/tables.h"
#include "chapters/05_him_her_ged/controls.h"
#include "chapters/05_him_her_ged/patch.h"
#include "core/rng.h"
#include "lens/ged.h"
#include "lens/sae.h"
#include "math/stats.h"
#include "support.h"
#include "verdict_of.h"

using namespace vimach;
using test::check_contains;
using test::error_of;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

/// Whether a finding stays undecided, and says why.
void check_undecided(const std::string& chapter, const std::string& id, const Finding& finding,
                     const std::string& why) {
    Ruling ruling = rule(test::claim_of(chapter, id, finding));
    CHECK_MESSAGE(ruling.verdict == Verdict::undecided, id << ": " << ruling.why);
    check_contains(ruling.why, why);
}

std::string all_cells(const Table& table) {
    std::string text;
    for (const auto& row : table.rows) {
        for (const std::string& cell : row) text += cell + " ";
    }
    return text;
}

/// No table shows what printf makes of NaN and of infinity, and one with a dash explains it.
void check_dashes(const Table& table, const std::string& why) {
    for (const char* word : {"nan", "inf"}) {
        CHECK_MESSAGE(all_cells(table).find(word) == std::string::npos, all_cells(table));
    }
    check_contains(all_cells(table), "- ");
    check_contains(table.note, "A dash: " + why);
}

}  // namespace

// --- statistics and instruments -----------------------------------------------------------------

TEST_CASE("no number: what rounding leaves of a constant sample is no variation") {
    // The mean of three times 0.1 is not 0.1.
    std::vector<double> flat = {0.1, 0.1, 0.1}, x = {1, 2, 4};
    REQUIRE(mean(flat) != 0.1);
    CHECK(correlation(flat, x) == 0);
    CHECK(correlation(x, flat) == 0);

    // Each sample is measured by its own size: numbers around a million round to 1e-10.
    std::vector<double> large = {1e6, std::nextafter(1e6, 2e6), 1e6}, small = {0.01, 0.02, 0.04};
    CHECK(correlation(small, large) == 0);
    CHECK(correlation(large, small) == 0);
    CHECK(std::isnan(slope(flat, x)));
    CHECK(std::isnan(curvature(flat, x)));

    // Two depths written three times: x^2 is a line there, but for rounding.
    std::vector<double> two = {0.1, 0.7, 0.1, 0.7, 0.7}, y = {1, 5, 2, 9, 3};
    CHECK(std::isnan(curvature(two, y)));
    std::vector<double> three = {0.1, 0.7, 0.4}, parabola = {0.01, 0.49, 0.16};
    CHECK(curvature(three, parabola) == doctest::Approx(1));
    CHECK(error_of([&] { curvature(x, two); }) != "no Error was thrown");

    Matrix rows(2, 2, {1000, -3, 1000.0001, -3});
    CHECK_FALSE(varies(rows));
    rows.at(1, 0) = 1000.1;
    CHECK(varies(rows));
    CHECK_FALSE(varies(Matrix(0, 3)));
    for (double value : {not_a_number, infinite}) CHECK(varies(Matrix(2, 2, {value, 1, 1, 1})));
}

TEST_CASE("no number: of a NaN nothing is made") {
    std::vector<double> x = {1, not_a_number, 3}, y = {1, 2, 3};
    CHECK(std::isnan(quantile(x, 0)));
    CHECK(std::isnan(central_95(x).high));
    CHECK(std::isnan(auc(x, y)));
    CHECK(std::isnan(auc(y, x)));
    CHECK(std::isnan(permutation_p(not_a_number, y)));
    CHECK(std::isnan(permutation_p(1, x)));
    CHECK(auc(std::vector<double>{infinite}, std::vector<double>{-infinite, 0}) == 1);

    // An infinite score is reached by infinite ones.
    std::vector<double> scores = {1, infinite, infinite};
    CHECK(permutation_p(infinite, scores) == 3.0 / 4);
    for (const auto& action : {std::function<void()>([&] { quantile({}, 0.5); }),
                               std::function<void()>([&] { auc({}, y); }),
                               std::function<void()>([&] { null_control("none", {}); })}) {
        CHECK(error_of(action) != "no Error was thrown");
    }
    CHECK(number_cell("%.1f", not_a_number) == "-");
    CHECK(number_cell("%.1f", -infinite) == "-");
    CHECK(number_cell("%.1f", 2) == "2.0");
    CHECK((plural(1, "layer") == "1 layer" && plural(0, "layer") == "0 layers"));
}

TEST_CASE("no number: an infinite measure is none, and decides nothing") {
    Finding finding = {exact_measure(infinite), {null_control("n", {1, 2})}};
    check_undecided("05_him_her_ged", "5c", finding, "not measurable");
}

TEST_CASE("no number: GED of samples that do not vary") {
    Matrix flat(5, 3), other(4, 3);
    for (double& value : flat.data) value = 0.1;
    CHECK(average_pca_direct(Matrix(5, 3), other).variances.empty());
    CHECK(average_pca(Matrix(5, 30), Matrix(4, 30)).components.rows == 0);
    for (ShareRule rule : {ShareRule::reach, ShareRule::stay_below}) {
        CHECK(components_for_share({}, 0.99, rule) == 0);
        CHECK(components_for_share(std::vector<double>{5}, 0.99, rule) == 1);
    }
    check_contains(error_of([&] { fit_ged(Matrix(5, 3), other, {}); }), "neither sample varies");
    check_contains(error_of([&] { first_rows(flat, 6); }), "there are not so many rows");
    CHECK(first_rows(flat, 0).rows == 0);

    Rng rng(1);
    for (double& value : other.data) value = rng.normal();
    check_contains(error_of([&] { fit_ged(Matrix(5, 3), other, {}); }), "samples that both vary");
}

TEST_CASE("no number: the FVU of rows that are equal, but for rounding") {
    Rng rng(2);
    Sae sae = random_sae({.d_in = 3, .n_latent = 6, .tied = true}, rng);
    Tensor x({8, 3});
    for (int64_t i = 0; i < 8; ++i) x.row(i)[0] = 3, x.row(i)[1] = Real(-0.1);
    CHECK(std::isnan(summarise(sae, x.matrix()).fvu));
    CHECK(std::isnan(summarise(sae, Tensor({8, 3}).matrix()).fvu));
    x.row(7)[1] = Real(-0.1) * (1 + Real(2e-7));
    CHECK(std::isnan(summarise(sae, x.matrix()).fvu));

    // The variance is taken around the column means: an offset leaves it as it is.
    x.row(7)[1] = Real(0.4);
    SaeSummary summary = summarise(sae, x.matrix());
    double scatter = 0.25 * 7 / 8, squares = summary.losses.mse * 8 * 3;
    CHECK(summary.fvu == doctest::Approx(squares / scatter).epsilon(1e-5));
}

// --- chapter 3 ----------------------------------------------------------------------------------

namespace {

/// Profiles of every number over some layers; the FVU of `dead`, if there is such a layer, is none.
ch03::Profiles profiles(int64_t n_layer, int64_t dead) {
    using namespace ch03;
    Profiles p = {.layers = {}, .n_layer = n_layer, .n_seed = 3};
    for (int64_t i = 0; i < n_layer; ++i) p.layers.push_back(i);
    Rng rng(1);
    for (auto& arm : p.of) {
        for (Profile& profile : arm) {
            profile = Profile(3, n_layer);
            for (double& value : profile.data) value = 0.5 + 0.1 * rng.uniform();
        }
        for (int64_t s = 0; s < 3 && dead >= 0; ++s) arm[fvu].at(s, dead) = not_a_number;
    }
    return p;
}

}  // namespace

TEST_CASE("no number: a layer that does not vary has no FVU, and no shape goes through it") {
    using namespace ch03;
    const char* chapter = "03_laminar_profile";
    const Draws few = {.n_bootstrap = 50, .n_permutation = 99};
    Profiles p = profiles(12, 5);
    const char* why = "layer 5 does not vary: it has no FVU";
    check_undecided(chapter, "3b ends FVU", ends_highest(p, fvu, few), why);
    check_undecided(chapter, "3b lowest FVU", lowest_in_middle(p, fvu), why);
    check_undecided(chapter, "3b U FVU", u_shaped(p, fvu, few), why);
    check_dashes(compared_table(p, fvu), "a layer that does not vary has no FVU");
    check_dashes(result_table(p), "a layer that does not vary has no FVU");
    check_dashes(curve_table(p), "too few layers");
    CHECK(all_cells(long_table(p)).find("nan") == std::string::npos);
    check_contains(answer(p), "is lowest in layer ");
    CHECK(answer(p).find("FVU") == std::string::npos);
    CHECK(answer(profiles(12, -1)).find("the FVU in layer ") != std::string::npos);

    // An error of 0 has no logarithm, and is no pit of 300 orders.
    std::vector<double> with_zero = {1, 0, 1};
    CHECK(std::isnan(curve_of(with_zero, {0, 1, 2})));
    std::vector<double> equal = {2, 2, 2};
    for (ShapeOf shape : {order_of, line_of, lowest_of}) {
        CHECK(std::isnan(shape(equal, {0, 1, 2})));
    }
    std::vector<double> zeros = {1, 0, 0, 1};
    CHECK(std::isnan(ends_of(zeros)));
}

TEST_CASE("no number: one layer has no profile") {
    using namespace ch03;
    const Draws few = {.n_bootstrap = 50, .n_permutation = 99};
    Profiles p = profiles(1, -1);
    Table rise = rise_table(p, few);
    check_dashes(rise, "too few layers");
    for (int arm = 0; arm < n_arm; ++arm) {
        for (size_t j = 1; j < 5; ++j) CHECK(rise.rows[arm][j] == "-");
    }
    CHECK(answer(p).starts_with("One layer has no profile."));
    CHECK(answer(p).find("tau") == std::string::npos);
    check_undecided("03_laminar_profile", "3a", density_rises(p, few), "there is one layer only");
    check_undecided("03_laminar_profile", "3d middle", middle_recovered(p, few),
                    "there is no layer between the ends");

    // Two layers have an order, and no U.
    p = profiles(2, -1);
    CHECK(std::abs(over_seeds(p.of[trained][density], p.layers, order_of).value) <= 1);
    CHECK(std::isnan(over_seeds(p.of[trained][loss], p.layers, curve_of).value));
}

TEST_CASE("no number: first tokens beside others that are all 0") {
    using namespace ch03;
    const Draws few = {.n_bootstrap = 50};
    FirstTokens first;
    for (bool random : {false, true}) {
        first.add(random, 0, {not_a_number, not_a_number, not_a_number});
        first.add(random, 1, {4, 5, 6});
    }
    CHECK(first_token_stands_out(first, few).measured.value == 5);
    check_dashes(first_token_table(first, few), "the other tokens are 0");
    first.trained[1] = first.trained[0];
    check_undecided("03_laminar_profile", "3c", first_token_stands_out(first, few),
                    "all other tokens are 0");
}

TEST_CASE("no number: an interrupted run takes up a layer without an FVU") {
    using namespace ch03;
    test::TempFolder folder;
    Job job = {trained, 1, 0, 1};
    {
        Store store(folder.file("layers.tsv"), 7, false);
        store.add(job, {.density = 0.25, .fvu = not_a_number, .l0 = 2});
    }
    Store store(folder.file("layers.tsv"), 7, false);
    REQUIRE(store.find(job) != nullptr);
    CHECK((std::isnan(store.find(job)->fvu) && store.find(job)->l0 == 2));
}

// --- chapter 4 ----------------------------------------------------------------------------------

namespace {

/// A climb of two starts along dimension 0 of `width`, from and to the same values in both.
ch04::Arm climb_of(double start, double end, int64_t width = 2) {
    using namespace ch04;
    Arm arm = {.name = "own", .target = {}};
    arm.target.width = width, arm.target.at = -1;
    arm.directions = axes(arm.target, {0, 0});
    arm.starts = Tensor({2, 3});
    std::ranges::fill(arm.starts.data, Real(1));
    arm.climb.theta = arm.starts;
    arm.climb.before = Tensor({2, width}), arm.climb.after = Tensor({2, width});
    for (int64_t i : {0, 1}) {
        arm.climb.before.row(i)[0] = static_cast<Real>(start);
        arm.climb.after.row(i)[0] = static_cast<Real>(end);
    }
    arm.climb.activation = {{start, start}, {end, end}};
    arm.climb.square_norm = {3, 3};
    return arm;
}

}  // namespace

TEST_CASE("no number: a neuron that never fires does not grow") {
    using namespace ch04;
    const char* chapter = "04_activation_maximization";
    Arms arms;
    Arm silent = climb_of(0, 0), loud = climb_of(1, 1000);
    for (Arm* arm : {&arms.own, &arms.free, &arms.held, &arms.directions, &arms.weights, &arms.bare,
                     &arms.fast, &arms.fast_free, &arms.dims}) {
        *arm = silent;
    }
    check_undecided(chapter, "4a", grows_by_orders(arms), "an activation of 0 has no logarithm");
    check_dashes(arms_table(arms), "an activation of 0 has no logarithm");
    check_contains(dimension_text(arms), "An activation of 0 has no growth.");
    arms.own = loud;
    check_undecided(chapter, "4a", grows_by_orders(arms), "there is no number of own");
    for (double start : {0.0, 2.0}) CHECK(std::isnan(orders_of_growth(climb_of(start, 0))[0]));
    CHECK(std::isnan(orders_of_growth(climb_of(0, 2))[0]));

    // Of other dimensions those count that have a number.
    arms.dims = loud;
    arms.dims.climb.activation[1][0] = 0;
    check_contains(dimension_text(arms), "Of 1 dimension,");
    check_contains(dimension_text(arms), "1 more begin or end at 0.");

    Reached reached = {.optimised = {0, 0}, .decoded = {0, 0}, .random = {0, 0}};
    reached.text.parts = {0, 0};
    reached.found.guided = reached.found.blind = {{}, {}};
    CHECK(std::isnan(reached.kept({0})[0]));
    check_undecided(chapter, "4d kept", gain_kept(reached), "gain nothing over random tokens");
    check_dashes(reached_table(reached), "the target does not vary over the text");
    CHECK(rise_text(silent, reached) ==
          "It does not vary over the text: its rise has no such unit.");
    CHECK(answer(silent, reached, {}).find("standard deviations") == std::string::npos);
    reached.deviation = 0.5;
    CHECK(rise_text(loud, reached) ==
          "The target rose by 1998.00 standard deviations of the text.");
}

TEST_CASE("no number: a target without neighbours, and losses without a scale") {
    using namespace ch04;
    const char* chapter = "04_activation_maximization";
    check_undecided(chapter, "4b", neighbours_fall(climb_of(1, 2, 1), 1), "has no neighbours");
    Arm near = climb_of(1, 2, 3);
    std::ranges::fill(near.climb.before.data, Real(5));
    check_undecided(chapter, "4b", neighbours_fall(near, 1), "no number of other dimensions");
    Losses losses = {.decoded = {3, 4}, .text = {5, 5}, .drawn = {5, 5}, .random = {5, 5}};
    check_undecided(chapter, "4c", makes_no_sense(losses, 1), "no more than real text");
}

// --- chapter 5 ----------------------------------------------------------------------------------

TEST_CASE("no number: pairs left out that do not vary along a filter") {
    using namespace ch05;
    std::vector<double> some = {1, 2, 1}, none = {0, 0, 0};
    std::vector<int64_t> all = {0, 1, 2};
    CHECK(contrast({some, some, some, some}, all) == 0);
    for (const Squares& squares : {Squares{none, some, some, some}, Squares{some, none, some, some},
                                   Squares{some, some, none, some}, Squares{some, some, some, none},
                                   Squares{none, none, some, some}}) {
        CHECK(std::isnan(contrast(squares, all)));
        Measure m = contrast_measure(squares, all, {.n_bootstrap = 9, .seed = 1});
        CHECK(m.detail == "a class does not vary along a filter");
    }

    Matrix kl(3, 2), his = Matrix(1, 1, {2}), hers = Matrix(1, 1, {1});
    check_dashes(patch_table(kl, {{"difference of means"}, Matrix(1, 4)}), "the whole vector");
    Eigen one = {{2}, Matrix(1, 1, {1})};
    check_dashes(spectrum_table(one, one, his, hers), "there are as many filters as components, 1");
    CHECK(p_text(2, {1, not_a_number}) == "no p");
}
