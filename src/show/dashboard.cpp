// The latents' cards and the tokens' cards; see show/dashboard.h.
// Tints run from each card's own smallest value to its largest: latents have no common scale.
#include "show/dashboard.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ensure.h"

namespace vimach {

namespace {

constexpr int64_t n_top = 8;      // strongest tokens listed
constexpr int64_t n_context = 4;  // tokens shown on either side of them
constexpr int64_t n_bin = 20;     // of the histogram

void check_dashboard(const PlotText& text, const Dashboard& d) {
    bool fits = d.by_token.size() == d.tokens.size();
    fits &= d.marked.empty() || d.marked.size() == d.tokens.size();
    for (const LatentCard& card : d.latents) fits &= card.values.size() == d.tokens.size();
    for (const TokenCard& card : d.by_token) fits &= card.values.size() == card.latents.size();
    auto has_card = [&](int64_t latent) {
        return std::ranges::find(d.latents, latent, &LatentCard::latent) != d.latents.end();
    };
    for (const TokenCard& card : d.by_token) fits &= std::ranges::all_of(card.latents, has_card);
    if (fits) return;
    fail("a card does not fit the tokens", "figure '" + text.title + "'",
         "pass one value and one card for every token, and a card for every latent named");
}

std::string label(const std::string& token) { return escape_text(visible_text(token)); }

bool is_marked(const Dashboard& d, int64_t token) { return !d.marked.empty() && d.marked[token]; }

/// A token as HTML, underlined where it is marked.
std::string token_text(const Dashboard& d, int64_t token) {
    std::string text = token_html(d.tokens[token]);
    return is_marked(d, token) ? "<u>" + text + "</u>" : text;
}

std::string link_to(int64_t latent) {
    return format("<a href=\"#latent-%ld\">latent %ld</a>", latent, latent);
}

/// The text with every token tinted that has more than the least, its value as hover text.
std::string tinted_text(const Dashboard& d, const LatentCard& card) {
    ColourScale scale = fit_scale({.label = "activation"}, card.values);
    std::string out = "<div class=\"tokens\">";
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        double value = card.values[i];
        std::string text = token_text(d, static_cast<int64_t>(i));
        if (value > scale.low) {
            out += "<span class=\"" + colour_class(scale, colour_step(scale, value)) +
                   "\" title=\"" + number_text(value) + "\">" + text + "</span>";
        } else {
            out += text;
        }
    }
    return out + "</div>\n" + colour_legend(scale, card.values);
}

/// The strongest tokens, each between its neighbours, with its value.
std::string strongest_tokens(const Dashboard& d, const LatentCard& card) {
    std::vector<int64_t> order(d.tokens.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater(), [&](int64_t i) { return card.values[i]; });
    std::string out = "<ol>\n";
    auto n_token = static_cast<int64_t>(d.tokens.size());
    for (int64_t i : std::span(order).first(std::min<size_t>(order.size(), n_top))) {
        if (!(card.values[i] > 0)) break;
        out += "<li>" + number_text(card.values[i]) + " <span class=\"tokens\">";
        for (int64_t j = std::max<int64_t>(i - n_context, 0);
             j <= std::min(i + n_context, n_token - 1); ++j) {
            std::string token = token_text(d, j);
            out +=
                j == i ? "<a href=\"#token-" + std::to_string(i) + "\">" + token + "</a>" : token;
        }
        out += "</span></li>\n";
    }
    return out + "</ol>\n";
}

/// How many tokens have which activation; the first bar holds those at 0.
std::string histogram(const LatentCard& card) {
    constexpr double width = 10, height = 56;
    double high = std::ranges::max(card.values);
    std::vector<int64_t> counts(n_bin + 1);
    for (double value : card.values) {
        double bin = value > 0 ? 1 + std::floor(value / high * n_bin) : 0;
        ++counts[static_cast<size_t>(std::min(bin, static_cast<double>(n_bin)))];
    }
    auto most = static_cast<double>(std::ranges::max(counts));
    std::string bars, text;
    for (int64_t i = 0; i <= n_bin; ++i) {
        double share = std::sqrt(static_cast<double>(counts[i]) / most) * height;
        bars += format(
            "<rect class=\"mark s%d\" x=\"%.0f\" y=\"%.1f\" width=\"%.0f\" height=\"%.1f\"/>",
            i == 0 ? 5 : 0, static_cast<double>(i) * width, height - share, width - 2, share);
    }
    text = format("%ld tokens at 0, %ld above, up to ", counts[0],
                  static_cast<int64_t>(card.values.size()) - counts[0]) +
           number_text(high);
    return format("<svg width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"Histogram: ",
                  width * (n_bin + 1), height) +
           text + "\">" + bars + "</svg>\n<p>" + text + " (heights are square roots)</p>\n";
}

/// The latents whose decoder rows point most nearly the same way.
std::string neighbours(const LatentCard& card) {
    if (card.near.empty()) return "";
    std::string out = "<h4>Neighbours, by the cosine of their decoder rows</h4>\n<ol>\n";
    for (const auto& [latent, cosine] : card.near) {
        out += "<li>" + link_to(latent) + ": " + number_text(cosine, 2) + "</li>\n";
    }
    return out + "</ol>\n";
}

std::string extra_table(const LatentCard& card) {
    if (card.extras.header.empty()) return "";
    return table_html(card.extras, format("More about latent %ld", card.latent));
}

std::string latent_card(const Dashboard& d, const LatentCard& card) {
    std::string name = format("latent %ld", card.latent);
    const char* kind = card.latent == d.latents.front().latent ? "latent first" : "latent";
    return format("<section class=\"%s\" id=\"latent-%ld\">\n", kind, card.latent) + "<h3>" + name +
           " <small>" + escape_text(card.note) + "</small></h3>\n" + tinted_text(d, card) +
           "<div class=\"beside\">\n<div>\n<h4>Strongest tokens</h4>\n" +
           strongest_tokens(d, card) + neighbours(card) + extra_table(card) +
           "</div>\n<div>\n<h4>Scores</h4>\n" + table_html(card.scores, "Scores of " + name) +
           "<h4>Histogram</h4>\n" + histogram(card) + "</div>\n</div>\n</section>\n";
}

// --- the other way round ------------------------------------------------------------------------

std::string token_choice(const Dashboard& d) {
    std::string out =
        "<h3>Choose a token</h3>\n<p>Every token is a link to its strongest latents, "
        "below the text.</p>\n<div class=\"tokens choice\">";
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        out +=
            format("<a href=\"#token-%zu\">", i) + token_text(d, static_cast<int64_t>(i)) + "</a>";
    }
    return out + "</div>\n";
}

