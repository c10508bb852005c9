// Chapter 2's claims: each with SAEs made up so that it holds and so that it does not, through the
// chapter's own functions and with the control that it really has.
#include <doctest/doctest.h>

#include "chapters/02_palinka_sae/splice.h"
#include "core/rng.h"
#include "verdict_of.h"

using namespace vimach;
using namespace vimach::ch02;

namespace {

Verdict verdict_of(const char* id, const Finding& finding) {
    return test::verdict_of("02_palinka_sae", id, finding);
}

/// SAE i of a group, of four; made-up numbers differ a little from SAE to SAE.
double around(double value, int64_t i) { return value * (1 + 0.01 * static_cast<double>(i % 3)); }

Group four(const std::function<Examined(int64_t i)>& make_up) {
    Group group;
    for (int64_t i = 0; i < 4; ++i) group.push_back(make_up(i));
    return group;
}

/// SAEs of 1,000 latents on 100 tokens, k = 10: so many are active on no token, so many on all; the
/// others on `n_token`.
Group responding(int64_t n_none, int64_t n_all, int64_t n_token = 3) {
    return four([&](int64_t i) {
        Examined e = {.top_k = 10, .latents = Tensor({100, 1000})};
        e.summary.n_row = 100;
        e.summary.n_active.assign(1000, n_token);
        std::fill_n(e.summary.n_active.begin(), n_none + i, 0);
        std::fill_n(e.summary.n_active.end() - n_all, n_all, 100);
        return e;
    });
}

/// SAEs with a number for geography, and for 200 random sets numbers around another one.
Group scoring(std::vector<double> Examined::*of_sets, double geography, double random) {
    return four([&](int64_t i) {
        Examined e;
        Rng rng(static_cast<uint64_t>(i));
        (e.*of_sets).push_back(around(geography, i));
        for (int set = 0; set < 200; ++set) {
            (e.*of_sets).push_back(random * (0.9 + 0.2 * rng.uniform()));
        }
        return e;
    });
}

/// SAEs whose ten best latents are the first ones of those that `seed` draws, or random ones where
/// `seed` is 0; `n_same` of them are.
Group finding_again(int64_t n_same, double cosine = 0.5) {
    return four([&](int64_t i) {
        Examined e = {.latents = Tensor({40, n_best}), .moved = {cosine, 0.5}};
        Rng shared(77), own(static_cast<uint64_t>(100 + i));
        for (int64_t j = 0; j < n_best; ++j) {
            for (int64_t t = 0; t < 40; ++t) {
                double common = shared.normal(), alone = own.normal();
                e.latents.row(t)[j] = static_cast<Real>(j < n_same ? common : alone);
            }
            e.best_auc.push_back(j);
        }
        return e;
    });
}

/// The same SAEs once more: each the twin of its partner.
Finding start(const Group& trained, const Group& nudged) {
    return start_matters({.trained = trained, .nudged = nudged});
}

Fits fits_of(double fit, double held, double untrained_fit, double untrained_held) {
    Fits f = {.n_parameter = 100};
    for (int64_t i = 0; i < 4; ++i) {
        f.fit.push_back(around(fit, i));
        f.held.push_back(around(held, i));
        f.untrained_fit.push_back(around(untrained_fit, i));
        f.untrained_held.push_back(around(untrained_held, i));
    }
    return f;
}

}  // namespace

TEST_CASE("chapter 2: claim 2a can hold, and can fail") {
    Fits tied = fits_of(0.07, 0.3, 0.5, 0.5), untied = fits_of(0.1, 0.6, 0.6, 0.6);
    CHECK(verdict_of("2a fit", held_out_error(tied, untied)) == Verdict::reproduced);
    CHECK(verdict_of("2a fit", held_out_error(tied, fits_of(0.1, 0.6, 1.1, 1.1))) ==
          Verdict::control_holds);
    CHECK(verdict_of("2a fit", held_out_error(tied, fits_of(0.1, 0.31, 0.5, 0.5))) ==
          Verdict::not_reproduced);
    CHECK(verdict_of("2a gap", overfitting_gap(tied, untied)) == Verdict::reproduced);
    CHECK(verdict_of("2a gap", overfitting_gap(tied, fits_of(0.1, 0.6, 0.5, 1.1))) ==
          Verdict::control_holds);
    CHECK(verdict_of("2a gap", overfitting_gap(tied, fits_of(0.4, 0.6, 0.5, 0.5))) ==
          Verdict::not_reproduced);

    // Half of the parameters is forced where nothing but the matrix is left out.
    untied.n_parameter = 200;
    CHECK(verdict_of("2a half", half_parameters(tied, untied)) == Verdict::forced);
    untied.n_parameter = 150;
    CHECK(verdict_of("2a half", half_parameters(tied, untied)) == Verdict::not_reproduced);
    untied.n_parameter = 210;
    CHECK(verdict_of("2a half", half_parameters(tied, untied)) == Verdict::reproduced);
}

