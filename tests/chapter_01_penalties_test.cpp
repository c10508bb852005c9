// Chapter 1's claims 1d: each penalty alone, and both together, with trainings made up so that a
// claim holds and so that it does not; and which penalty, and which of the two arms that lack one,
// decides.
#include <doctest/doctest.h>

#include "chapters/01_sparse_autoencoder/controls.h"
#include "verdict_of.h"

using namespace vimach;
using namespace vimach::ch01;

namespace {

Verdict verdict_of(const char* id, const Finding& finding) {
    return test::verdict_of("01_sparse_autoencoder", id, finding);
}

/// Twenty runs of this redundancy, with both penalties.
Arm redundant(double redundancy) {
    Arm arm = {.name = "made up", .l1 = 0.01, .decorrelation = 0.01};
    arm.runs.resize(20);
    for (size_t i = 0; i < arm.runs.size(); ++i) {
        arm.runs[i].score.redundancy = redundancy + 0.01 * static_cast<double>(i % 5);
    }
    return arm;
}

/// Twenty runs of which the first `n` recover both sources.
Arm recovering(size_t n) {
    Arm arm = redundant(0);
    for (size_t i = 0; i < arm.runs.size(); ++i) {
        Score& score = arm.runs[i].score;
        score.r[sine] = score.r[step] = i < n ? 0.99 : 0.5;
        score.best[sine] = score.best[step] = score.r[sine];
    }
    return arm;
}

Finding lost(size_t both, size_t no_decorrelation, size_t no_l1) {
    Arms arms = {.both = recovering(both),
                 .no_decorrelation = recovering(no_decorrelation),
                 .no_l1 = recovering(no_l1)};
    return recovery_lost(arms, 1);
}

}  // namespace

TEST_CASE("chapter 1: claims about the penalties can hold, and can fail") {
    for (double Arm::*penalty : {&Arm::l1, &Arm::decorrelation}) {
        const char* id = penalty == &Arm::l1 ? "1d L1" : "1d decorrelation";
        auto now = [&](double without, double with) {
            Arm arm = redundant(without);
            arm.*penalty = 0;
            return verdict_of(id, redundancy_without(arm, redundant(with), 1));
        };
        CHECK(now(0.8, 0.5) == Verdict::reproduced);
        CHECK(now(0.55, 0.5) == Verdict::not_reproduced);
        CHECK(verdict_of(id, redundancy_without(redundant(0.8), redundant(0.8), 1)) ==
              Verdict::forced);
    }
    auto recovery_of = [](size_t both, size_t no_decorrelation, size_t no_l1) {
        return verdict_of("1d recovery", lost(both, no_decorrelation, no_l1));
    };
    CHECK(recovery_of(20, 2, 1) == Verdict::reproduced);
    CHECK(recovery_of(20, 2, 19) == Verdict::not_reproduced);
    CHECK(recovery_of(19, 8, 5) == Verdict::undecided);
}

TEST_CASE("chapter 1: of the arms that lack a penalty the better one counts, whichever it is") {
    for (auto [one, other] : {std::pair<size_t, size_t>{2, 14}, {14, 2}}) {
        Measure m = lost(18, one, other).measured;
        CHECK(m.value == doctest::Approx(0.2));
        CHECK(m.interval.low == doctest::Approx(lost(18, 14, 14).measured.interval.low));
        CHECK(m.interval.high == doctest::Approx(lost(18, 14, 14).measured.interval.high));
    }
}
