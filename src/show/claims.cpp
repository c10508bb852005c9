// Reading claims.tsv, and the rule that turns numbers into a verdict; see show/claims.h.
// Nothing here knows a claim: chapters bring numbers, this file compares them.
#include "show/claims.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/ensure.h"
#include "core/files.h"

namespace vimach {

namespace {

const std::vector<std::string> tsv_columns = {"id",       "claim", "document",  "measure",
                                              "control",  "side",  "threshold", "why",
                                              "claim_vi", "why_vi"};

std::vector<std::string> cut(const std::string& text, char at) {
    std::vector<std::string> parts(1);
    for (char c : text) {
        if (c == at)
            parts.emplace_back();
        else
            parts.back() += c;
    }
    return parts;
}

ClaimText read_row(const std::vector<std::string>& cells, const std::string& place) {
    const std::string remedy = "give every claim the ten columns of the first line";
    if (cells.size() != tsv_columns.size()) {
        fail(format("a claim has %zu columns, not 10", cells.size()), place, remedy);
    }
    for (size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].empty()) fail("a claim has no " + tsv_columns[i], place, remedy);
    }
    bool at_least = cells[5] == "at least";
    if (!at_least && cells[5] != "at most") {
        fail("the side is '" + cells[5] + "'", place, "write 'at least' or 'at most'");
    }
    double threshold = 0;
    const std::string& number = cells[6];
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), threshold);
    if (error != std::errc{} || end != number.data() + number.size() || !std::isfinite(threshold)) {
        fail("the threshold '" + number + "' is not a number", place, "write a number");
    }
    return {cells[0], cells[1],  cells[2], cells[3], cells[4],
            at_least, threshold, cells[7], cells[8], cells[9]};
}

bool holds(const ClaimText& text, double value) {
    return text.at_least ? value >= text.threshold : value <= text.threshold;
}

bool is_nan(const Interval& interval) {
    return std::isnan(interval.low) || std::isnan(interval.high);
}

/// The range that decides whether the measure leaves a control behind.
const Interval& deciding(const Control& control) {
    bool is_null = control.kind == Control::Kind::null;
    return is_null ? control.measure.interval : control.difference;
}

/// Whether the claim holds for a control as well.
bool holds_too(const Claim& claim, const Control& control) {
    if (is_beyond(claim, control) || is_nan(deciding(control))) return false;
    return control.kind == Control::Kind::null || holds(claim.text, control.measure.value);
}

/// Why a control that the measure does not leave behind is not left behind.
std::string not_beyond(const Claim& claim, const Control& control) {
    if (is_nan(deciding(control))) return "there is no number of " + control.name;
    if (control.kind == Control::Kind::null) {
        return "it is not beyond the central 95 % of " + control.name + ", " +
               interval_text(control.measure.interval);
    }
    return "it is not clearly " + std::string(claim.text.at_least ? "above" : "below") +
           " the control (" + control.name + "), difference " + interval_text(control.difference);
}

}  // namespace

std::vector<ClaimText> read_claims(const std::string& path) {
    std::vector<ClaimText> claims;
    std::vector<std::string> lines = cut(read_text(path), '\n');
    if (cut(lines[0], '\t') != tsv_columns) {
        fail("the first line does not name the ten columns", path + ", line 1",
             "write id, claim, document, measure, control, side, threshold, why, claim_vi, why_vi, "
             "with tabs between");
    }
    for (size_t i = 1; i < lines.size(); ++i) {
        if (lines[i].empty()) continue;
        std::string place = path + format(", line %zu", i + 1);
        ClaimText claim = read_row(cut(lines[i], '\t'), place);
        if (std::ranges::find(claims, claim.id, &ClaimText::id) != claims.end()) {
            fail("the claim " + claim.id + " is there twice", place, "give each an id of its own");
        }
        claims.push_back(claim);
    }
    return claims;
}

std::string ClaimText::needed() const {
    return format("%s %g", at_least ? "at least" : "at most", threshold);
}

const char* verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::reproduced: return "reproduced";
        case Verdict::control_holds: return "holds, and so does the control";
        case Verdict::not_reproduced: return "not reproduced";
        case Verdict::undecided: return "undecided";
        case Verdict::forced: return "forced";
        case Verdict::not_tested: break;
    }
    return "not tested";
}

