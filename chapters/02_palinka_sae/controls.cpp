// Chapter 2's controls and verdicts; see controls.h.
// Random draws come from generators seeded per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>

#include "core/ensure.h"
#include "core/rng.h"
#include "math/stats.h"

namespace vimach::palinka {

namespace {

constexpr int64_t n_draw = 1000;  // of a bootstrap, and of random tokens

}  // namespace

Responses responses(const SaeSummary& summary) {
    Responses out;
    double one = 1 / static_cast<double>(summary.n_live.size());
    for (int64_t n : summary.n_live) {
        double share = static_cast<double>(n) / static_cast<double>(summary.n_row);
        double& bin = n == 0               ? out.none
                      : n == summary.n_row ? out.all
                      : share <= 0.1       ? out.few
                      : share <= 0.5       ? out.some
                                           : out.most;
        bin += one;
    }
    return out;
}

double live_density(const SaeSummary& summary, Middle middle) {
    std::vector<double> live;
    for (int64_t n : summary.n_live) {
        if (n > 0) live.push_back(static_cast<double>(n) / static_cast<double>(summary.n_row));
    }
    if (live.empty()) return 0;
    return middle == mean_of ? mean(live) : quantile(live, 0.5);
}

Measure difference_measure(const std::vector<double>& a, const std::vector<double>& b,
                           uint64_t seed) {
    ensure(a.size() == b.size(), "the samples differ in length", "difference_measure",
           "pass pairs");
    std::vector<double> out;
    for (size_t i = 0; i < a.size(); ++i) out.push_back(a[i] - b[i]);
    return mean_measure(out, n_draw, seed);
}

Measure seed_null(const std::vector<double>& sample) {
    std::vector<double> out = {0};
    for (size_t i = 0; i < sample.size(); ++i) {
        for (size_t j = 0; j < sample.size(); ++j) {
            if (i != j) out.push_back(sample[i] - sample[j]);
        }
    }
    return {0, central_95(out)};
}

// --- stability ----------------------------------------------------------------------------------

double overlap(const Examined& a, const Examined& b, double same) {
    ensure(a.latents.rows == b.latents.rows, "the latents are of different tokens", "overlap", "");
    double n_found = 0;
    for (int64_t i : a.best_auc) {
        std::vector<double> own = column(a.latents, i);
        n_found += std::ranges::any_of(
            b.best_auc, [&](int64_t j) { return correlation(own, column(b.latents, j)) >= same; });
    }
    return a.best_auc.empty() ? 0 : n_found / static_cast<double>(a.best_auc.size());
}

std::vector<double> pair_overlaps(const std::vector<Examined>& list, double same) {
    std::vector<double> out;
    for (size_t i = 0; i < list.size(); ++i) {
        for (size_t j = 0; j < i; ++j) out.push_back(overlap(list[i], list[j], same));
    }
    return out;
}

std::vector<double> paired_overlaps(const std::vector<Examined>& a, const std::vector<Examined>& b,
                                    double same) {
    std::vector<double> out;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        out.push_back(overlap(a[i], b[i], same));
    }
    return out;
}

// --- neurons ------------------------------------------------------------------------------------

std::vector<double> lit_neurons(const Tensor& mlp_post, double lit) {
    std::vector<double> out;
    for (int64_t i = 0; i < mlp_post.rows(); ++i) {
        out.push_back(static_cast<double>(
            std::ranges::count_if(mlp_post.row(i), [&](Real value) { return value > lit; })));
    }
    return out;
}

Measure lit_by_topic(const std::vector<double>& lit, const std::vector<int64_t>& topic,
                     uint64_t seed) {
    std::vector<double> own;
    for (int64_t i : topic) own.push_back(lit[i]);
    return mean_measure(own, n_draw, seed);
}

