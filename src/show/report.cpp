// The page around the figures; see show/report.h.
// The frame, the style sheet and the captions come from show/document.
#include "show/report.h"

#include "core/ensure.h"
#include "core/files.h"
#include "show/document.h"

namespace vimach {

Report::Report(const std::string& title, const std::string& subtitle)
    : title_(title), body_("<h1>" + escape_text(title) + "</h1>\n") {
    if (!subtitle.empty()) body_ += "<p class=\"subtitle\">" + escape_text(subtitle) + "</p>\n";
}

void Report::heading(const std::string& text) { body_ += "<h2>" + escape_text(text) + "</h2>\n"; }

void Report::paragraph(const std::string& text) { body_ += "<p>" + escape_text(text) + "</p>\n"; }

void Report::preformatted(const std::string& text) {
    body_ += "<pre class=\"scroll\" tabindex=\"0\">" + escape_text(text) + "</pre>\n";
}

void Report::add_figure(const Figure& figure) {
    body_ += figure_html(figure, ++n_figure_);
    numbers_.push_back({figure_file(n_figure_), figure.data});
}

void Report::line_plot(const PlotText& text, std::span<const Series> series,
                       const PlotOptions& options) {
    add_figure(draw_lines(text, series, options));
}

void Report::scatter(const PlotText& text, std::span<const Series> series,
                     const PlotOptions& options) {
    add_figure(draw_points(text, series, options));
}

void Report::heatmap(const PlotText& text, const Heatmap& heatmap) {
    add_figure(draw_heatmap(text, heatmap));
}

void Report::token_heatmap(const PlotText& text, std::span<const TokenCell> cells,
                           const ColourScale& scale) {
    add_figure(draw_tokens(text, cells, scale));
}

void Report::dashboard(const PlotText& text, const Dashboard& dashboard) {
    add_figure(draw_dashboard(text, dashboard));
}

void Report::table(const std::string& title, const Table& table, const std::string& caption) {
    body_ += figure_html(title, table, caption, ++n_table_);
    numbers_.push_back({table_file(n_table_), table});
}

void Report::claims(const std::vector<OldClaim>& claims) {
    for (const OldClaim& claim : claims) {
        body_ += "<section class=\"claim\" id=\"claim-" + escape_text(claim.id) + "\">\n<p><b>" +
                 escape_text(claim.id) + "</b> " + escape_text(claim.text) +
                 "</p>\n<p class=\"verdict\">" + escape_text(verdict(claim)) +
                 "</p>\n<p class=\"measure\">" + escape_text(claim.measure) + "</p>\n<dl>";
        auto add = [&](const char* name, const std::string& value) {
            body_ +=
                std::string("<div><dt>") + name + "</dt><dd>" + escape_text(value) + "</dd></div>";
        };
        add("document", claim.document);
        add("measured", measure_text(claim, claim.measured));
        add("control", measure_text(claim, claim.control));
        body_ += "</dl>\n</section>\n";
    }
}

std::string Report::page() const { return html_document(title_, body_); }

void Report::write(const std::string& folder) const {
    for (const Numbers& numbers : numbers_) write_csv(folder + "/" + numbers.name, numbers.table);
    write_text(folder + "/report.html", page());
}

}  // namespace vimach
