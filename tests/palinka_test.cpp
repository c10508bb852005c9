// Chapter 2's words, scores and controls against definitions, written out by other means.
// Its program is run in tests/chapter_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "chapters/02_palinka_sae/controls.h"
#include "core/rng.h"
#include "math/stats.h"
#include "support.h"

using namespace vimach;
using namespace vimach::palinka;

namespace {

/// Latents [n_row, columns] from columns.
Matrix from_columns(const std::vector<std::vector<double>>& columns) {
    Matrix m(static_cast<int64_t>(columns[0].size()), static_cast<int64_t>(columns.size()));
    for (int64_t j = 0; j < m.cols; ++j) {
        for (int64_t i = 0; i < m.rows; ++i) m.at(i, j) = columns[j][i];
    }
    return m;
}

}  // namespace

TEST_CASE("chapter 2: tokens are content, function words and marks, or pieces") {
    for (const char* token : {" Hungary", " fruit", " stills", " Czech"}) {
        CHECK_MESSAGE(kind_of(token) == TokenKind::content, token);
    }
    for (const char* token : {" the", "The", " naught", " you", " a", ",", " (", ").", "\n", " "}) {
        CHECK_MESSAGE(kind_of(token) == TokenKind::filler, token);
    }
    for (const char* token : {"inka", " pr", "\xC3\xA1", " 220", "link", "\xC3", " caf\xC3\xA9"}) {
        CHECK_MESSAGE(kind_of(token) == TokenKind::piece, token);
    }
}

TEST_CASE("chapter 2: a topic is found by the first token of each of its words") {
    Tokenizer tokenizer = load_tokenizer();
    std::vector<int> passage = tokenizer.encode("Hungary and Hungary; in Hungary, Austria.");
    Topic topic = find_topic(tokenizer, "Hungary\n\n Austria \r\nItaly\nHungary\nSlivovitz\n",
                             passage, "words");
    std::vector<int64_t> expected;  // not the first word: no blank stands before it
    for (size_t i = 0; i < passage.size(); ++i) {
        std::string_view token = tokenizer.token_bytes(passage[i]);
        if (token == " Hungary" || token == " Austria") {
            expected.push_back(static_cast<int64_t>(i));
        }
    }
    CHECK(expected.size() == 3);
    CHECK((topic.tokens == expected));
    CHECK(topic.ids.size() == 2);
    REQUIRE(topic.remarks.size() == 3);
    CHECK(topic.remarks[0] == "'Italy' does not occur in the passage");
    CHECK(topic.remarks[1].starts_with("'Slivovitz' is "));
    test::check_contains(
        test::error_of([&] { find_topic(tokenizer, "Italy", passage, "words.txt"); }),
        "occurs in the passage (words.txt): give words");
}

TEST_CASE("chapter 2: random sets are content words, as frequent as the topic's, never its own") {
    Tokenizer tokenizer = load_tokenizer();
    std::string text = " Hungary plum Hungary plum Austria pear the the quince, apricot cherry";
    std::vector<int> passage = tokenizer.encode(text);
    Topic topic = find_topic(tokenizer, "Hungary\nAustria", passage, "words");
    auto sets = random_topics(tokenizer, topic, passage, 200, 1);
    REQUIRE(sets.size() == 200);
    bool differ = false;
    for (const auto& set : sets) {
        CHECK(set.size() == 3);  // plum twice, for Hungary, and one of the others
        int64_t n_plum = 0;
        for (int64_t i : set) {
            CHECK(kind_of(tokenizer.token_bytes(passage[i])) == TokenKind::content);
            CHECK(std::ranges::find(topic.tokens, i) == topic.tokens.end());
            n_plum += passage[i] == passage[set[0]];
        }
        CHECK(n_plum == 2);
        differ |= set != sets[0];
    }
    CHECK(differ);
    CHECK(random_topics(tokenizer, topic, passage, 3, 1)[2] == sets[2]);
    std::vector<int> few = tokenizer.encode(" Hungary plum");
    Topic own = find_topic(tokenizer, "Hungary", few, "w");
    test::check_contains(test::error_of([&] { random_topics(tokenizer, own, few, 1, 1); }),
                         "has 1 other content words, random sets of 1 need 2");
}

