// The verdict that a chapter's claims.tsv gives a finding: for tests that feed a chapter's own
// measuring functions with data on which a claim holds, and with data on which it does not.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/files.h"
#include "show/claims.h"

namespace vimach::test {

/// A finding as the claim of this id; `chapter` is the chapter's folder.
inline Claim claim_of(const std::string& chapter, const std::string& id, const Finding& finding) {
    auto texts = read_claims(find_in_project("chapters/" + chapter + "/claims.tsv"));
    auto text = std::ranges::find(texts, id, &ClaimText::id);
    REQUIRE_MESSAGE(text != texts.end(), id);
    Claim claim;
    claim.text = *text;
    claim.measured = finding.measured;
    claim.controls = finding.controls;
    claim.forced_by = finding.forced_by;
    return claim;
}

inline Verdict verdict_of(const std::string& chapter, const std::string& id,
                          const Finding& finding) {
    return rule(claim_of(chapter, id, finding)).verdict;
}

}  // namespace vimach::test