Measure lit_by_others(const std::vector<double>& lit, const std::vector<int64_t>& topic,
                      uint64_t seed) {
    std::vector<int64_t> others;
    for (size_t i = 0; i < lit.size(); ++i) {
        auto at = static_cast<int64_t>(i);
        if (std::ranges::find(topic, at) == topic.end()) others.push_back(at);
    }
    Rng rng(seed);
    std::vector<double> means;
    for (int64_t draw = 0; draw < n_draw; ++draw) {
        double total = 0;
        for (size_t k = 0; k < topic.size(); ++k) {
            total += lit[others[rng.below(static_cast<int64_t>(others.size()))]];
        }
        means.push_back(total / static_cast<double>(topic.size()));
    }
    return {mean(means), central_95(means)};
}

// --- findings -----------------------------------------------------------------------------------

namespace {

/// Density, and the shares of latents that are live, dead and always live, over seeds.
void measure_responses(const std::vector<SaeSummary>& seeds, uint64_t seed, Measure& density,
                       Measure& alive, Measure& dead, Measure& always) {
    std::vector<double> all[4];
    for (const SaeSummary& summary : seeds) {
        all[0].push_back(summary.density());
        all[1].push_back(summary.alive());
        all[2].push_back(responses(summary).none);
        all[3].push_back(responses(summary).all);
    }
    Measure* out[] = {&density, &alive, &dead, &always};
    for (size_t i = 0; i < 4; ++i) *out[i] = mean_measure(all[i], n_draw, seed);
}

/// The share of their activation that the best latents by ratio have on function words and marks.
Measure filler_share(const std::vector<Examined>& seeds, uint64_t seed) {
    std::vector<double> shares;
    for (const Examined& one : seeds) {
        std::vector<double> own;
        for (int64_t j : one.best_ratio) own.push_back(one.tested[j].filler);
        shares.push_back(own.empty() ? 0 : mean(own));
    }
    return mean_measure(shares, n_draw, seed);
}

/// The mean of overlaps of ten latents each, as a share of all these latents.
Measure return_measure(const std::vector<double>& overlaps) {
    double total = 10 * mean(overlaps) * static_cast<double>(overlaps.size());
    return share_measure(std::llround(total), 10 * static_cast<int64_t>(overlaps.size()));
}

}  // namespace

Findings find(const std::vector<SaeSummary>& trained, const std::vector<SaeSummary>& untrained,
              const Examined& own, const Stability& stable, const Criteria& criteria,
              uint64_t seed) {
    // 2b and 2c: to how many tokens latents answer.
    Findings f;
    measure_responses(trained, seed, f.density, f.alive, f.dead, f.always);
    measure_responses(untrained, seed, f.density_untrained, f.alive_untrained, f.dead_untrained,
                      f.always_untrained);

    // 2d: high ratios over seeds, and for random sets.
    std::vector<double> high, null = share_high(own.scores, own.tested, criteria.high);
    for (const Examined& one : stable.seeds) {
        high.push_back(share_high(one.scores, one.tested, criteria.high)[0]);
    }
    null.erase(null.begin());
    f.high = mean_measure(high, n_draw, seed);
    f.high_null = {mean(null), central_95(null)};

    // 2e: what the best fire on besides.
    f.on_filler = filler_share(stable.seeds, seed);
    f.on_filler_untrained = filler_share(stable.blank, seed);

    // 2f: what comes back.
    f.seeds = return_measure(pair_overlaps(stable.seeds, criteria.same));
    f.richer = return_measure(pair_overlaps(stable.richer, criteria.same));
    f.nudged = return_measure(paired_overlaps(stable.seeds, stable.nudged, criteria.same));
    return f;
}

// --- verdicts -----------------------------------------------------------------------------------

