// Chapter 2's tables and sentences; see tables.h.
// Single latents are not listed here: rounding alone can exchange them.
#include "tables.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ensure.h"
#include "math/stats.h"
#include "show/html.h"

namespace vimach::ch02 {

namespace {

std::string percent(double share) { return format("%.1f %%", 100 * share); }

}  // namespace

std::string settings_text(const Study& study, const SaeConfig& config, const Lengths& l) {
    return format(
        "%s, %ld wide; tied SAE with %ld latents, %ld kept; Adam %g, %ld epochs; passage: %zu "
        "tokens; topic: %zu words on %zu tokens",
        study.tap.c_str(), config.d_in, config.n_latent, config.top_k, l.rate, l.n_step,
        study.ids.size(), study.topic.ids.size(), study.topic.tokens.size());
}

Table loss_table(const Arms& arms) {
    const std::vector<SaeLosses>&losses = arms.seeds[0].losses, &plain = arms.plain.losses;
    Table table = {.header = {"epoch", "MSE", "L1", "decorrelation", "MSE, plain step"}};
    for (size_t epoch :
         {size_t{0}, size_t{1}, size_t{3}, size_t{10}, size_t{30}, losses.size() - 1}) {
        if (epoch >= losses.size()) continue;
        const SaeLosses& at = losses[epoch];
        add_row(table, {std::to_string(epoch), format("%.5f", at.mse), format("%.5f", at.l1),
                        format("%.4f", at.decorrelation),
                        epoch < plain.size() ? format("%.5f", plain[epoch].mse) : "-"});
    }
    return table;
}

Table responses_table(const Examined& trained, const Examined& untrained) {
    Responses a = responses(trained.summary), b = responses(untrained.summary);
    Table table = {.header = {"latents active on", "trained", "untrained"}};
    auto add = [&](const char* name, double Responses::*share) {
        add_row(table, {name, percent(a.*share), percent(b.*share)});
    };
    add("no token", &Responses::none);
    add("up to 10 % of the tokens", &Responses::few);
    add("up to 50 %", &Responses::some);
    add("more, not all", &Responses::most);
    add("all tokens", &Responses::all);
    return table;
}

Table count_table(const Examined& trained, const Examined& untrained) {
    Table table = {.header = {"latents", "trained", "untrained"}};
    auto add = [&](const char* name, auto&& text) {
        add_row(table, {name, text(trained), text(untrained)});
    };
    auto count = [](const Examined& e, auto&& meets) {
        return std::to_string(std::ranges::count_if(e.tested, meets));
    };
    add("active",
        [&](const Examined& e) { return count(e, [](const Tested& t) { return t.density > 0; }); });
    add("high ratio for geography", [&](const Examined& e) { return percent(e.high[0]); });
    add("high ratio for random sets, mean and range", [&](const Examined& e) {
        std::vector<double> null(e.high.begin() + 1, e.high.end());
        Interval range = central_95(null);
        return percent(mean(null)) + " [" + percent(range.low) + ", " + percent(range.high) + "]";
    });
    add("active on geography alone (ratio infinite)", [&](const Examined& e) {
        return count(e, [](const Tested& t) { return std::isinf(t.ratio); });
    });
    add("p of max below 0.05, ratio", [&](const Examined& e) {
        return count(e, [](const Tested& t) {
            return std::isfinite(t.ratio) && t.density > 0 && t.ratio_p_max < 0.05;
        });
    });
    add("p of max below 0.05, AUC", [&](const Examined& e) {
        return count(e, [](const Tested& t) { return t.density > 0 && t.auc_p_max < 0.05; });
    });
    return table;
}

Table best_table(const Examined& examined) {
    Table table = {.header = {"best by", "highest", "lowest", "p of max of the best", "coverage",
                              "on filler"}};
    auto add = [&](const char* name, const std::vector<int64_t>& best, double Tested::*score,
                   double Tested::*p_max) {
        if (best.empty()) return;
        const std::vector<Tested>& t = examined.tested;
        double coverage = 0, filler = 0, one = 1 / static_cast<double>(best.size());
        for (int64_t j : best) coverage += one * t[j].coverage, filler += one * t[j].filler;
        add_row(table,
                {name, format("%.3f", t[best.front()].*score),
                 format("%.3f", t[best.back()].*score), format("%.3f", t[best.front()].*p_max),
                 format("%.2f", coverage), format("%.2f", filler)});
    };
    add("AUC", examined.best_auc, &Tested::auc, &Tested::auc_p_max);
    add("ratio", examined.best_ratio, &Tested::ratio, &Tested::ratio_p_max);
    return table;
}

Table overlap_table(const Groups& groups) {
    Table table = {.header = {"of the ten best by AUC, found again", "share", "density", "FVU"}};
    auto add = [&](const std::string& name, const std::vector<double>& shares, const Examined& e) {
        add_row(table, {name, format("%.3f", mean(shares)), format("%.4f", e.summary.density()),
                        format("%.4f", e.summary.fvu)});
    };
    auto pairs = [&](const std::string& name, const Group& group) {
        if (group.size() >= 2) add(name, pair_overlaps(group), group[0]);
    };
    pairs("another start", groups.trained);
    pairs("another start, untrained", groups.untrained);
    pairs("another start, more text", groups.more_text);
    pairs("another start, longer", groups.longer);
    pairs("another start, longer, more text", groups.longer_more);
    add("a learning rate 1 % higher", paired_overlaps(groups.trained, groups.nudged),
        groups.nudged[0]);
    for (const Examined& other : groups.other_k) {
        add(format("k = %ld", other.top_k), {overlap(groups.trained[0], other)}, other);
    }
    return table;
}

Table lit_table(const Study& study, const std::vector<double>& lit) {
    Table table = {.header = {"token", "word", "neurons"}};
    for (int64_t i : study.topic.tokens) {
        std::string word(study.tokenizer.token_bytes(study.ids[i]));
        add_row(table, {std::to_string(i), visible_text(word, false), format("%.0f", lit[i])});
    }
    add_row(table, {"-", "the median token", format("%.1f", quantile(lit, 0.5))});
    return table;
}

std::string twins_text(const Twins& twins) {
    return format(
        "%s of the first SAE's active latents have a twin, another latent that correlates with "
        "them by %g or more (untrained %s).",
        percent(twins.trained[0].twins).c_str(), same_latent,
        percent(twins.untrained[0].twins).c_str());
}

std::string density_text(const Examined& trained, const Examined& untrained) {
    double ceiling = density_ceiling(trained);
    const SaeSummary &now = trained.summary, &start = untrained.summary;
    return format(
        "FVU %.4f, L0 (active latents of a token) %.1f of at most %ld; untrained: FVU %.4f, L0 "
        "%.1f. Density %.4f, at most k / n_latent = %.4f; of latents that are active at all: mean "
        "%.4f, median %.4f. Share of latents that are active on at least one token: %.4f "
        "(possible: %.4f; before training: %.4f).",
        now.fvu, now.l0, trained.top_k, start.fvu, start.l0, now.density(), ceiling,
        active_density(now, mean_of), active_density(now, median_of), now.ever_active(),
        std::min(1.0, ceiling * static_cast<double>(now.n_row)), start.ever_active());
}

std::string moved_text(const Arms& arms, const Groups& groups) {
    const Moved &document = groups.trained[0].moved, &longer = groups.longer[0].moved;
    const Training &as_document = arms.seeds[0], &long_one = arms.longer[0];
    return format(
        "This SAE has %s: after %ld steps of %g, the decoder rows of its active latents have a "
        "mean cosine of %.3f with their random start, and the activations a mean correlation of "
        "%.2f with those before training. After %ld steps of %g these are %.3f and %.2f, and the "
        "FVU is %.4f.",
        document.cosine >= hardly_moved ? "hardly moved" : "moved", as_document.n_step,
        as_document.rate, document.cosine, document.r, long_one.n_step, long_one.rate,
        longer.cosine, longer.r, groups.longer[0].summary.fvu);
}

Table tying_table(const Fits& tied, const Fits& untied) {
    Table table = {
        .header = {"weights", "parameters", "FVU learnt", "held out", "untrained, held out"}};
    auto add = [&](const char* name, const Fits& f) {
        add_row(table, {name, std::to_string(f.n_parameter), format("%.4f", f.fit[0]),
                        format("%.4f", mean(f.held)), format("%.4f", mean(f.untrained_held))});
    };
    add("tied", tied);
    add("untied", untied);
    return table;
}

std::string answer_text(const Groups& groups) {
    const Examined& own = groups.trained[0];
    Finding high = high_scores(groups), filler = fires_on_filler(groups);
    const Control& null = high.controls[0];
    int64_t n_clear = std::ranges::count_if(own.tested, [](const Tested& t) {
        return t.density > 0 && std::isfinite(t.ratio) && t.ratio_p_max < 0.05;
    });
    std::string clear = n_clear == 0   ? "none of them beats"
                        : n_clear == 1 ? "1 of them beats"
                                       : format("%ld of them beat", n_clear);
    return format(
        "%s of the active latents have a ratio of 2 or more for geography words, %s for random "
        "words. In the first SAE %s chance after correction for testing all latents. The ten best "
        "have %s of their activation on punctuation and function words, untrained ones %s.",
        percent(high.measured.value).c_str(), percent(null.measure.value).c_str(), clear.c_str(),
        percent(filler.measured.value).c_str(), percent(filler.controls[1].measure.value).c_str());
}

}  // namespace vimach::ch02