TEST_CASE("chapter 2: claims 2b and 2c can hold, and can fail") {
    using Find = Finding (*)(const Groups&);
    auto now = [](const char* id, Find find, const Group& trained, const Group& untrained) {
        return verdict_of(id, find({.trained = trained, .untrained = untrained}));
    };
    Group few = responding(950, 0), some = responding(400, 0), busy = responding(0, 300),
          one_busy = responding(500, 1);

    // With k = 10 of 1,000 the density can be 0.01: 10 tokens for every latent.
    CHECK(now("2b volume", small_volume, responding(0, 0, 1), some) == Verdict::forced);
    Group near = responding(0, 0, 1);  // seven tenths of what k = 14 allows
    for (Examined& e : near) e.top_k = 14;
    CHECK(now("2b volume", small_volume, near, some) != Verdict::forced);
    Group loose = responding(950, 0);
    for (Examined& e : loose) e.top_k = 500;
    CHECK(now("2b volume", small_volume, loose, some) == Verdict::reproduced);
    for (Examined& e : busy) e.top_k = 900;
    CHECK(now("2b volume", small_volume, busy, some) == Verdict::not_reproduced);

    CHECK(now("2b latents", latents_survive, few, some) == Verdict::reproduced);
    CHECK(now("2b latents", latents_survive, few, responding(980, 0)) == Verdict::control_holds);
    CHECK(now("2b latents", latents_survive, some, some) == Verdict::not_reproduced);
    CHECK(now("2c none", latents_silent, few, some) == Verdict::reproduced);
    CHECK(now("2c none", latents_silent, few, few) == Verdict::control_holds);
    CHECK(now("2c none", latents_silent, some, few) == Verdict::not_reproduced);
    CHECK(now("2c all", latents_always, one_busy, busy) == Verdict::reproduced);
    CHECK(now("2c all", latents_always, few, some) == Verdict::control_holds);
    CHECK(now("2c all", latents_always, busy, few) == Verdict::not_reproduced);
}

TEST_CASE("chapter 2: claims 2d and 2e can hold, and can fail") {
    auto high = [](double geography, double random) {
        Group group = scoring(&Examined::high, geography, random);
        return verdict_of("2d", high_scores({.trained = group, .untrained = group}));
    };
    CHECK(high(0.3, 0.1) == Verdict::reproduced);
    CHECK(high(0.12, 0.14) == Verdict::control_holds);
    CHECK(high(0.05, 0.02) == Verdict::not_reproduced);

    auto filler = [](double geography, double random, double untrained) {
        return verdict_of(
            "2e", fires_on_filler({.trained = scoring(&Examined::filler, geography, random),
                                   .untrained = scoring(&Examined::filler, untrained, random)}));
    };
    CHECK(filler(0.4, 0.1, 0.1) == Verdict::reproduced);
    CHECK(filler(0.4, 0.4, 0.1) == Verdict::control_holds);
    CHECK(filler(0.4, 0.1, 0.4) == Verdict::control_holds);
    CHECK(filler(0.05, 0.01, 0.01) == Verdict::not_reproduced);
}

