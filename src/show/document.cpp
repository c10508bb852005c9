// The frame of a page and its style sheet; see show/document.h.
// Colours are custom properties that the dark scheme replaces; figures refer to them by class.
#include "show/document.h"

#include "core/ensure.h"
#include "show/html.h"

namespace vimach {

namespace {

constexpr const char* head = R"(
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
)";

/// What the browser may load and run: this page's style, and the script of this hash.
std::string security_policy(const std::string& hash) {
    return "<meta http-equiv=\"Content-Security-Policy\"\n      content=\"default-src 'none'; "
           "style-src 'unsafe-inline'; img-src data:" +
           (hash.empty() ? "" : "; script-src 'sha256-" + hash + "'") + "\">\n";
}

/// Vietnamese goes without Charter, which lacks some of its letters.
constexpr const char* style = R"(
:root { color-scheme: light dark; --page: #fff; --ink: #1b1c1e; --soft: #595d63; --rule: #d9dbde;
  --shade: #0003;
  --s0: #0067a5; --s1: #c04a00; --s2: #00785a; --s3: #a0468a; --s4: #866300; --s5: #4a4d52; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 1.0625rem/1.6 Charter, "Bitstream Charter", "Source Serif 4", Georgia, serif; }
:lang(vi) > body { font-family: "Source Serif 4", Georgia, "Noto Serif", "DejaVu Serif",
  serif; }
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
.scroll { overflow-x: auto; max-width: 100%;
  background: linear-gradient(to right, var(--page) 30%, transparent) 0 0 / 2rem 100% no-repeat
    local, linear-gradient(to left, var(--page) 30%, transparent) 100% 0 / 2rem 100% no-repeat
    local, linear-gradient(to right, var(--shade), transparent) 0 0 / .8rem 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) 100% 0 / .8rem 100% no-repeat scroll; }
.wide { width: max-content; max-width: min(calc(100vw - 2.5rem), 72rem); margin-left: 50%;
  transform: translateX(-50%); }
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
.dashboard a { display: inline-block; min-width: 1.5rem; min-height: 1.5rem; color: var(--s0); }
.dashboard .tokens a { color: inherit; text-align: center; text-decoration-color: var(--s0); }
.dashboard .choice a { text-decoration: none; }
.dashboard .choice a:hover { text-decoration: underline; }
.list { border-bottom: 0; }
.list th, .list td { min-width: 0; padding: .1rem 1rem .1rem 0; white-space: nowrap;
  vertical-align: middle; }
.list a { line-height: 1.5rem; }
.list .now { background: var(--shade); }
.dashboard details .scroll { max-height: none; }
.scripted > .scroll { max-height: 19rem; overflow: auto; }
.scripted > .scroll th { position: sticky; top: 0; background: var(--page); }
.dashboard button, .dashboard input { font: .875rem/1.3 system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; min-height: 1.5rem; color: inherit; background: none; border: 1px solid var(--soft);
  border-radius: 3px; padding: .1rem .5rem; cursor: pointer; }
.dashboard th button { border: 0; padding: 0; font-weight: 600; min-width: 1.5rem;
  text-decoration: underline; text-decoration-color: var(--rule); }
.tools { display: flex; gap: .6rem; align-items: center; margin: .6rem 0;
  font: .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.scripted .passage > span { cursor: pointer; }
.picked { outline: 2px solid var(--s1); }
.token-panel { position: fixed; inset: auto 0 0; z-index: 1; max-height: 35vh; overflow: auto;
  background: var(--page); border: 1px solid var(--soft); padding: .5rem .9rem; }
.token-panel li { display: inline-block; margin-right: 1.2rem; }
@media (min-width: 77rem) {
  .token-panel { position: sticky; top: 1rem; float: right; max-height: 90vh; width: 15.5rem;
    margin-right: -16.75rem; }
  .token-panel li { display: list-item; }
}
.latent, .token { border-top: 1px solid var(--rule); padding-top: .9rem; margin-top: 1.6rem; }
.latent small { font-weight: 400; color: var(--soft); }
.latent .tokens { font-size: .9375rem; line-height: 1.75; }
.latent, .token { display: none; }
.latent:target, .token:target, .dashboard:not(:has(.latent:target)) .first { display: block; }
.latent:target h3, .token:target h4 { color: var(--s0); }
.dashboard ol { font: .875rem/1.7 system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  font-variant-numeric: tabular-nums; margin: 0; padding-left: 1.5rem; }
.dashboard li .tokens { line-height: 1.7; font-size: .875rem; }
.dashboard div p { font: .8125rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  color: var(--soft); margin: .2rem 0; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 0 2rem; }
.beside th, .beside td { min-width: 0; padding-right: .9rem; }
.claim { border-top: 1px solid var(--rule); padding: .9rem 0 .75rem; margin: 1.5rem 0; }
.claim p { margin: 0 0 .4rem; }
.claim .verdict b { border-radius: 3px; padding: .1em .5em; margin-right: .4rem;
  border: 1px solid var(--soft); font: 600 .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; }
.claim .v0 { background: var(--ink); color: var(--page); }
.claimed { fill: var(--ink); opacity: .05; }
.answer { border-left: 3px solid var(--s0); padding-left: .9rem; font-size: 1.1875rem; }
.banner { border: 1px solid var(--s1); border-radius: 3px; padding: .5rem .9rem; }
main > nav:last-child { margin-top: 3rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; list-style: none; padding: 0;
  margin: 0 0 2rem; font: .875rem/1.9 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
a { color: var(--s0); }
.entry { border-top: 1px solid var(--rule); padding-top: 1rem; margin-top: 1.5rem; }
.entry h2 { margin: 0 0 .5rem; }
.entry .subtitle { margin-bottom: 0; }
.entry .verdicts { font: .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr));
  gap: 1rem 1.5rem; }
.panels .broad { display: none; }
.panels .narrow { display: block; }
.panels > div { min-width: 0; }
.panel { font: 600 .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  margin: 0 0 .3rem; }
.interval { white-space: nowrap; }
.claim .measure { font: .875rem/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }

table { border-collapse: collapse; font: .875rem/1.45 system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; font-variant-numeric: tabular-nums; border-bottom: 1px solid var(--soft); }
th, td { padding: .35rem 1.1rem .35rem 0; text-align: left; vertical-align: top;
  min-width: 9rem; max-width: 22rem; }
th:last-child, td:last-child { padding-right: 0; }
th { border-top: 1px solid var(--soft); border-bottom: 1px solid var(--soft); font-weight: 600;
  vertical-align: bottom; }
tr + tr td, tr + tr th { border-top: 1px solid var(--rule); }
tbody th { border: 0; vertical-align: top; min-width: 5rem; }
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
:root { --page: #15171b; --ink: #e6e6e3; --soft: #a3a8af; --rule: #363a41; --shade: #fff3;
  --s0: #5cb6f0; --s1: #ff9157; --s2: #3fcfa4; --s3: #e69bcb; --s4: #dcbb3c; --s5: #c3c7cd; }
)";

/// "Figure 3. Title. Caption".
std::string caption_html(const std::string& number, const std::string& title,
                         const std::string& caption) {
    bool ends = title.ends_with('.') || title.ends_with('?') || title.ends_with('!');
    return "<p><b>" + number + ". " + escape_text(local(title)) + (ends ? "" : ".") + "</b>" +
           (caption.empty() ? "" : " " + escape_text(local(caption))) + "</p>\n";
}

}  // namespace