TEST_CASE("chapter 2: ratio and AUC are what their names say") {
    // Tokens 0 and 1 are the topic.
    Matrix z = from_columns({{4, 2, 1, 0, 0, 2}, {1, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}});
    Scores means = score_sets(z, {{0, 1}}, Ratio::of_means);
    CHECK(means.ratio.at(0, 0) == doctest::Approx(3 / 0.75));
    CHECK(std::isinf(means.ratio.at(0, 1)));
    CHECK(means.ratio.at(0, 2) == 0);
    Scores live = score_sets(z, {{0, 1}}, Ratio::of_live_means);
    CHECK(live.ratio.at(0, 0) == doctest::Approx(3 / 1.5));
    CHECK(live.ratio.at(0, 1) == 0);

    // AUC by ranks equals AUC by counting, ties included.
    Rng rng(1);
    Matrix random(40, 6);
    for (double& value : random.data) value = static_cast<double>(rng.below(4));
    std::vector<int64_t> set = {3, 7, 8, 20, 39};
    Scores scores = score_sets(random, {set}, Ratio::of_means);
    for (int64_t j = 0; j < random.cols; ++j) {
        std::vector<double> in, out;
        for (int64_t i = 0; i < random.rows; ++i) {
            bool inside = std::ranges::find(set, i) != set.end();
            (inside ? in : out).push_back(random.at(i, j));
        }
        CHECK(scores.auc.at(0, j) == doctest::Approx(auc(in, out)));
        CHECK(scores.ratio.at(0, j) == doctest::Approx(mean(in) / mean(out)));
    }
}

TEST_CASE("chapter 2: the correction for many latents makes noise insignificant, not signal") {
    // 400 latents of noise on 100 tokens, one of which is live on the topic and hardly elsewhere.
    constexpr int64_t n_token = 100, n_latent = 400;
    Rng rng(2);
    Matrix z(n_token, n_latent);
    for (double& value : z.data) value = rng.uniform();
    std::vector<std::vector<int64_t>> sets;
    for (int draw = 0; draw < 300; ++draw) {
        std::vector<int64_t> order = rng.permutation(n_token);
        order.resize(12);
        sets.push_back(order);
    }
    for (int64_t i = 0; i < n_token; ++i) {
        bool inside = std::ranges::find(sets[0], i) != sets[0].end();
        z.at(i, 7) = (inside ? 5 : 0.01) * rng.uniform();
    }
    std::vector<TokenKind> kinds(n_token, TokenKind::content);
    kinds[0] = TokenKind::filler;
    std::vector<Tested> tested =
        test_latents(z, score_sets(z, sets, Ratio::of_means), sets[0], kinds);

    int64_t n_low = 0, n_low_max = 0;
    for (int64_t j = 0; j < n_latent; ++j) {
        n_low += j != 7 && tested[j].auc_p < 0.05;
        n_low_max += j != 7 && tested[j].auc_p_max < 0.05;
    }
    CHECK(n_low > 5);  // of 399: chance makes about twenty
    CHECK(n_low_max <= 1);
    CHECK(tested[7].auc_p_max < 0.02);
    CHECK(tested[7].ratio_p_max < 0.02);
    CHECK(tested[7].coverage == 1);
    CHECK(best_by(tested, &Tested::auc, 3)[0] == 7);
    double filler = z.at(0, 3), total = 0;
    for (double value : column(z, 3)) total += value;
    CHECK(tested[3].filler == doctest::Approx(filler / total));
    CHECK(tested[3].mean == doctest::Approx(total / n_token));
}

TEST_CASE("chapter 2: overlap finds latents by what they do, whatever their numbers") {
    Matrix a = from_columns({{1, 0, 0, 2}, {0, 3, 0, 0}, {1, 1, 1, 0}}),
           b = from_columns({{0, 9, 0, 0}, {0, 0, 5, 0}, {2, 0, 0, 4}});
    Examined one = {.latents = a, .best_auc = {0, 1}}, two = {.latents = b, .best_auc = {0, 2}};
    CHECK(overlap(one, two, 0.8) == 1);
    two.best_auc = {1, 2};
    CHECK(overlap(one, two, 0.8) == 0.5);
    CHECK(pair_overlaps({one, two, two}, 0.8) == std::vector<double>{0.5, 0.5, 1});
    CHECK(paired_overlaps({one, one}, {one, two}, 0.8) == std::vector<double>{1, 0.5});
}

TEST_CASE("chapter 2: responses, live densities, neurons and what seeds alone make") {
    SaeSummary summary = {.losses = {}, .n_row = 100};
    summary.n_live = {0, 0, 1, 10, 11, 50, 51, 100};
    Responses r = responses(summary);
    CHECK((r.none == 0.25 && r.few == 0.25 && r.some == 0.25));
    CHECK((r.most == 0.125 && r.all == 0.125));
    CHECK(live_density(summary, mean_of) == doctest::Approx((1 + 10 + 11 + 50 + 51 + 100) / 600.0));
    CHECK(live_density(summary, median_of) == doctest::Approx(0.305));

    Tensor post({2, 3});
    post.data = {0, Real(0.2), 1, 0, 0, Real(0.05)};
    CHECK(lit_neurons(post, 0.1) == std::vector<double>{2, 0});
    CHECK(lit_by_topic({7, 1, 1, 1}, {0}, 1).value == 7);
    CHECK(lit_by_others({7, 1, 1, 1}, {0}, 1).interval.high == 1);
    Measure null = seed_null({1, 2, 4});
    CHECK(null.interval.high > 2.5);
    CHECK(null.interval.low == doctest::Approx(-null.interval.high));
    CHECK(difference_measure({3, 3}, {1, 1}, 1).value == 2);
}
