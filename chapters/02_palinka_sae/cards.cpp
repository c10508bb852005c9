// Chapter 2's cards; see cards.h.
// A latent that writes into the residual stream is followed straight to the logits, past the blocks
// that stand between: W_E (gain * w), the direct path of the logit lens.
#include "cards.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/ensure.h"
#include "math/blas.h"
#include "math/stats.h"
#include "show/dashboard.h"
#include "show/html.h"

namespace vimach::ch02 {

namespace {

constexpr int64_t n_listed = 36;   // latents in the list
constexpr int64_t n_of_token = 8;  // latents named for a token
constexpr int64_t n_near = 5;      // neighbours
constexpr int64_t n_word = 5;      // words raised, and lowered

std::string percent(double share) { return format("%.1f %%", 100 * share); }

/// The first n of 0 ... size - 1, by descending value.
std::vector<int64_t> largest(int64_t size, int64_t n, const std::function<double(int64_t)>& value) {
    std::vector<int64_t> order(static_cast<size_t>(size));
    std::iota(order.begin(), order.end(), 0);
    n = std::min(n, size);
    std::ranges::partial_sort(order, order.begin() + n, [&](int64_t a, int64_t b) {
        return value(a) != value(b) ? value(a) > value(b) : a < b;
    });
    order.resize(static_cast<size_t>(n));
    return order;
}

Table score_table(const Tested& t) {
    Table table = {.header = {"score", "value", "p", "p of max"}};
    add_row(table,
            {"AUC", format("%.3f", t.auc), format("%.3f", t.auc_p), format("%.3f", t.auc_p_max)});
    bool only = std::isinf(t.ratio);
    add_row(table,
            {"ratio", only ? "only there" : format("%.2f", t.ratio),
             only ? "-" : format("%.3f", t.ratio_p), only ? "-" : format("%.3f", t.ratio_p_max)});
    add_row(table, {"geography tokens with it", percent(t.coverage), "-", "-"});
    add_row(table, {"on punctuation, function words", percent(t.filler), "-", "-"});
    add_row(table, {"density", percent(t.density), "-", "-"});
    return table;
}

/// Words whose logits each decoder row raises and lowers most, a table a latent.
std::vector<Table> words_of(const Study& study, const Sae& sae, const std::vector<Chosen>& chosen) {
    // Scale the rows by the final layer norm's gain.
    Tensor rows({std::ssize(chosen), sae.W_dec.cols()});
    for (int64_t i = 0; i < rows.rows(); ++i) {
        std::span<const Real> w = sae.W_dec.row(chosen[i].latent);
        for (int64_t j = 0; j < rows.cols(); ++j) {
            rows.row(i)[j] = w[j] * study.model.ln_final_gain.data[j];
        }
    }

    auto word = [&](int64_t id) {
        return visible_text(std::string(study.tokenizer.token_bytes(static_cast<int>(id))));
    };
    auto table_of = [&](std::span<const Real> row) {
        auto up = largest(std::ssize(row), n_word, [&](int64_t id) { return row[id]; });
        auto down = largest(std::ssize(row), n_word, [&](int64_t id) { return -row[id]; });
        Table table = {.header = {"raises", "logit", "lowers", "logit "}};
        for (size_t k = 0; k < up.size(); ++k) {
            add_row(table, {word(up[k]), format("%.2f", row[up[k]]), word(down[k]),
                            format("%.2f", row[down[k]])});
        }
        return table;
    };

    // Multiply some rows at a time with all embeddings: the logits of all would take 40 MB.
    constexpr int64_t at_once = 16;
    std::vector<Table> out;
    for (int64_t first = 0; first < rows.rows(); first += at_once) {
        int64_t count = std::min(at_once, rows.rows() - first);
        Tensor logits({count, study.model.W_E.rows()});
        matmul(row_range(rows.matrix(), first, count), study.model.W_E.matrix(), logits.matrix(),
               {.transpose_b = true});
        for (int64_t i = 0; i < count; ++i) out.push_back(table_of(logits.row(i)));
    }
    return out;
}

/// The chosen latents whose decoder rows point most nearly the way of latent i's.
std::vector<std::pair<int64_t, double>> near_to(const Matrix& rows,
                                                const std::vector<Chosen>& chosen, int64_t i) {
    auto cosine_to = [&](int64_t j) {
        return j == i ? -2 : cosine(rows.row(chosen[i].latent), rows.row(chosen[j].latent));
    };
    std::vector<double> cosines;
    for (int64_t j = 0; j < std::ssize(chosen); ++j) cosines.push_back(cosine_to(j));
    std::vector<std::pair<int64_t, double>> out;
    for (int64_t j : largest(std::ssize(chosen), n_near, [&](int64_t k) { return cosines[k]; })) {
        if (j != i) out.emplace_back(chosen[j].latent, cosines[j]);
    }
    return out;
}

TokenCard token_card(const Tensor& latents, const std::vector<Chosen>& chosen, int64_t token) {
    std::span<const Real> z = latents.row(token);
    TokenCard card;
    card.n_active = std::ranges::count_if(z, [](Real v) { return v > 0; });
    auto value = [&](int64_t i) { return z[chosen[i].latent]; };
    for (int64_t i : largest(std::ssize(chosen), n_of_token, value)) {
        if (!(value(i) > 0)) break;
        card.latents.push_back(chosen[i].latent);
        card.values.push_back(value(i));
    }
    return card;
}

const char* name_of(double Tested::*member) {
    return member == &Tested::auc     ? "AUC"
           : member == &Tested::ratio ? "ratio"
           : member == &Tested::mean  ? "activity"
                                      : "density";
}

std::string note_of(const Chosen& chosen) {
    if (chosen.ranks.empty()) return format("the strongest at token %ld", chosen.token);
    std::string out;
    for (const Rank& rank : chosen.ranks) {
        out += format("%sno. %ld by %s", out.empty() ? "" : ", ", rank.place + 1, name_of(rank.by));
    }
    return out;
}

/// Puts the untrained latent of the same rank on a card, where there are as many.
void set_rival(LatentCard& card, const Rank& rank, const Examined& start) {
    std::vector<int64_t> order = best_by(start.tested, rank.by, rank.place + 1);
    if (std::ssize(order) <= rank.place) return;
    int64_t latent = order[rank.place];
    card.rival = format("untrained, no. %ld by %s: latent %ld, AUC %.2f, density ", rank.place + 1,
                        name_of(rank.by), latent, start.tested[latent].auc) +
                 percent(start.tested[latent].density);
    card.rival_values = column(start.latents, latent);
}

}  // namespace

std::vector<Chosen> choose_latents(const Examined& e, int64_t n) {
    struct List {
        double Tested::*member;
        std::vector<int64_t> order = {};
    };
    List lists[] = {{&Tested::auc}, {&Tested::ratio}, {&Tested::mean}, {&Tested::density}};
    for (List& list : lists) list.order = best_by(e.tested, list.member, std::ssize(e.tested));

    // Take from the lists in turn; a latent that leads two of them has two ranks.
    std::vector<Chosen> chosen;
    for (size_t place = 0; std::ssize(chosen) < n && place < e.tested.size(); ++place) {
        for (const List& list : lists) {
            if (place >= list.order.size() || std::ssize(chosen) == n) continue;
            Rank rank = {static_cast<int64_t>(place), list.member};
            auto own = std::ranges::find(chosen, list.order[place], &Chosen::latent);
            if (own == chosen.end()) {
                chosen.push_back({list.order[place], {rank}});
            } else {
                own->ranks.push_back(rank);
            }
        }
    }

    // Add the strongest latent of every token, so that each leads somewhere.
    for (int64_t i = 0; i < e.latents.rows(); ++i) {
        std::span<const Real> z = e.latents.row(i);
        int64_t best = std::ranges::max_element(z) - z.begin();
        bool there = std::ranges::find(chosen, best, &Chosen::latent) != chosen.end();
        if (!there && z[best] > 0) chosen.push_back({best, {}, i});
    }
    return chosen;
}

Figure cards_figure(const Study& study, const Sae& sae, const Examined& e, const Examined& start) {
    std::vector<Chosen> chosen = choose_latents(e, n_listed);
    Matrix rows = to_matrix(sae.W_dec);
    std::vector<Table> words;
    if (cut_tap(study.tap).name == "mlp_out") words = words_of(study, sae, chosen);

    Dashboard dashboard = {.columns = {"AUC", "p of max", "density"}};
    dashboard.marked.resize(study.ids.size());
    for (int id : study.ids) dashboard.tokens.emplace_back(study.tokenizer.token_bytes(id));
    for (int64_t i : study.topic.tokens) dashboard.marked[i] = true;
    for (int64_t i = 0; i < std::ssize(chosen); ++i) {
        const Tested& t = e.tested[chosen[i].latent];
        LatentCard card = {
            .latent = chosen[i].latent,
            .note = note_of(chosen[i]),
            .listed = !chosen[i].ranks.empty(),
            .scores = {format("%.2f", t.auc), format("%.3f", t.auc_p_max), percent(t.density)},
            .values = column(e.latents, chosen[i].latent),
            .more_scores = score_table(t),
            .extras = words.empty() ? Table{} : words[i],
            .near = near_to(rows, chosen, i)};
        if (card.listed) set_rival(card, chosen[i].ranks[0], start);
        dashboard.latents.push_back(card);
    }
    for (int64_t i = 0; i < e.latents.rows(); ++i) {
        dashboard.by_token.push_back(token_card(e.latents, chosen, i));
    }
    return draw_dashboard(
        {.title = "Single latents",
         .caption = "Geography words are underlined. Each tint runs from its own latent's smallest "
                    "value to its largest. p compares with random sets of content words, p of max "
                    "with the best latent of each set. Below a listed latent stands the one of the "
                    "same rank before training: does it look less like geography?"},
        dashboard);
}

}  // namespace vimach::ch02
