// Chapter 2's tables, figures and dashboard; see page.h.
// A p printed as "< 0.001" is the smallest that the number of random sets allows.
#include "page.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ensure.h"
#include "math/stats.h"

namespace vimach::palinka {

namespace {

std::string percent(double share) { return format("%.1f %%", 100 * share); }

std::string ratio_text(double ratio) {
    return std::isinf(ratio) ? "only there" : format("%.2f", ratio);
}

}  // namespace

Table loss_table(const std::vector<SaeLosses>& losses) {
    Table table = {.header = {"epoch", "MSE", "L1", "decorrelation"}};
    for (size_t epoch :
         {size_t{0}, size_t{1}, size_t{3}, size_t{10}, size_t{30}, losses.size() - 1}) {
        if (epoch >= losses.size()) continue;
        const SaeLosses& at = losses[epoch];
        add_row(table, {std::to_string(epoch), format("%.5f", at.mse), format("%.5f", at.l1),
                        format("%.4f", at.decorrelation)});
    }
    return table;
}

Table responses_table(const SaeSummary& trained, const SaeSummary& untrained) {
    Responses a = responses(trained), b = responses(untrained);
    Table table = {.header = {"latents that answer to", "trained", "untrained"}};
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

Table tested_table(const std::vector<Tested>& tested, const std::vector<int64_t>& latents) {
    Table table = {.header = {"latent", "AUC", "p", "p of max", "ratio", "p of max (ratio)",
                              "coverage", "on filler", "density"}};
    for (int64_t j : latents) {
        const Tested& t = tested[j];
        add_row(table,
                {std::to_string(j), format("%.3f", t.auc), format("%.3f", t.auc_p),
                 format("%.3f", t.auc_p_max), ratio_text(t.ratio),
                 std::isinf(t.ratio) ? "-" : format("%.3f", t.ratio_p_max),
                 format("%.2f", t.coverage), format("%.2f", t.filler), format("%.3f", t.density)});
    }
    return table;
}

Table count_table(const Examined& trained, const Examined& untrained, double high) {
    Table table = {.header = {"latents", "trained", "untrained"}};
    auto add = [&](const char* name, auto&& text) {
        add_row(table, {name, text(trained), text(untrained)});
    };
    auto count = [](const Examined& e, auto&& meets) {
        return std::to_string(std::ranges::count_if(e.tested, meets));
    };
    add("live",
        [&](const Examined& e) { return count(e, [](const Tested& t) { return t.density > 0; }); });
    add("high ratio for geography",
        [&](const Examined& e) { return percent(share_high(e.scores, e.tested, high)[0]); });
    add("high ratio for random sets, mean and range", [&](const Examined& e) {
        std::vector<double> null = share_high(e.scores, e.tested, high);
        null.erase(null.begin());
        Interval range = central_95(null);
        return percent(mean(null)) + " [" + percent(range.low) + ", " + percent(range.high) + "]";
    });
    add("live on geography alone (no ratio)", [&](const Examined& e) {
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
    Table table = {.header = {"best by", "highest", "lowest", "p of max of the best",
                              "mean coverage", "mean on filler"}};
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

Table overlap_table(const Stability& stable, double same) {
    Table table = {.header = {"the ten best by AUC again with", "share", "density", "FVU"}};
    auto add = [&](const std::string& name, const std::vector<double>& shares, const Examined& e) {
        add_row(table, {name, format("%.3f", mean(shares)), format("%.4f", e.summary.density()),
                        format("%.4f", e.summary.fvu)});
    };
    add("another seed", pair_overlaps(stable.seeds, same), stable.seeds[0]);
    add("another seed, untrained", pair_overlaps(stable.blank, same), stable.blank[0]);
    add("another seed, more text", pair_overlaps(stable.richer, same), stable.richer[0]);
    add("a learning rate 1 % higher", paired_overlaps(stable.seeds, stable.nudged, same),
        stable.nudged[0]);
    for (const Examined& other : stable.other_k) {
        add(format("k = %ld", other.top_k), {overlap(stable.seeds[0], other, same)}, other);
    }
    return table;
}

Table lit_table(const Tokenizer& tokenizer, const std::vector<int>& passage, const Topic& topic,
                const std::vector<double>& lit) {
    Table table = {.header = {"token", "word", "neurons"}};
    for (int64_t i : topic.tokens) {
        add_row(table, {std::to_string(i), visible_text(tokenizer.token_bytes(passage[i]), false),
                        format("%.0f", lit[i])});
    }
    return table;
}

Table other_dashboards() {
    return {.header = {"SAEDashboard, Neuronpedia", "here"},
            .rows = {{"strongest passages of a corpus, by intervals of activation",
                      "every token of one passage: the SAE has seen no other text"},
                     {"histogram and density of activations", "both, on each card"},
                     {"tokens that the decoder row raises or lowers in the logits",
                      "left out: later layers stand between this MLP and the logits, and mlp_pre "
                      "is no part of the residual stream"},
                     {"correlated neurons and latents",
                      "left out: with so few tokens most "
                      "correlations are chance"},
                     {"an explanation written by a language model, with its score",
                      "left out: the scores here come with a null instead"},
                     {"no null for any score",
                      "p against random words, and corrected for the "
                      "number of latents"}}};
}

void draw_losses(Report& report, const std::vector<SaeLosses>& losses, const SaeConfig& config) {
    auto curve = [&](const char* name, double SaeLosses::*term) {
        Series series = {name, {}, {}};
        for (size_t i = 0; i < losses.size(); ++i) {
            series.x.push_back(static_cast<double>(i));
            series.y.push_back(losses[i].*term);
        }
        return series;
    };
    std::vector<Series> terms = {curve("MSE", &SaeLosses::mse)};
    if (config.l1 > 0) terms.push_back(curve("L1", &SaeLosses::l1));
    if (config.decorrelation > 0) {
        terms.push_back(curve("decorrelation", &SaeLosses::decorrelation));
    }
    report.line_plot({.title = "The terms of the loss, without their weights",
                      .x_label = "epoch",
                      .y_label = "term"},
                     terms, {.log_y = true});
}

void draw_responses(Report& report, const SaeSummary& trained, const SaeSummary& untrained) {
    auto sorted = [](const char* name, const SaeSummary& summary) {
        std::vector<int64_t> counts = summary.n_live;
        std::ranges::sort(counts, std::greater());
        Series series = {name, {}, {}};
        auto n = static_cast<double>(counts.size());
        for (size_t j = 0; j < counts.size(); j += std::max<size_t>(counts.size() / 512, 1)) {
            series.x.push_back((static_cast<double>(j) + 0.5) / n);
            series.y.push_back(static_cast<double>(counts[j]));
        }
        return series;
    };
    Series curves[] = {sorted("trained", trained), sorted("untrained", untrained)};
    report.line_plot({.title = "To how many tokens latents answer",
                      .x_label = "share of latents, the busiest first",
                      .y_label = "tokens on which it is live"},
                     curves);
}

void draw_scores(Report& report, const Examined& examined) {
    Series points = {"live latents", {}, {}};
    double best_random = 0;
    for (const Tested& t : examined.tested) {
        if (!(t.density > 0) || std::isinf(t.ratio)) continue;
        points.x.push_back(t.auc);
        points.y.push_back(t.ratio);
    }
    const Matrix& ratios = examined.scores.ratio;
    for (int64_t set = 1; set < ratios.rows; ++set) {
        for (double value : ratios.row(set)) {
            if (std::isfinite(value)) best_random = std::max(best_random, value);
        }
    }
    Series one[] = {points};
    report.scatter({.title = "Two scores for geography",
                    .x_label = "AUC",
                    .y_label = "ratio of means",
                    .caption = "One point a live latent. The line: the largest ratio that any "
                               "latent has for any random set of content words."},
                   one, {.horizontal = {{best_random, "random sets"}}});
}

// --- the dashboard ------------------------------------------------------------------------------

namespace {

constexpr int64_t n_of_token = 8;  // latents listed for a token

/// Latents that lead a list, the lists in turn until there are n; with the names of their lists.
std::vector<LatentCard> choose_latents(const std::vector<Tested>& tested, int64_t n) {
    struct List {
        const char* name;
        std::vector<int64_t> order;
    };
    auto n_latent = static_cast<int64_t>(tested.size());
    List lists[] = {{"AUC", best_by(tested, &Tested::auc, n_latent)},
                    {"ratio", best_by(tested, &Tested::ratio, n_latent)},
                    {"activity", best_by(tested, &Tested::mean, n_latent)},
                    {"density", best_by(tested, &Tested::density, n_latent)}};
    std::vector<LatentCard> cards;
    for (size_t place = 0; static_cast<int64_t>(cards.size()) < n; ++place) {
        bool any = false;
        for (const List& list : lists) {
            if (place >= list.order.size() || static_cast<int64_t>(cards.size()) == n) continue;
            any = true;
            std::string note = format("no. %zu by %s", place + 1, list.name);
            auto own = std::ranges::find(cards, list.order[place], &LatentCard::latent);
            if (own == cards.end()) {
                cards.push_back({.latent = list.order[place], .note = note});
            } else {
                own->note += ", " + note;
            }
        }
        if (!any) break;
    }
    return cards;
}

Table score_table(const Tested& t) {
    Table table = {.header = {"score", "value", "p", "p of max"}};
    add_row(table,
            {"AUC", format("%.3f", t.auc), format("%.3f", t.auc_p), format("%.3f", t.auc_p_max)});
    bool only = std::isinf(t.ratio);
    add_row(table, {"ratio", ratio_text(t.ratio), only ? "-" : format("%.3f", t.ratio_p),
                    only ? "-" : format("%.3f", t.ratio_p_max)});
    add_row(table, {"geography tokens with it", percent(t.coverage), "-", "-"});
    add_row(table, {"on marks, function words", percent(t.filler), "-", "-"});
    add_row(table, {"density", percent(t.density), "-", "-"});
    return table;
}

TokenCard token_card(const Matrix& latents, int64_t token) {
    std::span<const double> z = latents.row(token);
    TokenCard card;
    std::vector<int64_t> order(z.size());
    std::iota(order.begin(), order.end(), 0);
    auto end = order.begin() + std::min<int64_t>(n_of_token, latents.cols);
    std::ranges::partial_sort(
        order, end, [&](int64_t a, int64_t b) { return z[a] != z[b] ? z[a] > z[b] : a < b; });
    card.n_live = std::ranges::count_if(z, [](double v) { return v > 0; });
    for (auto at = order.begin(); at != end && z[*at] > 0; ++at) {
        card.latents.push_back(*at);
        card.values.push_back(z[*at]);
    }
    return card;
}

}  // namespace

void draw_dashboard(Report& report, const Tokenizer& tokenizer, const std::vector<int>& passage,
                    const Examined& examined, int64_t n_card) {
    const Matrix& latents = examined.latents;
    Dashboard dashboard;
    for (int id : passage) dashboard.tokens.emplace_back(tokenizer.token_bytes(id));
    dashboard.latents = choose_latents(examined.tested, n_card);
    for (LatentCard& card : dashboard.latents) {
        for (int64_t i = 0; i < latents.rows; ++i) {
            card.values.push_back(latents.at(i, card.latent));
        }
        card.scores = score_table(examined.tested[card.latent]);
    }
    for (int64_t i = 0; i < latents.rows; ++i) {
        dashboard.by_token.push_back(token_card(latents, i));
    }
    report.dashboard({.title = "The dashboard",
                      .caption = "Each tint is relative to its own latent's largest value; the "
                                 "number stands in the hover text and in the data. p compares with "
                                 "random sets of content words, p of max with the best latent of "
                                 "each set."},
                     dashboard);
}

}  // namespace vimach::palinka
