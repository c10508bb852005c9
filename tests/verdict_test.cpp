// The rule of show/claims: which numbers lead to which of the six verdicts, on either side and with
// each kind of control, and the sentence that says why. How numbers are written, and what a
// claims.tsv is refused for.
#include <doctest/doctest.h>

#include <limits>

#include "show/claims.h"
#include "show/site.h"
#include "support.h"

using namespace vimach;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

/// "At least 0.5", or at most.
Claim claim_of(const Measure& measured, const std::vector<Control>& controls = {},
               bool at_least = true) {
    Claim claim;
    claim.text = {.id = "9a",
                  .claim = "it is so",
                  .document = "63 %",
                  .measure = "how much",
                  .control = "without it",
                  .at_least = at_least,
                  .threshold = 0.5,
                  .why = "half"};
    claim.measured = measured;
    claim.controls = controls;
    return claim;
}

/// The same numbers on the other side: as far below 0.5 as they were above it.
Interval mirrored(const Interval& x) { return {1 - x.high, 1 - x.low}; }

Claim mirrored(const Claim& claim) {
    Claim out = claim;
    out.text.at_least = !claim.text.at_least;
    out.measured.value = 1 - claim.measured.value;
    out.measured.interval = mirrored(claim.measured.interval);
    for (Control& control : out.controls) {
        control.measure.value = 1 - control.measure.value;
        control.measure.interval = mirrored(control.measure.interval);
        control.difference = {-control.difference.high, -control.difference.low};
    }
    return out;
}

/// A sample with this mean, which the measured value exceeds by an amount in this interval.
Control sample(double value, const Interval& difference) {
    return {"others", Control::Kind::sample, {value, {value - 0.1, value + 0.1}}, difference};
}

Control null(const Interval& central) {
    return {"chance", Control::Kind::null, {(central.low + central.high) / 2, central}};
}

const Measure high = {0.8, {0.7, 0.9}}, middle = {0.55, {0.4, 0.7}}, low = {0.2, {0.1, 0.3}};
const Measure nothing = not_measurable("no pair is left");
const Control behind = sample(0.4, {0.2, 0.6}), level = sample(0.7, {-0.1, 0.3}),
              unsure = sample(0.45, {-0.05, 0.75}), rare = null({0.3, 0.6}),
              usual = null({0.3, 0.85});

/// The verdict, once its twin on the other side of the threshold has come to the same.
Verdict verdict_of(const Claim& claim) {
    Verdict verdict = rule(claim).verdict;
    CHECK(rule(mirrored(claim)).verdict == verdict);
    return verdict;
}

std::string why(const Claim& claim) { return rule(claim).why; }

}  // namespace

// --- the rule -----------------------------------------------------------------------------------

TEST_CASE("rule: whether the claim holds here") {
    CHECK(verdict_of(claim_of(high, {behind})) == Verdict::reproduced);
    CHECK(verdict_of(claim_of(middle, {behind})) == Verdict::undecided);
    CHECK(verdict_of(claim_of(low, {behind})) == Verdict::not_reproduced);
    CHECK(verdict_of(claim_of(low, {usual})) == Verdict::not_reproduced);
    CHECK(why(claim_of(high, {behind})) ==
          "the whole interval is at least 0.5, and beyond the control");
    CHECK(why(claim_of(low, {behind})) == "the whole interval lies below 0.5");
    CHECK(why(claim_of(high, {}, false)) == "the whole interval lies above 0.5");
    CHECK(why(claim_of(middle)) == "the threshold lies inside the interval: it takes more data");

    // The threshold itself is on the claimed side, and an end of the interval may stand on it.
    CHECK(verdict_of(claim_of(exact_measure(0.5), {behind})) == Verdict::reproduced);
    CHECK(verdict_of(claim_of({0.6, {0.5, 0.7}}, {behind})) == Verdict::reproduced);
    CHECK(verdict_of(claim_of({0.4, {0.3, 0.5}}, {behind})) == Verdict::undecided);
    CHECK(why(claim_of(exact_measure(0.3))) == "the value lies below 0.5");
    CHECK(why(claim_of(exact_measure(0.3), {}, false)) ==
          "the value is at most 0.5, without a control");
}

