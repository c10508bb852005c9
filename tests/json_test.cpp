// The strict JSON parser against the grammar of RFC 8259, rule by rule: what it accepts and with
// which value, what it refuses and at which byte. In a text, ^ marks the byte that the error names
// and is taken out before the text is parsed.
#include "model/json.h"

#include <doctest/doctest.h>

#include <span>

#include "tests/support.h"

using namespace vimach;
using namespace vimach::test;
using namespace std::string_view_literals;

namespace {

using Kind = Json::Kind;

struct Refusal {
    std::string_view text;
    const char* phrase;
};

void check_refusals(std::span<const Refusal> refusals) {
    for (const Refusal& refusal : refusals) {
        auto [text, byte] = unmark(refusal.text);
        CAPTURE(text);
        REQUIRE(byte != text.npos);
        std::string error = error_of([&] { parse_json(text, "here"); });
        check_contains(error, refusal.phrase + format(" (here, byte %zu): ", byte));
    }
}

std::string repeat(std::string_view part, int64_t count) {
    std::string text;
    for (int64_t i = 0; i < count; ++i) text += part;
    return text;
}

// --- what is refused, and where -----------------------------------------------------------------

constexpr const char* no_value = "not a JSON value";
constexpr const char* no_name = "a name in quotes is missing";
constexpr const char* no_brace = "a comma or } is missing";
constexpr const char* no_bracket = "a comma or ] is missing";
constexpr const char* more = "something follows the end of the JSON text";
constexpr const char* control = "a control character stands in a string";
constexpr const char* unknown = "unknown escape in a string";
constexpr const char* not_hex = "\\u needs four hexadecimal digits";
constexpr const char* alone = "a surrogate stands alone";
constexpr const char* no_end = "a string has no end";
constexpr const char* not_utf8 = "is not UTF-8";

const Refusal bad_values[] = {
    {"^", no_value},        {" \n^", no_value},       {"^tru", no_value}, {"^True", no_value},
    {"^nul", no_value},     {"^fals", no_value},      {"^NaN", no_value}, {"^Infinity", no_value},
    {"^'a'", no_value},     {"^a", no_value},         {"^]", no_value},   {"^,", no_value},
    {"^\0"sv, no_value},    {"^\f1", no_value},       {"1^\v", more},     {"{}^\0"sv, more},
    {"1 ^2", more},         {"{} ^{}", more},         {"null^,", more},   {"[1]^]", more},
    {"true^false", more},   {"^/* a */ 1", no_value}, {"1 ^// a", more},  {"^\u00A0 1", no_value},
    {"^\uFEFF{}", no_value}};  // the last: a byte order mark

const Refusal bad_numbers[] = {{"^+1", no_value},
                               {"^.5", no_value},
                               {"-^", no_value},
                               {"-^a", no_value},
                               {"-^.5", no_value},
                               {"-^-1", no_value},
                               {"0^x10", more},
                               {"1^a", more},
                               {"1.5^.5", more},
                               {"1e5^e5", more},
                               {"1^_000", more},
                               {"0^1", "a number has a leading zero"},
                               {"-0^1", "a number has a leading zero"},
                               {"0^0", "a number has a leading zero"},
                               {"1.^", "digits are missing after the decimal point"},
                               {"1.^e5", "digits are missing after the decimal point"},
                               {"1e^", "digits are missing in the exponent"},
                               {"1E+^", "digits are missing in the exponent"},
                               {"1e-^.5", "digits are missing in the exponent"}};

const Refusal bad_objects[] = {{"{^", no_name},
                               {"{^a:1}", no_name},
                               {"{^'a':1}", no_name},
                               {"{^1:2}", no_name},
                               {"{^null:1}", no_name},
                               {"{^,}", no_name},
                               {"{\"a\":1,^}", no_name},
                               {"{\"a\":1,^,}", no_name},
                               {"{\"a\":^}", no_value},
                               {"{\"a\":1^", no_brace},
                               {"{\"a\":1 ^\"b\":2}", no_brace},
                               {"{\"a\":1^]", no_brace},
                               {"{\"a\" ^1}", "a colon is missing"},
                               {"{\"a\"^}", "a colon is missing"},
                               {"{\"a\"^,\"b\"}", "a colon is missing"}};

const Refusal bad_arrays[] = {{"[^", no_value},     {"[1^", no_bracket},  {"[1 ^2]", no_bracket},
                              {"[1,^]", no_value},  {"[^,1]", no_value},  {"[1,^,2]", no_value},
                              {"[1^}", no_bracket}, {"[[1]^", no_bracket}};

const Refusal bad_strings[] = {
    {"\"abc^", no_end},        {"\"a\\\"^", no_end},      {"\"a^\n\"", control},
    {"\"a^\t\"", control},     {"\"^\0\""sv, control},    {"\"a^\x1F\"", control},
    {"\"\\^x41\"", unknown},   {"\"\\^", unknown},        {"\"\\^'\"", unknown},
    {"\"\\^0\"", unknown},     {"\"\\^U0041\"", unknown}, {"\"\\^\0\""sv, unknown},
    {"\"\\u^12\"", not_hex},   {"\"\\u^", not_hex},       {"\"\\u^12g4\"", not_hex},
    {"\"\\u^-123\"", not_hex}, {"\"\\u^+123\"", not_hex}, {"\"\\u^ 123\"", not_hex},
    {"\"\\u^0x12\"", not_hex}, {"\"\\u^{41}\"", not_hex}, {"\"\\u^123", not_hex}};

const Refusal bad_surrogates[] = {
    {"\"\\ud800^\"", alone},        {"\"\\ud800^x\"", alone},       {"\"\\udc00^\"", alone},
    {"\"\\ud800\\^n\"", alone},     {"\"\\ud800\\u0041^\"", alone}, {"\"\\udfff^\"", alone},
    {"\"\\ud800\\ud800^\"", alone}, {"\"\\ud83d\\ue000^\"", alone}, {"\"\\udbff^", alone},
    {"\"\\udc00^\\ud800\"", alone}, {"\"\\ud83d\\u^de\"", not_hex}};

const Refusal bad_bytes[] = {{"\"a^\xFF\"", not_utf8},
                             {"\"^\x80\"", not_utf8},
                             {"\"^\xC0\xAF\"", not_utf8},
                             {"\"^\xED\xA0\x80\"", not_utf8},
                             {"\"^\xE2\x82\"", not_utf8},
                             {"{}^\xFF", not_utf8},
                             {"\"^\xF4\x90\x80\x80\"", not_utf8},
                             {"\"^\xF0\x9F\x98", not_utf8}};

}  // namespace

