// Verdicts: the rule itself, and each claim of each chapter fed with numbers on which its verdict
// comes out one way and then another.
#include <doctest/doctest.h>

#include "chapters/02_palinka_sae/controls.h"
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

namespace {

/// Findings of chapter 2 by which every claim is reproduced.
palinka::Findings palinka_findings() {
    palinka::Findings f;
    f.n_tied = 100;
    f.n_untied = 205;
    f.overfitting = {0.2, {0.15, 0.25}};
    f.density = {0.04, {0.03, 0.05}};
    f.density_untrained = {0.06, {0.06, 0.07}};
    f.ceiling = 0.07;
    f.alive = {0.065, {0.06, 0.07}};
    f.alive_untrained = {0.5, {0.4, 0.6}};
    f.dead = {0.9, {0.8, 0.95}};
    f.dead_untrained = {0.5, {0.4, 0.6}};
    f.always = {0.001, {0, 0.002}};
    f.always_untrained = {0.2, {0.1, 0.3}};
    f.high = {0.3, {0.25, 0.35}};
    f.high_null = {0.1, {0.05, 0.15}};
    f.on_filler = {0.3, {0.2, 0.4}};
    f.seeds = {0.2, {0.1, 0.3}};
    f.nudged = {0.9, {0.8, 1}};
    f.richer = {0.7, {0.6, 0.8}};
    f.lit = {300, {250, 350}};
    f.lit_others = {100, {80, 120}};
    return f;
}

}  // namespace

TEST_CASE("chapter 2: every verdict can come out another way") {
    namespace two = palinka;
    two::Findings f = palinka_findings();
    for (const OldClaim& claim : two::judge(f, {})) {
        CHECK_MESSAGE(verdict(claim) == "reproduced", claim.id);
    }

    two::Findings other = f;
    auto now = [&](const char* id) { return verdict_of(two::judge(other, {}), id); };
    other.n_untied = 200;
    CHECK(now("2a half") == "forced (one matrix where two were)");
    other.n_untied = 150;
    CHECK(now("2a half") == "not reproduced");
    other.overfitting_null = {0, {-0.2, 0.2}};
    CHECK(now("2a fit") == "not distinguishable from control");
    other.ceiling = 0.041;
    CHECK(now("2b volume") == "forced (k / n_latent)");
    other.alive = {0.3, {0.2, 0.35}};
    CHECK(now("2b latents") == "not reproduced");
    other.dead_untrained = {0.85, {0.8, 0.9}};
    CHECK(now("2c none") == "not distinguishable from control");
    other.dead_untrained = {0.99, {0.98, 1}};
    CHECK(now("2c none") == "not reproduced");
    other.always_untrained = {0, {0, 0}};
    CHECK(now("2c all") == "not distinguishable from control");
    other.high_null = {0.3, {0.2, 0.4}};
    CHECK(now("2d") == "not distinguishable from control");
    other.on_filler_untrained = {0.25, {0.2, 0.3}};
    CHECK(now("2e") == "not distinguishable from control");
    other.seeds = {0.7, {0.6, 0.75}};
    CHECK(now("2f seed") == "not reproduced");
    other.seeds = f.seeds;
    other.richer = {0.4, {0.35, 0.45}};
    CHECK(now("2f data") == "not reproduced");
    other.richer = {0.25, {0.15, 0.35}};
    CHECK(now("2f data") == "not distinguishable from control");
    other.lit = {60, {50, 70}};
    CHECK(now("2g") == "not reproduced");
}