TEST_CASE("rule: a number that is none, and one run") {
    CHECK(verdict_of(claim_of(nothing, {behind})) == Verdict::undecided);
    CHECK(why(claim_of(nothing, {behind})) == "not measurable: no pair is left");
    CHECK(verdict_of(claim_of({0.8, {NAN, NAN}}, {behind})) == Verdict::undecided);
    CHECK(verdict_of(claim_of({0.8, {0.7, NAN}}, {behind})) == Verdict::undecided);
    CHECK(why(claim_of({0.8, {NAN, NAN}})) == "not measurable");
    const double one_run[] = {0.99};
    CHECK(verdict_of(claim_of(mean_measure(one_run), {behind})) == Verdict::undecided);
    CHECK(why(claim_of(mean_measure(one_run))).starts_with("a single run gives no interval"));
    auto first = [](std::span<const int64_t> units) { return static_cast<double>(units[0]); };
    CHECK(why(claim_of(bootstrap_measure(4, first, 50, 1))).starts_with("too few units give no"));
}

TEST_CASE("rule: a null that the data themselves belong to is not left behind by rounding") {
    Measure value = exact_measure(0.8 * (1 + 1e-13));
    CHECK(verdict_of(claim_of(value, {null({0.3, 0.8})})) == Verdict::control_holds);
    CHECK(verdict_of(claim_of(value, {null({0.3, 0.799})})) == Verdict::reproduced);
}

TEST_CASE("rule: a sample is left behind where the difference lies beyond 0") {
    CHECK(verdict_of(claim_of(high, {level})) == Verdict::control_holds);
    CHECK(verdict_of(claim_of(high, {unsure})) == Verdict::undecided);
    CHECK(verdict_of(claim_of(high, {sample(0.9, {-0.3, -0.1})})) == Verdict::control_holds);
    // An interval of the control's own that overlaps the measure's takes no part.
    Control wide = {"others", Control::Kind::sample, {0.6, {0, 1}}, {0.1, 0.3}};
    CHECK(verdict_of(claim_of(high, {wide})) == Verdict::reproduced);
    CHECK(verdict_of(claim_of(high, {sample(0.6, {0, 0.4})})) == Verdict::control_holds);
    CHECK(why(claim_of(high, {level})) ==
          "the whole interval is at least 0.5, but it is not clearly above the control (others), "
          "difference [-0.1000, 0.3000]");
    CHECK(why(claim_of(low, {level}, false))
              .ends_with("below the control (others), difference [-0.1000, 0.3000]"));
    CHECK(verdict_of(claim_of(high, {sample(0.9, {-infinite, infinite})})) ==
          Verdict::control_holds);
}

TEST_CASE("rule: a null distribution is left behind by the value, not by its interval") {
    CHECK(verdict_of(claim_of(high, {rare})) == Verdict::reproduced);
    CHECK(verdict_of(claim_of(high, {null({0.3, 0.75})})) == Verdict::reproduced);
    CHECK(verdict_of(claim_of(high, {usual})) == Verdict::control_holds);
    CHECK(verdict_of(claim_of(high, {null({-0.8, 0.85})})) == Verdict::control_holds);
    CHECK(verdict_of(claim_of(exact_measure(0.8), {null({0.3, 0.8})})) == Verdict::control_holds);
    // Beyond the wrong end is not beyond.
    CHECK(verdict_of(claim_of(high, {null({0.85, 0.95})})) == Verdict::control_holds);
    CHECK(why(claim_of(high, {usual})) ==
          "the whole interval is at least 0.5, but it is not beyond the central 95 % of chance, "
          "[0.3000, 0.8500]");
}

