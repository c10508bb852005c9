// The page around the figures; see show/report.h.
// Colours are custom properties that the dark scheme replaces; figures refer to them by class.
#include "show/report.h"

#include "core/ensure.h"
#include "core/files.h"

namespace vimach {

namespace {

constexpr const char* head = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
)";

constexpr const char* style = R"(
:root { color-scheme: light dark; --page: #fff; --ink: #1b1c1e; --soft: #595d63; --rule: #d9dbde;
  --s0: #0067a5; --s1: #c04a00; --s2: #00785a; --s3: #a0468a; --s4: #866300; --s5: #4a4d52; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 1.0625rem/1.6 Charter, "Bitstream Charter", "Source Serif 4", Georgia, serif; }
main { max-width: 42.5rem; margin: 0 auto; padding: 3.5rem 1.25rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; font-weight: 600; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; line-height: 1.3; font-weight: 600; margin: 3.5rem 0 .75rem; }
p { margin: 0 0 1rem; max-width: 70ch; overflow-wrap: break-word; }
.subtitle { color: var(--soft); margin-bottom: 2.5rem; }
figure { margin: 2.25rem 0 2.75rem; }
figcaption, details, .legend { font: .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; }
figcaption { margin-top: .75rem; color: var(--soft); }
figcaption p { margin-bottom: .35rem; }
figcaption b { color: var(--ink); font-weight: 600; }
figure > figcaption:first-child { margin: 0 0 .6rem; }
.scroll { overflow-x: auto; max-width: 100%; }
.narrow { display: none; }
:focus-visible, summary:focus-visible { outline: 2px solid var(--s0); outline-offset: 2px; }

svg { display: block; max-width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
svg .small { font-size: 11px; fill: var(--soft); }
.halo { paint-order: stroke; stroke: var(--page); stroke-width: 3px; }
.grid, .axis, .leader, .line, .reference, .bar { fill: none; stroke-linejoin: round; }
.grid { stroke: var(--rule); }
.axis { stroke: var(--soft); }
.leader { stroke: var(--soft); stroke-width: .75; }
.reference { stroke: var(--soft); stroke-width: 1.25; stroke-dasharray: 1.5 3; }
.line { stroke: currentColor; stroke-width: 1.75; }
.thin { stroke-width: .75; }
.bar { stroke: currentColor; stroke-width: 1.25; opacity: .6; }
.band { fill: currentColor; opacity: .17; }
.mark { fill: currentColor; stroke: currentColor; fill-opacity: .75; }
.cells { shape-rendering: crispEdges; }
.shared { position: absolute; }
#hatch path { stroke: var(--rule); fill: none; }
svg .blank { fill: url(#hatch); stroke: var(--rule); }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); }
.s3 { color: var(--s3); } .s4 { color: var(--s4); } .s5 { color: var(--s5); }

.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; color: var(--soft);
  margin-bottom: .75rem; font-variant-numeric: tabular-nums; }
.legend svg { display: inline-block; vertical-align: -1px; margin: 0 .35rem; }
.tokens { line-height: 1.9; white-space: break-spaces; overflow-wrap: anywhere; tab-size: 4;
  font-size: 1rem; }
.tokens span { padding: .15em 0; margin-right: 1px; border-radius: 2px; unicode-bidi: isolate;
  box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.tokens .blank { outline: 1px dotted var(--soft); outline-offset: -1px; }

h3 { font-size: 1.0625rem; font-weight: 600; margin: 0 0 .4rem; }
h4 { font: 600 .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  margin: .6rem 0 .2rem; }
.dashboard nav ul { display: flex; flex-wrap: wrap; gap: .1rem .8rem; list-style: none; padding: 0;
  font: .875rem/1.6 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.dashboard a { color: var(--s0); }
.dashboard .tokens a { color: inherit; text-decoration-color: var(--s0); }
.choice a { padding: .15em 0; margin-right: 1px; text-decoration: none; }
.choice a:hover { text-decoration: underline; }
.latent { border-top: 1px solid var(--rule); padding-top: .9rem; margin-top: 1.6rem; }
.latent small { font-weight: 400; color: var(--soft); padding-left: .5rem; }
.latent .tokens { font-size: .9375rem; line-height: 1.75; }
.token { display: none; }
.token:target { display: block; border-left: 3px solid var(--s0); padding: .2rem .9rem;
  margin: .6rem 0; }
.latent:target h3 { color: var(--s0); }
.dashboard ol { font: .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  font-variant-numeric: tabular-nums; margin: 0; padding-left: 1.5rem; }
.dashboard li .tokens { line-height: 1.5; font-size: .875rem; }
.dashboard div p { font: .8125rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  color: var(--soft); margin: .2rem 0; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 0 2rem; }
.beside th, .beside td { min-width: 0; padding-right: .9rem; }
.claim { border-top: 1px solid var(--rule); padding: .9rem 0 .75rem; }
.claim p { margin: 0 0 .3rem; }
.claim .verdict { font-weight: 600; }
.claim .measure { font: .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.claim dl, .claim dt, .claim dd { margin: 0; }
.claim dl { display: flex; flex-wrap: wrap; gap: .1rem 1.5rem; font: .875rem/1.5 system-ui,
  "Segoe UI", Helvetica, Arial, sans-serif; font-variant-numeric: tabular-nums; }
.claim dt { display: inline; color: var(--soft); padding-right: .4rem; }
.claim dd { display: inline; }

table { border-collapse: collapse; font: .875rem/1.45 system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; font-variant-numeric: tabular-nums; border-bottom: 1px solid var(--soft); }
th, td { padding: .35rem 1.1rem .35rem 0; text-align: left; vertical-align: top;
  min-width: 9rem; max-width: 22rem; }
th:last-child, td:last-child { padding-right: 0; }
th { border-top: 1px solid var(--soft); border-bottom: 1px solid var(--soft); font-weight: 600;
  vertical-align: bottom; }
tr + tr td { border-top: 1px solid var(--rule); }
.n, .brief { min-width: 0; white-space: nowrap; }
.n { text-align: right; }
details { margin-top: .35rem; color: var(--soft); }
summary { cursor: pointer; }
details .scroll { margin-top: .6rem; max-height: 24rem; overflow: auto; color: var(--ink); }
details table { font-size: .8125rem; border-bottom: 0; }
details th, details td { padding-top: .15rem; padding-bottom: .15rem; white-space: nowrap;
  min-width: 0; }
details th { position: sticky; top: 0; background: var(--page);
  box-shadow: inset 0 -1px var(--soft); }
pre { font: .8125rem/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 0 0 1rem; }
@media (max-width: 34rem) {
  .narrow { display: block; }
  .broad { display: none; }
  main { padding: 2rem 1rem 3rem; }
  h1 { font-size: 1.6rem; }
}
@media print {
  main { padding: 0; }
  .scroll { overflow: visible; }
  .scroll svg { min-width: 0 !important; }
  * { print-color-adjust: exact; }
}
)";

constexpr const char* dark_style = R"(
:root { --page: #15171b; --ink: #e6e6e3; --soft: #a3a8af; --rule: #363a41;
  --s0: #5cb6f0; --s1: #ff9157; --s2: #3fcfa4; --s3: #e69bcb; --s4: #dcbb3c; --s5: #c3c7cd; }
)";

std::string caption_html(const std::string& number, const std::string& title,
                         const std::string& caption) {
    bool ends = title.ends_with('.') || title.ends_with('?') || title.ends_with('!');
    return "<p><b>" + number + ". " + escape_text(title) + (ends ? "" : ".") + "</b>" +
           (caption.empty() ? "" : " " + escape_text(caption)) + "</p>\n";
}

}  // namespace

std::string svg_file(const Drawing& drawing) {
    size_t begin = drawing.html.find("<svg "), end = drawing.html.find("</svg>", begin);
    ensure(begin != std::string::npos && end != std::string::npos, "the figure holds no drawing",
           "svg_file", "pass a plot");
    std::string svg = drawing.html.substr(begin, end + 6 - begin);
    svg.insert(5, "xmlns=\"http://www.w3.org/2000/svg\" ");
    svg.insert(svg.find('>') + 1, std::string("\n<style>") + style +
                                      "svg { background: var(--page); }\n"
                                      "@media (prefers-color-scheme: dark) {" +
                                      dark_style + "}\n</style>");
    return svg + "\n";
}

Report::Report(const std::string& title, const std::string& subtitle)
    : title_(title), body_("<h1>" + escape_text(title) + "</h1>\n") {
    if (!subtitle.empty()) body_ += "<p class=\"subtitle\">" + escape_text(subtitle) + "</p>\n";
}

void Report::heading(const std::string& text) { body_ += "<h2>" + escape_text(text) + "</h2>\n"; }

void Report::paragraph(const std::string& text) { body_ += "<p>" + escape_text(text) + "</p>\n"; }

void Report::preformatted(const std::string& text) {
    body_ += "<pre class=\"scroll\" tabindex=\"0\">" + escape_text(text) + "</pre>\n";
}

void Report::add_figure(const PlotText& text, const Drawing& drawing) {
    std::string number = format("%d", ++n_figure_);
    body_ += "<figure id=\"figure-" + number + "\">\n" + drawing.html + "<figcaption>\n" +
             caption_html("Figure " + number, text.title, text.caption);
    if (!drawing.note.empty()) body_ += "<p>" + escape_text(drawing.note) + "</p>\n";
    std::string file = "figure-" + number + ".csv";
    body_ += data_html(drawing.data, "figure " + number + " (" + file + ")");
    body_ += "</figcaption>\n</figure>\n";
    numbers_.push_back({file, drawing.data});
}

void Report::line_plot(const PlotText& text, std::span<const Series> series,
                       const PlotOptions& options) {
    add_figure(text, draw_lines(text, series, options));
}

void Report::scatter(const PlotText& text, std::span<const Series> series,
                     const PlotOptions& options) {
    add_figure(text, draw_points(text, series, options));
}

void Report::heatmap(const PlotText& text, const Heatmap& heatmap) {
    add_figure(text, draw_heatmap(text, heatmap));
}

void Report::token_heatmap(const PlotText& text, std::span<const TokenCell> cells,
                           const ColourScale& scale) {
    add_figure(text, draw_tokens(text, cells, scale));
}

void Report::dashboard(const PlotText& text, const Dashboard& dashboard) {
    add_figure(text, draw_dashboard(text, dashboard));
}

void Report::table(const std::string& title, const Table& table, const std::string& caption) {
    std::string number = format("%d", ++n_table_);
    body_ += "<figure id=\"table-" + number + "\">\n<figcaption>\n" +
             caption_html("Table " + number, title, caption) + "</figcaption>\n" +
             table_html(table, title) + "</figure>\n";
    numbers_.push_back({"table-" + number + ".csv", table});
}

void Report::claims(const std::vector<Claim>& claims) {
    for (const Claim& claim : claims) {
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

std::string Report::page() const {
    std::string out = head;
    out += "<title>" + escape_text(title_) + "</title>\n<style>" + style + colour_rules(false);
    out += std::string("@media (prefers-color-scheme: dark) {") + dark_style + colour_rules(true);
    return out + "}\n</style>\n</head>\n<body>\n" + svg_shared() + "<main>\n" + body_ +
           "</main>\n</body>\n</html>\n";
}

void Report::write(const std::string& folder) const {
    for (const Numbers& numbers : numbers_) write_csv(folder + "/" + numbers.name, numbers.table);
    write_text(folder + "/report.html", page());
}

}  // namespace vimach
