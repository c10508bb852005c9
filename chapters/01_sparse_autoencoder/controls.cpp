// Chapter 1's controls; see controls.h.
// Everything random is drawn from one seed per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/stats.h"
#include "show/progress.h"

namespace vimach::ch01 {

namespace {

constexpr int64_t n_draw = 1000;  // of a null distribution

/// One answer a run.
Outcomes each(const Arm& arm, const std::function<bool(const Run&)>& asks) {
    Outcomes out;
    for (const Run& run : arm.runs) out.push_back(asks(run));
    return out;
}

double share_of(const Outcomes& outcomes) { return share_measure(outcomes).value; }

/// How much a share falls from the first list of outcomes to the better of two others.
double share_lost(const Outcomes& both, const Outcomes& one, const Outcomes& other) {
    return share_of(both) - std::max(share_of(one), share_of(other));
}

Outcomes l1_falls_later(const Arm& arm) {
    return each(arm, [](const Run& run) {
        auto mse = half_time(curve(run, &SaeLosses::mse)),
             l1 = half_time(curve(run, &SaeLosses::l1));
        return mse && l1 && *mse < *l1;
    });
}

Outcomes l1_rises_first(const Arm& arm) {
    return each(arm, [](const Run& run) { return rises_first(curve(run, &SaeLosses::l1)); });
}

Outcomes blunt(const Arm& arm, const Matrix& sources) {
    double sharp = edge_sharpness(column(sources, step), sources);
    return each(arm, [&](const Run& run) { return run.score.sharpness < sharp / 2; });
}

/// One number of every run, e.g. &Run::fvu.
std::vector<double> each_run(const Arm& arm, double Run::*number) {
    std::vector<double> out;
    for (const Run& run : arm.runs) out.push_back(run.*number);
    return out;
}

/// A mean over runs, against that of untrained SAEs from the same starts.
Finding against_untrained(const Arm& arm, const Arm& untrained, double Run::*number) {
    std::vector<double> here = each_run(arm, number), there = each_run(untrained, number);
    return {mean_measure(here), {paired_control("untrained", here, there)}};
}

/// The share of outcomes, against those of the same starts without penalties.
Finding against_none(const Outcomes& both, const Outcomes& none) {
    return {share_measure(both), {paired_control("without penalties", both, none)}};
}

}  // namespace

// --- run by run ---------------------------------------------------------------------------------

Outcomes recovered(const Arm& arm) {
    return each(arm, [](const Run& run) { return run.score.recovered(); });
}

std::vector<double> redundancy(const Arm& arm) {
    std::vector<double> out;
    for (const Run& run : arm.runs) out.push_back(run.score.redundancy);
    return out;
}

// --- trainings ----------------------------------------------------------------------------------

std::vector<const Arm*> Arms::distinct() const {
    if (alike()) return {&both, &none, &untrained};
    return {&both, &no_decorrelation, &no_l1, &none, &untrained};
}

Arms train_arms(const Trainer& train, double l1, double decorrelation, int64_t n_start,
                uint64_t seed) {
    Arms arms = {.both = {"both", l1, decorrelation},
                 .no_decorrelation = {"L1 only", l1, 0},
                 .no_l1 = {"decorrelation only", 0, decorrelation},
                 .none = {"none", 0, 0},
                 .nudged = {"both, nudged", l1, decorrelation, 0.001},
                 .untrained = {.name = "untrained", .trained = false}};
    if (arms.alike())
        arms.both.name = "both = L1 only", arms.none.name = "none = decorrelation only";

    // Train side by side, one training a thread; what is alike is trained once.
    std::vector<Arm*> list = {&arms.both, &arms.none, &arms.nudged, &arms.untrained};
    if (!arms.alike()) list.insert(list.end(), {&arms.no_decorrelation, &arms.no_l1});
    auto n_arm = static_cast<int64_t>(list.size());
    for (Arm* arm : list) arm->runs.resize(static_cast<size_t>(n_start));
    Progress progress("trained", n_arm * n_start, "SAEs");
    parallel_for(n_arm * n_start, [&](int64_t i) {
        Arm& arm = *list[i / n_start];
        arm.runs[i % n_start] = train(arm, run_seed(seed, i % n_start));
        progress.step();
    });
    if (arms.alike()) arms.no_decorrelation.runs = arms.both.runs, arms.no_l1.runs = arms.none.runs;
    return arms;
}

Arm untrained_arm(const Trainer& train, int64_t n, uint64_t seed) {
    Arm arm = {.name = "untrained SAEs", .trained = false};
    arm.runs.resize(static_cast<size_t>(n));
    parallel_for(n, [&](int64_t i) { arm.runs[i] = train(arm, run_seed(seed, i)); });
    return arm;
}

// --- findings, one for each claim ---------------------------------------------------------------

Finding mixtures_correlate(const Matrix& sources, const Matrix& mixed, const Matrix& mixing) {
    // cov(sum_k s_k a_k, sum_k s_k b_k) = sum_k var(s_k) a_k b_k for sources that do not correlate.
    double ab = 0, aa = 0, bb = 0;
    for (int64_t k = 0; k < mixing.rows; ++k) {
        double v = variance(column(sources, k)), a = mixing.at(k, 0), b = mixing.at(k, 1);
        ab += v * a * b;
        aa += v * a * a;
        bb += v * b * b;
    }
    double r = correlation(column(mixed, 0), column(mixed, 1));
    double r_sources = correlation(column(sources, sine), column(sources, step));
    bool predicted = std::abs(r - ab / std::sqrt(aa * bb)) < 0.01;
    Measure measured = exact_measure(std::abs(r));
    return {measured,
            {exact_control("the sources", measured, std::abs(r_sources))},
            predicted ? "the mixing matrix alone gives this correlation" : ""};
}

Finding recovery(const Arm& both, const Arm& untrained) {
    Measure measured = share_measure(recovered(both));
    Outcomes best = each(untrained, [](const Run& run) { return run.score.best_follow(); });
    return {measured,
            {share_control(untrained.name, measured, share_measure(recovered(untrained))),
             reference("untrained, best per source", share_measure(best))}};
}

Finding mse_falls_first(const Arm& both, const Arm& none) {
    Finding finding = against_none(l1_falls_later(both), l1_falls_later(none));
    std::vector<double> mse, l1;
    for (const Run& run : both.runs) {
        if (auto half = half_time(curve(run, &SaeLosses::mse)))
            mse.push_back(static_cast<double>(*half));
        if (auto half = half_time(curve(run, &SaeLosses::l1)))
            l1.push_back(static_cast<double>(*half));
    }
    if (mse.empty() || l1.empty()) return finding;
    finding.measured.detail += format("; half of the fall after %g and %g epochs, medians",
                                      quantile(mse, 0.5), quantile(l1, 0.5));
    return finding;
}

Finding l1_rises(const Arm& both, const Arm& none) {
    return against_none(l1_rises_first(both), l1_rises_first(none));
}

Finding redundancy_without(const Arm& without, const Arm& both, uint64_t seed) {
    std::vector<double> extra = redundancy(without), with = redundancy(both);
    for (size_t i = 0; i < extra.size(); ++i) extra[i] -= with[i];
    bool alike = without.l1 == both.l1 && without.decorrelation == both.decorrelation;
    return {mean_measure(extra),
            {sign_flip_control("random signs", extra, n_draw, seed)},
            alike ? "this penalty has the weight 0 in the preset, so both arms are the same" : ""};
}

Finding recovery_lost(const Arms& arms, uint64_t seed) {
    // Take the interval from the better of the two arms that lack one.
    Outcomes with = recovered(arms.both), one = recovered(arms.no_decorrelation),
             other = recovered(arms.no_l1);
    const Outcomes& best = share_of(one) >= share_of(other) ? one : other;
    Measure lost = {share_lost(with, one, other), paired_control("", with, best).difference};

    // Deal the three outcomes of every start to the arms at random.
    const Outcomes* outcomes[] = {&with, &one, &other};
    Rng rng(seed);
    std::vector<double> values;
    for (int64_t draw = 0; draw < n_draw; ++draw) {
        Outcomes dealt[3];
        for (size_t run = 0; run < with.size(); ++run) {
            std::vector<int64_t> order = rng.permutation(3);
            for (int64_t i = 0; i < 3; ++i) dealt[i].push_back((*outcomes[order[i]])[run]);
        }
        values.push_back(share_lost(dealt[0], dealt[1], dealt[2]));
    }
    return {
        lost,
        {null_control("arms dealt at random", values)},
        arms.alike() ? "a penalty has the weight 0 in the preset, so an arm lacks nothing" : ""};
}

Finding edges_blunted(const Arm& both, const Arm& nudged, const Matrix& sources) {
    Outcomes before = blunt(both, sources), after = blunt(nudged, sources), changed;
    for (size_t i = 0; i < before.size(); ++i) changed.push_back(before[i] != after[i]);
    return {share_measure(before), {paired_control("changed by a nudge", before, changed)}};
}

Finding error_vanishes(const Arm& none, const Arm& untrained) {
    return against_untrained(none, untrained, &Run::fvu);
}

Finding is_identity(const Arm& none, const Arm& untrained) {
    return against_untrained(none, untrained, &Run::identity_gap);
}

Finding size_tells(const Arm& both) {
    // Where no two latents follow the sources there are none to choose.
    Outcomes told;
    double by_chance = 0;
    for (const Run& run : both.runs) {
        if (!run.score.recovered()) continue;
        told.push_back(run.score.size_tells());
        auto n = static_cast<double>(run.score.n_active);
        by_chance += n >= 2 ? 2 / (n * (n - 1)) : 0;
    }
    if (told.empty()) return {not_measurable("in no training do two latents follow the sources")};
    by_chance /= static_cast<double>(told.size());
    Measure measured = share_measure(told);
    return {measured,
            {exact_control("with the truth at hand", measured, 1),
             reference("two active at random", exact_measure(by_chance))}};
}

}  // namespace vimach::ch01