TEST_CASE("rule: a reference takes no part") {
    Control beside = reference("beside", {0.99, {0.98, 1}});
    CHECK(is_beyond(claim_of(high), beside));
    CHECK(verdict_of(claim_of(high, {beside, behind})) == Verdict::reproduced);
    CHECK(why(claim_of(high, {beside})) == "the whole interval is at least 0.5, without a control");
    CHECK(verdict_of(claim_of(low, {beside})) == Verdict::not_reproduced);
    CHECK(verdict_of(claim_of(high, {reference("beside", nothing)})) == Verdict::reproduced);
}

TEST_CASE("rule: of several controls one that holds too decides, in any order") {
    using Controls = std::vector<Control>;
    CHECK(verdict_of(claim_of(high, {behind, rare})) == Verdict::reproduced);
    CHECK(verdict_of(claim_of(high, {behind, usual})) == Verdict::control_holds);
    CHECK(verdict_of(claim_of(high, {usual, behind})) == Verdict::control_holds);
    CHECK(verdict_of(claim_of(high, {rare, unsure})) == Verdict::undecided);
    for (const Controls& both : {Controls{unsure, level}, {level, unsure}, {unsure, usual}}) {
        CHECK(verdict_of(claim_of(high, both)) == Verdict::control_holds);
    }
    CHECK(why(claim_of(high, {unsure, usual})).ends_with("of chance, [0.3000, 0.8500]"));
}

TEST_CASE("rule: a control without a number leaves it open") {
    Control no_null = null_control("chance", {0.1, NAN, 0.2});
    Control no_sample = sample(0.9, {NAN, NAN});
    for (const Control& control : {no_null, no_sample}) {
        CHECK(verdict_of(claim_of(high, {control})) == Verdict::undecided);
        CHECK(why(claim_of(high, {control})) ==
              "the whole interval is at least 0.5, but there is no number of " + control.name);
    }
    CHECK(verdict_of(claim_of(high, {no_null, usual})) == Verdict::control_holds);
}

TEST_CASE("rule: what is not tested or forced is so whatever the numbers") {
    Claim claim = claim_of(low, {usual});
    claim.forced_by = "k = 3";
    CHECK(verdict_of(claim) == Verdict::forced);
    CHECK(why(claim) == "k = 3");
    claim.measured = nothing;
    CHECK(verdict_of(claim) == Verdict::forced);
    claim.not_tested = "it is about GPT-2 large";
    CHECK(verdict_of(claim) == Verdict::not_tested);
    CHECK(why(claim) == "it is about GPT-2 large");
}

TEST_CASE("rule: the names of the six, and how often each came") {
    Claim forced = claim_of(high), not_tested = claim_of(high);
    forced.forced_by = "k";
    not_tested.not_tested = "another model";
    std::vector<Claim> claims = {claim_of(high, {behind}),
                                 claim_of(high, {usual}),
                                 claim_of(low),
                                 claim_of(middle),
                                 forced,
                                 not_tested,
                                 claim_of(low)};
    CHECK(
        count_verdicts(claims) ==
        "1 reproduced, 1 holds, and so does the control, 2 not reproduced, 1 undecided, 1 forced, "
        "1 not tested");
    CHECK(count_verdicts({}) == "");
}

TEST_CASE("verdict: a value at the threshold reaches it, on either side") {
    for (bool at_least : {true, false}) {
        Claim claim = claim_of(exact_measure(0.5), {null({0.6, 0.7})}, at_least);
        if (at_least) claim.controls = {null({0.3, 0.4})};
        CHECK(rule(claim).verdict == Verdict::reproduced);
        claim.measured.interval = at_least ? Interval{0.5, 0.7} : Interval{0.3, 0.5};
        CHECK(rule(claim).verdict == Verdict::reproduced);

        // So does a control: the claim holds for it as well.
        claim.controls = {sample(0.5, {-0.1, 0.1})};
        CHECK(rule(claim).verdict == Verdict::control_holds);
    }
}

// --- numbers as text ----------------------------------------------------------------------------