TEST_CASE("JSON refuses what the grammar does not allow, and names the byte") {
    check_refusals(bad_values);
    check_refusals(bad_numbers);
    check_refusals(bad_objects);
    check_refusals(bad_arrays);
    check_refusals(bad_strings);
    check_refusals(bad_surrogates);
    check_refusals(bad_bytes);
}

TEST_CASE("JSON names may not repeat, however they are written") {
    const Refusal refusals[] = {
        {R"({"a":1,"a"^:2})", R"(the name "a" stands twice)"},
        {R"({"a":1,"\u0061"^:2})", R"(the name "a" stands twice)"},
        {R"({"\ud83d\ude00":1,"😀"^:2})", R"(the name "😀" stands twice)"},
        {R"({"/":1,"b":2,"\/"^:3})", R"(the name "/" stands twice)"},
        {R"({"":1,""^:1})", R"(the name "" stands twice)"},
        {R"({"\u0000":1,"\u0000"^:1})", R"(the name "\u0000" stands twice)"},
        {R"([{"x":{"b":1,"b"^:1}}])", R"(the name "b" stands twice)"}};
    check_refusals(refusals);

    // The same name in another object, or in other letters, is another name.
    Json value = parse_json(R"({"a":{"a":1},"A":{"a":2},"a ":3})", "here");
    CHECK(value.members.size() == 3);
}

