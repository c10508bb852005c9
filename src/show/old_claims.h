// What a run says about a document's claims. One rule turns measured numbers into a verdict; the
// criterion stands with its reason in a chapter's Settings before any run. The order: a claim
// about another model is not tested; what arithmetic or a setting decides is forced; what its
// control does as well is not distinguishable; only then does the criterion decide, and what the
// control does better is not reproduced.
#pragma once

#include <string>
#include <vector>

#include "show/claims.h"
#include "show/table.h"

namespace vimach {

/// The measure reproduces the claim where it is at least, or at most, `threshold`, and beyond the
/// control on that side.
struct Criterion {
    enum class Side { at_least, at_most } side = Side::at_least;
    double threshold = 0;
};

struct OldClaim {
    std::string id, text, document;  ///< "5c", the claim, the document's figure
    std::string measure = {};        ///< what is measured, and against which control
    Measure measured, control;       ///< the same measure on the data and on a null
    Criterion criterion = {};
    std::string forced_by = {};  ///< the constant that decides whatever the data, or nothing
    bool about_this_model = true;
};

/// "not tested", "forced (...)", "not distinguishable from control", "reproduced" or
/// "not reproduced".
std::string verdict(const OldClaim& claim);

/// A claim's measure or control; "-" if it is about another model, whose figure this is not.
std::string measure_text(const OldClaim& claim, const Measure& measure);

/// The claims in short, for the terminal: claim, measured, control, verdict.
Table verdict_table(const std::vector<OldClaim>& claims);

/// Writes FOLDER/claims.tsv (id, claim, document, measured, control, verdict, model), and
/// FOLDER/controls.tsv if there are further controls.
void write_claims(const std::string& folder, const std::vector<OldClaim>& claims,
                  const std::string& model, const Table& controls);

}  // namespace vimach
