// The latents' cards and the tokens' cards; see show/dashboard.h.
// Tints run from each card's own smallest value to its largest: latents have no common scale.
#include "show/dashboard.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "core/ensure.h"
#include "show/script.h"

namespace vimach {

namespace {

constexpr int64_t n_open = 12;    // rows of the list that are not folded away
constexpr int64_t n_top = 8;      // tokens listed on a card
constexpr int64_t n_context = 4;  // tokens shown on either side of them
constexpr int64_t n_bin = 20;     // of the histogram, above 0

void check_dashboard(const PlotText& text, const Dashboard& d) {
    bool fits = d.by_token.size() == d.tokens.size() && !d.latents.empty();
    fits &= d.marked.empty() || d.marked.size() == d.tokens.size();
    for (const LatentCard& card : d.latents) {
        fits &= card.values.size() == d.tokens.size();
        fits &= card.rival.empty() || card.rival_values.size() == d.tokens.size();
        fits &= !card.listed || card.scores.size() == d.columns.size();
    }
    for (const TokenCard& card : d.by_token) fits &= card.values.size() == card.latents.size();
    auto has_card = [&](int64_t latent) {
        return std::ranges::find(d.latents, latent, &LatentCard::latent) != d.latents.end();
    };
    for (const TokenCard& card : d.by_token) fits &= std::ranges::all_of(card.latents, has_card);
    if (fits) return;
    fail("a card does not fit the tokens or the list", "figure '" + text.title + "'",
         "pass one value and one card for every token, and a card for every latent named");
}

std::string label(const std::string& token) { return escape_text(visible_text(token)); }

/// A token as HTML, underlined where it is marked.
std::string token_text(const Dashboard& d, int64_t token) {
    std::string text = token_html(d.tokens[token]);
    return !d.marked.empty() && d.marked[token] ? "<u>" + text + "</u>" : text;
}

std::string link_to(int64_t latent) {
    return format("<a href=\"#latent-%ld\">", latent) + local(format("latent %ld", latent)) +
           "</a>";
}

// --- the histogram ------------------------------------------------------------------------------

/// How many tokens have which activation: first those at 0, then n_bin bins up to the largest.
struct Histogram {
    std::vector<int64_t> counts = std::vector<int64_t>(n_bin + 1);
    double high = 0;
    int64_t most = 0;
};

Histogram count_values(const std::vector<double>& values) {
    Histogram h = {.high = std::ranges::max(values)};
    for (double value : values) {
        double bin = value > 0 ? 1 + std::floor(value / h.high * n_bin) : 0;
        ++h.counts[static_cast<size_t>(std::min(bin, static_cast<double>(n_bin)))];
    }
    h.most = std::ranges::max(h.counts);
    return h;
}

/// Its bars; heights are square roots, so that one token can be seen beside two hundred.
std::string bars(const Histogram& h, double left, double top, double step, double height) {
    std::string out;
    for (size_t i = 0; i < h.counts.size(); ++i) {
        if (h.counts[i] == 0) continue;
        double share = std::sqrt(static_cast<double>(h.counts[i]) / static_cast<double>(h.most));
        out += format("<rect class=\"mark s%d\" x=\"%g\" y=\"%.1f\" width=\"%g\" height=\"%.1f\"/>",
                      i == 0 ? 5 : 0, left + static_cast<double>(i) * step,
                      top + (1 - share) * height, step * 0.8, share * height);
    }
    return out;
}

std::string histogram_text(const Histogram& h) {
    int64_t n_token = std::accumulate(h.counts.begin(), h.counts.end(), int64_t(0));
    return local(format("%ld tokens at 0, %ld above, up to ", h.counts[0], n_token - h.counts[0]) +
                 number_text(h.high));
}

std::string small_histogram(const LatentCard& card) {
    Histogram h = count_values(card.values);
    return "<svg width=\"63\" height=\"18\" role=\"img\" aria-label=\"" + histogram_text(h) +
           "\">" + bars(h, 0, 0, 3, 18) + "</svg>";
}

std::string histogram_with_axes(const LatentCard& card) {
    constexpr double left = 34, top = 10, step = 11, height = 72;
    constexpr double right = left + step * (n_bin + 1), bottom = top + height;
    Histogram h = count_values(card.values);
    std::string out = format("<svg width=\"%g\" height=\"%g\" role=\"img\" aria-label=\"",
                             right + 6, bottom + 34) +
                      local("Histogram") + ": " + histogram_text(h) + "\">";
    for (auto [part, share] : {std::pair{0.0, 0.0}, {0.25, 0.5}, {1.0, 1.0}}) {
        double y = bottom - share * height;
        out += format("<path class=\"%s\" d=\"M%g %gH%g\"/>", part == 0 ? "axis" : "grid", left, y,
                      right) +
               svg_text(left - 5, y + 4, "class=\"small\" text-anchor=\"end\"",
                        number_text(part * static_cast<double>(h.most), 3));
    }
    out += bars(h, left, top, step, height);
    out += svg_text(left, bottom + 14, "class=\"small\"", "0");
    out +=
        svg_text(right, bottom + 14, "class=\"small\" text-anchor=\"end\"", number_text(h.high, 3));
    out += svg_text((left + right) / 2, bottom + 29, "class=\"small\" text-anchor=\"middle\"",
                    local("activation"));
    return out + "</svg>\n<p>" + local("Tokens by activation, heights as square roots:") + " " +
           histogram_text(h) + ".</p>\n";
}

// --- a latent -----------------------------------------------------------------------------------

/// Every token, tinted where it has more than the least, its value as hover text.
std::string tinted_text(const Dashboard& d, const std::vector<double>& values, const char* kind) {
    ColourScale scale = fit_scale({.label = "activation"}, values);
    std::string out = std::string("<div class=\"tokens") + kind + "\">";
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        double value = values[i];
        out += "<span";
        if (value > scale.low) {
            out += " class=\"" + colour_class(scale, colour_step(scale, value)) + "\" title=\"" +
                   number_text(value) + "\"";
        }
        out += ">" + token_text(d, static_cast<int64_t>(i)) + "</span>";
    }
    return out + "</div>\n" + colour_legend(scale, values);
}

/// A token between its neighbours, with its value.
std::string in_context(const Dashboard& d, const LatentCard& card, int64_t i) {
    auto n_token = static_cast<int64_t>(d.tokens.size());
    std::string out = "<li>" + number_text(card.values[i]) + " <span class=\"tokens\">";
    for (int64_t j = std::max<int64_t>(i - n_context, 0); j <= std::min(i + n_context, n_token - 1);
         ++j) {
        std::string token = token_text(d, j);
        out += j == i ? format("<a href=\"#token-%ld\">", i) + token + "</a>" : token;
    }
    return out + "</span></li>\n";
}

/// The tokens on which the latent is active that have most of it, and those that have least.
std::string extreme_tokens(const Dashboard& d, const LatentCard& card) {
    std::vector<int64_t> active;
    for (int64_t i = 0; i < std::ssize(card.values); ++i) {
        if (card.values[i] > 0) active.push_back(i);
    }
    std::ranges::stable_sort(active, std::greater(), [&](int64_t i) { return card.values[i]; });
    size_t n_high = std::min<size_t>(active.size(), n_top);
    size_t n_low = std::min<size_t>(active.size() - n_high, n_top);
    std::string out = "<h4>" + local("Strongest tokens") + "</h4>\n<ol>\n";
    for (int64_t i : std::span(active).first(n_high)) out += in_context(d, card, i);
    out += "</ol>\n";
    if (n_low == 0) return out;
    out += "<h4>" + local("Weakest tokens on which it is active") + "</h4>\n<ol>\n";
    std::ranges::reverse(active);
    for (int64_t i : std::span(active).first(n_low)) out += in_context(d, card, i);
    return out + "</ol>\n";
}

/// The latents whose decoder rows point most nearly the same way.
std::string neighbours(const LatentCard& card) {
    if (card.near.empty()) return "";
    std::string out =
        "<h4>" + local("Neighbours, by the cosine of their decoder rows") + "</h4>\n<ol>\n";
    for (const auto& [latent, cosine] : card.near) {
        out += "<li>" + link_to(latent) + ": " + number_text(cosine, 2) + "</li>\n";
    }
    return out + "</ol>\n";
}

std::string rival_text(const Dashboard& d, const LatentCard& card) {
    if (card.rival.empty()) return "";
    return "<h4>" + local("To compare:") + " " + escape_text(local(card.rival)) + "</h4>\n" +
           tinted_text(d, card.rival_values, "");
}

std::string latent_card(const Dashboard& d, const LatentCard& card) {
    std::string name = local(format("latent %ld", card.latent));
    const char* kind = card.latent == d.latents.front().latent ? "latent first" : "latent";
    std::string out = format("<section class=\"%s\" id=\"latent-%ld\">\n", kind, card.latent) +
                      "<h3>" + name + " <small>" + escape_text(local(card.note)) +
                      "</small></h3>\n" + tinted_text(d, card.values, " passage") +
                      rival_text(d, card) + "<div class=\"beside\">\n<div>\n" +
                      extreme_tokens(d, card) + neighbours(card) + "</div>\n<div>\n<h4>" +
                      local("Scores") + "</h4>\n" +
                      table_html(local(card.more_scores), local("Scores") + ", " + name) + "<h4>" +
                      local("Histogram") + "</h4>\n" + histogram_with_axes(card);
    if (!card.extras.header.empty())
        out += table_html(local(card.extras), local("More") + ", " + name);
    return out + "</div>\n</div>\n</section>\n";
}

// --- lists --------------------------------------------------------------------------------------

std::string list_table(const Dashboard& d, std::span<const LatentCard* const> cards,
                       const std::string& name) {
    std::string out = std::string(
                          "<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
                          "aria-label=\"") +
                      name + "\">\n<table class=\"list\">\n<thead><tr><th scope=\"col\">" +
                      local("latent") + "</th>";
    for (const std::string& column : d.columns) {
        out += "<th scope=\"col\" class=\"n\">" + escape_text(local(column)) + "</th>";
    }
    out += "<th scope=\"col\">" + local("histogram") + "</th><th scope=\"col\">" +
           local("strongest token") + "</th></tr></thead>\n<tbody>\n";
    for (const LatentCard* card : cards) {
        out += "<tr><td>" + link_to(card->latent) + "</td>";
        for (const std::string& score : card->scores) {
            out += "<td class=\"n\">" + escape_text(score) + "</td>";
        }
        int64_t strongest = std::ranges::max_element(card->values) - card->values.begin();
        out += "<td>" + small_histogram(*card) + "</td><td>" + label(d.tokens[strongest]) +
               "</td></tr>\n";
    }
    return out + "</tbody>\n</table>\n</div>\n";
}

/// The first latents, and the others folded away, so that the way to the card is short.
std::string latent_choice(const Dashboard& d) {
    std::vector<const LatentCard*> listed;
    for (const LatentCard& card : d.latents) {
        if (card.listed) listed.push_back(&card);
    }
    size_t n = std::min<size_t>(listed.size(), n_open);
    std::string out = "<h3>" + local("Choose a latent") + "</h3>\n<p><a href=\"#cards\">" +
                      local("Skip to the card") + "</a></p>\n" +
                      list_table(d, std::span(listed).first(n), local("Latents"));
    if (n == listed.size()) return out;
    std::string more = local(format("%zu more latents", listed.size() - n));
    return out + "<details>\n<summary>" + more + "</summary>\n" +
           list_table(d, std::span(listed).subspan(n), more) + "</details>\n";
}

std::string token_choice(const Dashboard& d) {
    std::string out = "<h3>" + local("Choose a token") + "</h3>\n<p>" +
                      local("Every token is a link to its strongest latents.") +
                      "</p>\n<div class=\"tokens choice\">";
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        out +=
            format("<a href=\"#token-%zu\">", i) + token_text(d, static_cast<int64_t>(i)) + "</a>";
        if (d.tokens[i].ends_with('\n')) out += "<br>";
    }
    return out + "</div>\n";
}