TEST_CASE("chapter 2: claim 2f can hold, and can fail") {
    Group apart = finding_again(1), together = finding_again(9);
    CHECK(verdict_of("2f seed", start(apart, apart)) == Verdict::reproduced);
    CHECK(verdict_of("2f seed", start(together, together)) == Verdict::not_reproduced);

    // Another rate finds none of them either: then the start is not what matters.
    Group elsewhere = finding_again(0);
    for (Examined& e : elsewhere) {
        for (Real& value : e.latents.data) value = std::abs(value);
        std::ranges::reverse(e.latents.data);
    }
    CHECK(verdict_of("2f seed", start(finding_again(0), elsewhere)) == Verdict::control_holds);

    // Beside it stands the lowest of what the other rate finds again.
    Group uneven = together;
    std::ranges::fill(uneven[2].latents.data, Real(0));
    Finding lowest = start_matters({.trained = together, .nudged = uneven});
    CHECK(lowest.controls.at(0).measure.value == 0);
    CHECK(start_matters({.trained = together, .nudged = together}).controls[0].measure.value == 1);

    std::vector<Training> trainings(4);
    for (const char* id : {"2f data", "2f data long"}) {
        auto now = [&](const Group& more, const Group& without) {
            return verdict_of(id, text_helps(trainings, more, without));
        };
        CHECK(now(together, apart) == Verdict::reproduced);
        CHECK(now(together, finding_again(9)) == Verdict::control_holds);
        CHECK(now(apart, apart) == Verdict::not_reproduced);
        CHECK(now(finding_again(9, 0.99), apart) == Verdict::forced);
    }
    Group pair(together.begin(), together.begin() + 2);
    CHECK(verdict_of("2f data long", text_helps(trainings, pair, apart)) == Verdict::undecided);
}

TEST_CASE("chapter 2: claims 2g and 2h can hold, and can fail") {
    // Ten words and 200 other tokens light so many of 1,000 neurons each.
    auto lights = [](const char* id, double words, double others, double unit) {
        std::vector<double> lit;
        std::vector<int64_t> topic;
        for (int64_t i = 0; i < 210; ++i) {
            lit.push_back(around(i < 10 ? words : others, i));
            if (i < 10) topic.push_back(i);
        }
        return verdict_of(id, word_lights(lit, topic, unit, 1));
    };
    CHECK(lights("2g", 300, 100, 1) == Verdict::reproduced);
    CHECK(lights("2g", 300, 310, 1) == Verdict::control_holds);
    CHECK(lights("2g", 30, 20, 1) == Verdict::not_reproduced);
    CHECK(lights("2g share", 300, 100, 1000) == Verdict::reproduced);
    CHECK(lights("2g share", 300, 310, 1000) == Verdict::control_holds);
    CHECK(lights("2g share", 20, 10, 1000) == Verdict::not_reproduced);
    CHECK(verdict_of("2g", word_lights({100, 200}, {0, 1}, 1, 1)) == Verdict::undecided);

    // Latents that follow one of a few patterns, with noise of their own.
    auto noisy = [](double noise) {
        return four([&](int64_t i) {
            Rng rng(static_cast<uint64_t>(i + 1));
            Examined e = {.latents = Tensor({50, 30})};
            for (int64_t t = 0; t < 50; ++t) {
                double pattern[3] = {rng.normal(), rng.normal(), rng.normal()};
                for (int64_t j = 0; j < 30; ++j) {
                    e.latents.row(t)[j] = static_cast<Real>(pattern[j % 3] + noise * rng.normal());
                }
            }
            return e;
        });
    };
    auto twins = [&](double trained, double untrained) {
        return find_twins({.trained = noisy(trained), .untrained = noisy(untrained)});
    };
    CHECK(verdict_of("2h", latents_correlate(twins(0.1, 5))) == Verdict::reproduced);
    CHECK(verdict_of("2h", latents_correlate(twins(0.1, 0.1))) == Verdict::control_holds);
}

TEST_CASE("chapter 2: sparse latents that are active by chance do not correlate") {
    Groups groups;
    for (Group* group : {&groups.trained, &groups.untrained}) {
        *group = four([&](int64_t i) {
            Rng rng(static_cast<uint64_t>(i + 1));
            Examined e = {.latents = Tensor({238, 200})};
            for (Real& value : e.latents.data) {
                value = static_cast<Real>(std::max(rng.normal() - 1, 0.0));
            }
            return e;
        });
    }
    CHECK(verdict_of("2h", latents_correlate(find_twins(groups))) == Verdict::not_reproduced);
}

TEST_CASE("chapter 2: claim 2i can hold, and can fail") {
    auto now = [](double saes, double projections) {
        std::vector<Spliced> list;
        std::vector<double> null;
        for (int64_t i = 0; i < 4; ++i) list.push_back({.recovered = around(saes, i)});
        for (int64_t i = 0; i < 40; ++i) null.push_back(around(projections, i));
        return verdict_of("2i", loss_recovered(list, null));
    };
    CHECK(now(0.95, 0.7) == Verdict::reproduced);
    CHECK(now(0.95, 0.97) == Verdict::control_holds);
    CHECK(now(0.6, 0.3) == Verdict::not_reproduced);
}
