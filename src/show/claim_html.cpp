// A claim on the page; see show/claim_html.h.
// The claim and its reason stand in claims.tsv in both languages; all else is looked up.
#include "show/claim_html.h"

#include <algorithm>

#include "show/claim_figure.h"
#include "show/html.h"

namespace vimach {

namespace {

/// An id of HTML: no blanks.
std::string anchor(std::string id) {
    std::ranges::replace(id, ' ', '-');
    return "claim-" + id;
}

/// The claim in the language of the page.
const std::string& claimed(const ClaimText& text) {
    return spoken() == Language::english ? text.claim : text.claim_vi;
}

/// The numbers from which the verdict can be derived.
std::string controls_html(const Claim& claim) {
    std::string text = local("This run:") + " " + local(measure_text(claim.measured));
    for (const Control& control : claim.controls) {
        text += "; " + local(control.name) + " " + local(control_text(control));
    }
    return paragraph(text + ".", "measure");
}

std::string verdict_html(const Claim& claim) {
    Ruling ruling = rule(claim);
    return "<p class=\"verdict\"><b class=\"v" + std::to_string(static_cast<int>(ruling.verdict)) +
           "\">" + local(verdict_name(ruling.verdict)) + "</b> " + escape_text(local(ruling.why)) +
           ".</p>\n";
}

}  // namespace

std::string claim_html(const Claim& claim) {
    const ClaimText& text = claim.text;
    return "<section class=\"claim\" id=\"" + escape_text(anchor(text.id)) + "\">\n<h3>" +
           escape_text(local("Claim") + " " + text.id + ": " + claimed(text)) + "</h3>\n" +
           paragraph(local("The document:") + " " + local(text.document) + ". " +
                         local("Measured:") + " " + local(text.measure) + ". " +
                         local("Compared with:") + " " + local(text.control) + ".",
                     "measure") +
           claim_figure(claim) + controls_html(claim) + verdict_html(claim) +
           paragraph(local("Why " + text.needed()) + ": " +
                         (spoken() == Language::english ? text.why : text.why_vi) + ".",
                     "measure") +
           "</section>\n";
}

std::string verdicts_html(const std::vector<Claim>& claims) {
    std::string rows, folded;
    for (const Claim& claim : claims) {
        Ruling ruling = rule(claim);
        std::string id = escape_text(claim.text.id), text = escape_text(claimed(claim.text));
        if (ruling.verdict == Verdict::not_tested) {
            folded += "<li>" + id;
            folded += ": " + text + ". " + escape_text(local(ruling.why)) + ".</li>\n";
            continue;
        }
        rows += "<tr><th scope=\"row\"><a href=\"#" + escape_text(anchor(claim.text.id));
        rows += "\">" + id + "</a></th><td>" + local(verdict_name(ruling.verdict));
        rows += "</td><td>" + text + "</td><td class=\"interval\">" +
                escape_text(local(measure_text(claim.measured)));
        rows += "</td><td class=\"brief\">" + local(claim.text.needed()) + "</td></tr>\n";
    }
    if (rows.empty() && folded.empty()) return "";
    std::string out =
        "<h2 id=\"verdicts\">" + local("What became of the claims") +
        "</h2>\n<div class=\"scroll wide\" role=\"region\" tabindex=\"0\" aria-label=\"" +
        local("Verdicts") + "\">\n<table>\n<thead><tr>";
    for (const char* name : {"claim", "verdict", "the document says", "measured", "needed"}) {
        out += "<th scope=\"col\">" + local(name) + "</th>";
    }
    out += "</tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table>\n</div>\n";
    if (folded.empty()) return out;
    return out + "<details>\n<summary>" + local("Claims that were not tested") +
           "</summary>\n<ul>\n" + folded + "</ul>\n</details>\n";
}

}  // namespace vimach
