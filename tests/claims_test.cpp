// Verdicts: the rule itself, and each claim of each chapter fed with numbers on which its verdict
// comes out one way and then another.
#include <doctest/doctest.h>

#include "chapters/05_him_her_ged/controls.h"
#include "show/old_claims.h"
#include "show/report.h"
#include "support.h"

using namespace vimach;

namespace {

/// The verdict on one claim of a list.
std::string verdict_of(const std::vector<OldClaim>& claims, const std::string& id) {
    for (const OldClaim& claim : claims) {
        if (claim.id == id) return verdict(claim);
    }
    return "no such claim";
}

}  // namespace

TEST_CASE("verdict: each of the five, in their order") {
    OldClaim claim = {.id = "x",
                      .text = "",
                      .document = "",
                      .measured = {5, {4, 6}},
                      .control = {1, {0, 2}},
                      .criterion = {Criterion::Side::at_least, 4.5}};
    CHECK(verdict(claim) == "reproduced");
    claim.criterion.threshold = 5.5;
    CHECK(verdict(claim) == "not reproduced");
    claim.criterion.side = Criterion::Side::at_most;
    CHECK(verdict(claim) == "not reproduced");  // the control is lower still
    claim.control.interval.high = 4;
    CHECK(verdict(claim) == "not distinguishable from control");
    claim.control.interval = {6.5, 9};
    CHECK(verdict(claim) == "reproduced");
    claim.criterion = {Criterion::Side::at_least, 4.5};
    CHECK(verdict(claim) == "not reproduced");  // the control is higher still
    claim.forced_by = "k = 3";
    CHECK(verdict(claim) == "forced (k = 3)");
    claim.about_this_model = false;
    CHECK(verdict(claim) == "not tested");
}

TEST_CASE("claims: the table and the files") {
    OldClaim claim = {.id = "1a",
                      .text = "it is so",
                      .document = "63",
                      .measure = "how much",
                      .measured = {1.23456, {1, 2}},
                      .control = {0, {0, 0}},
                      .criterion = {Criterion::Side::at_least, 1}};
    test::TempFolder folder;
    write_claims(folder.path(), {claim}, "nano", {});
    CHECK(test::read_raw(folder.file("claims.tsv")) ==
          "id\tclaim\tdocument\tmeasured\tcontrol\tverdict\tmodel\n"
          "1a\tit is so\t63\t1.2346 [1.0000, 2.0000]\t0.0000\treproduced\tnano\n");
    CHECK(folder.count() == 1);

    Table brief = verdict_table({claim});
    CHECK(brief.rows[0] ==
          std::vector<std::string>{"1a", "1.2346 [1.0000, 2.0000]", "0.0000", "reproduced"});
    Report report("Claims", "");
    report.claims({claim});
    for (const char* part :
         {"it is so", "reproduced", "how much", "63", "1.2346 [1.0000, 2.0000]"}) {
        CHECK(report.page().find(part) != std::string::npos);
    }

    // No figure of this model stands beside a claim about another.
    claim.about_this_model = false;
    CHECK(verdict_table({claim}).rows[0] == std::vector<std::string>{"1a", "-", "-", "not tested"});
}

TEST_CASE("chapter 5: every verdict can come out another way") {
    // Numbers as the document would have them, with more sentences than dimensions.
    Findings f = {.n_pair = 500, .n_dim = 100, .rank = 90, .unshrunk_fails = true};
    f.n_carrying = 100;
    f.n_component = {60, {59, 61}};
    f.n_component_control = {98, {97, 99}};
    f.contrast = {1.5, {1.2, 1.8}};
    f.contrast_control = {0, {-0.2, 0.2}};
    f.first_rank = {0.95, {0.9, 1}};
    f.first_rank_control = {0.05, {0, 0.1}};
    f.auc_ged = {0.95, {0.93, 0.97}};
    f.auc_logistic = {0.85, {0.8, 0.9}};
    f.cosine_ged = {0.2, {0.1, 0.3}};
    f.cosine_pca = {0, {0, 1e-12}};
    for (const OldClaim& claim : judge(f, {}))
        CHECK_MESSAGE(verdict(claim) == "reproduced", claim.id);

    Findings other = f;
    other.unshrunk_fails = false;
    CHECK(verdict_of(judge(other, {}), "5a") == "not distinguishable from control");
    other.n_dim = 512;
    CHECK(verdict_of(judge(other, {}), "5a").starts_with("forced"));
    other.n_component = {80, {79, 81}};
    CHECK(verdict_of(judge(other, {}), "5b") == "not reproduced");
    other.n_component = {97, {96, 98}};
    CHECK(verdict_of(judge(other, {}), "5b") == "not distinguishable from control");
    other.contrast = {0.6, {0.4, 0.8}};
    CHECK(verdict_of(judge(other, {}), "5c") == "not reproduced");
    other.contrast_control = {0.5, {0.3, 0.7}};
    CHECK(verdict_of(judge(other, {}), "5c") == "not distinguishable from control");
    other.first_rank = {0.5, {0.3, 0.7}};
    CHECK(verdict_of(judge(other, {}), "5d") == "not reproduced");
    other.auc_logistic = {0.99, {0.98, 1}};
    CHECK(verdict_of(judge(other, {}), "5e") == "not reproduced");
    other.auc_logistic = {0.96, {0.94, 0.98}};
    CHECK(verdict_of(judge(other, {}), "5e") == "not distinguishable from control");
    other.cosine_ged = {1e-13, {0, 1e-12}};
    CHECK(verdict_of(judge(other, {}), "5f") == "not distinguishable from control");
}