std::string svg_file(const Figure& figure) {
    size_t begin = figure.html.find("<svg "), end = figure.html.find("</svg>", begin);
    ensure(begin != std::string::npos && end != std::string::npos, "the figure holds no drawing",
           "svg_file", "pass a plot");
    std::string svg = figure.html.substr(begin, end + 6 - begin);
    svg.insert(5, "xmlns=\"http://www.w3.org/2000/svg\" ");
    svg.insert(svg.find('>') + 1, std::string("\n<style>") + style +
                                      "svg { background: var(--page); }\n"
                                      "@media (prefers-color-scheme: dark) {" +
                                      dark_style + "}\n</style>");
    return svg + "\n";
}

std::string html_document(const std::string& title, const std::string& body, const Script& script) {
    bool english = spoken() == Language::english;
    std::string out = std::string("<!DOCTYPE html>\n<html lang=\"") + (english ? "en" : "vi") +
                      "\">" + head + security_policy(script.hash);
    out += "<title>" + escape_text(title) + "</title>\n<style>" + style + colour_rules(false);
    out += std::string("@media (prefers-color-scheme: dark) {") + dark_style + colour_rules(true);
    out += "}\n</style>\n</head>\n<body>\n" + std::string(svg_shared()) + "<main>\n" + body +
           "</main>\n";
    if (!script.text.empty()) out += "<script>" + script.text + "</script>\n";
    return out + "</body>\n</html>\n";
}

std::string figure_html(const Figure& figure, int number) {
    std::string name = format("%d", number), file = figure_file(number);
    std::string out = "<figure id=\"figure-" + name + "\">\n" + figure.html + "<figcaption>\n" +
                      caption_html(local("Figure " + name), figure.title, figure.caption);
    if (!figure.note.empty()) out += "<p>" + escape_text(local(figure.note)) + "</p>\n";
    if (!figure.data.header.empty()) {
        out += data_html(figure.data, "figure " + name + " (" + file + ")");
    }
    return out + "</figcaption>\n</figure>\n";
}

std::string figure_html(const std::string& title, const Table& table, const std::string& note,
                        int number) {
    std::string name = format("%d", number);
    return "<figure id=\"table-" + name + "\">\n<figcaption>\n" +
           caption_html(local("Table " + name), title, note) + "</figcaption>\n" +
           table_html(local(table), local(title)) + "</figure>\n";
}

std::string figure_file(int number) { return format("figure-%d.csv", number); }

std::string table_file(int number) { return format("table-%d.csv", number); }

}  // namespace vimach