bool is_beyond(const Claim& claim, const Control& control) {
    bool upwards = claim.text.at_least;

    // A null that can draw the data as they are meets the value but for rounding: that is no more.
    double value = claim.measured.value, rounding = 1e-9 * std::abs(value);
    value += upwards ? -rounding : rounding;
    switch (control.kind) {
        case Control::Kind::sample:
            return upwards ? control.difference.low > 0 : control.difference.high < 0;
        case Control::Kind::null:
            return upwards ? value > control.measure.interval.high
                           : value < control.measure.interval.low;
        case Control::Kind::reference: break;
    }
    return true;
}

Ruling rule(const Claim& claim) {
    const ClaimText& text = claim.text;
    const Measure& m = claim.measured;
    if (!claim.not_tested.empty()) return {Verdict::not_tested, claim.not_tested};
    if (!claim.forced_by.empty()) return {Verdict::forced, claim.forced_by};
    if (!std::isfinite(m.value) || is_nan(m.interval)) {
        return {Verdict::undecided, "not measurable" + (m.detail.empty() ? "" : ": " + m.detail)};
    }

    // Does it hold here?
    std::string number = m.interval.low == m.interval.high ? "the value" : "the whole interval";
    bool low = holds(text, m.interval.low), high = holds(text, m.interval.high);
    if (low != high) {
        return {Verdict::undecided,
                std::isfinite(m.interval.low)
                    ? "the threshold lies inside the interval: it takes more data"
                : m.detail.starts_with("1 ")
                    ? "a single run gives no interval: it takes more runs"
                    : "too few units give no interval: it takes more data"};
    }
    if (!low) {
        return {Verdict::not_reproduced, number +
                                             (text.at_least ? " lies below " : " lies above ") +
                                             format("%g", text.threshold)};
    }

    // And where its cause is absent? A control for which it holds decides, whichever stands first.
    auto too = [&](const Control& control) { return holds_too(claim, control); };
    auto behind = [&](const Control& control) { return is_beyond(claim, control); };
    auto control = std::ranges::find_if(claim.controls, too);
    bool as_well = control != claim.controls.end();
    if (!as_well) control = std::ranges::find_if_not(claim.controls, behind);
    if (control != claim.controls.end()) {
        return {as_well ? Verdict::control_holds : Verdict::undecided,
                number + " is " + text.needed() + ", but " + not_beyond(claim, *control)};
    }
    bool compared = std::ranges::any_of(
        claim.controls, [](const Control& c) { return c.kind != Control::Kind::reference; });
    return {Verdict::reproduced,
            number + " is " + text.needed() +
                (compared ? ", and beyond the control" : ", without a control")};
}

std::string value_text(double value) {
    if (!std::isfinite(value)) return "-";
    if (std::abs(value) < 1e-12) return "0.0000";  // it is rounding
    return format(std::abs(value) < 1e-4 ? "%.2g" : "%.4f", value);
}

std::string interval_text(const Interval& interval) {
    if (std::isinf(interval.low) || std::isinf(interval.high)) return "without an interval";
    return "[" + value_text(interval.low) + ", " + value_text(interval.high) + "]";
}

std::string measure_text(const Measure& m) {
    std::string value = value_text(m.value);
    if (!std::isfinite(m.interval.low) || !std::isfinite(m.interval.high)) {
        return m.detail.empty() ? value : value + " (" + m.detail + ")";
    }
    bool exact = value == value_text(m.interval.low) && value == value_text(m.interval.high);
    return exact ? value : value + " " + interval_text(m.interval);
}

std::string control_text(const Control& control) {
    std::string text = measure_text(control.measure);
    if (control.kind == Control::Kind::null) return text + ", a null distribution";
    if (control.kind == Control::Kind::reference) return text + ", for comparison only";
    return text + ", difference " + interval_text(control.difference);
}

Table claims_table(const std::vector<Claim>& claims, const std::string& model) {
    Table table = {.header = {"id", "claim", "document", "measure", "measured", "low", "high",
                              "controls", "needed", "verdict", "why", "model"}};
    for (const Claim& claim : claims) {
        Ruling ruling = rule(claim);
        bool number = claim.not_tested.empty();
        std::string controls;
        for (const Control& control : claim.controls) {
            controls +=
                (controls.empty() ? "" : "; ") + control.name + " " + measure_text(control.measure);
            if (control.kind != Control::Kind::sample) continue;
            controls += ", difference " + interval_text(control.difference);
        }
        const Measure& m = claim.measured;
        add_row(table,
                {claim.text.id, claim.text.claim, claim.text.document, claim.text.measure,
                 number ? value_text(m.value) : "-", number ? value_text(m.interval.low) : "-",
                 number ? value_text(m.interval.high) : "-", controls, claim.text.needed(),
                 verdict_name(ruling.verdict), ruling.why, model});
    }
    return table;
}

}  // namespace vimach