TEST_CASE("JSON nesting is bounded") {
    // Three levels are what a header needs; 17 are accepted, however many follow are not.
    CHECK(parse_json(repeat("[", 17) + repeat("]", 17), "here").kind == Kind::array);
    for (int64_t depth : {18, 1000, 1'000'000}) {
        CAPTURE(depth);
        std::string array = error_of([&] { parse_json(repeat("[", depth), "here"); });
        check_contains(array, "JSON is nested too deeply (here, byte 17): ");
        std::string object = error_of([&] { parse_json(repeat("{\"a\":", depth), "here"); });
        check_contains(object, "JSON is nested too deeply (here, byte 85): ");
    }

    // Width is not depth.
    Json wide = parse_json("[" + repeat("[],", 100'000) + "[]]", "here");
    CHECK(wide.items.size() == 100'001);
}

TEST_CASE("JSON values keep their kind, order and position") {
    Json value =
        parse_json(" {\"b\" : [ 1 , {\"c\":null} ] ,\t\"a\":\"x\",\r\n\"d\":true} ", "here");
    REQUIRE(value.kind == Kind::object);
    REQUIRE(value.members.size() == 3);
    CHECK(value.position == 1);
    CHECK(value.members[0].name == "b");
    CHECK(value.members[1].name == "a");
    CHECK(value.members[2].name == "d");

    const Json* list = value.find("b");
    REQUIRE(list != nullptr);
    REQUIRE(list->items.size() == 2);
    CHECK(list->kind == Kind::array);
    CHECK(list->items[0].kind == Kind::number);
    CHECK(list->items[0].text == "1");
    CHECK(list->items[0].position == 10);
    CHECK(list->items[1].find("c")->kind == Kind::null);
    CHECK(value.find("a")->text == "x");
    CHECK(value.find("d")->kind == Kind::boolean);
    CHECK(value.find("d")->text == "true");
    CHECK(value.find("e") == nullptr);
}

TEST_CASE("JSON accepts every form of a value") {
    for (const char* number : {"0", "-0", "7", "-12", "1.5", "0.0", "-0.25", "1e5", "1E-5",
                               "2.5e+07", "123456789012345678901234567890"}) {
        CAPTURE(number);
        Json value = parse_json(number, "here");
        CHECK(value.kind == Kind::number);
        CHECK(value.text == number);
    }
    CHECK(parse_json("\t\n\r false \t", "here").text == "false");
    CHECK(parse_json("null", "here").kind == Kind::null);
    CHECK(parse_json("[ ]", "here").items.empty());
    CHECK(parse_json("{ }", "here").members.empty());
}

TEST_CASE("JSON escapes are resolved to UTF-8") {
    struct Escape {
        const char* text;
        std::string_view value;
    };
    const Escape escapes[] = {{R"("")", ""},
                              {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
                              {R"("a\u0041b")", "aAb"},
                              {R"("\u0000")", "\0"sv},
                              {R"("\u007f\u0080\u07FF\u0800")", "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80"},
                              {R"("\u00e9\u20AC")", "\xC3\xA9\xE2\x82\xAC"},
                              {R"("\ud7ff\ue000\uFFFF")", "\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"},
                              {R"("\ud83d\ude00")", "\xF0\x9F\x98\x80"},
                              {R"("\uD800\uDC00\uDBFF\uDFFF")", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
                              {R"("\\u0041")", "\\u0041"},
                              {"\"vi m\xE1\xBA\xA1\x63h \x7F\"", "vi m\xE1\xBA\xA1\x63h \x7F"}};
    for (const Escape& escape : escapes) {
        CAPTURE(escape.text);
        Json value = parse_json(escape.text, "here");
        CHECK(value.kind == Kind::string);
        CHECK(value.text == escape.value);
    }
}

TEST_CASE("JSON integers are exact or refused") {
    struct Integer {
        const char* text;
        int64_t value;
    };
    const Integer integers[] = {{"0", 0},
                                {"7", 7},
                                {"100000000", 100'000'000},
                                {"9007199254740993", 9'007'199'254'740'993},  // 2^53 + 1: no double
                                {"9223372036854775806", INT64_MAX - 1},
                                {"9223372036854775807", INT64_MAX}};
    for (const Integer& integer : integers) {
        CAPTURE(integer.text);
        CHECK(json_integer(parse_json(integer.text, "here"), "here") == integer.value);
    }

    // Refuse whatever is no plain whole number below 2^63, and name the place of the value.
    for (const char* text : {"-1",
                             "-0",
                             "1.0",
                             "1.5",
                             "0.0",
                             "1e2",
                             "1E2",
                             "0e0",
                             "1e-2",
                             "9223372036854775808",
                             "18446744073709551615",
                             "18446744073709551616",
                             "340282366920938463463374607431768211456",
                             "-9223372036854775808",
                             "9223372036854775807.0",
                             "\"1\"",
                             "\"\"",
                             "true",
                             "null",
                             "[]",
                             "{}",
                             "[1]"}) {
        CAPTURE(text);
        Json list = parse_json("[0, " + std::string(text) + "]", "here");
        std::string error = error_of([&] { json_integer(list.items[1], "there"); });
        check_contains(error, "expected a whole number from 0 to 2^63 - 1 (there, byte 4)");
    }
}

TEST_CASE("JSON quoting is undone by parsing") {
    CHECK(json_quote("wte.weight") == "\"wte.weight\"");
    CHECK(json_quote("a\"b\\c\n\x1F"sv) == R"("a\"b\\c\u000a\u001f")");
    CHECK(json_quote("\0"sv) == R"("\u0000")");

    std::string all;
    for (char c = 0; c < 127; ++c) all += c;
    all += "\x7Fvi m\u1EA1ch \U0001F600";
    CHECK(parse_json(json_quote(all), "here").text == all);
}