TEST_CASE("claims: numbers as text") {
    CHECK(value_text(0.46715) == "0.4672");
    CHECK(value_text(16.276) == "16.2760");
    CHECK(value_text(-0.00012) == "-0.0001");
    CHECK(value_text(0.000021) == "2.1e-05");
    CHECK(value_text(-0.000021) == "-2.1e-05");
    for (double rounding : {0.0, -0.0, 1e-13, -1e-13}) CHECK(value_text(rounding) == "0.0000");
    CHECK(value_text(NAN) == "-");
    CHECK(value_text(-infinite) == "-");
    CHECK(interval_text({0, infinite}) == "without an interval");
    CHECK(measure_text({1, {0, infinite}}) == "1.0000");
    CHECK(interval_text({-1, 0.25}) == "[-1.0000, 0.2500]");

    CHECK(measure_text(high) == "0.8000 [0.7000, 0.9000]");
    CHECK(measure_text(exact_measure(3)) == "3.0000");
    CHECK(measure_text({1, {1 - 1e-6, 1 + 1e-6}}) == "1.0000");
    CHECK(measure_text({1, {0.9, 1}}) == "1.0000 [0.9000, 1.0000]");
    CHECK(measure_text({1, {1, 1.1}}) == "1.0000 [1.0000, 1.1000]");
    const double one_run[] = {0.5};
    CHECK(measure_text(mean_measure(one_run)) == "0.5000 (1 run)");
    CHECK(measure_text(nothing) == "- (no pair is left)");
    CHECK(measure_text({0.8, {NAN, NAN}}) == "0.8000");
    CHECK(claim_of(high).text.needed() == "at least 0.5");
    CHECK(claim_of(high, {}, false).text.needed() == "at most 0.5");
}

TEST_CASE("claims: the table of a run") {
    Claim open = claim_of(nothing), untold = claim_of(high);
    untold.not_tested = "it is about GPT-2 large";
    Table table = claims_table({claim_of(high, {level, rare}), open, untold}, "nano");
    using Row = std::vector<std::string>;
    CHECK(table.header == Row{"id", "claim", "document", "measure", "measured", "low", "high",
                              "controls", "needed", "verdict", "why", "model"});
    REQUIRE(table.rows.size() == 3);
    Row whole = table.rows[0];
    CHECK(whole[7] ==
          "others 0.7000 [0.6000, 0.8000], difference [-0.1000, 0.3000]; "
          "chance 0.4500 [0.3000, 0.6000]");
    whole[7] = whole[10] = "";
    CHECK(whole == Row{"9a", "it is so", "63 %", "how much", "0.8000", "0.7000", "0.9000", "",
                       "at least 0.5", "holds, and so does the control", "", "nano"});
    CHECK(table.rows[1] == Row{"9a", "it is so", "63 %", "how much", "-", "-", "-", "",
                               "at least 0.5", "undecided", "not measurable: no pair is left",
                               "nano"});
    CHECK(table.rows[2] == Row{"9a", "it is so", "63 %", "how much", "-", "-", "-", "",
                               "at least 0.5", "not tested", "it is about GPT-2 large", "nano"});
}

// --- claims.tsv ---------------------------------------------------------------------------------

namespace {

const std::string head =
    "id\tclaim\tdocument\tmeasure\tcontrol\tside\tthreshold\twhy\tclaim_vi\twhy_vi\n";
const std::string first_row =
    "1a\tit is so\t63 %\thow much\twithout\tat least\t0.5\thalf\tlà vậy\tnửa\n";
const std::string second_row =
    "1b x\tso too\tmany\thow many\twithout\tat most\t-1e-3\tfew\tcũng vậy\tít\n";

/// What read_claims says of a file, after the file's name.
std::string refusal(const test::TempFolder& folder, const std::string& text) {
    std::string path = folder.file("claims.tsv");
    test::write_raw(path, text);
    std::string error = test::error_of([&] { read_claims(path); });
    size_t at = error.find(path);
    return at == error.npos ? error : error.replace(at, path.size(), "FILE");
}

/// The first row with other text in one of its columns.
std::string row_with(size_t column, const std::string& cell) {
    std::string out;
    size_t at = 0;
    for (size_t i = 0; i < 10; ++i) {
        size_t end = first_row.find_first_of("\t\n", at);
        out += i == column ? cell : first_row.substr(at, end - at);
        out += i < 9 ? '\t' : '\n';
        at = end + 1;
    }
    return out;
}

}  // namespace