std::string token_card(const Dashboard& d, size_t i) {
    const TokenCard& card = d.by_token[i];
    std::string out =
        format("<section class=\"token\" id=\"token-%zu\">\n<h4>", i) +
        local(format("Token %zu", i)) + ", " + label(d.tokens[i]) + ": " +
        local(format("%ld latents are active; the strongest with a card", card.n_active)) +
        "</h4>\n<ol>\n";
    for (size_t j = 0; j < card.latents.size(); ++j) {
        out += "<li>" + link_to(card.latents[j]) + ": " + number_text(card.values[j]) + "</li>\n";
    }
    return out + "</ol>\n</section>\n";
}

Table data_of(const Dashboard& d) {
    Table table = {.header = {"index", "token"}};
    for (const LatentCard& card : d.latents) {
        if (!card.listed) continue;
        table.header.push_back(format("latent %ld", card.latent));
    }
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        std::vector<std::string> row = {std::to_string(i), visible_text(d.tokens[i])};
        for (const LatentCard& card : d.latents) {
            if (card.listed) row.push_back(number_text(card.values[i]));
        }
        add_row(table, row);
    }
    return table;
}

}  // namespace

Figure draw_dashboard(const PlotText& text, const Dashboard& d) {
    check_dashboard(text, d);
    std::string html = "<div class=\"dashboard\"" + script_words() + ">\n" + latent_choice(d) +
                       "<div id=\"cards\"></div>\n";
    for (const LatentCard& card : d.latents) html += latent_card(d, card);
    html += token_choice(d);
    for (size_t i = 0; i < d.tokens.size(); ++i) html += token_card(d, i);
    return {.title = text.title,
            .caption = text.caption,
            .html = html + "</div>\n",
            .data = data_of(d),
            .invitation = "Look at single latents",
            .script = dashboard_script()};
}

}  // namespace vimach
