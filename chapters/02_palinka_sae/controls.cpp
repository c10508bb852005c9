// Chapter 2's controls; see controls.h.
// Random draws come from generators seeded per call, in a fixed order, so that runs repeat.
#include "controls.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/ensure.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "math/blas.h"
#include "math/stats.h"

namespace vimach::ch02 {

namespace {

constexpr int64_t n_draw = 1000;   // of random tokens
constexpr double lit_above = 0.1;  // of a neuron: a tenth of its unit, far from gelu's floor

/// One number a SAE.
std::vector<double> each(const Group& group, const std::function<double(const Examined&)>& number) {
    std::vector<double> out;
    for (const Examined& e : group) out.push_back(number(e));
    return out;
}

/// A mean over SAEs, against the same SAEs untrained.
Finding against_untrained(const Groups& groups,
                          const std::function<double(const Examined&)>& number) {
    std::vector<double> here = each(groups.trained, number), there = each(groups.untrained, number);
    return {mean_measure(here), {paired_control("untrained", here, there)}};
}

std::vector<double> minus(std::vector<double> a, const std::vector<double>& b) {
    ensure(a.size() == b.size(), "the samples differ in length", "minus", "pass pairs");
    for (size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
    return a;
}

/// What random sets come to: of each set, the mean over SAEs of a list that begins with the topic.
Control random_words(const Group& group, std::vector<double> Examined::*of_sets) {
    std::vector<double> values;
    for (size_t set = 1; set < (group[0].*of_sets).size(); ++set) {
        values.push_back(mean(each(group, [&](const Examined& e) { return (e.*of_sets)[set]; })));
    }
    return null_control("random word sets", values);
}

}  // namespace

Groups examine_all(const Arms& arms, const Study& study, const Tensor& x, RatioRule ratio,
                   int64_t n_set) {
    // Ask those that the claims ask about for random words as well, all others for the topic.
    Groups out;
    Question question = {x.matrix(), {study.topic.tokens}, study.kinds, ratio};
    Question topic_only = question;
    for (auto& set : random_topics(study.tokenizer, study.topic, study.ids, n_set, study.seed)) {
        question.sets.push_back(set);
    }
    for (const Training& t : arms.seeds) {
        out.trained.push_back(examine(t.sae, question));
        bool first = out.untrained.empty();
        out.untrained.push_back(examine(t.start(), first ? question : topic_only));
        out.trained.back().moved = moved(t, out.trained.back(), out.untrained.back());
    }
    auto look = [&](const std::vector<Training>& trainings, Group& group) {
        for (size_t i = 0; i < trainings.size(); ++i) {
            group.push_back(examine(trainings[i].sae, topic_only));
            if (trainings[i].config.top_k != arms.seeds[0].config.top_k) continue;
            group.back().moved = moved(trainings[i], group.back(), out.untrained[i]);
        }
    };
    look(arms.nudged, out.nudged);
    look(arms.more_text, out.more_text);
    look(arms.longer, out.longer);
    look(arms.longer_more, out.longer_more);
    look(arms.other_k, out.other_k);
    return out;
}

// --- how many tokens latents are active on ------------------------------------------------------

Responses responses(const SaeSummary& summary) {
    Responses out;
    double one = 1 / static_cast<double>(summary.n_active.size());
    for (int64_t n : summary.n_active) {
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

double active_density(const SaeSummary& summary, Middle middle) {
    std::vector<double> active;
    for (int64_t n : summary.n_active) {
        if (n > 0) active.push_back(static_cast<double>(n) / static_cast<double>(summary.n_row));
    }
    if (active.empty()) return 0;
    return middle == mean_of ? mean(active) : quantile(active, 0.5);
}

double density_ceiling(const Examined& e) {
    return static_cast<double>(e.top_k) / static_cast<double>(e.latents.cols());
}

Finding small_volume(const Groups& groups) {
    double ceiling = density_ceiling(groups.trained[0]);
    Finding finding =
        against_untrained(groups, [](const Examined& e) { return e.summary.density(); });
    bool full = finding.measured.value >= 0.95 * ceiling;
    finding.forced_by =
        full ? format("top-k keeps k / n_latent = %.4f of them, whatever it has learnt", ceiling)
             : "";
    return finding;
}

Finding latents_survive(const Groups& groups) {
    return against_untrained(groups, [](const Examined& e) { return e.summary.ever_active(); });
}

Finding latents_silent(const Groups& groups) {
    return against_untrained(groups, [](const Examined& e) { return responses(e.summary).none; });
}

Finding latents_always(const Groups& groups) {
    return against_untrained(groups, [](const Examined& e) { return responses(e.summary).all; });
}

// --- tying --------------------------------------------------------------------------------------

Fits fits(const std::vector<Training>& trainings, const Data& data) {
    Fits out = {.n_parameter = trainings.at(0).config.n_parameter()};
    for (const Training& t : trainings) {
        Sae start = t.start();
        out.fit.push_back(summarise(t.sae, data.fit.matrix()).fvu);
        out.held.push_back(summarise(t.sae, data.held.matrix()).fvu);
        out.untrained_fit.push_back(summarise(start, data.fit.matrix()).fvu);
        out.untrained_held.push_back(summarise(start, data.held.matrix()).fvu);
    }
    return out;
}

Finding half_parameters(const Fits& tied, const Fits& untied) {
    Measure measured = exact_measure(static_cast<double>(tied.n_parameter) /
                                     static_cast<double>(untied.n_parameter));
    bool half = 2 * tied.n_parameter == untied.n_parameter;
    return {measured,
            {exact_control("untied", measured, 1)},
            half ? "one matrix stands where two were" : ""};
}

Finding held_out_error(const Fits& tied, const Fits& untied) {
    std::vector<double> trained = minus(untied.held, tied.held);
    return {
        mean_measure(trained),
        {paired_control("untrained", trained, minus(untied.untrained_held, tied.untrained_held))}};
}

Finding overfitting_gap(const Fits& tied, const Fits& untied) {
    std::vector<double> trained = minus(minus(untied.held, untied.fit), minus(tied.held, tied.fit)),
                        untrained = minus(minus(untied.untrained_held, untied.untrained_fit),
                                          minus(tied.untrained_held, tied.untrained_fit));
    return {mean_measure(trained), {paired_control("untrained", trained, untrained)}};
}

// --- the score ----------------------------------------------------------------------------------

Finding high_scores(const Groups& groups) {
    auto high = [](const Examined& e) { return e.high[0]; };
    return {mean_measure(each(groups.trained, high)),
            {random_words(groups.trained, &Examined::high),
             reference("untrained", mean_measure(each(groups.untrained, high)))}};
}

Finding fires_on_filler(const Groups& groups) {
    Finding finding = against_untrained(groups, [](const Examined& e) { return e.filler[0]; });
    finding.controls.insert(finding.controls.begin(),
                            random_words(groups.trained, &Examined::filler));
    return finding;
}

// --- what comes back ----------------------------------------------------------------------------

double overlap(const Examined& a, const Examined& b) {
    ensure(a.latents.rows() == b.latents.rows(), "the latents are of different tokens", "overlap",
           "encode the same passage");
    double n_found = 0;
    for (int64_t i : a.best_auc) {
        std::vector<double> own = column(a.latents, i);
        n_found += std::ranges::any_of(b.best_auc, [&](int64_t j) {
            return correlation(own, column(b.latents, j)) >= same_latent;
        });
    }
    return a.best_auc.empty() ? 0 : n_found / static_cast<double>(a.best_auc.size());
}

std::vector<double> pair_overlaps(const Group& group) {
    std::vector<double> out;
    for (size_t i = 1; i < group.size(); i += 2) out.push_back(overlap(group[i], group[i - 1]));
    return out;
}

std::vector<double> paired_overlaps(const Group& a, const Group& b) {
    std::vector<double> out;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) out.push_back(overlap(a[i], b[i]));
    return out;
}

Moved moved(const Training& training, const Examined& now, const Examined& start) {
    Matrix rows = to_matrix(training.sae.W_dec), before = to_matrix(training.start().W_dec);
    std::vector<double> cosines, rs;
    for (int64_t j = 0; j < rows.rows; ++j) {
        if (now.summary.n_active[j] == 0) continue;
        cosines.push_back(cosine(rows.row(j), before.row(j)));
        if (start.summary.n_active[j] == 0) continue;
        rs.push_back(correlation(column(now.latents, j), column(start.latents, j)));
    }
    if (rs.empty()) return {};
    return {mean(cosines), mean(rs)};
}

Finding start_matters(const Groups& groups) {
    Measure measured = mean_measure(pair_overlaps(groups.trained));
    std::vector<double> again = paired_overlaps(groups.trained, groups.nudged);
    double lowest = *std::ranges::min_element(again);
    Finding finding = {measured, {exact_control("rate 1 % higher, lowest", measured, lowest)}};
    std::vector<double> longer = pair_overlaps(groups.longer);
    if (!longer.empty()) {
        finding.controls.push_back(reference("another start, longer", mean_measure(longer)));
    }
    return finding;
}

Finding text_helps(const std::vector<Training>& trainings, const Group& more,
                   const Group& without) {
    std::vector<double> here = pair_overlaps(more), there = pair_overlaps(without);
    there.resize(here.size());
    Finding finding = {mean_measure(here), {paired_control("without more text", here, there)}};
    if (more[0].moved.cosine >= hardly_moved) {
        finding.forced_by = format(
            "%ld steps of %g leave active decoder rows at a cosine of %.3f to their random start, "
            "whatever the text",
            trainings[0].n_step, trainings[0].rate, more[0].moved.cosine);
    }
    return finding;
}

// --- redundancy ---------------------------------------------------------------------------------

Redundancy redundancy(const Tensor& latents) {
    // Bring every active latent to mean 0 and length 1; then r is a product of columns.
    Matrix rows(0, latents.rows());
    for (int64_t j = 0; j < latents.cols(); ++j) {
        std::vector<double> z = column(latents, j);
        double middle = mean(z), square = 0;
        for (double& value : z) value -= middle, square += value * value;
        if (square == 0) continue;
        for (double& value : z) value /= std::sqrt(square);
        rows.data.insert(rows.data.end(), z.begin(), z.end());
        ++rows.rows;
    }
    if (rows.rows < 2) return {.mean_r = nan};

    // A block of rows at a time, for all r of some thousand latents take 100 MB.
    constexpr int64_t at_once = 128;
    Redundancy out;
    auto n = static_cast<double>(rows.rows);
    for (int64_t begin = 0; begin < rows.rows; begin += at_once) {
        std::vector<int64_t> block(std::min(at_once, rows.rows - begin));
        std::iota(block.begin(), block.end(), begin);
        Matrix r = product(take_rows(rows, block), rows, false, true);
        for (int64_t i = 0; i < r.rows; ++i) {
            double total = 0;
            bool twin = false;
            for (int64_t j = 0; j < r.cols; ++j) {
                if (j == block[i]) continue;
                total += std::abs(r.at(i, j));
                twin = twin || r.at(i, j) >= same_latent;
            }
            out.mean_r += total / (n * (n - 1));
            out.twins += twin / n;
        }
    }
    return out;
}

Twins find_twins(const Groups& groups) {
    auto of = [](const Group& group) {
        std::vector<Redundancy> out(group.size());
        parallel_for(std::ssize(group), [&](int64_t i) { out[i] = redundancy(group[i].latents); });
        return out;
    };
    return {of(groups.trained), of(groups.untrained)};
}

Finding latents_correlate(const Twins& twins) {
    std::vector<double> here, there;
    for (const Redundancy& r : twins.trained) here.push_back(r.mean_r);
    for (const Redundancy& r : twins.untrained) there.push_back(r.mean_r);
    if (std::isnan(mean(here))) return {not_measurable("an SAE has fewer than two that vary")};
    return {mean_measure(here), {paired_control("untrained", here, there)}};
}

// --- neurons ------------------------------------------------------------------------------------

std::vector<double> lit_neurons(const Tensor& mlp_post) {
    std::vector<double> out;
    for (int64_t i = 0; i < mlp_post.rows(); ++i) {
        out.push_back(static_cast<double>(
            std::ranges::count_if(mlp_post.row(i), [&](Real value) { return value > lit_above; })));
    }
    return out;
}

Finding word_lights(const std::vector<double>& lit, const std::vector<int64_t>& topic, double unit,
                    uint64_t seed) {
    std::vector<double> own, others;
    for (int64_t i = 0; i < std::ssize(lit); ++i) {
        bool inside = std::ranges::find(topic, i) != topic.end();
        (inside ? own : others).push_back(lit[i] / unit);
    }
    if (others.empty()) return {not_measurable("every token belongs to the topic")};
    Rng rng(seed);
    std::vector<double> means;
    for (int64_t draw = 0; draw < n_draw; ++draw) {
        double total = 0;
        for (size_t k = 0; k < topic.size(); ++k) total += others[rng.below(std::ssize(others))];
        means.push_back(total / static_cast<double>(topic.size()));
    }
    return {mean_measure(own), {null_control("other tokens", means)}};
}

void state_neurons(Page& page, const Study& study, const std::vector<double>& lit) {
    int64_t d_mlp = study.model.config.d_mlp;
    const std::vector<int64_t>& words = study.topic.tokens;
    page.claim("2g share", word_lights(lit, words, static_cast<double>(d_mlp), study.seed));
    if (d_mlp >= 3072) return page.claim("2g", word_lights(lit, words, 1, study.seed));
    page.not_tested("2g", format("the claim counts neurons of an MLP of 3072; this one has %ld; "
                                 "see claim 2g share",
                                 d_mlp));
}

}  // namespace vimach::ch02