TEST_CASE("claims.tsv: a file is read row by row") {
    test::TempFolder folder;
    test::write_raw(folder.file("claims.tsv"), head + first_row + "\n" + second_row);
    std::vector<ClaimText> claims = read_claims(folder.file("claims.tsv"));
    REQUIRE(claims.size() == 2);
    CHECK(claims[0].id == "1a");
    CHECK(claims[0].claim == "it is so");
    CHECK(claims[0].document == "63 %");
    CHECK(claims[0].measure == "how much");
    CHECK(claims[0].control == "without");
    CHECK(claims[0].at_least);
    CHECK(claims[0].threshold == 0.5);
    CHECK(claims[0].why == "half");
    CHECK(claims[0].claim_vi == "là vậy");
    CHECK(claims[0].why_vi == "nửa");
    CHECK(claims[1].id == "1b x");
    CHECK(!claims[1].at_least);
    CHECK(claims[1].threshold == -1e-3);
    test::write_raw(folder.file("claims.tsv"), head);
    CHECK(read_claims(folder.file("claims.tsv")).empty());
}

TEST_CASE("claims.tsv: what is wrong is refused with its line") {
    test::TempFolder folder;
    const std::string header =
        "the first line does not name the ten columns (FILE, line 1): write id, claim, document, "
        "measure, control, side, threshold, why, claim_vi, why_vi, with tabs between";
    CHECK(refusal(folder, "") == header);
    CHECK(refusal(folder, first_row) == header);
    CHECK(refusal(folder, "id\t" + head + first_row) == header);
    CHECK(refusal(folder, head.substr(0, head.size() - 1) + "\r\n" + first_row) == header);
    CHECK(refusal(folder, head.substr(3) + first_row) == header);

    auto starts = [&](const std::string& rows, const std::string& error) {
        std::string found = refusal(folder, head + rows);
        CHECK_MESSAGE(found.starts_with(error), found);
    };
    starts(first_row + "1b\tso too\n", "a claim has 2 columns, not 10 (FILE, line 3): ");
    starts("\n" + first_row.substr(3), "a claim has 9 columns, not 10 (FILE, line 3): ");
    starts(row_with(7, "half\tand more"), "a claim has 11 columns, not 10 (FILE, line 2): ");
    const char* names[] = {"id", "claim", "document", "measure", "control", "side", "threshold"};
    for (size_t i = 0; i < 7; ++i) {
        starts(row_with(i, ""), std::string("a claim has no ") + names[i] + " (FILE, line 2): ");
    }
    starts(row_with(7, ""), "a claim has no why (FILE, line 2): ");
    starts(row_with(8, ""), "a claim has no claim_vi (FILE, line 2): ");
    starts(row_with(9, ""), "a claim has no why_vi (FILE, line 2): ");
    starts(second_row + row_with(5, "over"), "the side is 'over' (FILE, line 3): write 'at least'");
    starts(row_with(5, "At least"), "the side is 'At least' (FILE, line 2): ");
    for (const char* number : {"half", "0.5 ", "0,5", "nan", "inf", "1e999"}) {
        starts(row_with(6, number),
               std::string("the threshold '") + number + "' is not a number (FILE, line 2): ");
    }
    starts(first_row + second_row + first_row, "the claim 1a is there twice (FILE, line 4): ");
    CHECK(refusal(folder, head + first_row + second_row) == "no Error was thrown");
}
