// The verdicts of chapters that do not use show/page yet: the rule itself, the table and the files.
// The claims of a chapter are tested beside its measures.
#include <doctest/doctest.h>

#include "show/old_claims.h"
#include "show/report.h"
#include "support.h"

using namespace vimach;

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
