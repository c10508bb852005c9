// The latents' cards and the tokens' cards; see show/dashboard.h.
// Tints are relative to each card's own largest value: latents have no common scale.
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
    for (const LatentCard& card : d.latents) fits &= card.values.size() == d.tokens.size();
    for (const TokenCard& card : d.by_token) fits &= card.values.size() == card.latents.size();
    if (fits) return;
    fail("a card does not fit the tokens", "figure '" + text.title + "'",
         "pass one value and one card for every token");
}

std::string label(const std::string& token) { return escape_text(visible_text(token)); }

/// The text with every token tinted, its value as hover text.
std::string tinted_text(const Dashboard& d, const LatentCard& card) {
    ColourScale scale = fit_scale({.low = 0}, card.values);
    std::string out = "<div class=\"tokens\">";
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        double value = card.values[i];
        std::string kind = value > 0 ? colour_class(scale, colour_step(scale, value)) : "";
        out += "<span" + (kind.empty() ? "" : " class=\"" + kind + "\"") + " title=\"" +
               number_text(value) + "\">" + token_html(d.tokens[i]) + "</span>";
    }
    return out + "</div>\n";
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
            std::string token = token_html(d.tokens[j]);
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

std::string latent_card(const Dashboard& d, const LatentCard& card) {
    std::string name = format("latent %ld", card.latent);
    return format("<section class=\"latent\" id=\"latent-%ld\">\n", card.latent) + "<h3>" + name +
           " <small>" + escape_text(card.note) + "</small></h3>\n" + tinted_text(d, card) +
           "<div class=\"beside\">\n<div>\n<h4>Strongest tokens</h4>\n" +
           strongest_tokens(d, card) + "</div>\n<div>\n<h4>Scores</h4>\n" +
           table_html(card.scores, "Scores of " + name) + "<h4>Histogram</h4>\n" + histogram(card) +
           "</div>\n</div>\n</section>\n";
}

// --- the other way round ------------------------------------------------------------------------

std::string token_choice(const Dashboard& d) {
    std::string out =
        "<h3>Choose a token</h3>\n<p>Every token is a link to the latents that answer to "
        "it, below the text.</p>\n<div class=\"tokens choice\">";
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        out += format("<a href=\"#token-%zu\">", i) + token_html(d.tokens[i]) + "</a>";
    }
    return out + "</div>\n";
}

std::string token_card(const Dashboard& d, size_t i) {
    const TokenCard& card = d.by_token[i];
    std::string out = format("<section class=\"token\" id=\"token-%zu\">\n<h4>Token %zu, ", i, i) +
                      label(d.tokens[i]) + format(": %ld latents answer</h4>\n<ol>\n", card.n_live);
    for (size_t j = 0; j < card.latents.size(); ++j) {
        int64_t latent = card.latents[j];
        bool shown = std::ranges::any_of(
            d.latents, [&](const LatentCard& other) { return other.latent == latent; });
        std::string name = format("latent %ld", latent);
        out += "<li>" +
               (shown ? format("<a href=\"#latent-%ld\">", latent) + name + "</a>" : name) + ": " +
               number_text(card.values[j]) + "</li>\n";
    }
    return out + "</ol>\n</section>\n";
}

Table data_of(const Dashboard& d) {
    Table table = {.header = {"index", "token"}};
    for (const LatentCard& card : d.latents) {
        table.header.push_back(format("latent %ld", card.latent));
    }
    for (size_t i = 0; i < d.tokens.size(); ++i) {
        std::vector<std::string> row = {std::to_string(i), visible_text(d.tokens[i])};
        for (const LatentCard& card : d.latents) row.push_back(number_text(card.values[i]));
        add_row(table, row);
    }
    return table;
}

}  // namespace

Figure draw_dashboard(const PlotText& text, const Dashboard& d) {
    check_dashboard(text, d);

    // Name every latent that has a card, and lead to it.
    std::string html = "<div class=\"dashboard\">\n<h3>Choose a latent</h3>\n<nav><ul>\n";
    for (const LatentCard& card : d.latents) {
        html += format("<li><a href=\"#latent-%ld\">%ld</a></li>\n", card.latent, card.latent);
    }
    html += "</ul></nav>\n";

    // Let a token be chosen; then all latents.
    html += token_choice(d);
    for (size_t i = 0; i < d.tokens.size(); ++i) html += token_card(d, i);
    for (const LatentCard& card : d.latents) html += latent_card(d, card);
    return {.title = text.title,
            .caption = text.caption,
            .html = html + "</div>\n",
            .data = data_of(d)};
}

}  // namespace vimach
