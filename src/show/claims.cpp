// The verdict rule and its table; see show/claims.h.
// Nothing here knows a claim: chapters bring numbers, this file compares them.
#include "show/claims.h"

#include "core/ensure.h"
#include "core/files.h"

namespace vimach {

namespace {

std::string tsv(const Table& table) {
    std::string text;
    auto add_line = [&](const std::vector<std::string>& cells) {
        for (size_t i = 0; i < cells.size(); ++i) text += (i == 0 ? "" : "\t") + cells[i];
        text += '\n';
    };
    add_line(table.header);
    for (const auto& row : table.rows) add_line(row);
    return text;
}

}  // namespace

std::string verdict(const Claim& claim) {
    if (!claim.about_this_model) return "not tested";
    if (!claim.forced_by.empty()) return "forced (" + claim.forced_by + ")";
    const Interval &data = claim.measured.interval, &null = claim.control.interval;
    if (data.low <= null.high && null.low <= data.high) return "not distinguishable from control";
    bool met = claim.criterion.side == Criterion::Side::at_least
                   ? data.low > null.high && claim.measured.value >= claim.criterion.threshold
                   : data.high < null.low && claim.measured.value <= claim.criterion.threshold;
    return met ? "reproduced" : "not reproduced";
}

std::string measure_text(const Measure& m) {
    std::string value = format("%.4f", m.value), low = format("%.4f", m.interval.low),
                high = format("%.4f", m.interval.high);
    return low == value && high == value ? value : value + " [" + low + ", " + high + "]";
}

std::string measure_text(const Claim& claim, const Measure& measure) {
    return claim.about_this_model ? measure_text(measure) : "-";
}

Table verdict_table(const std::vector<Claim>& claims) {
    Table table = {.header = {"claim", "measured", "control", "verdict"}};
    for (const Claim& claim : claims) {
        add_row(table, {claim.id, measure_text(claim, claim.measured),
                        measure_text(claim, claim.control), verdict(claim)});
    }
    return table;
}

void write_claims(const std::string& folder, const std::vector<Claim>& claims,
                  const std::string& model, const Table& controls) {
    Table table = {
        .header = {"id", "claim", "document", "measured", "control", "verdict", "model"}};
    for (const Claim& claim : claims) {
        add_row(table, {claim.id, claim.text, claim.document, measure_text(claim, claim.measured),
                        measure_text(claim, claim.control), verdict(claim), model});
    }
    write_text(folder + "/claims.tsv", tsv(table));
    if (!controls.header.empty()) write_text(folder + "/controls.tsv", tsv(controls));
}

}  // namespace vimach
