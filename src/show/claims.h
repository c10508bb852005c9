// What a run says about a document's claims. The claims stand in a chapter's claims.tsv: sentence,
// figure, measure, control, threshold and its reason, written before any run. A run brings the
// numbers; two questions decide: does the claim hold here, and does it where its cause is absent?
#pragma once

#include <string>
#include <vector>

#include "show/measure.h"
#include "show/table.h"

namespace vimach {

/// A row of claims.tsv. The claim holds where the measure is at least, or at most, `threshold`.
struct ClaimText {
    std::string id, claim, document, measure, control;
    bool at_least = true;
    double threshold = 0;
    std::string why;                         ///< the reason for the threshold
    std::string claim_vi = {}, why_vi = {};  ///< both in Vietnamese

    std::string needed() const;  ///< "at least 0.5"
};

/// The rows of a claims.tsv: a header line id, claim, document, measure, control, side, threshold,
/// why, claim_vi, why_vi; then a line a claim. Throws where a column or an id is missing, unknown
/// or there twice.
std::vector<ClaimText> read_claims(const std::string& path);

/// A claim and what a run measured for it.
struct Claim {
    ClaimText text;
    Measure measured = {};
    std::vector<Control> controls = {};
    std::string forced_by = {};   ///< the constant that decides whatever the data, or nothing
    std::string not_tested = {};  ///< why this run says nothing about it, or nothing
};

enum class Verdict {
    reproduced,
    control_holds,
    not_reproduced,
    undecided,
    forced,
    not_tested,
};

/// "reproduced", "holds, and so does the control", ...
const char* verdict_name(Verdict verdict);

/// A verdict and the sentence that derives it from the numbers.
struct Ruling {
    Verdict verdict;
    std::string why;
};

/// Holds, and beyond every control: reproduced. Holds, and a control is not left behind:
/// control_holds, where one such control reaches the threshold itself or is a null distribution,
/// else undecided. Does not hold: not_reproduced. The interval has the threshold inside, or there
/// is no number: undecided.
Ruling rule(const Claim& claim);

/// Whether a control is left behind on the claim's side: a sample where the interval of the
/// difference lies beyond 0, a null distribution where the measured value lies beyond its central
/// 95 %. A reference always is.
bool is_beyond(const Claim& claim, const Control& control);

/// "0.4672", "16.2760", "2.1e-05"; "-" where there is no number, NaN or infinite.
std::string value_text(double value);

/// "[0.3360, 0.5928]".
std::string interval_text(const Interval& interval);

/// "0.4672 [0.3360, 0.5928]", or the value alone where these digits do not differ.
std::string measure_text(const Measure& measure);

/// What a control says beside its name: "0.4917 [0.4518, 0.5316], difference [0.1, 0.2]".
std::string control_text(const Control& control);

/// All that a run says, one row a claim: id, claim, document, measure, measured, low, high,
/// controls, needed, verdict, why, model.
Table claims_table(const std::vector<Claim>& claims, const std::string& model);

}  // namespace vimach