std::string token_card(const Dashboard& d, size_t i) {
    const TokenCard& card = d.by_token[i];
    std::string out =
        format("<section class=\"token\" id=\"token-%zu\">\n<h4>Token %zu, ", i, i) +
        label(d.tokens[i]) +
        format(": %ld latents are active; the strongest with a card</h4>\n<ol>\n", card.n_active);
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

    // List latents, and lead to their cards.
    std::string html =
        "<div class=\"dashboard\">\n<h3>Choose a latent</h3>\n<p><a href=\"#cards\">Skip to the "
        "card</a></p>\n<nav aria-label=\"Latents\"><ul>\n";
    for (const LatentCard& card : d.latents) {
        if (!card.listed) continue;
        html += "<li>" + link_to(card.latent) + " " + escape_text(card.brief) + "</li>\n";
    }
    html += "</ul></nav>\n";

    // Let a token be chosen; then the cards, of which the style sheet shows one.
    html += token_choice(d);
    for (size_t i = 0; i < d.tokens.size(); ++i) html += token_card(d, i);
    html += "<div id=\"cards\"></div>\n";
    for (const LatentCard& card : d.latents) html += latent_card(d, card);
    return {.title = text.title,
            .caption = text.caption,
            .html = html + "</div>\n",
            .data = data_of(d)};
}

}  // namespace vimach
