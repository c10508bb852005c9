// The verdict rule and its table; see show/old_claims.h.
// Nothing here knows a claim: chapters bring numbers, this file compares them.
#include "show/old_claims.h"

#include "core/ensure.h"

namespace vimach {

std::string verdict(const OldClaim& claim) {
    if (!claim.about_this_model) return "not tested";
    if (!claim.forced_by.empty()) return "forced (" + claim.forced_by + ")";
    const Interval &data = claim.measured.interval, &null = claim.control.interval;
    if (data.low <= null.high && null.low <= data.high) return "not distinguishable from control";
    bool met = claim.criterion.side == Criterion::Side::at_least
                   ? data.low > null.high && claim.measured.value >= claim.criterion.threshold
                   : data.high < null.low && claim.measured.value <= claim.criterion.threshold;
    return met ? "reproduced" : "not reproduced";
}

std::string measure_text(const OldClaim& claim, const Measure& measure) {
    return claim.about_this_model ? measure_text(measure) : "-";
}

Table verdict_table(const std::vector<OldClaim>& claims) {
    Table table = {.header = {"claim", "measured", "control", "verdict"}};
    for (const OldClaim& claim : claims) {
        add_row(table, {claim.id, measure_text(claim, claim.measured),
                        measure_text(claim, claim.control), verdict(claim)});
    }
    return table;
}

void write_claims(const std::string& folder, const std::vector<OldClaim>& claims,
                  const std::string& model, const Table& controls) {
    Table table = {
        .header = {"id", "claim", "document", "measured", "control", "verdict", "model"}};
    for (const OldClaim& claim : claims) {
        add_row(table, {claim.id, claim.text, claim.document, measure_text(claim, claim.measured),
                        measure_text(claim, claim.control), verdict(claim), model});
    }
    write_tsv(folder + "/claims.tsv", table);
    if (!controls.header.empty()) write_tsv(folder + "/controls.tsv", controls);
}

}  // namespace vimach