namespace {

using Side = Criterion::Side;

/// 2a and 2b: what tying and top-k decide by themselves, and what training has to show.
void judge_size(const Findings& f, const Criteria& criteria, std::vector<OldClaim>& claims) {
    auto tied = static_cast<double>(f.n_tied), untied = static_cast<double>(f.n_untied);
    claims.push_back({.id = "2a half",
                      .text = "tying halves the number of free parameters",
                      .document = "50 %",
                      .measure = "parameters tied over untied; control: untied over untied",
                      .measured = exact_measure(tied / untied),
                      .control = exact_measure(1),
                      .criterion = {Side::at_most, 0.5},
                      .forced_by = 2 * f.n_tied == f.n_untied ? "one matrix where two were" : ""});
    claims.push_back({.id = "2a fit",
                      .text = "tying reduces overfitting",
                      .document = "-",
                      .measure = "FVU on tokens held out, untied minus tied; control: seeds, both "
                                 "tied",
                      .measured = f.overfitting,
                      .control = f.overfitting_null,
                      .criterion = {Side::at_least, criteria.overfitting}});
    bool full = f.density.value >= 0.95 * f.ceiling;
    claims.push_back(
        {.id = "2b volume",
         .text = "a small part of all activations survives",
         .document = "~6.5 %",
         .measure = "share of latents and tokens that are live; control: untrained SAEs",
         .measured = f.density,
         .control = f.density_untrained,
         .criterion = {Side::at_most, criteria.small_part},
         .forced_by = full ? "k / n_latent" : ""});
    claims.push_back(
        {.id = "2b latents",
         .text = "a small part of the latent layer survives training",
         .document = "~6.5 %",
         .measure = "share of latents live on one token or more; control: untrained SAEs",
         .measured = f.alive,
         .control = f.alive_untrained,
         .criterion = {Side::at_most, criteria.small_part}});
}

/// 2c to 2e: to what latents answer.
void judge_latents(const Findings& f, const Criteria& criteria, std::vector<OldClaim>& claims) {
    claims.push_back({.id = "2c none",
                      .text = "more than half of the latents never answer to any token",
                      .document = "> 50 %",
                      .measure = "share of latents; control: untrained SAEs",
                      .measured = f.dead,
                      .control = f.dead_untrained,
                      .criterion = {Side::at_least, criteria.dead}});
    claims.push_back({.id = "2c all",
                      .text = "very few latents answer to all tokens",
                      .document = "a rare few",
                      .measure = "share of latents; control: untrained SAEs",
                      .measured = f.always,
                      .control = f.always_untrained,
                      .criterion = {Side::at_most, criteria.always}});
    claims.push_back(
        {.id = "2d",
         .text = "many latents get a high geography score",
         .document = "-",
         .measure = format("share of live latents with a ratio of at least %g; control: "
                           "random sets of content words",
                           criteria.high),
         .measured = f.high,
         .control = f.high_null,
         .criterion = {Side::at_least, criteria.many}});
    claims.push_back({.id = "2e",
                      .text = "latents with a high score also fire on marks and function words",
                      .document = "heatmap",
                      .measure = "share of their activation that lies there, ten best by ratio; "
                                 "control: ten best of untrained SAEs",
                      .measured = f.on_filler,
                      .control = f.on_filler_untrained,
                      .criterion = {Side::at_least, criteria.on_filler}});
}

}  // namespace

std::vector<OldClaim> judge(const Findings& f, const Criteria& criteria) {
    std::vector<OldClaim> claims;
    judge_size(f, criteria, claims);
    judge_latents(f, criteria, claims);
    claims.push_back({.id = "2f seed",
                      .text = "results depend strongly on what should not matter",
                      .document = "-",
                      .measure = "share of the ten best latents that another seed finds as well; "
                                 "control: the same seed, learning rate 1 % higher",
                      .measured = f.seeds,
                      .control = f.nudged,
                      .criterion = {Side::at_most, criteria.comes_back}});
    claims.push_back({.id = "2f data",
                      .text = "results suffer from too little data",
                      .document = "-",
                      .measure = "that share among SAEs with ten times more text; control: without",
                      .measured = f.richer,
                      .control = f.seeds,
                      .criterion = {Side::at_least, criteria.comes_back}});
    claims.push_back({.id = "2g",
                      .text = "one word lights hundreds of neurons",
                      .document = "hundreds",
                      .measure = format("neurons of mlp_post above %g, mean over the geography "
                                        "words; control: as many other tokens",
                                        criteria.lit),
                      .measured = f.lit,
                      .control = f.lit_others,
                      .criterion = {Side::at_least, criteria.hundreds}});
    return claims;
}

}  // namespace vimach::palinka
